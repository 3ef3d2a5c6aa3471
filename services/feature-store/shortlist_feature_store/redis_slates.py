"""The log of served slates on Redis: a stream, and a consumer group that takes slates out of it."""

from __future__ import annotations

from collections.abc import Sequence

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import UpstreamFailed
from shortlist_feature_store.keys import slates_key
from shortlist_feature_store.redis_link import Command, RedisLink, Reply
from shortlist_feature_store.store import Limits, SlateEntry

GROUP = "export"
"""The consumer group. Readers for other ends make groups of their own, and disturb nobody."""

_FIELD = "record"


class RedisSlates:
    """The log."""

    def __init__(self, link: RedisLink, limits: Limits) -> None:
        self._link = link
        self._longest = limits.slate_log_length

    async def append(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """Add records, let the oldest go above the limit, and return how many of those nobody had taken."""
        if not records:
            return 0
        adds: list[Command] = [("XADD", slates_key(), "*", _FIELD, record) for record in records]
        look: list[Command] = [("XLEN", slates_key()), ("XINFO", "GROUPS", slates_key())]
        trim: Command = ("XTRIM", slates_key(), "MAXLEN", "~", self._longest)
        commands: list[Command] = [("MULTI",), *adds, *look, trim, ("EXEC",)]
        replies = await self._link.exchange(commands, deadline, "logging slates", is_repeatable=False)
        length, groups, gone = int(replies[-1][-3]), replies[-1][-2], int(replies[-1][-1])
        return max(0, gone - (length - min(length, _not_taken(groups, length))))

    async def take(self, consumer: str, count: int, deadline: Deadline) -> list[SlateEntry]:
        """Return what ``consumer`` has not confirmed, or ``count`` entries that nobody has taken."""
        own: Command = ("XREADGROUP", "GROUP", GROUP, consumer, "STREAMS", slates_key(), "0")
        try:
            entries = await self._read(own, deadline)
        except UpstreamFailed as error:
            if not error.reason.startswith("NOGROUP"):
                raise
            await self._make_group(deadline)
            entries = []
        if not entries:
            new: Command = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", slates_key(), ">")
            entries = await self._read(new, deadline)
        return entries

    async def confirm(self, entry_ids: Sequence[str], deadline: Deadline) -> None:
        """Note that entries are safe."""
        if entry_ids:
            await self._link.exchange([("XACK", slates_key(), GROUP, *entry_ids)], deadline, "confirming slates")

    async def _read(self, command: Command, deadline: Deadline) -> list[SlateEntry]:
        (reply,) = await self._link.exchange([command], deadline, "taking slates", is_repeatable=False)
        return [_entry(raw) for raw in reply[0][1]] if reply else []

    async def _make_group(self, deadline: Deadline) -> None:
        make: Command = ("XGROUP", "CREATE", slates_key(), GROUP, "0", "MKSTREAM")
        try:
            await self._link.exchange([make], deadline, "making a consumer group")
        except UpstreamFailed as error:
            if not error.reason.startswith("BUSYGROUP"):  # somebody else has just made it
                raise


def _not_taken(groups: Reply, length: int) -> int:
    """Return how many entries the consumer group has not been given, or more where some of them are gone already.

    Before Redis 7 a group does not say: then all, as long as it was given nothing, and none from then on.
    """
    for raw in groups:
        group = dict(zip(raw[::2], raw[1::2], strict=True))
        if group[b"name"] == GROUP.encode():
            lag = group.get(b"lag")
            if lag is None:
                return length if group[b"last-delivered-id"] == b"0-0" else 0
            return int(lag)
    return length


def _entry(raw: Reply) -> SlateEntry:
    entry_id, fields = raw
    return SlateEntry(entry_id.decode(), fields[1] if fields else None)
