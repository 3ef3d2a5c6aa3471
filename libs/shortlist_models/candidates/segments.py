"""Popularity within the segment of the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_models.candidates.base import Histories, require_catalogue, require_events


class SegmentPopularity:
    """Score of an item = its share of the events of the user's segment, drawn towards its share of all events.

    A segment is everybody with one value of one categorical attribute. Of the attributes the one comes first whose
    segments differ most from the whole (mean absolute difference of the shares); a user belongs to the first segment
    that is large enough to be known, and to the whole where there is none.

    The share is the mean of a Dirichlet posterior: ``(count + prior * share of all) / (events + prior)``, so that items
    that a segment did not meet keep the order that they have for everybody.

    Args:
        least_users: Users with an event that a segment must have at least, 1 or more.
        prior_events: ``prior``, above 0.

    Raises:
        ValueError: A parameter is out of its range.
    """

    def __init__(self, least_users: int = 50, prior_events: float = 100.0) -> None:
        if least_users < 1 or not prior_events > 0.0:
            raise ValueError(f"least_users {least_users} must be at least 1 and prior_events {prior_events} above 0")
        self.least_users, self.prior_events = least_users, prior_events
        self._scores: NDArray[np.float32] = np.zeros((1, 0), np.float32)
        self._segments: NDArray[np.int64] = np.zeros((0, 2), np.int64)

    def fit(self, histories: Histories) -> None:
        """Count within every segment of every attribute."""
        require_events(histories)
        counts = histories.counts
        share = counts / counts.sum()
        found: list[tuple[float, int, list[tuple[int, NDArray[np.float64]]]]] = []
        for attribute, column in enumerate(_categories(histories).T):
            segments = list(self._segments_of(histories, column, share))
            if segments:
                distance = float(np.mean([np.abs(shares - share).sum() for _, shares in segments]))
                found.append((-distance, attribute, segments))
        known = [
            (attribute, value, shares) for _, attribute, all_ in sorted(found, key=_order) for value, shares in all_
        ]
        self._segments = np.array([each[:2] for each in known], np.int64).reshape(-1, 2)
        self._scores = np.stack([share, *(each[2] for each in known)]).astype(np.float32)

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return the shares in each user's segment."""
        require_catalogue(histories, self._scores.shape[-1])
        categories = _categories(histories)
        which = np.zeros(len(histories), np.int64)
        # The first segment is written last and stays.
        for segment in range(len(self._segments) - 1, -1, -1):
            attribute, value = self._segments[segment]
            if attribute < categories.shape[1]:
                which[categories[:, attribute] == value] = segment + 1
        return self._scores[which]

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return ``segment_scores`` float32 ``(1 + s, n)`` and ``segments`` int64 ``(s, 2)``: attribute and value.

        Row 0 is for everybody, row ``i + 1`` for the users whose attribute has the value in row ``i`` of ``segments``;
        the first that fits counts.
        """
        return {"segment_scores": self._scores, "segments": self._segments}

    def _segments_of(
        self, histories: Histories, column: NDArray[np.int64], share: NDArray[np.float64]
    ) -> list[tuple[int, NDArray[np.float64]]]:
        """Return the values of an attribute whose users are many enough, each with its shares."""
        events = np.diff(histories.indptr)
        by_event = np.repeat(column, events)
        known: list[tuple[int, NDArray[np.float64]]] = []
        for value in np.unique(column[(column > 0) & (events > 0)]).tolist():
            if np.count_nonzero((column == value) & (events > 0)) >= self.least_users:
                counts = np.bincount(histories.rows[by_event == value], minlength=histories.n_items)
                known.append((value, (counts + self.prior_events * share) / (counts.sum() + self.prior_events)))
        return known


def _order(found: tuple[float, int, list[tuple[int, NDArray[np.float64]]]]) -> tuple[float, int]:
    return found[:2]


def _categories(histories: Histories) -> NDArray[np.int64]:
    return np.zeros((len(histories), 0), np.int64) if histories.categories is None else histories.categories
