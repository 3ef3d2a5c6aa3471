"""Puts a prepared data set into a store: users' attributes, all events, items' counters.

Repeating it is harmless and finishes what was interrupted: events that are there are recognised and not counted again.
The counters are added after each group of users; a load that is killed in between leaves that group uncounted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.prepared import load as read_dataset
from shortlist_domain.deadline import Deadline
from shortlist_domain.ids import actor_id
from shortlist_domain.stages import CLOCK_SKEW_S, ActorKey, Event
from shortlist_feature_store.additions import additions_of
from shortlist_feature_store.store import FeatureStore

_USERS_PER_GROUP = 64
_EVENTS_PER_CALL = 2_000
_WORKERS = 4
_DEADLINE_S = 30.0
"""Longest wait for one command; a load has nobody waiting for it."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """How far a load is, or what it came to."""

    users: int
    """Users done."""

    events: int
    """Their events, new or not."""

    added: int
    """Of these, events that were not there before."""

    users_in_all: int
    events_in_all: int
    seconds: float
    """Time since the beginning."""


@dataclass(frozen=True, slots=True)
class _User:
    key: ActorKey
    attributes: dict[str, str]
    events: list[Event]


async def load(
    store: FeatureStore, dataset_folder: Path, tenant: str = "", progress: Callable[[LoadReport], None] | None = None
) -> LoadReport:
    """Put the prepared data set in ``dataset_folder`` into ``store``.

    Attributes hold as of the data's last event, so that what was written since stays.

    Args:
        store: Where to.
        dataset_folder: A folder that :func:`shortlist_data.prepared.save` wrote.
        tenant: Whose data it is.
        progress: Told after each group of users.

    Raises:
        shortlist_data.errors.DataRefused: The folder is no prepared data set, or has events in the future.
        InvalidRequest: An id or value in it cannot be stored.
        UpstreamFailed: The store failed; repeat the load.
        BudgetExceeded: The store did not answer for half a minute; repeat the load.
    """
    began = time.monotonic()
    dataset = await asyncio.to_thread(read_dataset, dataset_folder)
    if ahead := int(np.count_nonzero(dataset.times_s > time.time() + CLOCK_SKEW_S)):
        raise DataRefused(
            f"{dataset_folder}: {ahead:,} events lie in the future; import the tables again, without them"
        )
    as_of_s = float(dataset.times_s[-1]) if dataset.events else 0.0
    users, events, added = 0, 0, 0
    report = LoadReport(0, 0, 0, len(dataset.user_ids), dataset.events, 0.0)
    for group in _groups(dataset, tenant):
        new: list[Event] = []
        try:
            await _load_group(store, group, as_of_s, new)
        finally:
            # Also where the group broke off: what is stored will not be new to a repetition.
            if new:
                newest_s = max(event.time_s for event in new)
                await store.add_to_items(tenant, additions_of(new), newest_s, Deadline.after(_DEADLINE_S))
        users, events, added = users + len(group), events + sum(len(user.events) for user in group), added + len(new)
        report = LoadReport(users, events, added, len(dataset.user_ids), dataset.events, time.monotonic() - began)
        if progress is not None:
            progress(report)
    return report


async def _load_group(store: FeatureStore, group: Sequence[_User], as_of_s: float, new: list[Event]) -> None:
    """Store a group's attributes and events, and add to ``new`` the events that were."""
    waiting = iter(group)

    async def work() -> None:
        for user in waiting:
            if user.attributes:
                await store.write_attributes(user.key, user.attributes, as_of_s, Deadline.after(_DEADLINE_S))
            for start in range(0, len(user.events), _EVENTS_PER_CALL):
                some = user.events[start : start + _EVENTS_PER_CALL]
                result = await store.append_events(user.key, some, Deadline.after(_DEADLINE_S), count_items=False)
                new.extend(event for event, is_new in zip(some, result.added, strict=True) if is_new)

    workers = [asyncio.create_task(work()) for _ in range(_WORKERS)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _groups(dataset: Dataset, tenant: str) -> Iterator[list[_User]]:
    order = np.argsort(dataset.user_rows, kind="stable")
    ends = np.cumsum(np.bincount(dataset.user_rows, minlength=len(dataset.user_ids))).tolist()
    columns = {name: dataset.users[name].to_list() for name in dataset.user_attributes}
    group: list[_User] = []
    for row, (user_id, end) in enumerate(zip(dataset.user_ids, ends, strict=True)):
        rows = order[ends[row - 1] if row else 0 : end]
        events = [
            Event(dataset.item_ids[item_row], value, time_s)
            for item_row, value, time_s in zip(
                dataset.item_rows[rows].tolist(),
                dataset.values[rows].tolist(),
                dataset.times_s[rows].tolist(),
                strict=True,
            )
        ]
        attributes = {name: texts[row] for name, texts in columns.items() if texts[row]}
        group.append(_User(ActorKey(tenant, actor_id(user_id, "")), attributes, events))
        if len(group) == _USERS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group
