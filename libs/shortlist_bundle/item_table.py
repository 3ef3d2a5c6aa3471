"""Live item counters over those of a bundle, and the feed that keeps them fresh."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.item_ids import ItemIds, load_item_ids
from shortlist_domain.errors import BundleInvalid, ShortlistError
from shortlist_domain.features import item_numbers
from shortlist_domain.item_feed import ItemFeed
from shortlist_domain.stages import ItemDelta
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log

_STEP = 512
"""Deltas applied before the event loop gets its turn again."""


class ItemCounters:
    """Counters of a bundle's items, by row, moved on by deltas.

    A total below the bundle's own is not taken: it comes from a feature store that has not been filled with the events
    the bundle was made from, and would make the best known items look unknown.
    """

    def __init__(self, counters: NDArray[np.float64], ids: ItemIds) -> None:
        """Start from a bundle.

        Args:
            counters: Shape ``(n, 2)``: events and the sum of their values.
            ids: External id of each row.
        """
        counts = counters[:, 0]
        self._floor = counts
        self._ids = ids
        self.counts: NDArray[np.float64] = counts.copy()
        """Events by row, shape ``(n,)``."""

        self.columns: dict[str, NDArray[np.float32]] = {
            "item_count": np.where(counts > 0, counts, 0.0).astype(np.float32),
            "item_mean": np.divide(counters[:, 1], counts, out=np.zeros(len(counts)), where=counts > 0).astype(
                np.float32
            ),
        }
        """Item features by name, shape ``(n,)`` each; changed in place as deltas come."""

        self.version = 0
        """Rises with every change."""

    def rewind(self, counters: NDArray[np.float64]) -> None:
        """Take the counters of another moment, ``(n, 2)``, for evaluation: what was not known then must not count.

        Raises:
            ValueError: Another number of items.
        """
        if counters.shape != (len(self.counts), 2):
            raise ValueError(f"counters {counters.shape} of {len(self.counts)} items")
        other = ItemCounters(counters, self._ids)
        self._floor, self.counts, self.columns = other._floor, other.counts, other.columns
        self.version += 1

    def apply(self, deltas: Iterable[ItemDelta]) -> int:
        """Take over new totals and return how many items changed; ids outside the bundle are passed over."""
        changed = 0
        for delta in deltas:
            row = self._ids.find(delta.item_id.encode("utf-8", "surrogatepass"))
            if row is None or not self._floor[row] <= delta.count < np.inf or not np.isfinite(delta.value_sum):
                continue
            self.counts[row] = delta.count
            for name, value in item_numbers(delta.count, delta.value_sum).items():
                self.columns[name][row] = value
            changed += 1
        if changed:
            self.version += 1
        return changed


def load_counters(bundle: Bundle, n_items: int) -> ItemCounters:
    """Return the live counters, as the bundle starts them.

    Raises:
        BundleInvalid: Not as many ids or counters as embeddings, or ids that are not ascending.
    """
    ids = load_item_ids(bundle)
    counters = map_array(bundle, layout.ITEM_COUNTERS, np.dtype("<f8"), 2)
    if len(ids) != n_items or len(counters) != n_items:
        raise BundleInvalid(f"{len(ids)} ids and {len(counters)} counters, embeddings of {n_items} items")
    ids.check_order()
    return ItemCounters(counters.view(np.float64), ids)


class ItemFeedReader:
    """Consumes an item feed for as long as the service lives, over every interruption."""

    def __init__(
        self,
        feed: ItemFeed,
        tables: Callable[[], Sequence[ItemCounters]],
        tenant: str = "",
        first_wait_s: float = 0.1,
        longest_wait_s: float = 5.0,
        look_s: float = 0.5,
    ) -> None:
        """Make a reader that is not running yet.

        Args:
            feed: Where deltas come from.
            tables: Returns the tables to keep fresh now; a table not seen before makes the feed start over with a
                snapshot.
            tenant: Whose counters are wanted.
            first_wait_s: Seconds before the first attempt to reconnect; doubles with each one that fails.
            longest_wait_s: Where the doubling ends.
            look_s: Seconds between looks for new tables.
        """
        self._feed = feed
        self._tables = tables
        self._tenant = tenant
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._look_s = look_s
        self._log = get_log("item_feed")
        self._cursor = ""
        self._known: list[ItemCounters] = []
        self._heard_at_s: float | None = None
        self._is_lost = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to consume, in a task of the running loop."""
        self._task = asyncio.create_task(self._run(), name="item-feed")

    async def close(self) -> None:
        """Stop consuming."""
        if self._task is not None:
            await _cancelled(self._task)

    def age_s(self) -> float | None:
        """Return the seconds since the last step of the feed, ``None`` where there was none."""
        return None if self._heard_at_s is None else time.monotonic() - self._heard_at_s

    async def _run(self) -> None:
        wait_s = self._first_wait_s
        while True:
            self._known = list(self._tables())
            heard_at_s = self._heard_at_s
            consumer = asyncio.create_task(self._consume(), name="item-feed-consumer")
            try:
                while not consumer.done() and not self._has_new_table():
                    await asyncio.wait((consumer,), timeout=self._look_s)
            finally:
                await _cancelled(consumer)
            if self._has_new_table():
                self._cursor = ""
                continue
            if self._heard_at_s != heard_at_s:
                wait_s = self._first_wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, self._longest_wait_s)

    async def _consume(self) -> None:
        try:
            async for step in self._feed.watch_items(self._tenant, self._cursor):
                for start in range(0, len(step.deltas), _STEP):
                    for table in self._known:
                        table.apply(step.deltas[start : start + _STEP])
                    await asyncio.sleep(0)
                self._cursor = step.cursor
                self._heard_at_s = time.monotonic()
                if self._is_lost:
                    self._is_lost = False
                    self._log.info(LogEvent.FEED_RESUMED)
            self._lost("the feed ended")
        except ShortlistError as error:
            self._lost(str(error))
        except Exception as error:  # noqa: BLE001 - the supervisor: no defect of a feed may end it unnoticed
            self._lost(repr(error))

    def _lost(self, reason: str) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._log.warning(LogEvent.FEED_LOST, reason=reason)

    def _has_new_table(self) -> bool:
        known = {id(table) for table in self._known}
        return any(id(table) not in known for table in self._tables())


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    # To await the task itself would not tell its end from a cancel of whoever waits, which must go through.
    await asyncio.wait((task,))
