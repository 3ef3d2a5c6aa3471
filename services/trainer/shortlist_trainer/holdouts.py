"""Which events are held out: the rules that protocols and published tables share. Each returns a mask of the events.

Events are in order of time, ties as in the file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset


def last_of_each_user(dataset: Dataset, least: int = 2) -> NDArray[np.bool_]:
    """Hold out the last event of every user who has ``least`` or more."""
    order, counts = _by_user(dataset)
    held = np.zeros(dataset.events, np.bool_)
    ends = np.cumsum(counts)
    held[order[ends[counts >= least] - 1]] = True
    return held


def share_of_each_user(dataset: Dataset, share: float, seed: int) -> NDArray[np.bool_]:
    """Hold out a random ``share`` of each user's events; ``round((1 - share) n)`` stay."""
    random = np.random.default_rng([seed, 41])
    order = np.lexsort((random.random(dataset.events), dataset.user_rows))
    return _rest_of_each_user(dataset, order, share)


def latest_of_each_user(dataset: Dataset, share: float) -> NDArray[np.bool_]:
    """Hold out the latest ``share`` of each user's events; ``round((1 - share) n)`` stay."""
    return _rest_of_each_user(dataset, _by_user(dataset)[0], share)


def latest(dataset: Dataset, share: float) -> NDArray[np.bool_]:
    """Hold out the latest ``share`` of all events; a moment is never divided: all of it is held out."""
    if not dataset.events:
        return np.zeros(0, np.bool_)
    at = min(int(dataset.events * (1.0 - share)), dataset.events - 1)
    held: NDArray[np.bool_] = dataset.times_s >= dataset.times_s[at]
    return held


def _by_user(dataset: Dataset) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    counts = np.bincount(dataset.user_rows, minlength=len(dataset.user_ids))
    return np.argsort(dataset.user_rows, kind="stable"), counts


def _rest_of_each_user(dataset: Dataset, order: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
    counts = np.bincount(dataset.user_rows, minlength=len(dataset.user_ids))
    place = np.arange(dataset.events) - np.repeat(np.cumsum(counts) - counts, counts)
    held = np.zeros(dataset.events, np.bool_)
    held[order[place >= np.repeat(np.round((1.0 - share) * counts), counts)]] = True
    return held
