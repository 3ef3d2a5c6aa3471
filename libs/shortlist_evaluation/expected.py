"""Accuracy metrics of full rankings with ties: the mean over all orders of the tied items, in closed form.

Of ``g`` items with equal scores, ``R`` of them relevant, every order is as likely as every other (McSherry and Najork
2008, "Computing information retrieval performance measures efficiently in the presence of tied scores"). Without ties
the results are those of :func:`shortlist_evaluation.metrics.list_metrics` on the ranked list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.metrics import ListMetrics
from shortlist_evaluation.ranks import Ranks

_CELLS = 4_000_000
"""Numbers held at a time where groups of ties are spread over their places."""


def expected_metrics(ranks: Ranks, indptr: NDArray[np.integer], k: int) -> ListMetrics:
    """Return the expected metrics at ``k`` of users with several relevant items.

    Args:
        ranks: Of each relevant item among all items that can be recommended to its user, ``(m,)``; tied relevant items
            are counted in each other's ``tied``.
        indptr: Relevant items of user ``i`` are ``[indptr[i], indptr[i + 1])``, ``(u + 1,)``.
        k: Positions that count, at least 1.

    Raises:
        ValueError: ``k`` is below 1, or shapes do not agree.
    """
    ties = _Ties(ranks, indptr, k)
    u = len(indptr) - 1
    size = np.diff(indptr)
    users = np.flatnonzero(size > 0)
    position = np.arange(1, k + 1)
    found = np.bincount(ties.owner, ties.hits, u)[users]
    gains = np.bincount(ties.owner, ties.relevant * ties.mean_of(1.0 / np.log2(position + 1)), u)[users]
    ideal = np.minimum(k, size[users])
    return ListMetrics(
        users=users,
        hit=1.0 - ties.without_hit(u)[users],
        ndcg=gains / (1.0 / np.log2(position + 1)).cumsum()[ideal - 1],
        precision=found / k,
        recall=found / size[users],
        average_precision=np.bincount(ties.owner, ties.precision_sums(), u)[users] / ideal,
        reciprocal_rank=ties.reciprocal_ranks(u)[users],
        without_relevant=u - len(users),
    )


def areas(ranks: Ranks, indptr: NDArray[np.integer], candidates: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return each user's area under the ROC curve: the share of pairs in order, ties counted half, ``(u,)``.

    A pair is a relevant item and one of the others that can be recommended to the user. A relevant item that cannot be
    recommended is below all of them. NaN where a user has no pair.

    Args:
        ranks: As for :func:`expected_metrics`.
        indptr: Likewise.
        candidates: Items that can be recommended to each user, ``(u,)``.
    """
    u = len(indptr) - 1
    ties = _Ties(ranks, indptr, 1)
    placed = np.bincount(ties.owner, ties.relevant, u)
    others = np.asarray(candidates, np.float64) - placed
    above = ties.better - ties.relevant_above
    tied = ties.size - ties.relevant
    in_order = ties.relevant * (others[ties.owner] - above - tied / 2.0)
    pairs = np.diff(indptr) * others
    total = np.bincount(ties.owner, in_order, u)
    return np.where(pairs > 0, total / np.where(pairs > 0, pairs, 1.0), np.nan)


@dataclass(frozen=True, slots=True)
class _Groups:
    owner: NDArray[np.int64]
    better: NDArray[np.int64]
    size: NDArray[np.int64]
    relevant: NDArray[np.int64]
    relevant_above: NDArray[np.int64]


