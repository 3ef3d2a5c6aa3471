"""Held-out users as a caller would describe them: id, attributes, and what they did so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_trainer.histories import HeldOut, histories_of


@dataclass(frozen=True, slots=True)
class Asked:
    """One user at the moment of asking."""

    user_id: str
    attributes: Mapping[str, str]
    """Those that models use and that are known."""

    item_rows: NDArray[np.int32]
    """Every known event, oldest first, in rows of the data set."""

    values: NDArray[np.float32]
    times_s: NDArray[np.float64]
    now_s: float
    """Not before the last event."""

    seen_rows: NDArray[np.int32]
    """Items that must not be shown, none twice, the latest met first."""

    def moved_to(self, now_s: float) -> Asked:
        """Return the user with all times moved, so that ``now_s`` is the moment of asking: ages stay what they are."""
        return replace(self, times_s=self.times_s + (now_s - self.now_s), now_s=now_s)

    def carried(self, events: int, excluded: int) -> Asked:
        """Return what of the user fits into a request of ``events`` events that excludes ``excluded`` more items."""
        recent = self.item_rows[-events:]
        older = self.seen_rows[~np.isin(self.seen_rows, recent)][:excluded]
        seen = np.concatenate([latest_first(recent), older])
        return replace(
            self, item_rows=recent, values=self.values[-events:], times_s=self.times_s[-events:], seen_rows=seen
        )


def latest_first(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the distinct ``rows``, the last one first."""
    turned = rows[::-1]
    return turned[np.sort(np.unique(turned, return_index=True)[1])]


def asked_of(known: Dataset, held_out: HeldOut) -> list[Asked]:
    """Return the evaluated users, in their order."""
    histories = histories_of(known, held_out.users, held_out.now_s)
    columns = {name: known.users[name].to_list() for name in known.user_attributes}
    asked = []
    for at, user in enumerate(held_out.users.tolist()):
        events = slice(int(histories.indptr[at]), int(histories.indptr[at + 1]))
        attributes = {name: column[user] for name, column in columns.items() if column[user] is not None}
        asked.append(
            Asked(
                known.user_ids[user],
                attributes,
                histories.rows[events],
                histories.values[events],
                histories.times_s[events],
                float(held_out.now_s[at]),
                latest_first(histories.rows[events]),
            )
        )
    return asked
