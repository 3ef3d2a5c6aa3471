"""The in-memory twin of the Redis store: same promises, nothing survives the process, nothing is shared.

For where no server can start. Who uses it says so loudly.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.ids import session_id_of
from shortlist_domain.stages import ActorKey, ActorState, Event, ItemDelta, ItemDeltas
from shortlist_feature_store.additions import additions_of, fresh_events, known_ids, subtractions_of
from shortlist_feature_store.erasure import Erasure
from shortlist_feature_store.memory_documents import MemoryDocuments
from shortlist_feature_store.memory_items import MemoryItems
from shortlist_feature_store.memory_slates import MemorySlates
from shortlist_feature_store.records import (
    Row,
    attribute_text,
    check_attributes,
    checked_events,
    events_state,
    history_columns,
    merged,
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

    def add(self, fresh: Sequence[Event], kept: Kept, copies: Collection[str]) -> None:
        self.events.update((event.event_id, pack_event(event, is_copy=event.event_id in copies)) for event in fresh)
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


class MemoryStore:
    """A :class:`~shortlist_feature_store.store.FeatureStore` in this process."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._now = now
        self._actors: dict[ActorKey, _Actor] = {}
        self._ends_s: dict[ActorKey, float] = {}
        """When each session is over, in that order."""

        self._sessions: defaultdict[ActorKey, dict[ActorKey, float]] = defaultdict(dict)
        """For each actor, the sessions that it wrote in, and when each ends at the earliest."""

        self._is_closed = False
        self._items = MemoryItems(limits, now)
        self._slates = MemorySlates(limits)
        self.documents = MemoryDocuments(limits, now)

    async def read_actor(
        self,
        key: ActorKey,
        min_version: int,
        deadline: Deadline,
        *,
        with_impressions: bool = False,
        min_session_version: int = 0,
    ) -> ActorState:
        """Return what is known of ``key``; see the protocol."""
        self._check("reading an actor", deadline)
        waiting = deadline.slice(_SHARE_FOR_WAITING)
        actor = await self._at_version(key.own, min_version, waiting)
        session = await self._at_version(key.session, min_session_version, waiting)
        kept = (self._limits.history, self._limits.impressions) if with_impressions else (self._limits.history,)
        item_ids, event_types, values, times_s = history_columns(_rows(actor, session, *kept))
        attributes = {**session.attributes, **actor.attributes}
        return ActorState(
            attributes={name: attribute_text(packed) for name, packed in attributes.items()},
            item_ids=item_ids,
            event_types=event_types,
            values=values,
            times_s=times_s,
            known=actor.version > 0 or session.version > 0,
            version=actor.version,
            session_version=session.version,
            caught_up=actor.version >= min_version and session.version >= min_session_version,
        )

    async def append_events(
        self, key: ActorKey, events: Sequence[Event], deadline: Deadline, *, count_items: bool = True
    ) -> AppendResult:
        """Add ``events`` to the actor's history; see the protocol."""
        checked = checked_events(events, self._now())
        self._check("appending events", deadline)
        if key.session is not None:
            self._note_session(key.own, key.session)
        added = [False] * len(checked)
        counted: list[Event] = []
        for kept, positions in self._limits.lists_of(checked):
            some = [checked[at] for at in positions]
            copies: set[str] = set()
            if key.session is not None:
                in_session = self._append(key.session, kept, some, {event.event_id for event in some})
                copies = known_ids(some, in_session)
            for at, is_added in zip(positions, self._append(key.own, kept, some, copies), strict=True):
                added[at] = is_added
                if is_added and kept == self._limits.history and checked[at].event_id not in copies:
                    counted.append(checked[at])
        if count_items and counted:
            self._items.add(key.tenant, additions_of(counted), max(event.time_s for event in counted))
        return AppendResult(self._actor(key.own).version, added)

    async def read_events(self, key: ActorKey, deadline: Deadline, *, impressions: bool = False) -> ActorState:
        """Return the newest events of ``key``, or impressions; see the protocol."""
        self._check("reading events", deadline)
        kept = self._limits.impressions if impressions else self._limits.history
        return events_state(_rows(self._actor(key.own), self._actor(key.session), kept))

    async def write_attributes(
        self, key: ActorKey, attributes: Mapping[str, str], time_s: float, deadline: Deadline
    ) -> WriteResult:
        """Set attributes as of ``time_s``; see the protocol."""
        check_attributes(attributes, time_s, self._now())
        self._check("writing attributes", deadline)
        actor = self._actor(key.own)
        applied = {name: wins(time_s, text, actor.attributes.get(name)) for name, text in attributes.items()}
        packed = {name: pack_attribute(time_s, text) for name, text in attributes.items() if applied[name]}
        if all(actor.attributes.get(name) == value for name, value in packed.items()):
            return WriteResult(actor.version, applied)
        actor.attributes.update(packed)
        self._keep(key.own, actor)
        self._items.add(key.tenant, (), None)
        return WriteResult(actor.version, applied)

    async def erase_actor(self, key: ActorKey, deadline: Deadline) -> Erased:
        """Delete everything of the actor; see the protocol."""
        self._check("erasing an actor", deadline)
        sessions = dict.fromkeys(self._sessions.pop(key.own, {}))
        if key.session is not None:
            sessions[key.session] = None
        erasure = Erasure()
        for one in (*sessions, key.own):
            actor = self._actor(one)
            self._actors.pop(one, None)
            self._ends_s.pop(one, None)
            rows = actor.lists[self._limits.history.name].rows()
            if rows:
                self._items.add(key.tenant, subtractions_of(rows), None)
            shown = actor.lists[self._limits.impressions.name].events
            erasure.add((row[1] for row in rows), map(str.encode, shown), len(actor.attributes), is_gone=True)
        return erasure.total()

    async def add_to_items(
        self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None, deadline: Deadline
    ) -> None:
        """Add to items' counters; see the protocol."""
        self._check("counting items", deadline)
        self._items.add(tenant, additions, newest_event_s)

    async def read_items(self, tenant: str, item_ids: Sequence[str], deadline: Deadline) -> Sequence[ItemDelta | None]:
        """Return the counters of ``item_ids``, in their order."""
        self._check("reading items", deadline)
        return self._items.read(tenant, item_ids)

    async def read_freshness(self, tenant: str, deadline: Deadline) -> StoreFreshness:
        """Return how new the tenant's data is."""
        self._check("reading the freshness", deadline)
        return self._items.freshness(tenant)

    def watch_items(self, tenant: str, cursor: str) -> AsyncGenerator[ItemDeltas, None]:
        """Yield a snapshot and then every change; see the protocol."""
        return self._items.watch(tenant, cursor)

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
        self._items.close()

    def _check(self, work: str, deadline: Deadline) -> None:
        if self._is_closed:
            raise UpstreamFailed(UPSTREAM, "the store is closed")
        deadline.check(work)

    def _actor(self, key: ActorKey | None) -> _Actor:
        """Return what is kept of ``key``; a new one, not kept yet, where nothing is, or the session is over."""
        if key is None or self._ends_s.get(key, math.inf) <= self._now():
            return _Actor()
        return self._actors.get(key) or _Actor()

    async def _at_version(self, key: ActorKey | None, version: int, waiting: Deadline) -> _Actor:
        """Return what is kept of ``key`` when it has ``version``, or when the time for that is over."""
        actor = self._actor(key)
        while actor.version < version and waiting.remaining_s() > 0:
            with contextlib.suppress(TimeoutError):
                # An actor nobody has written yet has no event to wait for; it is looked up again soon.
                known = key in self._actors
                await asyncio.wait_for(actor.written.wait(), waiting.remaining_s() if known else 0.002)
            actor = self._actor(key)
        return actor

    def _append(self, key: ActorKey, kept: Kept, events: Sequence[Event], copies: Collection[str]) -> list[bool]:
        actor = self._actor(key)
        some = actor.lists[kept.name]
        added, fresh = fresh_events(events, some.events.keys(), some.floor)
        if fresh:
            some.add(fresh, kept, copies)
            self._keep(key, actor)
        return added

    def _keep(self, key: ActorKey, actor: _Actor) -> None:
        """Keep what was written, and let go of sessions that are over."""
        self._actors[key] = actor
        actor.wrote()
        if not session_id_of(key.actor_id):
            return
        now_s = self._now()
        self._ends_s.pop(key, None)
        self._ends_s[key] = now_s + self._limits.session_ttl_s
        while self._ends_s[first := next(iter(self._ends_s))] <= now_s:
            del self._ends_s[first], self._actors[first]

    def _note_session(self, key: ActorKey, session: ActorKey) -> None:
        now_s, sessions = self._now(), self._sessions[key]
        sessions[session] = now_s + self._limits.session_ttl_s
        for over in [one for one, ends_s in sessions.items() if ends_s < now_s]:
            del sessions[over]


def _rows(actor: _Actor, session: _Actor, *lists: Kept) -> list[Row]:
    """Return the newest events of some of the lists of an actor and of its session, oldest first."""
    found: list[Row] = []
    for kept in lists:
        found += merged(actor.lists[kept.name].rows(), session.lists[kept.name].rows())[-kept.longest :]
    return sorted(found)
