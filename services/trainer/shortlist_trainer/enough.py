"""What every part of the time must hold before anything is fitted: the minimum-data contract of a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused

LEAST_EVENTS = 50
"""Events on items new to their user that each part must have at least: what was seen is never recommended, so others
are of no use for ranking and evaluation."""


def require_enough(dataset: Dataset, parts: Mapping[str, tuple[int, int]]) -> None:
    """Check that every part can be learnt from or evaluated on.

    Args:
        dataset: All events.
        parts: By name, the events ``[begin, end)`` of each.

    Raises:
        DataRefused: Some cannot; says what they have, and about how many events it takes in all.
    """
    pair = dataset.user_rows.astype(np.int64) * len(dataset.item_ids) + dataset.item_rows
    is_new = np.zeros(dataset.events, np.bool_)
    is_new[np.unique(pair, return_index=True)[1]] = True
    found = {part: int(np.count_nonzero(is_new[begin:end])) for part, (begin, end) in parts.items()}
    short = [f"{part} has {has:,}" for part, has in found.items() if has < LEAST_EVENTS]
    if not short:
        return
    repeats = dataset.events - int(np.count_nonzero(is_new))
    if repeats < dataset.events / 2:
        smallest = min(end - begin for begin, end in parts.values())
        advice = f"about {-(-LEAST_EVENTS * dataset.events // max(smallest, 1)):,} events are needed in all"
    else:
        advice = f"{repeats:,} events are on items that their user had met before, and those are never recommended"
    raise DataRefused(
        f"{dataset.name}: of its {dataset.events:,} events, too few are left for a part of the time, cut by "
        f"{len(np.unique(dataset.times_s)):,} moments: {', '.join(short)} on items new to their user, where "
        f"{LEAST_EVENTS} are needed; {advice}"
    )
