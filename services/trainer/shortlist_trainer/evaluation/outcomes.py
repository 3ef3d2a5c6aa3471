"""What a model, or a stage, made of the held-out part: a full ranking, or one list a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.expected import areas, expected_metrics
from shortlist_evaluation.full_ranking import Standings
from shortlist_evaluation.metrics import ListMetrics, list_metrics
from shortlist_trainer.histories import HeldOut

Columns = dict[str, NDArray[np.float64]]


class Outcome(Protocol):
    """Enough to measure."""

    @property
    def lists(self) -> NDArray[np.int32]:
        """Item rows of each user, best first, ``(u, width)``, padded with -1."""
        ...

    def accuracy(self, ks: tuple[int, ...]) -> Columns:
        """Return the metrics of each user, ``(u,)``."""
        ...

    def found(self, k: int) -> NDArray[np.float64]:
        """Return for each relevant item how surely it is among the first ``k``, ``(m,)``."""
        ...


@dataclass(frozen=True, slots=True)
class RankedInFull:
    """Every item has a place; places of equal scores are shared."""

    standings: Standings
    held_out: HeldOut

    @property
    def lists(self) -> NDArray[np.int32]:
        """See :class:`Outcome`; ties go to the lower row."""
        return self.standings.lists

    def accuracy(self, ks: tuple[int, ...]) -> Columns:
        """See :class:`Outcome`: expectations over all orders of ties, and the area under the curve."""
        ranks, indptr = self.standings.ranks, self.held_out.indptr
        columns: Columns = {}
        for k in ks:
            columns |= _named(expected_metrics(ranks, indptr, k), k)
        return {**columns, "auc": areas(ranks, indptr, self.standings.candidates)}

    def found(self, k: int) -> NDArray[np.float64]:
        """See :class:`Outcome`: a probability."""
        better, size = self.standings.ranks.better, self.standings.ranks.tied + 1
        return np.where(better < 0, 0.0, np.clip(k - better, 0, size) / size)


@dataclass(frozen=True, slots=True)
class Listed:
    """Only lists are known, as a stage or a server gave them; their order is the order."""

    lists: NDArray[np.int32]
    held_out: HeldOut

    def accuracy(self, ks: tuple[int, ...]) -> Columns:
        """See :class:`Outcome`. There is no area: items outside of the lists have no place."""
        columns: Columns = {}
        for k in ks:
            columns |= _named(list_metrics(self.lists, self.held_out.indptr, self.held_out.rows, k), k)
        return columns

    def found(self, k: int) -> NDArray[np.float64]:
        """See :class:`Outcome`: 0 or 1."""
        top = self.lists[:, :k].astype(np.int64)
        span = int(max(top.max(initial=0), self.held_out.rows.max(initial=0))) + 1
        users = np.arange(len(top))
        shown = (users[:, None] * span + top)[top >= 0]
        owner = np.repeat(users, np.diff(self.held_out.indptr))
        return np.isin(owner * span + self.held_out.rows, shown).astype(np.float64)


def _named(found: ListMetrics, k: int) -> Columns:
    return {
        f"hit@{k}": found.hit,
        f"ndcg@{k}": found.ndcg,
        f"precision@{k}": found.precision,
        f"recall@{k}": found.recall,
        f"map@{k}": found.average_precision,
        f"mrr@{k}": found.reciprocal_rank,
    }
