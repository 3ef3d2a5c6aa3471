"""A query under a config, as far as the bundle that answers goes: what does not fit is left out, and said."""

from __future__ import annotations

from dataclasses import replace

from shortlist_gateway.configs.config import BUILT_IN
from shortlist_gateway.configs.fitness import misfits
from shortlist_gateway.query import Cause, Level, Query, Slate


def fitted(query: Query, slate: Slate) -> Query:
    """Return ``query`` with what of its config fits the bundle of ``slate``, which is told of the rest."""
    slate.warnings.extend(query.warnings)
    serving, config = query.serving, query.serving.config
    if serving.is_unfit:
        slate.degrade(Level.PARTIAL, Cause.CONFIG_UNFIT)
    if serving.is_fallback:
        slate.degrade(Level.PARTIAL, Cause.FALLBACK_CONFIG)
    if config is BUILT_IN:
        return query
    unfit = misfits(config, slate.catalogue)
    if not unfit:
        return query
    slate.degrade(Level.PARTIAL, Cause.CONFIG_UNFIT)
    slate.warnings.extend(f"serving_config: {misfit}; it was left out" for misfit in unfit)
    parts = [misfit.part for misfit in unfit]
    # The config's own promotions and caps come first in the query's rules.
    n = len(config.rules.promotions)
    kept = [q for q, c in zip(query.rules.promotions, config.rules.promotions, strict=False) if c not in parts]
    return replace(
        query,
        rules=replace(
            query.rules,
            promotions=(*kept, *query.rules.promotions[n:]),
            caps=tuple(cap for cap in query.rules.caps if cap not in parts),
        ),
        serving=replace(
            serving,
            config=replace(config, sources=tuple(source for source in config.sources if source not in parts)),
        ),
    )
