"""Events grouped by user, with everything about them that was known before they happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.features import Mapped, in_process, point_in_time
from shortlist_models.inputs import CONTEXT_NUMBERS, USER_NUMBERS

PAUSE_S = 6 * 3600.0
"""A pause that ends a visit."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """All events, sorted by user and then by time. A *place* is a position in this order."""

    start: NDArray[np.int64]
    """First place of each user, shape ``(users + 1,)``."""

    users: NDArray[np.int32]
    """User row of each place, shape ``(m,)``, as are the following."""

    items: NDArray[np.int32]
    values: NDArray[np.float32]
    times_s: NDArray[np.float64]
    event: NDArray[np.int64]
    """Position of the event in the data set's order of time."""

    moment: NDArray[np.int64]
    """First place of the same user and the same time. Events of one moment do not know each other: what was known
    before an event are the places ``[start[user], moment[place])``."""

    visit: NDArray[np.int64]
    """First place of the visit that the event belongs to: events of a user less than :data:`PAUSE_S` apart."""

    numbers: NDArray[np.float32]
    """User features before the event, ``(m, 3)``, raw."""

    context: NDArray[np.float32]
    """Context features of the event, ``(m, 3)``, raw."""

    item_count: NDArray[np.float32]
    item_mean: NDArray[np.float32]

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.start) - 1

    def ends(self, until_event: int) -> NDArray[np.int64]:
        """Return, for each user, the place after the last event with a position below ``until_event``."""
        counts = np.bincount(self.users[self.event < until_event], minlength=self.n_users)
        ends: NDArray[np.int64] = self.start[:-1] + counts
        return ends

    def places_between(self, from_event: int, until_event: int) -> NDArray[np.int64]:
        """Return the places of the events ``[from_event, until_event)``, in the order of time."""
        places = np.flatnonzero((self.event >= from_event) & (self.event < until_event))
        ordered: NDArray[np.int64] = places[np.argsort(self.event[places])]
        return ordered


def sequences_of(dataset: Dataset, mapped: Mapped = in_process, partitions: int = 1) -> Sequences:
    """Return the events of ``dataset`` by user; the last two as in :func:`shortlist_data.features.point_in_time`."""
    order = np.argsort(dataset.user_rows, kind="stable")
    users, times = dataset.user_rows[order], dataset.times_s[order]
    start = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=len(dataset.user_ids)))]).astype(np.int64)
    m = len(order)
    new = np.ones(m, np.bool_)
    new[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
    back = np.ones(m, np.bool_)
    back[1:] = (users[1:] != users[:-1]) | (times[1:] - times[:-1] > PAUSE_S)
    features = point_in_time(dataset, mapped, partitions)
    return Sequences(
        start=start,
        users=users,
        items=dataset.item_rows[order],
        values=dataset.values[order],
        times_s=times,
        event=order.astype(np.int64),
        moment=np.maximum.accumulate(np.where(new, np.arange(m), 0)),
        visit=np.maximum.accumulate(np.where(back, np.arange(m), 0)),
        numbers=np.stack([features.column(name)[order] for name in USER_NUMBERS], axis=1),
        context=np.stack([features.column(name)[order] for name in CONTEXT_NUMBERS], axis=1),
        item_count=features.item_count[order],
        item_mean=features.item_mean[order],
    )
