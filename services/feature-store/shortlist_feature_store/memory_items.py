"""Items' counters and their stream, in this process."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.stages import ItemDelta, ItemDeltas
from shortlist_feature_store.store import UPSTREAM, Limits, StoreFreshness


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


class MemoryItems:
    """Counters of all tenants."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._tenants: dict[str, _Tenant] = {}
        self._is_closed = False

    def add(self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None) -> None:
        """Add to items' counters and announce the change; without any, note that something was written."""
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

    def read(self, tenant: str, item_ids: Sequence[str]) -> Sequence[ItemDelta | None]:
        """Return the counters of ``item_ids``, in their order."""
        totals = self._tenant(tenant).totals
        return [totals.get(item_id) for item_id in item_ids]

    def freshness(self, tenant: str) -> StoreFreshness:
        """Return how new the tenant's data is."""
        kept = self._tenant(tenant)
        return StoreFreshness(kept.newest_event_s, kept.last_write_s)

    async def watch(self, tenant: str, cursor: str) -> AsyncGenerator[ItemDeltas, None]:
        """Yield a snapshot and then every change; see the protocol of the store."""
        kept = self._tenant(tenant)
        at = _position(kept, cursor)
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

    def close(self) -> None:
        """Let watchers end."""
        self._is_closed = True
        for tenant in self._tenants.values():
            tenant.changed.set()

    def _tenant(self, tenant: str) -> _Tenant:
        if tenant not in self._tenants:
            self._tenants[tenant] = _Tenant(deque(maxlen=self._limits.item_change_log_length))
        return self._tenants[tenant]


def _position(kept: _Tenant, cursor: str) -> int | None:
    run, _, number = cursor.rpartition("-")
    if run != kept.run or not number.isdecimal() or int(number) > kept.last_change:
        return None
    return int(number)
