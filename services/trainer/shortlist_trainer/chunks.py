"""Training examples of the two-tower model: overlapping pieces of histories, queried at many moments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_trainer.sequences import Sequences


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces of histories, ``(b, l)``, padded on the right with -1, and ``(q,)`` queries into them."""

    rows: NDArray[np.int64]
    values: NDArray[np.float32]
    gaps_s: NDArray[np.float32]
    piece: NDArray[np.int64]
    """Which piece each query looks at."""

    position: NDArray[np.int64]
    """Which event of the piece is the last one known; -1 where none is."""

    users: NDArray[np.int64]
    age_s: NDArray[np.float32]
    numbers: NDArray[np.float32]
    context: NDArray[np.float32]
    target: NDArray[np.int64]
    """Item row of the event to be predicted."""


class Chunks:
    """The training window of every user, cut into pieces of ``length`` events that overlap by half.

    Each event of the window is the target of one query. Its piece is the one that shows it at least half a length of
    history; a user's first ``length`` events are seen with exactly the history that serving would show.
    """

    def __init__(self, sequences: Sequences, until_event: int, length: int) -> None:
        """Take the events before ``until_event``."""
        self._sequences = sequences
        self._length = length
        stride = max(1, length // 2)
        ends = sequences.ends(until_event)
        places = np.flatnonzero(sequences.event < until_event)
        users = sequences.users[places]
        known = sequences.moment[places] - sequences.start[users]
        offset = stride * np.maximum(0, -(-(known - length) // stride))
        first = sequences.start[users] + offset
        # Sorting by piece puts the queries of one piece side by side.
        order = np.argsort(first, kind="stable")
        order = order[np.lexsort((places[order], first[order]))]
        self._places, self._known, self._first = places[order], known[order], first[order]
        starts = np.flatnonzero(np.concatenate([[True], self._first[1:] != self._first[:-1]]))
        self._bounds = np.concatenate([starts, [len(order)]])
        self._piece_first = self._first[starts]
        piece_user = sequences.users[self._piece_first]
        self._piece_length = np.minimum(length, ends[piece_user] - self._piece_first)
        self._user_end = ends

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self._piece_first)

    def batches(
        self, queries: int, share: float, horizon: int, horizon_share: float, random: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield one epoch.

        Args:
            queries: About how many queries a batch has.
            share: Share of the queries that take part in this epoch, in (0, 1].
            horizon: A far target is drawn from this many events, counted from the next one.
            horizon_share: Probability that a query is asked for a far target instead of the next event.
            random: Source of all choices.
        """
        # Pieces of like length share a batch, so little of it is padding; which ones do is random.
        noise = random.random(len(self)) * 0.2 + 1.0
        by_length = np.argsort(self._piece_length * noise, kind="stable")
        sizes = (np.diff(self._bounds) * share)[by_length]
        number = np.floor(np.cumsum(sizes) / queries).astype(np.int64)
        groups = np.split(by_length, np.flatnonzero(np.diff(number)) + 1)
        for group in random.permutation(len(groups)):
            batch = self._batch(groups[group], share, horizon, horizon_share, random)
            if len(batch.target):
                yield batch

    def _batch(
        self,
        pieces: NDArray[np.int64],
        share: float,
        horizon: int,
        horizon_share: float,
        random: np.random.Generator,
    ) -> Batch:
        s = self._sequences
        lengths = self._piece_length[pieces]
        places = self._piece_first[pieces][:, None] + np.arange(int(lengths.max()))
        valid = np.arange(places.shape[1]) < lengths[:, None]
        places = np.where(valid, places, 0)
        times = s.times_s[places]
        gaps = np.zeros(places.shape)
        gaps[:, 1:] = np.where(valid[:, 1:], times[:, 1:] - times[:, :-1], 0.0)
        counts = self._bounds[pieces + 1] - self._bounds[pieces]
        piece = np.repeat(np.arange(len(pieces)), counts)
        query = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + self._bounds[pieces][piece]
        if share < 1.0:
            kept = random.random(len(query)) < share
            piece, query = piece[kept], query[kept]
        origin = self._places[query]
        users = s.users[origin].astype(np.int64)
        far = (random.random(len(origin)) < horizon_share) * random.integers(0, max(1, horizon), len(origin))
        target = np.minimum(origin + far, self._user_end[users] - 1)
        last = s.moment[origin] - 1
        has = self._known[query] > 0
        return Batch(
            rows=np.where(valid, s.items[places], -1).astype(np.int64),
            values=np.where(valid, s.values[places], np.float32(0.0)).astype(np.float32),
            gaps_s=gaps.astype(np.float32),
            piece=piece,
            position=np.where(has, last - self._first[query], -1),
            users=users,
            age_s=np.where(has, s.times_s[target] - s.times_s[last], 0.0).astype(np.float32),
            numbers=s.numbers[origin],
            context=s.context[target],
            target=s.items[target].astype(np.int64),
        )
