"""The in-memory twin of the Redis store: same promises, nothing survives the process, nothing is shared.

For where no server can start. Who uses it says so loudly.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.stages import ActorKey, ActorState, Event, ItemDelta, ItemDeltas
from shortlist_feature_store.additions import additions_of, fresh_events, subtractions_of
from shortlist_feature_store.memory_documents import MemoryDocuments
from shortlist_feature_store.memory_slates import MemorySlates
from shortlist_feature_store.records import (
    Row,
    attribute_text,
    check_attributes,
    checked_events,
    events_state,
    history_columns,
    pack_attribute,
    pack_event,
    pack_floor,
    unpack_rows,
    wins,
)
from shortlist_feature_store.store import UPSTREAM, Erased, Kept, Limits, SlateEntry, StoreFreshness, WriteResult

_SHARE_FOR_WAITING = 0.8


@dataclass(slots=True)
class _List:
    events: dict[str, bytes] = field(default_factory=dict)
    floor: bytes | None = None

    def rows(self) -> list[Row]:
        return unpack_rows(map(str.encode, self.events), self.events.values())

    def add(self, fresh: Sequence[Event], kept: Kept) -> None:
        self.events.update((event.event_id, pack_event(event)) for event in fresh)
        if len(self.events) > kept.trim_above:
            cut = self.rows()[: -kept.longest]
            for row in cut:
                del self.events[row[1].decode()]
            self.floor = pack_floor(cut[-1])


@dataclass(slots=True)
class _Actor:
    lists: defaultdict[str, _List] = field(default_factory=lambda: defaultdict(_List))
    """By the name in :class:`~shortlist_feature_store.store.Kept`."""

    attributes: dict[str, bytes] = field(default_factory=dict)
    version: int = 0
    written: asyncio.Event = field(default_factory=asyncio.Event)

    def wrote(self) -> None:
        self.version += 1
        self.written.set()
        self.written = asyncio.Event()


@dataclass(slots=True)
class _Tenant:
    """Items of a tenant. The run's id in a cursor tells it from cursors of a process that is gone."""

    changes: deque[tuple[int, Sequence[str]]]
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    totals: dict[str, ItemDelta] = field(default_factory=dict)
    last_change: int = 0
    newest_event_s: float | None = None
    last_write_s: float | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def cursor(self) -> str:
        return f"{self.run}-{self.last_change}"


