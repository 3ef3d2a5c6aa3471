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


@dataclass(frozen=True, slots=True)
class Targets:
    """What the queries of an epoch are asked for."""

    share: float
    """Share of the events that are targets in the epoch, in (0, 1]."""

    visit_share: float
    """Share of them that are asked for at the beginning of their visit."""

    far_share: float
    """Share of the others that are asked for from further back."""

    horizon: int
    """How many events further back, at most."""


class Chunks:
    """The training window of every user, cut into pieces of ``length`` events that overlap by half.

    Each event of the window is the target of one query an epoch, in one of three ways: as the *next* event, from what
    was known just before it; as a *far* one, from what was known up to ``horizon`` events earlier; or as an event of
    its *visit*, from what was known when the visit began. Next events alone would teach what follows within a minute,
    and little of what somebody wants who comes back.

    A query looks at the piece that shows at least half a length of its history; a user's first ``length`` events are
    seen with exactly the history that serving would show.
    """

    def __init__(self, sequences: Sequences, until_event: int, length: int) -> None:
        """Take the events before ``until_event``."""
        self._sequences = sequences
        self._length = length
        stride = max(1, length // 2)
        ends = sequences.ends(until_event)
        places = np.flatnonzero(sequences.event < until_event)
        users = sequences.users[places]
        # Both entries of an event are kept; which of them takes part is decided anew in each epoch.
        origin = np.concatenate([places, sequences.visit[places]])
        users = np.concatenate([users, users])
        known = sequences.moment[origin] - sequences.start[users]
        offset = stride * np.maximum(0, -(-(known - length) // stride))
        first = sequences.start[users] + offset
        # Sorting by piece puts the queries of one piece side by side.
        order = np.argsort(first, kind="stable")
        self._places, self._origin = np.concatenate([places, places])[order], origin[order]
        self._is_visit = order >= len(places)
        self._known, self._first = known[order], first[order]
        starts = np.flatnonzero(np.concatenate([[True], self._first[1:] != self._first[:-1]]))
        self._bounds = np.concatenate([starts, [len(order)]])
        self._piece_first = self._first[starts]
        piece_user = sequences.users[self._piece_first]
        self._piece_length = np.minimum(length, ends[piece_user] - self._piece_first)
        self._user_end = ends
        self._events = len(sequences.event)

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self._piece_first)

    def batches(
        self, queries: int, targets: Targets, random: np.random.Generator, rank: int = 0, workers: int = 1
    ) -> Iterator[Batch]:
        """Yield one epoch, or the share of it that one of several workers takes.

        Args:
            queries: About how many queries a batch has.
            targets: What is asked for.
            random: Source of all choices; workers that share an epoch bring equal ones.
            rank: Which worker it is, in [0, workers).
            workers: How many share the epoch. Together they yield each of its batches once.
        """
        # Pieces of like length share a batch, so little of it is padding; which ones do is random.
        noise = random.random(len(self)) * 0.2 + 1.0
        by_length = np.argsort(self._piece_length * noise, kind="stable")
        as_visit = random.random(self._events) < targets.visit_share
        taken = (as_visit[self._places] == self._is_visit) & (random.random(len(self._places)) < targets.share)
        sizes = np.add.reduceat(taken, self._bounds[:-1], dtype=np.int64)[by_length]
        number = np.floor(np.cumsum(sizes) / queries).astype(np.int64)
        groups = np.split(by_length, np.flatnonzero(np.diff(number)) + 1)
        order = random.permutation(len(groups))
        if workers > 1:
            # What is drawn within a batch is the worker's own; what is drawn for the epoch is everybody's.
            random = random.spawn(workers)[rank]
        for group in order[rank::workers]:
            batch = self._batch(groups[group], taken, targets, random)
            if len(batch.target):
                yield batch

    def _batch(
        self,
        pieces: NDArray[np.int64],
        taken: NDArray[np.bool_],
        targets: Targets,
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
        piece, query = piece[taken[query]], query[taken[query]]
        origin, is_visit = self._origin[query], self._is_visit[query]
        users = s.users[origin].astype(np.int64)
        is_far = ~is_visit & (random.random(len(origin)) < targets.far_share)
        steps = is_far * random.integers(0, max(1, targets.horizon), len(origin))
        target = np.minimum(self._places[query] + steps, self._user_end[users] - 1)
        # A visit is asked for at its first event, anything else at the time of the target.
        asked = np.where(is_visit, origin, target)
        last = s.moment[origin] - 1
        has = self._known[query] > 0
        return Batch(
            rows=np.where(valid, s.items[places], -1).astype(np.int64),
            values=np.where(valid, s.values[places], np.float32(0.0)).astype(np.float32),
            gaps_s=gaps.astype(np.float32),
            piece=piece,
            position=np.where(has, last - self._first[query], -1),
            users=users,
            age_s=np.where(has, s.times_s[asked] - s.times_s[last], 0.0).astype(np.float32),
            numbers=s.numbers[origin],
            context=s.context[asked],
            target=s.items[target].astype(np.int64),
        )
