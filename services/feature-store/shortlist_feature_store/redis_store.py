"""The store of features on Redis or Valkey.

Writes of one actor are optimistic transactions on keys of one hash tag (WATCH, read, MULTI … EXEC): what is new is
decided on what is written against, so that versions, cuts and counts are exact without scripts on the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, Overloaded, UpstreamFailed
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.stages import ActorKey, ActorState, Event, ItemDelta, ItemDeltas
from shortlist_feature_store.additions import additions_of, known_ids, subtractions_of
from shortlist_feature_store.erasure import Erasure
from shortlist_feature_store.keys import state_key
from shortlist_feature_store.records import check_attributes, checked_events, events_state, pack_attribute, wins
from shortlist_feature_store.redis_actors import RedisActors
from shortlist_feature_store.redis_documents import RedisDocuments
from shortlist_feature_store.redis_items import RedisItems
from shortlist_feature_store.redis_link import Command, RedisLink
from shortlist_feature_store.redis_slates import RedisSlates
from shortlist_feature_store.store import Erased, Kept, Limits, SlateEntry, StoreFreshness, WriteResult
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log

_FIRST_POLL_S = 0.002
_LONGEST_POLL_S = 0.02
_SHARE_FOR_WAITING = 0.8
"""Of the deadline, spent on waiting for a version; the rest is for the answer."""

_STRIPES = 64
_ERASED_AT_ONCE = 50
"""Histories that are deleted in one exchange."""


class RedisStore:
    """A :class:`~shortlist_feature_store.store.FeatureStore` on one Redis."""

    def __init__(self, link: RedisLink, limits: Limits, now: Callable[[], float] = time.time) -> None:
        """Owns ``link`` from now on.

        Args:
            link: Way to the server.
            limits: How much is kept.
            now: Seconds since 1970 UTC.
        """
        self._link = link
        self._limits = limits
        self._now = now
        self._actors = RedisActors(link, limits, now)
        self._items = RedisItems(link, limits)
        self._slates = RedisSlates(link, limits)
        self.documents = RedisDocuments(link, limits, now)
        # Writers of one actor in one process queue here instead of failing each other's transactions.
        self._locks = tuple(asyncio.Lock() for _ in range(_STRIPES))
        self._log = get_log("feature-store")
        self.lost_counts = 0
        """Appends whose events were stored and not counted, because the server went away in between."""

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
        state = await self._actors.read(key, with_impressions, deadline)
        if state.version >= min_version and state.session_version >= min_session_version:
            return state
        waiting = deadline.slice(_SHARE_FOR_WAITING)
        pause_s = _FIRST_POLL_S
        with contextlib.suppress(BudgetExceeded):
            while waiting.remaining_s() > pause_s:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_POLL_S)
                version, session_version = await self._actors.versions(key, waiting)
                if version >= min_version and session_version >= min_session_version:
                    return await self._actors.read(key, with_impressions, deadline)
        return replace(state, caught_up=False)

    async def append_events(
        self, key: ActorKey, events: Sequence[Event], deadline: Deadline, *, count_items: bool = True
    ) -> AppendResult:
        """Add ``events`` to the actor's history; see the protocol."""
        checked = checked_events(events, self._now())
        added = [False] * len(checked)
        version = 0
        counted: list[Event] = []
        async with self._alone(key.own, deadline):
            if key.session is not None:
                await self._actors.note_session(key, deadline)
            for kept, positions in self._limits.lists_of(checked):
                some = [checked[at] for at in positions]
                copies = await self._copied(key.session, kept, some, deadline)
                result = await self._actors.append(key, kept, some, deadline, copies)
                version = result.version
                for at, is_added in zip(positions, result.added, strict=True):
                    added[at] = is_added
                    if is_added and kept == self._limits.history and checked[at].event_id not in copies:
                        counted.append(checked[at])
        if count_items and counted:
            newest_s = max(event.time_s for event in counted)
            await self._after_write(key.tenant, additions_of(counted), newest_s, deadline)
        return AppendResult(version, added)

    async def _copied(
        self, session: ActorKey | None, kept: Kept, events: Sequence[Event], deadline: Deadline
    ) -> Collection[str]:
        """Write ``events`` in the session, as copies; return the ids that had been there, and were counted then.

        The session comes first: what it says is exact, since one transaction decides it.
        """
        if session is None:
            return frozenset()
        result = await self._actors.append(session, kept, events, deadline, {event.event_id for event in events})
        return known_ids(events, result.added)

    async def read_events(self, key: ActorKey, deadline: Deadline, *, impressions: bool = False) -> ActorState:
        """Return the newest events of ``key``, or impressions; see the protocol."""
        kept = self._limits.impressions if impressions else self._limits.history
        return events_state(await self._actors.rows(key, kept, deadline))

    async def write_attributes(
        self, key: ActorKey, attributes: Mapping[str, str], time_s: float, deadline: Deadline
    ) -> WriteResult:
        """Set attributes as of ``time_s``; see the protocol."""
        check_attributes(attributes, time_s, self._now())
        state_name = state_key(key)
        fields = [f"a:{name}" for name in attributes]
        work = "writing attributes"
        async with self._alone(key.own, deadline), self._link.session(deadline, work) as session:
            while True:
                read: list[Command] = [("WATCH", state_name), ("HMGET", state_name, "version", *fields)]
                _, (version, *stored) = await session.exchange(read)
                old = dict(zip(attributes, stored, strict=True))
                applied = {name: wins(time_s, text, old[name]) for name, text in attributes.items()}
                packed = {name: pack_attribute(time_s, text) for name, text in attributes.items() if applied[name]}
                news = [part for name in packed if packed[name] != old[name] for part in (f"a:{name}", packed[name])]
                if not news:
                    await session.exchange([("UNWATCH",)])
                    return WriteResult(int(version or 0), applied)
                write: list[Command] = [("HINCRBY", state_name, "version", 1), ("HSET", state_name, *news)]
                done = await session.commit([*write, *self._actors.expiries(key)])
                if done is not None:
                    break
        await self._after_write(key.tenant, (), None, deadline)
        return WriteResult(done[0], applied)

    async def erase_actor(self, key: ActorKey, deadline: Deadline) -> Erased:
        """Delete everything of the actor; see the protocol."""
        erasure = Erasure()
        async with self._alone(key.own, deadline):
            # The actor is the last, and with it what names its sessions: what breaks off is made whole by a repetition.
            keys = [*await self._actors.sessions_of(key, deadline), key.own]
            for start in range(0, len(keys), _ERASED_AT_ONCE):
                rows = await self._actors.erase(keys[start : start + _ERASED_AT_ONCE], erasure, deadline)
                if rows:
                    await self._after_write(key.tenant, subtractions_of(rows), None, deadline)
        return erasure.total()

    async def add_to_items(
        self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None, deadline: Deadline
    ) -> None:
        """Add to items' counters; see the protocol."""
        await self._items.add(tenant, additions, newest_event_s, self._now(), deadline)

    async def read_items(self, tenant: str, item_ids: Sequence[str], deadline: Deadline) -> Sequence[ItemDelta | None]:
        """Return the counters of ``item_ids``, in their order."""
        return await self._items.read(tenant, item_ids, deadline)

    async def read_freshness(self, tenant: str, deadline: Deadline) -> StoreFreshness:
        """Return how new the tenant's data is."""
        return await self._items.freshness(tenant, deadline)

    def watch_items(self, tenant: str, cursor: str) -> AsyncGenerator[ItemDeltas, None]:
        """Yield a snapshot and then every change; see the protocol."""
        return self._items.watch(tenant, cursor)

    async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """Add to the log of served slates; see the protocol."""
        return await self._slates.append(records, deadline)

    async def take_slates(self, consumer: str, count: int, deadline: Deadline) -> Sequence[SlateEntry]:
        """Return entries of the log of served slates; see the protocol."""
        return await self._slates.take(consumer, count, deadline)

    async def confirm_slates(self, entry_ids: Sequence[str], deadline: Deadline) -> None:
        """Note that entries are safe; see the protocol."""
        await self._slates.confirm(entry_ids, deadline)

    async def ping(self, deadline: Deadline) -> None:
        """Return where the server answers."""
        await self._link.exchange([("PING",)], deadline, "a ping")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._link.aclose()

    async def _after_write(
        self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None, deadline: Deadline
    ) -> None:
        """Count what has been stored. Failing the call would not help: a repetition finds the events there."""
        try:
            await self._items.add(tenant, additions, newest_event_s, self._now(), deadline)
        except (UpstreamFailed, BudgetExceeded, Overloaded) as error:
            self.lost_counts += 1
            self._log.warning(LogEvent.COUNTS_LOST, tenant=tenant, items=len(additions), reason=str(error))

    @contextlib.asynccontextmanager
    async def _alone(self, key: ActorKey, deadline: Deadline) -> AsyncIterator[None]:
        lock = self._locks[hash(key) % _STRIPES]
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await lock.acquire()
        except TimeoutError as error:
            raise BudgetExceeded("no time left to wait for other writes of the actor") from error
        try:
            yield
        finally:
            lock.release()
