"""What is true of items' counters in every store of features. A test class provides the fixture ``make_store``."""

# The tests' names are sentences; they need no other.
# ruff: noqa: D102, S101

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from shortlist_domain.stages import ActorKey, ItemDelta, ItemDeltas
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import KEY, NOW_S, MakeStore, event, soon


async def steps(stream: AsyncIterator[ItemDeltas], until: Callable[[ItemDeltas], bool]) -> list[ItemDeltas]:
    """Return the steps of ``stream`` up to the first that satisfies ``until``."""
    seen: list[ItemDeltas] = []
    async with asyncio.timeout(5):
        async for step in stream:
            seen.append(step)
            if until(step):
                break
    return seen


def replayed(
    seen: Sequence[ItemDeltas], start: dict[str, tuple[float, float]] | None = None
) -> dict[str, tuple[float, float]]:
    """Return what a reader of ``seen`` believes the totals to be."""
    totals = dict(start or {})
    for step in seen:
        if step.is_snapshot:
            totals.clear()
        totals.update({delta.item_id: (delta.count, delta.value_sum) for delta in step.deltas})
    return totals


class ItemCountersContract:
    """Inherited by the tests of each store."""

    async def test_tenants_count_apart(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(ActorKey("one", "u/1"), [event("a", 3.0)], soon())
        await store.append_events(ActorKey("two", "u/1"), [event("a", 4.0)], soon())
        assert await store.read_items("one", ["a"], soon()) == [ItemDelta("a", 1.0, 3.0)]
        assert await store.read_items("two", ["a"], soon()) == [ItemDelta("a", 1.0, 4.0)]
        assert await store.read_items("", ["a"], soon()) == [None]
        assert await store.read_items("", [], soon()) == []

    async def test_events_can_be_stored_uncounted_and_counted_by_the_caller(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 3.0)], soon(), count_items=False)
        assert await store.read_items("", ["a"], soon()) == [None]
        await store.add_to_items("", [ItemDelta("a", 2.0, 7.5), ItemDelta("b", 1.0, 0.5)], NOW_S, soon())
        await store.add_to_items("", [ItemDelta("a", 1.0, 1.0)], NOW_S, soon())
        assert await store.read_items("", ["b", "a"], soon()) == [ItemDelta("b", 1.0, 0.5), ItemDelta("a", 3.0, 8.5)]

    async def test_freshness_is_that_of_the_newest_event_and_the_last_write(self, make_store: MakeStore) -> None:
        store = await make_store()
        fresh = await store.read_freshness("", soon())
        assert (fresh.newest_event_s, fresh.last_write_s) == (None, None)
        await store.append_events(KEY, [event("a", ago_s=10)], soon())
        await store.append_events(KEY, [event("b", ago_s=20)], soon())
        fresh = await store.read_freshness("", soon())
        assert (fresh.newest_event_s, fresh.last_write_s) == (NOW_S - 10, NOW_S)

    async def test_attributes_count_as_a_write_without_an_event(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.write_attributes(KEY, {"age": "30"}, NOW_S - 3, soon())
        fresh = await store.read_freshness("", soon())
        assert (fresh.newest_event_s, fresh.last_write_s) == (None, NOW_S)

    async def test_a_watcher_gets_a_snapshot_and_then_every_change(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 3.0), event("b", 4.0)], soon())
        stream = store.watch_items("", "")
        first = await anext(stream)
        assert first.is_snapshot
        assert replayed([first]) == {"a": (1.0, 3.0), "b": (1.0, 4.0)}
        await store.append_events(KEY, [event("a", 5.0)], soon())
        second = await asyncio.wait_for(anext(stream), 5)
        assert not second.is_snapshot
        assert list(second.deltas) == [ItemDelta("a", 2.0, 8.0)]

    async def test_a_watcher_of_nothing_gets_an_empty_snapshot(self, make_store: MakeStore) -> None:
        store = await make_store()
        stream = store.watch_items("nobody", "")
        first = await anext(stream)
        assert (first.is_snapshot, list(first.deltas)) == (True, [])
        await store.append_events(ActorKey("nobody", "u"), [event("a", 5.0)], soon())
        second = await asyncio.wait_for(anext(stream), 5)
        assert replayed([first, second]) == {"a": (1.0, 5.0)}

    async def test_a_watcher_resumes_where_it_stopped_without_a_gap(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 1.0), event("b", 1.0)], soon())
        seen = await steps(store.watch_items("", ""), lambda step: True)
        for at in range(20):
            await store.append_events(KEY, [event("a" if at % 2 else "c", 1.0, event_id=str(at))], soon())
        seen += await steps(
            store.watch_items("", seen[-1].cursor),
            lambda step: replayed([*seen, step]) == {"a": (11.0, 11.0), "b": (1.0, 1.0), "c": (10.0, 10.0)},
        )
        assert [step.is_snapshot for step in seen].count(True) == 1

    @pytest.mark.parametrize("cursor", ["nonsense", "0-1", "99999999999999-0", "-", "00-00-0", "9" * 20 + "-1"])
    async def test_a_cursor_that_means_nothing_here_gets_a_snapshot(self, make_store: MakeStore, cursor: str) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 3.0)], soon())
        first = await asyncio.wait_for(anext(store.watch_items("", cursor)), 5)
        assert first.is_snapshot
        assert list(first.deltas) == [ItemDelta("a", 1.0, 3.0)]

    async def test_a_cursor_that_is_too_old_gets_a_snapshot(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(item_change_log_length=5))
        await store.append_events(KEY, [event("a")], soon())
        (first,) = await steps(store.watch_items("", ""), lambda step: True)
        for at in range(500):
            await store.add_to_items("", [ItemDelta(f"i{at % 50}", 1.0, 1.0)], None, soon())
        again = await asyncio.wait_for(anext(store.watch_items("", first.cursor)), 5)
        assert again.is_snapshot
        assert len(again.deltas) == 51
