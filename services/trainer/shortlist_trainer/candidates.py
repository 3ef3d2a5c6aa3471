"""Candidates of many actors at many moments, by the same steps as serving: sources, exclusion of seen items, fusion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_bundle.chosen_values import mean_vector
from shortlist_bundle.fusion import fuse_scored
from shortlist_bundle.neighbours import batch_neighbour_scores, fading
from shortlist_bundle.ordering import batch_best_first
from shortlist_bundle.segment_lifts import SegmentLifts
from shortlist_trainer.actors import Moments, history_inputs
from shortlist_trainer.chosen_values import chosen_vectors
from shortlist_trainer.config import FusionConfig, OnboardingConfig
from shortlist_trainer.fit_towers import Towers
from shortlist_trainer.popular_lists import PopularLists
from shortlist_trainer.prepare import Prepared

_SCORES_AT_ONCE = 2_000_000
"""Bounds memory: about 50 bytes are held for each of these."""

SOURCES = ("two_tower", "item_neighbours", "popular", "content")
"""Every source there is; ``content`` proposes only where items have content."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Item neighbours as in the bundle."""

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    half_life_s: float | None = None
    """As of :class:`shortlist_bundle.feature_list.FeatureList`."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What retrieval proposes at some moments, and what ranking needs to know of it."""

    lists: dict[str, NDArray[np.int32]]
    """By source, best first, ``(q, k)``, padded with -1. ``popular`` is by counts for everybody."""

    fused: NDArray[np.int32]
    """``(q, candidates)``, padded with -1. Here an actor without events brings the popular list of the segment."""

    fused_scores: NDArray[np.float32]
    """What fusion gave to each of them, above 0, ``(q, candidates)``; 1 where there is padding."""

    embedding: NDArray[np.float32]
    """Of the actors, ``(q, d)``."""

    neighbour_scores: NDArray[np.float32]
    """Of all items, ``(q, n)``."""

    lifts: NDArray[np.float32] | None
    """Of the actors' segments, for each of ``fused``; ``None`` where users have no attributes."""

    counters: NDArray[np.float64]
    """Events and sum of values of all items at the moment, ``(q, n, 2)`` or ``(1, n, 2)`` where all moments are one."""

    last: NDArray[np.int64]
    """Row of the actor's last event, -1 where there is none, ``(q,)``."""

    age_s: NDArray[np.float32]
    """Seconds since it, ``(q,)``."""

    history: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]
    """Rows, values and ages of the latest events, as :func:`shortlist_trainer.actors.history_inputs` gives them."""


class LiveCounters:
    """Totals of all items as time goes by."""

    def __init__(self, prepared: Prepared) -> None:
        self._dataset = prepared.dataset
        self._at = 0
        self._totals = np.zeros((prepared.n_items, 2))

    def until(self, event: int) -> NDArray[np.float64]:
        """Return count and sum of values over the first ``event`` events, ``(n, 2)``; ``event`` never goes down.

        The array is the same one each time: copy what has to stay.

        Raises:
            ValueError: ``event`` is before the last one asked for.
        """
        if event < self._at:
            raise ValueError(f"counters stand at {self._at} and cannot go back to {event}")
        rows = self._dataset.item_rows[self._at : event]
        np.add.at(self._totals[:, 0], rows, 1.0)
        np.add.at(self._totals[:, 1], rows, self._dataset.values[self._at : event].astype(np.float64))
        self._at = event
        return self._totals


