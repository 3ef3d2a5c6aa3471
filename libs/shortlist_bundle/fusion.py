"""Fusion of candidate lists: weighted reciprocal ranks with guaranteed shares. Used by serving and by evaluation.

Reciprocal-rank fusion after Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and
individual Rank Learning Methods": ``score(item) = sum over lists of weight / (RANK_OFFSET + rank)``, rank from 1.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.ordering import best_first

RANK_OFFSET = 60.0
"""The paper's constant; a larger one flattens the difference between the first and the hundredth place."""

_DENSE_UP_TO = 1 << 16
"""Catalogue size up to which one place per row is quicker than sorting the rows."""


@dataclass(frozen=True, slots=True)
class Fused:
    """Candidates of all lists, best first."""

    rows: NDArray[np.int32]
    """Shape ``(m,)``, ``m <= k``, no duplicates."""

    scores: NDArray[np.float32]
    """Fused scores, shape ``(m,)``, non-increasing, never negative."""


def fuse(lists: Mapping[str, NDArray[np.int32]], quotas: Mapping[str, float], k: int) -> NDArray[np.int32]:
    """Return the rows of :func:`fuse_scored`."""
    return fuse_scored(lists, quotas, k).rows


def fuse_scored(
    lists: Mapping[str, NDArray[np.int32]],
    quotas: Mapping[str, float],
    k: int,
    weights: Mapping[str, float] | None = None,
) -> Fused:
    """Return at most ``k`` rows out of ``lists``.

    Every source first puts ``floor(quota * k)`` of its own best into the result; what is left of the ``k`` places goes
    to the rest by fused score. The order is that of the fused scores alone, the lower row first where they are equal.

    Args:
        lists: Rows by source, best first, ``(n_s,)``, none twice in one list, none negative.
        quotas: Share of ``k`` that a source is guaranteed, also its weight in the sum. A source without an entry has
            no guarantee and the weight of an average source. Empty: all weigh 1.
        k: Places, at least 0.
        weights: Weights in the sum, above 0, instead of the quotas. A source without an entry has the average one.

    Raises:
        ValueError: A quota is negative or not finite, or together they are above 1.
    """
    total = sum(quotas.values())
    if not all(math.isfinite(q) and q >= 0.0 for q in quotas.values()) or total > 1.0 + 1e-6:
        raise ValueError(f"quotas {dict(quotas)} must be finite, not negative, and at most 1 together")
    names = [name for name, rows in lists.items() if len(rows)]
    if not names or k <= 0:
        return Fused(np.empty(0, np.int32), np.empty(0, np.float32))
    given = weights or (quotas if total else {})
    average = sum(given.values()) / len(given) if given else 1.0
    parts = [given.get(name, average) / (RANK_OFFSET + 1.0 + np.arange(len(lists[name]))) for name in names]
    stacked = np.concatenate([lists[name] for name in names])
    distinct: NDArray[np.int32] | None = None
    n_rows = int(stacked.max()) + 1
    if n_rows > _DENSE_UP_TO:
        # In a large catalogue the sums run over the distinct rows, renumbered in ascending order.
        distinct, stacked = np.unique(stacked, return_inverse=True)
        n_rows = len(distinct)
    sums = np.bincount(stacked, weights=np.concatenate(parts), minlength=n_rows).astype(np.float32)
    is_there = np.zeros(n_rows, np.bool_)
    is_there[stacked] = True
    found = np.flatnonzero(is_there)
    order = best_first(sums[found], found)
    if len(order) > k:
        chosen = np.zeros(n_rows, np.bool_)
        start = 0
        for name in names:
            n = len(lists[name])
            chosen[stacked[start : start + min(n, math.floor(quotas.get(name, 0.0) * k + 1e-9))]] = True
            start += n
        rest = order[~chosen[order]]
        chosen[rest[: k - int(np.count_nonzero(chosen))]] = True
        order = order[chosen[order]]
    rows = order if distinct is None else distinct[order]
    return Fused(rows.astype(np.int32), sums[order])
