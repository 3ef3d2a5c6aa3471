"""Popularity as it stood before each event: the baseline of the rolling protocol."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.ranks import Ranks


def rolling_popularity_ranks(
    user_rows: NDArray[np.integer],
    item_rows: NDArray[np.integer],
    times_s: NDArray[np.float64],
    items: int,
    positions: NDArray[np.integer],
) -> Ranks:
    """Return where each evaluated event's item stands by popularity at that moment.

    Popularity of an item is its number of events strictly before the event's time, whoever made them. Items that the
    user met strictly before that time are not competitors; an event on such an item cannot be recommended (``better``
    is -1), so leave repeats out of ``positions`` where the protocol has none. Events of the same moment do not see each
    other.

    The number of items above each count is kept up to date as events pass: one step per event, not one per item.

    Args:
        user_rows: User row of every event, training included, in time order, shape ``(m,)``.
        item_rows: Item row of every event, shape ``(m,)``.
        times_s: Time of every event, non-decreasing, shape ``(m,)``.
        items: Size of the catalogue; items without events have popularity 0 and tie.
        positions: Positions of the events to evaluate, strictly ascending.

    Raises:
        ValueError: Times descend, or positions do not ascend within ``[0, m)``.
    """
    m = len(times_s)
    if np.any(np.diff(times_s) < 0) or np.any(np.diff(positions) <= 0):
        raise ValueError("times must not descend, and positions must ascend strictly")
    if len(positions) == 0:
        return Ranks(np.zeros(0, np.int64), np.zeros(0, np.int64))
    if positions[0] < 0 or positions[-1] >= m:
        raise ValueError(f"positions {positions[0]} to {positions[-1]} are not all in [0, {m})")
    visible = np.searchsorted(times_s, times_s[positions], side="left")
    seen = _FirstMeetings(user_rows, item_rows, items)
    passed = int(visible[0])
    counts = np.bincount(item_rows[:passed], minlength=items).astype(np.int64)
    above = _items_above(counts, m)
    better, tied = np.empty(len(positions), np.int64), np.empty(len(positions), np.int64)
    for index, (position, now) in enumerate(zip(positions.tolist(), visible.tolist(), strict=True)):
        for item in item_rows[passed:now].tolist():
            above[counts[item]] += 1
            counts[item] += 1
        passed = now
        item = int(item_rows[position])
        own = counts[item]
        met = seen.before(int(user_rows[position]), now)
        if (met == item).any():
            better[index], tied[index] = -1, 0
            continue
        met_counts = counts[met]
        as_high = items if own == 0 else above[own - 1]
        better[index] = above[own] - np.count_nonzero(met_counts > own)
        tied[index] = as_high - above[own] - 1 - np.count_nonzero(met_counts == own)
    return Ranks(better, tied)


def _items_above(counts: NDArray[np.int64], m: int) -> NDArray[np.int64]:
    """Return how many items have more than ``c`` events, for every ``c`` that may come up, shape ``(m + 1,)``."""
    histogram = np.bincount(counts, minlength=m + 1)
    return (len(counts) - histogram.cumsum()).astype(np.int64)


class _FirstMeetings:
    """The items each user has met before a position, without repeats."""

    def __init__(self, user_rows: NDArray[np.integer], item_rows: NDArray[np.integer], items: int) -> None:
        pairs = user_rows.astype(np.int64) * items + item_rows
        first = np.sort(np.unique(pairs, return_index=True)[1])
        users = user_rows[first]
        order = np.argsort(users, kind="stable")  # positions stay ascending within a user
        self._positions = first[order]
        self._items = item_rows[self._positions]
        self._starts = np.searchsorted(users[order], np.arange(int(users.max(initial=-1)) + 2))

    def before(self, user: int, position: int) -> NDArray[np.integer]:
        start, end = self._starts[user], self._starts[user + 1]
        return self._items[start : start + np.searchsorted(self._positions[start:end], position)]
