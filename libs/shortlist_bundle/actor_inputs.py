"""Actor features to model inputs: the one place where serving builds what training built in batches."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.features import FEATURE_BY_NAME, context_numbers
from shortlist_domain.stages import ActorFeatures

ModelInputs = dict[str, NDArray[np.generic]]

PADDING_ROW = -1


def actor_inputs(actor: ActorFeatures, features: FeatureList) -> ModelInputs:
    """Return the user tower's inputs for one actor, batch size 1.

    Returns:
        ``history_rows`` int64 (1, L), oldest first, padded on the left with -1; ``history_values`` float32 (1, L),
        padding 0; ``history_ages_s`` float32 (1, L), seconds between event and request, never negative, padding 0;
        ``user_categories`` int64 (1, c), 0 is unknown; ``user_numbers`` float32 (1, u) and ``context`` float32 (1, x),
        raw, in the feature list's order; what is absent or not finite has its default.
    """
    length = features.history_length
    rows = np.full((1, length), PADDING_ROW, np.int64)
    values = np.zeros((1, length), np.float32)
    ages = np.zeros((1, length), np.float32)
    n = min(len(actor.history_rows), length)
    if n:
        rows[0, -n:] = np.frombuffer(actor.history_rows, np.uint32)[-n:]
        recent_values = np.frombuffer(actor.history_values, np.float32)[-n:]
        values[0, -n:] = np.nan_to_num(recent_values, nan=0.0, posinf=0.0, neginf=0.0)
        recent_ages = actor.now_s - np.frombuffer(actor.history_times_s, np.float64)[-n:]
        ages[0, -n:] = np.nan_to_num(np.maximum(recent_ages, 0.0), nan=0.0, posinf=0.0)
    categories = [vocabulary.index(actor.attributes.get(vocabulary.name)) for vocabulary in features.user_categories]
    context = context_numbers(actor.now_s)
    return {
        "history_rows": rows,
        "history_values": values,
        "history_ages_s": ages,
        "user_categories": np.array([categories], np.int64).reshape(1, len(categories)),
        "user_numbers": _numbers(actor.numbers, features.user_numbers),
        "context": np.array([[context[name] for name in features.context_numbers]], np.float32),
    }


def _numbers(given: Mapping[str, float], names: tuple[str, ...]) -> NDArray[np.float32]:
    row = np.array([[given.get(name, FEATURE_BY_NAME[name].default) for name in names]], np.float32)
    defaults = np.array([[FEATURE_BY_NAME[name].default for name in names]], np.float32)
    return np.where(np.isfinite(row), row, defaults)
