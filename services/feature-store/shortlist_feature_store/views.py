"""Features with their status and age, made from what the store keeps."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shortlist_domain.features import (
    FEATURE_BY_NAME,
    FEATURES,
    Entity,
    FeatureSpec,
    Freshness,
    item_numbers,
    user_numbers,
)
from shortlist_domain.stages import ActorState, ItemDelta

KEPT_ENTITIES = (Entity.USER, Entity.ITEM)
"""What features are kept for; those of pairs and contexts are made where they are used."""


@dataclass(frozen=True, slots=True)
class Column:
    """One feature of several entities. All columns have the entities' order."""

    name: str
    values: array[float] = field(default_factory=lambda: array("d"))
    statuses: list[Freshness] = field(default_factory=list)
    ages_s: array[float] = field(default_factory=lambda: array("d"))
    """NaN where there is no value to be old."""


def kept_features(entity: Entity) -> list[FeatureSpec]:
    """Return the features kept for ``entity``, in the order of the catalogue."""
    return [spec for spec in FEATURES if spec.entity is entity and entity in KEPT_ENTITIES]


def user_columns(names: Sequence[str], actors: Sequence[ActorState], now_s: float) -> list[Column]:
    """Return user features of ``actors``; their age is that of the newest event."""
    columns = [Column(name) for name in names]
    for actor in actors:
        age_s = max(0.0, now_s - actor.times_s[-1]) if actor.times_s else math.nan
        _add(columns, actor.known, bool(actor.times_s), age_s, user_numbers(actor.values))
    return columns


def item_columns(
    names: Sequence[str], totals: Sequence[ItemDelta | None], last_write_s: float | None, now_s: float
) -> list[Column]:
    """Return item features of ``totals``; their age is the time since any counter of the tenant was last written."""
    columns = [Column(name) for name in names]
    age_s = math.nan if last_write_s is None else max(0.0, now_s - last_write_s)
    for total in totals:
        count, value_sum = (total.count, total.value_sum) if total else (0.0, 0.0)
        numbers = item_numbers(count, value_sum)
        _add(columns, total is not None, count > 0, age_s, numbers)
    return columns


def _add(
    columns: Sequence[Column], is_known: bool, has_value: bool, age_s: float, numbers: Mapping[str, float]
) -> None:
    for column in columns:
        spec = FEATURE_BY_NAME[column.name]
        column.values.append(numbers[column.name] if has_value else spec.default)
        column.ages_s.append(age_s if has_value else math.nan)
        if not has_value:
            column.statuses.append(Freshness.DEFAULTED if is_known else Freshness.MISSING)
        elif spec.max_age_s is not None and age_s > spec.max_age_s:
            column.statuses.append(Freshness.STALE)
        else:
            column.statuses.append(Freshness.PRESENT)
