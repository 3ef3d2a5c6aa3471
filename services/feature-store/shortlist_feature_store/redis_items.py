"""Items' counters on Redis, and the stream that announces their changes.

The stream carries which items changed, not their totals: two writers' totals could arrive in the wrong order, while a
reader that looks the totals up after the announcement always sees them with that change, or later ones, in.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence

from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ItemDelta, ItemDeltas
from shortlist_feature_store.keys import changes_key, counts_key, freshness_key, sums_key
from shortlist_feature_store.redis_link import Command, RedisLink, Reply, Session
from shortlist_feature_store.store import Limits, StoreFreshness

_PAGE = 2_000
"""Items read or announced at once: a bound on how long the server is kept from others."""

_BLOCK_MS = 1_000
_STEPS_AT_ONCE = 1_000
_GRACE_S = 2.0
"""How much longer than agreed a server may take to answer a watcher before it counts as gone."""

_ENTRY_ID = re.compile(r"\d{1,19}-\d{1,19}")
_NOTHING = "0-0"
"""Cursor of a stream that has no entry yet."""


class RedisItems:
    """Counters of items by tenant."""

    def __init__(self, link: RedisLink, limits: Limits) -> None:
        self._link = link
        self._limits = limits

    async def add(
        self,
        tenant: str,
        additions: Sequence[ItemDelta],
        newest_event_s: float | None,
        now_s: float,
        deadline: Deadline,
    ) -> None:
        """Add to counters, announce, and note the freshness; each page of items in one transaction."""
        freshness: list[Command] = [("ZADD", freshness_key(tenant), "GT", now_s, "last_write")]
        if newest_event_s is not None:
            freshness.append(("ZADD", freshness_key(tenant), "GT", newest_event_s, "newest_event"))
        commands: list[Command] = []
        for start in range(0, len(additions), _PAGE):
            page = additions[start : start + _PAGE]
            commands.append(("MULTI",))
            for addition in page:
                commands.append(("HINCRBY", counts_key(tenant), addition.item_id, int(addition.count)))
                commands.append(("HINCRBYFLOAT", sums_key(tenant), addition.item_id, addition.value_sum))
            commands.append(_announcement(tenant, [addition.item_id for addition in page], self._limits))
            commands.append(("EXEC",))
        await self._link.exchange([*commands, *freshness], deadline, "counting items", is_repeatable=False)

    async def read(self, tenant: str, item_ids: Sequence[str], deadline: Deadline) -> list[ItemDelta | None]:
        """Return the counters of ``item_ids``, ``None`` where there are none."""
        if not item_ids:
            return []
        replies = await self._link.exchange(_lookup(tenant, item_ids), deadline, "reading items")
        return _totals(item_ids, replies[-1])

    async def freshness(self, tenant: str, deadline: Deadline) -> StoreFreshness:
        """Return how new the tenant's data is."""
        command: Command = ("ZMSCORE", freshness_key(tenant), "newest_event", "last_write")
        ((newest, last),) = await self._link.exchange([command], deadline, "reading the freshness")
        return StoreFreshness(
            newest_event_s=None if newest is None else float(newest), last_write_s=None if last is None else float(last)
        )

    async def watch(self, tenant: str, cursor: str) -> AsyncGenerator[ItemDeltas, None]:
        """Yield a snapshot where ``cursor`` is empty or too old, and then every change, for ever."""
        async with self._link.own_connection() as session:
            at = cursor
            if not at or not await _can_resume(session, tenant, at):
                step = await _snapshot(session, tenant)
                at = step.cursor
                yield step
            while True:
                read: Command = (
                    "XREAD",
                    "COUNT",
                    _STEPS_AT_ONCE,
                    "BLOCK",
                    _BLOCK_MS,
                    "STREAMS",
                    changes_key(tenant),
                    at,
                )
                (news,) = await _exchange(session, [read], _BLOCK_MS / 1_000 + _GRACE_S)
                # Asked after reading: where the cursor's own entry is still there, nothing behind it was cut.
                if not await _can_resume(session, tenant, at):
                    step = await _snapshot(session, tenant)
                elif news:
                    step = await _changes(session, tenant, news[0][1])
                else:
                    continue
                at = step.cursor
                yield step


def _announcement(tenant: str, item_ids: Sequence[str], limits: Limits) -> Command:
    # No id contains a newline: control characters are refused at the door.
    return (
        "XADD",
        changes_key(tenant),
        "MAXLEN",
        "~",
        limits.item_change_log_length,
        "*",
        "items",
        "\n".join(item_ids),
    )


def _lookup(tenant: str, item_ids: Sequence[str]) -> list[Command]:
    return [
        ("MULTI",),
        ("HMGET", counts_key(tenant), *item_ids),
        ("HMGET", sums_key(tenant), *item_ids),
        ("EXEC",),
    ]


def _totals(item_ids: Sequence[str], found: Sequence[Sequence[bytes | None]]) -> list[ItemDelta | None]:
    counts, sums = found
    return [
        None if count is None else ItemDelta(item_id, float(count), float(value_sum or 0.0))
        for item_id, count, value_sum in zip(item_ids, counts, sums, strict=True)
    ]


async def _exchange(session: Session, commands: Sequence[Command], timeout_s: float = _GRACE_S) -> list[Reply]:
    async with asyncio.timeout(timeout_s):
        return await session.exchange(commands)


async def _can_resume(session: Session, tenant: str, cursor: str) -> bool:
    """Whether everything after ``cursor`` is still in the stream: its own entry is, or there never was one."""
    if cursor == _NOTHING:
        (exists,) = await _exchange(session, [("EXISTS", changes_key(tenant))])
        return not exists
    if _ENTRY_ID.fullmatch(cursor) is None:
        return False
    (entries,) = await _exchange(session, [("XRANGE", changes_key(tenant), cursor, cursor)])
    return bool(entries)


async def _snapshot(session: Session, tenant: str) -> ItemDeltas:
    """Return every item known. The cursor is taken first: what changes during the scan comes again as a change."""
    (last,) = await _exchange(session, [("XREVRANGE", changes_key(tenant), "+", "-", "COUNT", 1)])
    cursor = last[0][0].decode() if last else _NOTHING
    totals: dict[str, ItemDelta] = {}
    position = b"0"
    while True:
        ((position, flat),) = await _exchange(session, [("HSCAN", counts_key(tenant), position, "COUNT", _PAGE)])
        for delta in await _current(session, tenant, [item_id.decode() for item_id in flat[0::2]]):
            totals[delta.item_id] = delta
        if position == b"0":
            return ItemDeltas(deltas=list(totals.values()), cursor=cursor, is_snapshot=True)


async def _changes(session: Session, tenant: str, entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> ItemDeltas:
    """Return the present totals of all items that ``entries`` of the stream name, each once."""
    item_ids = list(dict.fromkeys(item_id for _, fields in entries for item_id in fields[1].decode().split("\n")))
    return ItemDeltas(
        deltas=await _current(session, tenant, item_ids), cursor=entries[-1][0].decode(), is_snapshot=False
    )


async def _current(session: Session, tenant: str, item_ids: Sequence[str]) -> list[ItemDelta]:
    found: list[ItemDelta] = []
    for start in range(0, len(item_ids), _PAGE):
        page = item_ids[start : start + _PAGE]
        replies = await _exchange(session, _lookup(tenant, page))
        found += [delta for delta in _totals(page, replies[-1]) if delta is not None]
    return found
