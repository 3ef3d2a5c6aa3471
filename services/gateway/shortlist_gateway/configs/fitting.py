"""A query under a config, as far as the bundle that answers goes: what does not fit is left out, and said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from shortlist_gateway.configs.config import BUILT_IN
from shortlist_gateway.configs.fitness import misfits
from shortlist_gateway.query import Cause, Level, Query, Slate

T = TypeVar("T")


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
    sources = tuple(source for source in config.sources if source not in parts)
    if config.sources and not sources:
        slate.warnings.append("serving_config: none of its sources is left; all were asked, as without the config")
    asked, own = query.rules, config.rules
    return replace(
        query,
        rules=replace(
            asked,
            promotions=_fitting(asked.promotions, own.promotions, parts),
            boosts=_fitting(asked.boosts, own.boosts, parts),
            caps=tuple(cap for cap in asked.caps if cap not in parts),
        ),
        serving=replace(
            serving,
            config=replace(config, sources=sources),
        ),
    )


def _fitting(asked: Sequence[T], own: Sequence[T], unfit: Collection[object]) -> tuple[T, ...]:
    """Return ``asked``, of which the first are the config's ``own``, without those that do not fit."""
    kept = (one for one, of_config in zip(asked, own, strict=False) if of_config not in unfit)
    return (*kept, *asked[len(own) :])