class _Ties:
    """The groups of equal scores that hold a relevant item, by user and from the top."""

    def __init__(self, ranks: Ranks, indptr: NDArray[np.integer], k: int) -> None:
        if k < 1 or int(indptr[-1] - indptr[0]) != len(ranks):
            raise ValueError(f"k={k} is below 1, or indptr ends at {indptr[-1]} for {len(ranks)} ranks")
        self.k = k
        groups = _groups(ranks, indptr)
        self.owner, self.better, self.size = groups.owner, groups.better, groups.size
        self.relevant, self.relevant_above = groups.relevant, groups.relevant_above
        self._log_factorial = _log_factorials(int(self.size.max(initial=0)))

    @property
    def hits(self) -> NDArray[np.float64]:
        """Expected relevant items of each group in the first ``k``."""
        inside = np.clip(self.k - self.better, 0, self.size)
        hits: NDArray[np.float64] = self.relevant * inside / self.size
        return hits

    def mean_of(self, gain: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of ``gain`` ``(k,)`` over the places of each group, 0 beyond ``k``."""
        total = np.concatenate([[0.0], gain.cumsum()])
        low, high = (np.minimum(end, self.k) for end in (self.better, self.better + self.size))
        mean: NDArray[np.float64] = (total[high] - total[low]) / self.size
        return mean

    def without_hit(self, users: int) -> NDArray[np.float64]:
        """Return each user's probability that no relevant item is in the first ``k``."""
        inside = np.clip(self.k - self.better, 0, self.size)
        others = self.size - self.relevant
        possible = inside <= others
        log = self._log_factorial
        missed = np.where(possible, others - inside, 0)
        chance = np.exp(log[others] - log[missed] + log[self.size - inside] - log[self.size])
        chance = np.where(possible, chance, 0.0)
        chance[inside == 0] = 1.0
        result = np.ones(users)
        np.multiply.at(result, self.owner, chance)
        return result

    def precision_sums(self) -> NDArray[np.float64]:
        """Return the expected sum, over the relevant items of each group in the first ``k``, of the precision there.

        At the ``i``-th place of a group stands a relevant item with probability ``R / g``, and then
        ``(i - 1)(R - 1) / (g - 1)`` more are expected above it within the group.
        """
        alone = (self.size == 1) & (self.better < self.k)
        sums = np.where(alone, (self.relevant_above + 1.0) / (self.better + 1.0), 0.0)
        for part, place, inside in self._spread():
            g, r = self.size[part][:, None], self.relevant[part][:, None]
            within = place * (r - 1.0) / np.maximum(g - 1.0, 1.0)
            precision = (self.relevant_above[part][:, None] + 1.0 + within) / (self.better[part][:, None] + place + 1.0)
            sums[part] = np.where(inside, r / g * precision, 0.0).sum(axis=1)
        return sums

    def reciprocal_ranks(self, users: int) -> NDArray[np.float64]:
        """Return each user's expected 1 / rank of the first relevant item, 0 beyond ``k``."""
        alone = (self.size == 1) & (self.better < self.k)
        values = np.where(alone, 1.0 / (self.better + 1.0), 0.0)
        log = self._log_factorial
        for part, place, inside in self._spread():
            g, r = self.size[part][:, None], self.relevant[part][:, None]
            possible = inside & (place <= g - r)
            # The first of R is at place j: the other R - 1 are among the g - j after it.
            after = np.where(possible, g - place - 1, r - 1)
            chance = log[after] - log[r - 1] - log[after - r + 1] - (log[g] - log[r] - log[g - r])
            values[part] = np.where(possible, np.exp(chance) / (self.better[part][:, None] + place + 1.0), 0.0).sum(
                axis=1
            )
        first = self.relevant_above == 0
        return np.bincount(self.owner[first], values[first], users).astype(np.float64)

    def _spread(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
        """Return the groups of several items that reach into the first ``k``, some at a time, with their places."""
        several = np.flatnonzero((self.size > 1) & (self.better < self.k))
        reach = np.minimum(self.size, self.k - self.better)[several]
        width = int(reach.max(initial=1))
        step = max(1, _CELLS // width)
        place = np.arange(width)[None]
        return [
            (several[at : at + step], place, place < reach[at : at + step, None]) for at in range(0, len(several), step)
        ]


def _groups(ranks: Ranks, indptr: NDArray[np.integer]) -> _Groups:
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    placed = np.flatnonzero(ranks.better >= 0)
    order = placed[np.lexsort((ranks.better[placed], owner[placed]))]
    owner, better, size = owner[order], ranks.better[order], ranks.tied[order] + 1
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (owner[1:] != owner[:-1]) | (better[1:] != better[:-1])
    starts = np.flatnonzero(is_new)
    relevant = np.diff(np.append(starts, len(order)))
    first_of_user = np.ones(len(order), np.bool_)
    first_of_user[1:] = owner[1:] != owner[:-1]
    begin = np.maximum.accumulate(np.where(first_of_user, np.arange(len(order)), 0))[starts]
    return _Groups(owner[starts], better[starts], size[starts], relevant, starts - begin)


def _log_factorials(most: int) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.log(np.arange(1, most + 1)).cumsum()])
