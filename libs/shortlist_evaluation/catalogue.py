"""Metrics of lists as a whole: how much of the catalogue they show, how evenly, and how far from the popular."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def exposure(lists: NDArray[np.int32], items: int, k: int) -> NDArray[np.int64]:
    """Return how often each item is among the first ``k`` of a list, shape ``(items,)``; -1 is padding."""
    top = lists[:, :k]
    return np.bincount(top[top >= 0], minlength=items).astype(np.int64)


def coverage(lists: NDArray[np.int32], items: int, k: int) -> float:
    """Return the share of the catalogue that is among the first ``k`` of at least one list, in [0, 1]."""
    return float((exposure(lists, items, k) > 0).mean()) if items else float("nan")


def gini(lists: NDArray[np.int32], items: int, k: int) -> float:
    """Return the Gini coefficient of the items' exposure: 0 all equal, near 1 everything on one item.

    ``sum over i of (2 i - n - 1) x_i / (n sum x)`` with exposures ``x`` ascending, ``i`` from 1. NaN without exposure.
    """
    x = np.sort(exposure(lists, items, k)).astype(np.float64)
    if x.sum() == 0:
        return float("nan")
    return float(((2 * np.arange(1, items + 1) - items - 1) * x).sum() / (items * x.sum()))


def novelty(lists: NDArray[np.int32], counts: NDArray[np.floating], k: int) -> float:
    """Return the mean of ``-log2(share of all events)`` over recommended items (Zhou et al. 2010), in bits.

    Args:
        lists: Item rows padded with -1, shape ``(u, width)``.
        counts: Events of each item in training, shape ``(items,)``. An item without events counts as one with half an
            event, so that its information is large and finite.
        k: Positions that count.
    """
    shares = np.maximum(np.asarray(counts, np.float64), 0.5)
    top = lists[:, :k]
    shown = top[top >= 0]
    return float(-np.log2(shares[shown] / max(float(np.sum(counts)), 1.0)).mean()) if len(shown) else float("nan")
