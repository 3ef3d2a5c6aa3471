"""Live item counters and the feed that keeps them fresh."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np

from shortlist_bundle import blob_table
from shortlist_bundle.item_ids import ItemIds
from shortlist_bundle.item_table import ItemCounters, ItemFeedReader
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.features import item_numbers
from shortlist_domain.stages import ItemDelta, ItemDeltas

IDS = ("a", "b", "c")


def counters() -> ItemCounters:
    table = ItemIds(blob_table.BlobTable(blob_table.encode(i.encode() for i in IDS)))
    return ItemCounters(np.array([[10.0, 40.0], [0.0, 0.0], [5.0, 10.0]]), table)


def numbers(table: ItemCounters, row: int) -> dict[str, float]:
    return {name: float(column[row]) for name, column in table.columns.items()}


def test_a_bundles_counters_are_the_features_of_the_catalogue() -> None:
    table = counters()
    assert numbers(table, 0) == item_numbers(10.0, 40.0)
    assert numbers(table, 1) == item_numbers(0.0, 0.0)


def test_new_totals_replace_old_ones_and_strangers_are_passed_over() -> None:
    table = counters()
    assert table.apply([ItemDelta("c", 8.0, 20.0), ItemDelta("unknown", 1.0, 1.0)]) == 1
    assert numbers(table, 2) == item_numbers(8.0, 20.0)
    assert table.counts.tolist() == [10.0, 0.0, 8.0]
    assert table.version == 1


def test_totals_below_the_bundles_and_rubbish_are_not_taken() -> None:
    table = counters()
    rubbish = [("a", 1.0, 5.0), ("a", float("nan"), 5.0), ("a", float("inf"), 5.0), ("a", 11.0, float("nan"))]
    assert table.apply([ItemDelta(*values) for values in rubbish]) == 0
    assert numbers(table, 0) == item_numbers(10.0, 40.0)
    assert table.version == 0


class ScriptedFeed:
    """Plays one script of steps per connection, then breaks; the last script stays open."""

    def __init__(self, *scripts: Sequence[ItemDeltas]) -> None:
        self.scripts = scripts
        self.cursors: list[str] = []

    async def watch_items(self, tenant: str, cursor: str) -> AsyncIterator[ItemDeltas]:
        self.cursors.append(cursor)
        place = min(len(self.cursors), len(self.scripts)) - 1
        for step in self.scripts[place]:
            yield step
        if place == len(self.scripts) - 1:
            await asyncio.Event().wait()
        raise UpstreamFailed("feed", "gone")


def step(item_id: str, count: float, cursor: str) -> ItemDeltas:
    return ItemDeltas([ItemDelta(item_id, count, count)], cursor, is_snapshot=False)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_broken_feed_is_taken_up_again_where_it_stopped() -> None:
    table = counters()
    feed = ScriptedFeed([step("a", 11.0, "1")], [], [step("b", 2.0, "2")])
    reader = ItemFeedReader(feed, lambda: [table], first_wait_s=0.001, look_s=0.001)
    assert reader.age_s() is None
    reader.start()
    await until(lambda: table.counts.tolist() == [11.0, 2.0, 5.0])
    assert feed.cursors == ["", "1", "1"]
    age_s = reader.age_s()
    assert age_s is not None
    assert 0.0 <= age_s < 5.0
    await reader.close()


async def test_a_new_table_gets_a_snapshot() -> None:
    tables = [counters()]
    feed = ScriptedFeed([step("a", 11.0, "1")])
    reader = ItemFeedReader(feed, lambda: tables, first_wait_s=0.001, look_s=0.001)
    reader.start()
    await until(lambda: tables[0].counts[0] == 11.0)
    tables.insert(0, counters())
    await until(lambda: tables[0].counts[0] == 11.0)
    assert feed.cursors == ["", ""]
    await reader.close()


async def test_a_defect_of_a_feed_does_not_end_the_reader() -> None:
    table = counters()

    class Defective:
        calls = 0

        async def watch_items(self, tenant: str, cursor: str) -> AsyncIterator[ItemDeltas]:
            self.calls += 1
            if self.calls == 1:
                raise ZeroDivisionError
            yield step("a", 12.0, "1")

    reader = ItemFeedReader(Defective(), lambda: [table], first_wait_s=0.001, look_s=0.001)
    reader.start()
    await until(lambda: table.counts[0] == 12.0)
    await reader.close()


class SlowToLeave:
    """Takes its time to let go of a stream, as a socket does."""

    def __init__(self) -> None:
        self.is_leaving = asyncio.Event()

    async def watch_items(self, tenant: str, cursor: str) -> AsyncIterator[ItemDeltas]:
        try:
            yield step("a", 11.0, "1")
            await asyncio.sleep(60.0)
        finally:
            self.is_leaving.set()
            await asyncio.sleep(0.05)


async def test_a_reader_that_is_closed_while_it_leaves_a_feed_ends() -> None:
    feed, tables = SlowToLeave(), [counters()]
    reader = ItemFeedReader(feed, lambda: tables, look_s=0.01)
    reader.start()
    await until(lambda: tables[0].version == 1)
    tables.append(counters())  # makes it start over, and so leave the feed first
    await feed.is_leaving.wait()
    done, _ = await asyncio.wait((asyncio.create_task(reader.close()),), timeout=2.0)
    assert done
