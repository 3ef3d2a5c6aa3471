"""Accuracy metrics at ``k``: of lists with several relevant items, and of single relevant items by rank.

Relevance is binary and gains are discounted by ``log2(position + 1)`` (Järvelin and Kekäläinen 2002, "Cumulated
gain-based evaluation of IR techniques"). The catalogue is ranked in full; nothing here samples negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.ranks import Ranks


@dataclass(frozen=True, slots=True)
class ListMetrics:
    """Metrics of one list per user, float64, shape ``(evaluated,)``: users without a relevant item are left out.

    ``L`` are the first ``k`` entries of the list without padding, ``R`` the user's relevant items.
    """

    users: NDArray[np.int64]
    """Row (position in the input) of each evaluated user, ascending."""

    hit: NDArray[np.float64]
    """1 where ``L`` and ``R`` share an item."""

    ndcg: NDArray[np.float64]
    """Sum of ``1 / log2(position + 1)`` over hits, divided by that sum over positions 1 to ``min(k, |R|)``."""

    precision: NDArray[np.float64]
    """``|L and R| / k``; a list shorter than ``k`` is not excused."""

    recall: NDArray[np.float64]
    """``|L and R| / |R|``."""

    average_precision: NDArray[np.float64]
    """Sum over hits of the precision at their position, divided by ``min(k, |R|)``."""

    reciprocal_rank: NDArray[np.float64]
    """1 / position of the first hit, 0 without one."""

    without_relevant: int
    """Users left out because nothing was relevant to them."""

    def mean(self, name: str) -> float:
        """Return the mean of the metric ``name`` over the evaluated users; NaN where there are none."""
        values: NDArray[np.float64] = getattr(self, name)
        return float(values.mean()) if len(values) else float("nan")


def list_metrics(
    lists: NDArray[np.int32], relevant_indptr: NDArray[np.integer], relevant_rows: NDArray[np.integer], k: int
) -> ListMetrics:
    """Return the metrics of recommended lists.

    Args:
        lists: Item rows, best first, shape ``(u, width)``, ``width >= 1``, padded with -1; a row is at most once in a
            list.
        relevant_indptr: ``relevant_rows[relevant_indptr[i]:relevant_indptr[i + 1]]`` are relevant to user ``i``; shape
            ``(u + 1,)``.
        relevant_rows: Item rows; repeats within a user count once.
        k: Positions that count, at least 1; lists may be longer or shorter.

    Raises:
        ValueError: Shapes do not agree, ``k`` is below 1, or a list names an item twice.
    """
    u = len(lists)
    if k < 1 or lists.ndim != 2 or lists.shape[1] < 1 or len(relevant_indptr) != u + 1:
        raise ValueError(f"k={k} below 1, or lists {lists.shape} and indptr of {len(relevant_indptr)} do not agree")
    top = np.full((u, k), -1, np.int64)
    width = min(k, lists.shape[1])
    top[:, :width] = lists[:, :width]
    _refuse_repeats(top)
    span = int(max(top.max(initial=0), relevant_rows.max(initial=0))) + 1
    owner = np.repeat(np.arange(u), np.diff(relevant_indptr))
    pairs = np.unique(owner * span + relevant_rows[relevant_indptr[0] : relevant_indptr[-1]])
    size = np.bincount(pairs // span, minlength=u)
    users = np.flatnonzero(size > 0)
    top, size = top[users], size[users]
    is_hit = np.isin(users[:, None] * span + top, pairs) & (top >= 0)
    position = np.arange(1, k + 1)
    discount = 1.0 / np.log2(position + 1)
    ideal = np.minimum(k, size)
    found = is_hit.sum(axis=1)
    first = np.where(found > 0, is_hit.argmax(axis=1) + 1, 1)
    precision_at = is_hit.cumsum(axis=1) / position
    return ListMetrics(
        users=users,
        hit=(found > 0).astype(np.float64),
        ndcg=(is_hit * discount).sum(axis=1) / discount.cumsum()[ideal - 1],
        precision=found / k,
        recall=found / size,
        average_precision=(precision_at * is_hit).sum(axis=1) / ideal,
        reciprocal_rank=np.where(found > 0, 1.0 / first, 0.0),
        without_relevant=u - len(users),
    )


def _refuse_repeats(top: NDArray[np.int64]) -> None:
    """Raise where a list counts an item twice, which would push NDCG above 1."""
    ordered = np.sort(top, axis=1)
    repeats = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if repeats.any():
        row = int(np.flatnonzero(repeats.any(axis=1))[0])
        raise ValueError(f"list {row} names an item twice: {top[row].tolist()}")


@dataclass(frozen=True, slots=True)
class EventMetrics:
    """Metrics of events with one relevant item each (the rolling protocol), float64, shape ``(m,)``.

    Under ties each is the expectation over the random order of the tied items (McSherry and Najork 2008, "Computing
    information retrieval performance measures efficiently in the presence of tied scores").
    """

    hit: NDArray[np.float64]
    """Probability that the item is among the first ``k``."""

    ndcg: NDArray[np.float64]
    """Expectation of ``1 / log2(rank + 1)`` where ``rank <= k``, else 0. The ideal is 1."""

    reciprocal_rank: NDArray[np.float64]
    """Expectation of ``1 / rank`` where ``rank <= k``, else 0. Its mean is MRR at ``k``."""

    recall: NDArray[np.float64]
    """With one relevant item the same as ``hit``."""


def event_metrics(ranks: Ranks, k: int) -> EventMetrics:
    """Return the metrics at ``k`` of every event; an item that cannot be recommended scores 0.

    Raises:
        ValueError: ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k={k} is below 1")
    position = np.arange(1, k + 1)
    low = np.clip(ranks.better, 0, k)
    high = np.clip(ranks.better + ranks.tied + 1, low, k)
    block = np.where(ranks.better < 0, 0.0, 1.0 / (ranks.tied + 1))

    def expected(gain: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], gain.cumsum()])
        result: NDArray[np.float64] = (total[high] - total[low]) * block
        return result

    hit = expected(np.ones(k))
    return EventMetrics(hit, expected(1.0 / np.log2(position + 1)), expected(1.0 / position), hit.copy())