class MemoryStore:
    """A :class:`~shortlist_feature_store.store.FeatureStore` in this process."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._now = now
        self._actors: dict[ActorKey, _Actor] = {}
        self._tenants: dict[str, _Tenant] = {}
        self._is_closed = False
        self._slates = MemorySlates(limits)
        self.documents = MemoryDocuments(limits, now)

    async def read_actor(
        self, key: ActorKey, min_version: int, deadline: Deadline, *, with_impressions: bool = False
    ) -> ActorState:
        """Return what is known of ``key``; see the protocol."""
        self._check("reading an actor", deadline)
        actor = self._actors.get(key, _Actor())
        waiting = deadline.slice(_SHARE_FOR_WAITING)
        while actor.version < min_version and waiting.remaining_s() > 0:
            with contextlib.suppress(TimeoutError):
                # An actor nobody has written yet has no event to wait for; it is looked up again soon.
                known = key in self._actors
                await asyncio.wait_for(actor.written.wait(), waiting.remaining_s() if known else 0.002)
            actor = self._actors.get(key, actor)
        kept = (self._limits.history, self._limits.impressions) if with_impressions else (self._limits.history,)
        item_ids, event_types, values, times_s = history_columns(_rows(actor, *kept))
        return ActorState(
            attributes={name: attribute_text(packed) for name, packed in actor.attributes.items()},
            item_ids=item_ids,
            event_types=event_types,
            values=values,
            times_s=times_s,
            known=actor.version > 0,
            version=actor.version,
            caught_up=actor.version >= min_version,
        )

    async def append_events(
        self, key: ActorKey, events: Sequence[Event], deadline: Deadline, *, count_items: bool = True
    ) -> AppendResult:
        """Add ``events`` to the actor's history; see the protocol."""
        checked = checked_events(events, self._now())
        self._check("appending events", deadline)
        actor = self._actors.get(key, _Actor())
        added = [False] * len(checked)
        for kept, positions in self._limits.lists_of(checked):
            some = actor.lists[kept.name]
            are_new, fresh = fresh_events([checked[at] for at in positions], some.events.keys(), some.floor)
            for at, is_new in zip(positions, are_new, strict=True):
                added[at] = is_new
            if fresh:
                self._actors[key] = actor
                some.add(fresh, kept)
                actor.wrote()
                if count_items and kept == self._limits.history:
                    self._add(key.tenant, additions_of(fresh), max(event.time_s for event in fresh))
        return AppendResult(actor.version, added)

    async def read_events(self, key: ActorKey, deadline: Deadline, *, impressions: bool = False) -> ActorState:
        """Return the newest events of ``key``, or impressions; see the protocol."""
        self._check("reading events", deadline)
        actor = self._actors.get(key, _Actor())
        return events_state(_rows(actor, self._limits.impressions if impressions else self._limits.history))

    async def write_attributes(
        self, key: ActorKey, attributes: Mapping[str, str], time_s: float, deadline: Deadline
    ) -> WriteResult:
        """Set attributes as of ``time_s``; see the protocol."""
        check_attributes(attributes, time_s, self._now())
        self._check("writing attributes", deadline)
        actor = self._actors.get(key, _Actor())
        applied = {name: wins(time_s, text, actor.attributes.get(name)) for name, text in attributes.items()}
        packed = {name: pack_attribute(time_s, text) for name, text in attributes.items() if applied[name]}
        if all(actor.attributes.get(name) == value for name, value in packed.items()):
            return WriteResult(actor.version, applied)
        self._actors[key] = actor
        actor.attributes.update(packed)
        actor.wrote()
        self._add(key.tenant, (), None)
        return WriteResult(actor.version, applied)

    async def erase_actor(self, key: ActorKey, deadline: Deadline) -> Erased:
        """Delete everything of the actor; see the protocol."""
        self._check("erasing an actor", deadline)
        actor = self._actors.pop(key, _Actor())
        rows = actor.lists[self._limits.history.name].rows()
        if rows:
            self._add(key.tenant, subtractions_of(rows), None)
        n_events = sum(len(some.events) for some in actor.lists.values())
        return Erased(n_events, len(actor.attributes), key not in self._actors)

    async def add_to_items(
        self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None, deadline: Deadline
    ) -> None:
        """Add to items' counters; see the protocol."""
        self._check("counting items", deadline)
        self._add(tenant, additions, newest_event_s)

    async def read_items(self, tenant: str, item_ids: Sequence[str], deadline: Deadline) -> Sequence[ItemDelta | None]:
        """Return the counters of ``item_ids``, in their order."""
        self._check("reading items", deadline)
        totals = self._tenant(tenant).totals
        return [totals.get(item_id) for item_id in item_ids]

    async def read_freshness(self, tenant: str, deadline: Deadline) -> StoreFreshness:
        """Return how new the tenant's data is."""
        self._check("reading the freshness", deadline)
        kept = self._tenant(tenant)
        return StoreFreshness(kept.newest_event_s, kept.last_write_s)

    async def watch_items(self, tenant: str, cursor: str) -> AsyncGenerator[ItemDeltas, None]:
        """Yield a snapshot and then every change; see the protocol."""
        kept = self._tenant(tenant)
        at = self._position(kept, cursor)
        while not self._is_closed:
            changed = kept.changed
            if at is None or (kept.changes and kept.changes[0][0] > at + 1):
                at = kept.last_change
                yield ItemDeltas(list(kept.totals.values()), kept.cursor(), is_snapshot=True)
            elif at < kept.last_change:
                item_ids = dict.fromkeys(one for change, some in kept.changes if change > at for one in some)
                at = kept.last_change
                yield ItemDeltas([kept.totals[item_id] for item_id in item_ids], kept.cursor(), is_snapshot=False)
            else:
                await changed.wait()
        raise UpstreamFailed(UPSTREAM, "the store is closed")

    async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """Add to the log of served slates; see the protocol."""
        self._check("logging slates", deadline)
        return self._slates.append(records)

    async def take_slates(self, consumer: str, count: int, deadline: Deadline) -> Sequence[SlateEntry]:
        """Return entries of the log of served slates; see the protocol."""
        self._check("taking slates", deadline)
        return self._slates.take(consumer, count)

    async def confirm_slates(self, entry_ids: Sequence[str], deadline: Deadline) -> None:
        """Note that entries are safe; see the protocol."""
        self._check("confirming slates", deadline)
        self._slates.confirm(entry_ids)

    async def ping(self, deadline: Deadline) -> None:
        """Return; the store is this process."""
        self._check("a ping", deadline)

    async def aclose(self) -> None:
        """Forget everything; watchers end."""
        self._is_closed = True
        self._actors.clear()
        for tenant in self._tenants.values():
            tenant.changed.set()

    def _check(self, work: str, deadline: Deadline) -> None:
        if self._is_closed:
            raise UpstreamFailed(UPSTREAM, "the store is closed")
        deadline.check(work)

    def _tenant(self, tenant: str) -> _Tenant:
        if tenant not in self._tenants:
            self._tenants[tenant] = _Tenant(deque(maxlen=self._limits.item_change_log_length))
        return self._tenants[tenant]

    def _position(self, kept: _Tenant, cursor: str) -> int | None:
        run, _, number = cursor.rpartition("-")
        if run != kept.run or not number.isdecimal() or int(number) > kept.last_change:
            return None
        return int(number)

    def _add(self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None) -> None:
        kept = self._tenant(tenant)
        for addition in additions:
            old = kept.totals.get(addition.item_id, ItemDelta(addition.item_id, 0.0, 0.0))
            kept.totals[addition.item_id] = ItemDelta(
                addition.item_id, old.count + addition.count, old.value_sum + addition.value_sum
            )
        kept.last_write_s = max(self._now(), kept.last_write_s or 0.0)
        if newest_event_s is not None:
            kept.newest_event_s = (
                newest_event_s if kept.newest_event_s is None else max(newest_event_s, kept.newest_event_s)
            )
        if additions:
            kept.last_change += 1
            kept.changes.append((kept.last_change, [addition.item_id for addition in additions]))
            kept.changed.set()
            kept.changed = asyncio.Event()


def _rows(actor: _Actor, *lists: Kept) -> list[Row]:
    """Return the newest events of some of the actor's lists, oldest first."""
    return sorted(row for kept in lists for row in actor.lists[kept.name].rows()[-kept.longest :])