class Retrieval:
    """The retrieval stage over fitted models."""

    def __init__(
        self,
        prepared: Prepared,
        towers: Towers,
        neighbours: Neighbours,
        popular: PopularLists,
        config: FusionConfig,
        onboarding: OnboardingConfig | None = None,
        lifts: SegmentLifts | None = None,
    ) -> None:
        self.lifts = lifts
        self._popular = popular
        self._prepared = prepared
        self._users = towers.users
        self._vectors = towers.table[:, :-1]
        self._length = towers.users.history_length
        self.table = np.ascontiguousarray(towers.table.numpy())
        self._neighbours = neighbours
        self._config = config
        self.chosen_vectors = chosen_vectors(prepared, self.table, onboarding or OnboardingConfig())
        """What choosing a value adds to an embedding, ``(f, d)``; ``None`` where items have no attributes."""

        self._content = prepared.content
        self.sources = tuple(source for source in SOURCES if source != "content" or prepared.content is not None)
        """Those that propose anything here."""

    def candidates(
        self, moments: Moments, counters: NDArray[np.float64], allowed: NDArray[np.bool_] | None = None
    ) -> Candidates:
        """Return the candidates at ``moments``.

        Args:
            moments: ``q`` of them.
            counters: ``(q, n, 2)``, or ``(1, n, 2)`` for all.
            allowed: Items that may be proposed, ``(n,)``; ``None``: all.
        """
        sequences = self._prepared.sequences
        rows, values, ages = history_inputs(sequences, moments, self._length)
        with torch.no_grad():
            embedding = self._users.embed(
                self._vectors,
                torch.from_numpy(rows),
                torch.from_numpy(values),
                torch.from_numpy(ages),
                torch.from_numpy(self._prepared.categories.index[moments.users]),
                torch.from_numpy(moments.numbers),
                torch.from_numpy(moments.context),
            ).numpy()
        if moments.chosen is not None:
            embedding = embedding + self._shift(moments.chosen, rows[:, -1] >= 0)
        neighbours, weights = self._neighbours, fading(ages, self._neighbours.half_life_s)
        near = batch_neighbour_scores(rows, neighbours.rows, neighbours.scores, self._prepared.n_items, weights)
        scores = {
            "two_tower": embedding @ self.table.T,
            "item_neighbours": np.where(near > 0.0, near, np.float32(-np.inf)),
            "popular": np.repeat(counters[:, :, 0], len(moments) // len(counters), axis=0).astype(np.float32),
        }
        if self._content is not None:
            # One actor at a time, as serving does it.
            alike = np.stack([self._content.scores(*of_one) for of_one in zip(rows, values, strict=True)])
            scores["content"] = np.where((alike > 0.0) & self._content.known, alike, np.float32(-np.inf))
        seen_row, seen_item = self._seen(moments)
        for each in scores.values():
            each[seen_row, seen_item] = -np.inf
            if allowed is not None:
                each[:, ~allowed] = -np.inf
        lists = {name: best(each, self._config.per_source) for name, each in scores.items()}
        fused = np.full((len(moments), self._config.candidates), -1, np.int32)
        fused_scores = np.ones(fused.shape, np.float32)
        quotas = self._config.shares(has_content=self._content is not None)
        for row in range(len(moments)):
            of_row = {name: each[row][each[row] >= 0] for name, each in lists.items()}
            if rows[row, -1] < 0 and (segment := self._segment(int(moments.users[row]))) is not None:
                of_row["popular"] = segment if allowed is None else segment[allowed[segment]]
            together = fuse_scored(of_row, quotas, self._config.candidates)
            fused[row, : len(together.rows)] = together.rows
            fused_scores[row, : len(together.rows)] = together.scores
        history = (rows, values, ages)
        lifts = None
        if self.lifts is not None:
            lifts = self.lifts.of(self._prepared.categories.index[moments.users], np.maximum(fused, 0))
        return Candidates(
            lists, fused, fused_scores, embedding, near, lifts, counters, rows[:, -1], ages[:, -1], history
        )

    def _segment(self, user: int) -> NDArray[np.int32] | None:
        """Return what serving takes for popular where there is no event to go by."""
        rows = self._popular.segment_of(self._prepared.categories, user)
        return None if rows is None else np.array(rows[: self._config.per_source], np.int32)

    def _shift(self, chosen: NDArray[np.bool_], has_history: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return what the choices ``(q, f)`` of actors without events add to their embeddings, ``(q, d)``."""
        shift = np.zeros((len(chosen), self.table.shape[1]), np.float32)
        if self.chosen_vectors is not None:
            for row in np.flatnonzero(~has_history & chosen.any(axis=1)):
                shift[row] = mean_vector(self.chosen_vectors, np.flatnonzero(chosen[row]).tolist())
        return shift

    def _seen(self, moments: Moments) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        sequences = self._prepared.sequences
        begin = sequences.start[moments.users]
        counts = moments.known - begin
        owner = np.repeat(np.arange(len(moments)), counts)
        places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + begin[owner]
        return owner, sequences.items[places]


def best(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Return the rows of the ``k`` best scores of each row, best first; -1 where fewer are above minus infinity.

    Among equal scores the lower row comes first.
    """
    rows = batch_best_first(scores, k)
    return np.where(np.isneginf(np.take_along_axis(scores, rows, axis=1)), -1, rows).astype(np.int32)


def moments_at_once(n_items: int) -> int:
    """Return for how many moments scores of the whole catalogue are held at a time."""
    return max(1, min(64, _SCORES_AT_ONCE // n_items))


def rolling(
    prepared: Prepared, retrieval: Retrieval, moments: Moments, allowed: NDArray[np.bool_] | None = None
) -> Iterator[tuple[slice, Moments, Candidates]]:
    """Yield the candidates at ``moments``, which are in order of time, with the counters of each moment.

    ``allowed`` is as of :meth:`Retrieval.candidates`.

    Yields:
        Which of ``moments``, those moments, and the candidates.
    """
    counters = LiveCounters(prepared)
    batch = moments_at_once(prepared.n_items)
    events = np.searchsorted(prepared.dataset.times_s, moments.now_s, side="left")
    for begin in range(0, len(moments), batch):
        part = slice(begin, min(begin + batch, len(moments)))
        totals = np.stack([counters.until(int(event)).copy() for event in events[part]])
        here = moments.take(part)
        yield part, here, retrieval.candidates(here, totals, allowed)
