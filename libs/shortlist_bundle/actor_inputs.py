"""Actor features to model inputs: the one place where serving builds what training built in batches."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.features import FEATURE_BY_NAME, context_numbers
from shortlist_domain.stages import ActorFeatures

ModelInputs = dict[str, NDArray[np.generic]]

PADDING_ROW = -1

_LARGEST = float(np.finfo(np.float32).max)


HISTORY_INPUTS = frozenset(("history_rows", "history_values", "history_ages_s"))
LAST_EVENT_INPUTS = frozenset(("has_history", "age_s"))
PROFILE_INPUTS = frozenset(("user_categories", "user_numbers", "context"))
ACTOR_INPUTS = HISTORY_INPUTS | LAST_EVENT_INPUTS | PROFILE_INPUTS


def actor_inputs(actor: ActorFeatures, features: FeatureList, wanted: Collection[str] = ACTOR_INPUTS) -> ModelInputs:
    """Return the inputs of a model that describe one actor, batch size 1.

    Args:
        actor: The actor.
        features: What the bundle's models expect.
        wanted: Inputs that will be read; a part of which none is wanted is left out: history, last event, profile.

    Returns:
        ``history_rows`` int64 (1, L), oldest first, padded on the left with -1; ``history_values`` float32 (1, L),
        padding 0; ``history_ages_s`` float32 (1, L), seconds between event and request, never negative, padding 0;
        ``has_history`` bool (1,) and ``age_s`` float32 (1,), the last one of those seconds, 0 without events;
        ``user_categories`` int64 (1, c), 0 is unknown; ``user_numbers`` float32 (1, u) and ``context`` float32 (1, x),
        raw, in the feature list's order; what is absent or not finite has its default.
    """
    inputs: ModelInputs = {}
    if not HISTORY_INPUTS.isdisjoint(wanted):
        inputs |= _history(actor, features.history_length)
    if not LAST_EVENT_INPUTS.isdisjoint(wanted):
        times_s = actor.history_times_s
        age_s = max(actor.now_s - times_s[-1], 0.0) if times_s else 0.0
        inputs["has_history"] = np.array([bool(actor.history_rows)])
        inputs["age_s"] = np.array([age_s if age_s <= _LARGEST else 0.0], np.float32)
    if not PROFILE_INPUTS.isdisjoint(wanted):
        inputs["user_categories"] = category_indices(actor, features)
        inputs["user_numbers"] = _numbers(actor.numbers, features.user_numbers)
        inputs["context"] = _numbers(context_numbers(actor.now_s), features.context_numbers)
    return inputs


def category_indices(actor: ActorFeatures, features: FeatureList) -> NDArray[np.int64]:
    """Return the index of the actor's value of each categorical attribute, ``(1, c)``; 0 is unknown."""
    vocabularies = features.user_categories
    return np.array([[v.index(actor.attributes.get(v.name)) for v in vocabularies]], np.int64)


def history_embeddings(rows: NDArray[Any], embeddings: NDArray[Any]) -> NDArray[np.float32]:
    """Return the embeddings ``(1, L, d)`` of the items in ``history_rows``, 0 where there is padding.

    Args:
        rows: As :func:`actor_inputs` gives them, ``(1, L)``.
        embeddings: Of all items, float32 ``(n, d)``.
    """
    found: NDArray[np.float32] = embeddings.take(np.maximum(rows, 0), axis=0)
    found[rows == PADDING_ROW] = 0.0
    return found


def _history(actor: ActorFeatures, length: int) -> ModelInputs:
    rows = np.full((1, length), PADDING_ROW, np.int64)
    values = np.zeros((1, length), np.float32)
    ages = np.zeros((1, length), np.float32)
    n = min(len(actor.history_rows), length)
    if n:
        rows[0, -n:] = np.frombuffer(actor.history_rows, np.uint32)[-n:]
        values[0, -n:] = _finite(np.frombuffer(actor.history_values, np.float32)[-n:])
        ages[0, -n:] = recent_ages_s(actor, n)
    return {"history_rows": rows, "history_values": values, "history_ages_s": ages}


def recent_ages_s(actor: ActorFeatures, length: int) -> NDArray[np.float32]:
    """Return the seconds between the latest ``length`` events and the request, float32 ``(l,)``, oldest first.

    Never negative, and 0 where an age is not a finite number, of float32.
    """
    times_s = np.frombuffer(actor.history_times_s, np.float64)[-length:]
    ages_s = np.maximum(actor.now_s - times_s, 0.0)
    return np.where(ages_s <= _LARGEST, ages_s, 0.0).astype(np.float32)


def _finite(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return ``values`` with 0 where they are not finite."""
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, 0.0)


def _numbers(given: Mapping[str, float], names: tuple[str, ...]) -> NDArray[np.float32]:
    row = [given.get(name, math.nan) for name in names]
    # Beyond float32 a number would become infinite on its way.
    finite = [v if abs(v) <= _LARGEST else FEATURE_BY_NAME[n].default for n, v in zip(names, row, strict=True)]
    return np.array([finite], np.float32)
