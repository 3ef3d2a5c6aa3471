"""What a user's list is like: how unlike each other its items are, and how far from what everybody knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CELLS = 4_000_000
"""Numbers of item features held at a time."""


def intra_list_distances(lists: NDArray[np.int32], features: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Return the mean cosine distance over the pairs of items in the first ``k`` of each list, ``(u,)``, in [0, 2].

    ``1 - mean over i < j of cos(f_i, f_j)`` (Ziegler et al. 2005, "Improving recommendation lists through topic
    diversification", with distance in the place of similarity). Items without features (all 0) are left out; NaN where
    fewer than two items are left.

    Args:
        lists: Item rows, best first, ``(u, width)``, padded with -1.
        features: Of all items, ``(n, f)``.
        k: Positions that count.
    """
    wide = np.asarray(features, np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    units = (wide / np.where(length > 0, length, 1.0)).astype(np.float32)
    has_features = length[:, 0] > 0
    top = lists[:, :k]
    found = np.full(len(top), np.nan)
    step = max(1, _CELLS // max(1, top.shape[1] * units.shape[1]))
    for at in range(0, len(top), step):
        rows = top[at : at + step]
        counts = (rows >= 0) & has_features[np.maximum(rows, 0)]
        vectors = units[np.maximum(rows, 0)] * counts[..., None]
        m = counts.sum(axis=1).astype(np.float64)
        # The cosines of all pairs, each twice and each item with itself, add up to the squared length of the sum.
        squared = (vectors.sum(axis=1, dtype=np.float64) ** 2).sum(axis=1)
        pairs = m * (m - 1.0)
        found[at : at + step] = np.where(pairs > 0, 1.0 - (squared - m) / np.where(pairs > 0, pairs, 1.0), np.nan)
    return found


def self_information(lists: NDArray[np.int32], counts: NDArray[np.number], k: int) -> NDArray[np.float64]:
    """Return the mean of ``-log2(share of all events)`` over the first ``k`` of each list, in bits, ``(u,)``.

    Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems". An item without events
    counts as one with half an event. NaN for an empty list.

    Args:
        lists: Item rows, best first, ``(u, width)``, padded with -1.
        counts: Events of each item among those that are known, ``(n,)``.
        k: Positions that count.
    """
    known = np.maximum(np.asarray(counts, np.float64), 0.5)
    bits = -np.log2(known / max(float(np.sum(counts)), 1.0))
    top = lists[:, :k]
    shown = top >= 0
    m = shown.sum(axis=1)
    total = np.where(shown, bits[np.maximum(top, 0)], 0.0).sum(axis=1)
    return np.where(m > 0, total / np.where(m > 0, m, 1), np.nan)
