"""Sources of negatives, by name: which items a batch is told apart from, and how often each was to be expected.

A source hands out rows of items that all queries of the batch share, and the log of the expected number of times that
each item is among them. It is asked with numbers of a generator of its own, so that a run repeats itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Asked:
    """The queries that negatives are wanted for."""

    positives: NDArray[np.int64]
    """Rows of the positives, ``(q,)``."""

    queries: Tensor | None = None
    """Query vectors without gradients, ``(q, d)``; only for sources that ask for them."""

    known: NDArray[np.int64] | None = None
    """Rows of items that each query's user met, ``(q, l)``, -1 is padding; only for sources that ask for queries."""

    table: Callable[[], Tensor] | None = None
    """Gives the current embeddings of all items without gradients, ``(n, d + 1)``; likewise."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Negatives of a batch."""

    rows: NDArray[np.int64]
    """Items whose current embeddings are wanted, ``(s,)``."""

    log_q: NDArray[np.float32]
    """Log of the expected number of times that each of all items is in the sample, ``(n,)``; minus infinity: never."""

    kept_rows: NDArray[np.int64] | None = None
    """Further negatives, ``(m,)``, with embeddings of an earlier batch."""

    kept: Tensor | None = None
    """Those embeddings, without gradients, ``(m, d + 1)``."""


class Negatives(Protocol):
    """A source of negatives."""

    needs_queries: bool
    """Whether it must see the queries, and so is asked after they are encoded."""

    def draw(self, asked: Asked, random: np.random.Generator) -> Drawn:
        """Return the negatives of one batch."""
        ...

    def begin(self) -> None:
        """Forget what an epoch must not inherit; called before each."""
        ...

    def keep(self, positives: NDArray[np.int64], embeddings: Tensor) -> None:
        """Take note of the positives of a batch that was trained on, with their embeddings ``(q, d + 1)``."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what one epoch hands on to the next, for a checkpoint."""
        ...

    def load_state_dict(self, state_dict: Any) -> None:
        """Take that back."""
        ...


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What sources can be told."""

    number: int
    """Negatives that a batch shares, at least 1; where they come from the batch itself, at most."""

    refresh: int = 50
    """Steps after which ``hard`` looks at new embeddings of the items, at least 1."""

    depth: int = 50
    """How far down the list of a query an item is a hard negative, at least 1."""

    warm_up: int = 200
    """Steps before ``cross_batch`` uses what it kept, at least 0."""

    queue_length: int = 4096
    """Embeddings that ``cross_batch`` keeps, at least 1."""


class _Stateless:
    needs_queries = False

    def begin(self) -> None:
        """Nothing to forget."""

    def keep(self, positives: NDArray[np.int64], embeddings: Tensor) -> None:
        """Nothing to keep."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state_dict: Any) -> None:
        """Nothing to take back."""


class Static(_Stateless):
    """Draws, with replacement, from one distribution throughout."""

    def __init__(self, probability: NDArray[np.float64], number: int) -> None:
        self._probability, self._number = probability, number
        self._log_q = _log_expected(probability, number)

    def draw(self, asked: Asked, random: np.random.Generator) -> Drawn:
        """Return negatives that do not depend on the batch."""
        return Drawn(random.choice(len(self._probability), self._number, p=self._probability), self._log_q)


class InBatch(_Stateless):
    """The positives of the batch's other queries (Yi et al. 2019, section 3): their embeddings are there anyway.

    They come as often as they are popular. With more queries than the number wanted, that many of them are drawn.
    """

    def __init__(self, share: NDArray[np.float64], number: int) -> None:
        self._share, self._number = share, number

    def draw(self, asked: Asked, random: np.random.Generator) -> Drawn:
        """Return the positives, each as often as it occurs."""
        rows = asked.positives
        if len(rows) > self._number:
            rows = rows[random.permutation(len(rows))[: self._number]]
        return Drawn(rows, _log_expected(self._share, len(rows)))


