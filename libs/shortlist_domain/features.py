"""The feature catalogue: one list that training, the feature store and ranking share.

A feature is *raw* everywhere outside a model: normalising, logarithms and embeddings are part of the exported graph,
so nothing has to be computed twice in two languages. All statistics are point in time: they cover the events strictly
before the moment they describe, and nothing else.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Entity(StrEnum):
    """What a feature describes."""

    USER = "user"
    ITEM = "item"
    PAIR = "pair"
    CONTEXT = "context"


class Freshness(StrEnum):
    """State of a feature value that was read."""

    PRESENT = "present"
    DEFAULTED = "defaulted"
    MISSING = "missing"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One number that a model may ask for by name."""

    name: str
    entity: Entity
    default: float
    """Value where nothing is known: unknown user, unknown item, store unreachable."""

    unit: str
    meaning: str
    max_age_s: float | None = None
    """Age beyond which a value is reported stale; ``None`` where age has no meaning."""


FEATURES: tuple[FeatureSpec, ...] = (
    FeatureSpec("user_count", Entity.USER, 0.0, "events", "Events of the user so far.", 86_400.0 * 30),
    FeatureSpec("user_mean", Entity.USER, 0.0, "rating", "Mean value of those events.", 86_400.0 * 30),
    FeatureSpec("user_deviation", Entity.USER, 0.0, "rating", "Population deviation of it.", 86_400.0 * 30),
    FeatureSpec("item_count", Entity.ITEM, 0.0, "events", "Events on the item so far.", 86_400.0),
    FeatureSpec("item_mean", Entity.ITEM, 0.0, "rating", "Mean value of those events.", 86_400.0),
    FeatureSpec(
        "neighbour_score", Entity.PAIR, 0.0, "cosine", "Sum of similarities between the item and the recent events."
    ),
    FeatureSpec("hour_of_day", Entity.CONTEXT, 0.0, "hour", "Hour of the request, UTC, 0 to 23."),
    FeatureSpec("day_of_week", Entity.CONTEXT, 0.0, "day", "Day of the request, UTC, Monday is 0."),
    FeatureSpec("is_weekend", Entity.CONTEXT, 0.0, "flag", "1 on Saturday and Sunday, UTC."),
)
"""Every numeric feature. Categorical attributes (genre, gender, …) belong to a data set and lie in its bundle."""

FEATURE_BY_NAME = {spec.name: spec for spec in FEATURES}


def user_numbers(values: Sequence[float]) -> dict[str, float]:
    """Return the user features of someone whose events so far carried ``values``.

    Args:
        values: Values of all events before now, in any order; may be empty.
    """
    n = len(values)
    if n == 0:
        return {name: FEATURE_BY_NAME[name].default for name in ("user_count", "user_mean", "user_deviation")}
    mean = math.fsum(values) / n
    differences = [value - mean for value in values]
    variance = math.fsum(map(operator.mul, differences, differences)) / n
    return {"user_count": float(n), "user_mean": mean, "user_deviation": math.sqrt(variance)}


def item_numbers(count: float, value_sum: float) -> dict[str, float]:
    """Return the item features of an item with ``count`` events so far whose values add up to ``value_sum``."""
    if count <= 0:
        return {name: FEATURE_BY_NAME[name].default for name in ("item_count", "item_mean")}
    return {"item_count": float(count), "item_mean": value_sum / count}


def context_numbers(now_s: float) -> dict[str, float]:
    """Return the context features of the moment ``now_s``, in seconds since 1970 UTC."""
    now = datetime.fromtimestamp(now_s, UTC)
    day = now.weekday()
    return {"hour_of_day": float(now.hour), "day_of_week": float(day), "is_weekend": float(day >= 5)}
