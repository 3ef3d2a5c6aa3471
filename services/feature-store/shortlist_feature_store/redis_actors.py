"""Actors on Redis: read in one exchange, appended to in a transaction on keys of one hash tag."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.ids import session_id_of
from shortlist_domain.stages import ActorKey, ActorState, Event
from shortlist_feature_store.additions import fresh_events
from shortlist_feature_store.erasure import Erasure
from shortlist_feature_store.keys import events_key, sessions_key, state_key
from shortlist_feature_store.records import (
    Row,
    attribute_text,
    history_columns,
    merged,
    pack_event,
    pack_floor,
    unpack_row,
    unpack_rows,
)
from shortlist_feature_store.redis_link import Command, RedisLink, Reply
from shortlist_feature_store.store import Kept, Limits


class RedisActors:
    """Histories and attributes, of one actor or session at a time."""

    def __init__(self, link: RedisLink, limits: Limits, now: Callable[[], float]) -> None:
        self._link = link
        self._limits = limits
        self._now = now

    async def read(self, key: ActorKey, with_impressions: bool, deadline: Deadline) -> ActorState:
        """Return what is known of ``key`` and of its session; one round trip, a transaction for each of the two."""
        lists = (self._limits.history, self._limits.impressions) if with_impressions else (self._limits.history,)
        own, of_session = await self._read(key, lists, deadline)
        rows = [row for kept, some in zip(lists, _rows(own, of_session, lists), strict=True) for row in some]
        if with_impressions:
            rows.sort()
        item_ids, event_types, values, times_s = history_columns(rows)
        fields = _fields(own)
        of_session_fields = _fields(of_session) if of_session else {}
        attributes = {**of_session_fields, **fields} if of_session_fields else fields
        return ActorState(
            attributes={
                name[2:].decode(): attribute_text(packed)
                for name, packed in attributes.items()
                if name.startswith(b"a:")
            },
            item_ids=item_ids,
            event_types=event_types,
            values=values,
            times_s=times_s,
            known=any(own) or any(of_session),
            version=int(fields.get(b"version", 0)),
            session_version=int(of_session_fields.get(b"version", 0)),
        )

    async def rows(self, key: ActorKey, kept: Kept, deadline: Deadline) -> Sequence[Row]:
        """Return the newest events of one list of ``key``, those of its session among them, oldest first."""
        own, of_session = await self._read(key, (kept,), deadline)
        return _rows(own, of_session, (kept,))[0]

    async def versions(self, key: ActorKey, deadline: Deadline) -> tuple[int, int]:
        """Return the versions of ``key`` and of its session."""
        keys = [one for one in (key, key.session) if one is not None]
        polls: list[Command] = [("HGET", state_key(one), "version") for one in keys]
        found = [int(version or 0) for version in await self._link.exchange(polls, deadline, "reading a version")]
        return found[0], found[1] if len(found) > 1 else 0

    async def append(
        self,
        key: ActorKey,
        kept: Kept,
        events: Sequence[Event],
        deadline: Deadline,
        copies: Collection[str] = frozenset(),
    ) -> AppendResult:
        """Add checked ``events`` to one list of ``key``; those whose ids are in ``copies`` as copies."""
        events_name, state_name = events_key(key, kept.name), state_key(key)
        ids = [event.event_id for event in events]
        async with self._link.session(deadline, "appending events") as session:
            while True:
                read: list[Command] = [
                    ("WATCH", events_name, state_name),
                    ("HMGET", state_name, "version", kept.floor),
                    ("HLEN", events_name),
                ]
                if ids:
                    read.append(("HMGET", events_name, *ids))
                _, (version, floor), length, *stored = await session.exchange(read)
                taken = {event_id for event_id, packed in zip(ids, stored[0] if ids else (), strict=True) if packed}
                added, fresh = fresh_events(events, taken, floor)
                news = {event.event_id: pack_event(event, is_copy=event.event_id in copies) for event in fresh}
                if not news:
                    await session.exchange([("UNWATCH",)])
                    return AppendResult(int(version or 0), added)
                write: list[Command] = [
                    ("HINCRBY", state_name, "version", 1),
                    ("HSET", events_name, *(part for pair in news.items() for part in pair)),
                ]
                if length + len(news) > kept.trim_above:
                    (raw,) = await session.exchange([("HGETALL", events_name)])
                    rows = sorted(_unpacked(raw) + [unpack_row(event_id.encode(), news[event_id]) for event_id in news])
                    cut = rows[: len(rows) - kept.longest]
                    write.append(("HDEL", events_name, *(row[1] for row in cut)))
                    write.append(("HSET", state_name, kept.floor, pack_floor(cut[-1])))
                done = await session.commit([*write, *self.expiries(key)])
                if done is not None:
                    return AppendResult(done[0], added)

    def expiries(self, key: ActorKey) -> list[Command]:
        """Return what goes with every write of ``key``, so that a session ends; nothing for users and visitors."""
        if not session_id_of(key.actor_id):
            return []
        return [("EXPIRE", name, self._limits.session_ttl_s) for name in self._names(key)]

    async def note_session(self, key: ActorKey, deadline: Deadline) -> None:
        """Note that ``key`` writes in its session, before it does, so that an erasure finds the session."""
        name, now_s, ttl_s = sessions_key(key), self._now(), self._limits.session_ttl_s
        commands: list[Command] = [
            ("MULTI",),
            ("ZADD", name, now_s + ttl_s, key.session_id),
            ("ZREMRANGEBYSCORE", name, "-inf", f"({now_s}"),
            ("EXPIRE", name, ttl_s),
            ("EXEC",),
        ]
        await self._link.exchange(commands, deadline, "noting a session")

    async def sessions_of(self, key: ActorKey, deadline: Deadline) -> list[ActorKey]:
        """Return the sessions that ``key`` wrote in, and the one that it names."""
        read: Command = ("ZRANGE", sessions_key(key), 0, -1)
        (names,) = await self._link.exchange([read], deadline, "reading an actor's sessions")
        ids = dict.fromkeys([*(name.decode() for name in names), *([key.session_id] if key.session_id else [])])
        return [one for one in (ActorKey(key.tenant, key.actor_id, name).session for name in ids) if one is not None]

    async def erase(self, keys: Sequence[ActorKey], erasure: Erasure, deadline: Deadline) -> list[Row]:
        """Delete everything of ``keys``, in their order, and return the events that were in their histories."""
        commands: list[Command] = []
        for key in keys:
            names = (*self._names(key), sessions_key(key))
            events_name, shown_name, state_name, _ = names
            commands += [
                ("MULTI",),
                ("HGETALL", events_name),
                ("HKEYS", shown_name),
                ("HKEYS", state_name),
                ("DEL", *names),
                ("EXEC",),
                ("EXISTS", *names),
            ]
        replies = await self._link.exchange(commands, deadline, "erasing an actor")
        n = len(commands) // len(keys)
        rows: list[Row] = []
        for at in range(0, len(commands), n):
            (flat, shown, fields, _), left = replies[at + n - 2 : at + n]
            rows += _unpacked(flat)
            attributes = sum(1 for field in fields if field.startswith(b"a:"))
            erasure.add(flat[0::2], shown, attributes, is_gone=left == 0)
        return rows

    def _names(self, key: ActorKey) -> tuple[str, str, str]:
        return events_key(key), events_key(key, self._limits.impressions.name), state_key(key)

    async def _read(
        self, key: ActorKey, lists: Sequence[Kept], deadline: Deadline
    ) -> tuple[Sequence[Reply], Sequence[Reply]]:
        """Return state and lists of ``key`` and of its session; the latter empty where it is in none."""
        commands = _reads(key, lists)
        if key.session is None:
            return (await self._link.exchange(commands, deadline, "reading an actor"))[-1], ()
        n = len(commands)
        replies = await self._link.exchange([*commands, *_reads(key.session, lists)], deadline, "reading an actor")
        return replies[n - 1], replies[-1]


def _reads(key: ActorKey, lists: Sequence[Kept]) -> list[Command]:
    return [
        ("MULTI",),
        ("HGETALL", state_key(key)),
        *(("HGETALL", events_key(key, kept.name)) for kept in lists),
        ("EXEC",),
    ]


def _fields(replies: Sequence[Reply]) -> dict[bytes, bytes]:
    raw_state = replies[0]
    return dict(zip(raw_state[0::2], raw_state[1::2], strict=True))


def _rows(own: Sequence[Reply], of_session: Sequence[Reply], lists: Sequence[Kept]) -> list[Sequence[Row]]:
    """Return the newest events of each list, oldest first."""
    found: list[Sequence[Row]] = [_unpacked(flat) for flat in own[1:]]
    if of_session:
        found = [merged(rows, _unpacked(flat)) for rows, flat in zip(found, of_session[1:], strict=True)]
    return [rows[-kept.longest :] for kept, rows in zip(lists, found, strict=True)]


def _unpacked(flat: Sequence[bytes]) -> list[Row]:
    """Return the events of a HGETALL, oldest first."""
    return unpack_rows(flat[0::2], flat[1::2])
