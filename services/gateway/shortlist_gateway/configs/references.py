"""References between serving configs: fallbacks and variants are there, end, and are not nested."""

from __future__ import annotations

from collections.abc import Mapping

from shortlist_domain.errors import Violation
from shortlist_gateway.configs.config import ServingConfig

MAX_FALLBACKS = 3
"""Most fallbacks in a row."""


def reference_violations(config: ServingConfig, others: Mapping[str, ServingConfig]) -> list[Violation]:
    """Return what is wrong with the references of ``config``, and with those of others to it.

    Args:
        config: As it is to be.
        others: All usable configs by name; an older ``config`` among them does not count.
    """
    after = {**others, config.name: config}
    known = ", ".join(sorted(after))
    found = []
    if config.fallback_config and config.fallback_config not in after:
        found.append(Violation("fallback_config", f"is {config.fallback_config!r}, which there is not; known: {known}"))
    for name in after:
        chain = fallbacks_of(name, after)
        if config.name not in chain or not config.fallback_config:
            continue
        if chain[-1] in chain[:-1]:
            found.append(Violation("fallback_config", f"makes a cycle: {' -> '.join(chain)}"))
            break
        if len(chain) > MAX_FALLBACKS + 1:
            said = (
                f"makes {len(chain) - 1} fallbacks in a row, {' -> '.join(chain)}; at most {MAX_FALLBACKS} may follow"
            )
            found.append(Violation("fallback_config", said))
            break
    for at, variant in enumerate(config.experiment.variants if config.experiment else ()):
        path = f"experiment.variants[{at}].serving_config"
        other = after.get(variant.config)
        if other is None:
            found.append(Violation(path, f"is {variant.config!r}, which there is not; known: {known}"))
        elif other is not config and other.experiment is not None:
            found.append(Violation(path, f"is {variant.config!r}, which has an experiment of its own"))
    if config.experiment is not None:
        found += [
            Violation("experiment", f"cannot be nested: {other.name!r} has {config.name!r} as a variant")
            for other in others.values()
            if other.name != config.name and other.experiment is not None
            if any(variant.config == config.name for variant in other.experiment.variants)
        ]
    return found


def fallbacks_of(name: str, configs: Mapping[str, ServingConfig]) -> list[str]:
    """Return ``name`` and the fallbacks that follow, up to the first that comes twice or is not there."""
    chain = [name]
    while (config := configs.get(chain[-1])) is not None and config.fallback_config:
        chain.append(config.fallback_config)
        if chain[-1] in chain[:-1]:
            break
    return chain


def dependants(name: str, configs: Mapping[str, ServingConfig]) -> list[str]:
    """Return the names of the other configs that refer to ``name``."""
    return sorted(other.name for other in configs.values() if other.name != name and name in other.references)