class CrossBatch(_Stateless):
    """In-batch negatives and the positives of recent batches, first in, first out, as they were embedded then.

    Wang et al. 2021, "Cross-Batch Negative Sampling for Training Two-Tower Recommenders" (CBNS, arXiv 2110.15154):
    embeddings change little from batch to batch once training is warm, so old ones serve as negatives for nothing.
    They have no gradients; who uses them lets the batch's own embeddings carry theirs, which the paper does not do:
    without it item biases grow, and models of simulated worlds end below popularity.
    """

    def __init__(self, share: NDArray[np.float64], options: SourceOptions) -> None:
        self._share, self._options = share, options
        self._batch = InBatch(share, options.number)
        self._rows = torch.zeros(0, dtype=torch.int64)
        self._kept: Tensor | None = None
        self._steps = 0

    def draw(self, asked: Asked, random: np.random.Generator) -> Drawn:
        """Return the batch's own positives and, once it is warm, those of the batches before it."""
        own = self._batch.draw(asked, random)
        if self._steps < self._options.warm_up or self._kept is None:
            return own
        log_q = _log_expected(self._share, len(own.rows) + len(self._rows))
        return Drawn(own.rows, log_q, self._rows.numpy(), self._kept)

    def keep(self, positives: NDArray[np.int64], embeddings: Tensor) -> None:
        """Put the batch's positives into the queue and let as many of the oldest go."""
        length = self._options.queue_length
        new = embeddings.detach()
        self._rows = torch.cat([self._rows, torch.from_numpy(positives)])[-length:]
        self._kept = (new if self._kept is None else torch.cat([self._kept.to(new.device), new]))[-length:].clone()
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the queue."""
        return {"rows": self._rows, "kept": self._kept, "steps": self._steps}

    def load_state_dict(self, state_dict: Any) -> None:
        """Take a queue back."""
        self._rows, self._kept = state_dict["rows"], state_dict["kept"]
        self._steps = int(state_dict["steps"])


class Hard(_Stateless):
    """Half hard negatives, half uniform ones.

    Hard are the items at the top of the lists that the batch's queries would be answered with: the exact inner-product
    top of the whole catalogue, without the positive and what the user is known to have met. After Xiong et al. 2021,
    "Approximate Nearest Neighbor Negative Contrastive Learning for Dense Text Retrieval" (ANCE), whose index is
    refreshed while the model learns. Each place of each list is drawn with the same probability, and the uniform half
    keeps every item within reach, so that ``log_q`` is exact: corrected losses keep what they expect and lose variance.
    """

    needs_queries = True
    queries_at_once = 128
    """Queries of a batch, drawn at random, whose lists are looked at."""

    def __init__(self, n_items: int, options: SourceOptions) -> None:
        self._n_items, self._options = n_items, options
        self.begin()

    def begin(self) -> None:
        """Look at new embeddings with the next batch, whatever the last epoch ended with."""
        self._steps = 0
        self._table: Tensor | None = None

    def draw(self, asked: Asked, random: np.random.Generator) -> Drawn:
        """Mine the lists of some of the queries and draw from them.

        Raises:
            ValueError: It is asked without queries.
        """
        if asked.queries is None or asked.known is None or asked.table is None:
            raise ValueError("hard negatives are mined for queries; none are given")
        if self._table is None or self._steps % self._options.refresh == 0:
            self._table = asked.table()
        self._steps += 1
        chosen = random.permutation(len(asked.positives))[: self.queries_at_once]
        own = np.concatenate([asked.known[chosen], asked.positives[chosen, None]], axis=1)
        counts = self._mined(asked.queries[torch.from_numpy(chosen).to(asked.queries.device)], self._table, own)
        probability = np.full(self._n_items, 1.0 / self._n_items)
        if counts.any():
            probability = 0.5 * probability + 0.5 * counts / counts.sum()
        number = self._options.number
        return Drawn(random.choice(self._n_items, number, p=probability), _log_expected(probability, number))

    def _mined(self, queries: Tensor, table: Tensor, own: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the lists each item is in."""
        scores = torch.addmm(table[:, -1], queries.to(table.dtype), table[:, :-1].T)
        # Padding names no item: its place repeats one that the query owns in any case, the positive.
        places = torch.from_numpy(np.where(own >= 0, own, own[:, -1:])).to(scores.device)
        scores.scatter_(1, places, float("-inf"))
        top = scores.topk(min(self._options.depth, self._n_items), dim=1)
        found = top.indices[top.values.isfinite()].cpu().numpy()
        return np.bincount(found, minlength=self._n_items)


NEGATIVES: Mapping[str, Callable[[NDArray[np.int64], SourceOptions], Negatives]] = {
    "uniform": lambda counts, options: Static(_uniform(counts), options.number),
    "popularity": lambda counts, options: Static(_share(counts), options.number),
    "mixed": lambda counts, options: Static(0.5 * _uniform(counts) + 0.5 * counts / counts.sum(), options.number),
    "in_batch": lambda counts, options: InBatch(_share(counts), options.number),
    "hard": lambda counts, options: Hard(len(counts), options),
    "cross_batch": lambda counts, options: CrossBatch(_share(counts), options),
}
"""Makers of sources, out of each item's number of events ``(n,)`` and options.

``uniform``: every item alike. ``popularity``: in proportion to events. ``mixed``: half the one, half the other (Yang et
al. 2020, "Mixed Negative Sampling for Learning Two-tower Neural Networks in Recommendations"): popularity
alone never shows the model most of the catalogue, uniform draws alone hardly what competes with the positive.
"""


def _uniform(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.full(len(counts), 1.0 / len(counts))


def _share(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = counts / counts.sum()
    return share


def _log_expected(probability: NDArray[np.float64], number: int) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.log(probability * number).astype(np.float32)
