"""What of a serving config does not fit a bundle: sources that it has nothing for, attributes that its items lack."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from shortlist_bundle import layout
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.stages import Source
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.configs.config import ServingConfig
from shortlist_gateway.filters.condition import bound_condition
from shortlist_gateway.filters.templates import fit_violations
from shortlist_gateway.slate.rules import AttributeCap, Boost, Promotion

_NEEDS = {Source.CONTENT: layout.CONTENT_EMBEDDINGS, Source.NEWEST: layout.ITEM_TIMES}
"""File without which a source has nothing."""

_SAMPLED = 1_000
"""Items whose display is looked at for attributes, where the bundle has no list of them."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A part of a config that does not fit."""

    violations: tuple[Violation, ...]
    """What is wrong, with paths below the config."""

    part: str | AttributeCap | Promotion | Boost
    """The source by name, the cap, the promotion or the boost that has to be left out."""

    def __str__(self) -> str:
        return "; ".join(f"{violation.field} {violation.description}" for violation in self.violations)


def sources_of(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the sources that a bundle has something for."""
    files = catalogue.manifest.files
    return tuple(source for source in Source if source not in _NEEDS or _NEEDS[source] in files)


def misfits(config: ServingConfig, catalogue: Catalogue) -> tuple[Misfit, ...]:
    """Return what of ``config`` does not fit the bundle of ``catalogue``; looked for once for each of the two."""
    by_name = _misfits.setdefault(catalogue, {})
    known = by_name.get(config.name)
    if known is None or known[0] is not config:
        known = by_name[config.name] = (config, tuple(_found(config, catalogue)))
    return known[1]


_misfits: WeakKeyDictionary[Catalogue, dict[str, tuple[ServingConfig, tuple[Misfit, ...]]]] = WeakKeyDictionary()
"""By bundle that is held, and by name of the config."""


def _found(config: ServingConfig, catalogue: Catalogue) -> list[Misfit]:
    found: list[Misfit] = []
    there = sources_of(catalogue)
    for at, source in enumerate(config.sources):
        if source not in there:
            said = f"is {source!r}, which bundle {catalogue.bundle_id} does not have; it has {', '.join(there)}"
            found.append(Misfit((Violation(f"sources[{at}].source", said),), source))
    known = _attributes(catalogue) if config.rules.caps else frozenset()
    for at, cap in enumerate(config.rules.caps):
        if cap.attribute not in known:
            said = f"is {cap.attribute!r}, which no item of bundle {catalogue.bundle_id} has"
            found.append(Misfit((Violation(f"constraints.attribute_caps[{at}].attribute", said),), cap))
    conditional: tuple[Promotion | Boost, ...] = (*config.rules.promotions, *config.rules.boosts)
    for rule in conditional:
        try:
            bound_condition(rule.condition, catalogue.attributes.schema)
        except InvalidRequest as error:
            found.append(Misfit(error.violations, rule))
    return found


def filter_violations(config: ServingConfig, catalogue: Catalogue) -> list[Violation]:
    """Return what of the filters of ``config`` does not fit the bundle; requests that name one are told so as well."""
    found: dict[Violation, None] = {}
    for at, (template, definition) in enumerate(zip(config.filters.values(), config.message.filters, strict=True)):
        path = f"filters[{at}].{definition.WhichOneof('condition')}"
        found |= dict.fromkeys(fit_violations(template, catalogue.attributes.schema, path))
    return list(found)


_known_attributes: WeakKeyDictionary[Catalogue, frozenset[str]] = WeakKeyDictionary()


def _attributes(catalogue: Catalogue) -> frozenset[str]:
    known = _known_attributes.get(catalogue)
    if known is None:
        names = set(catalogue.attributes.schema)
        step = max(1, len(catalogue) // _SAMPLED)
        for row in range(0, len(catalogue), step):
            names.update(catalogue.display(row))
        known = _known_attributes[catalogue] = frozenset(names)
    return known
