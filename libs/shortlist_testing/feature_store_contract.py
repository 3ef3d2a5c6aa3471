"""What is true of every store of features. A test class inherits it and provides the fixture ``make_store``.

Items' counters have a suite of their own, :mod:`shortlist_testing.item_counters_contract`.
"""

# The tests' names are sentences; they need no other.
# ruff: noqa: D102, S101

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Protocol

import pytest

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, InvalidRequest, ShortlistError
from shortlist_domain.stages import ActorKey, ActorState, Event, ItemDelta
from shortlist_feature_store.store import FeatureStore, Limits

NOW_S = 1_700_000_000.0
KEY = ActorKey("", "u/1")


class MakeStore(Protocol):
    """Makes an empty store whose clock stands at ``NOW_S``; closing it is the maker's business."""

    def __call__(self, limits: Limits | None = None) -> Awaitable[FeatureStore]:
        """Return the store, with the limits' defaults where none are given."""
        ...


def soon() -> Deadline:
    """Return a deadline that a working store meets."""
    return Deadline.after(5.0)


def event(
    item_id: str, value: float = 1.0, ago_s: float = 0.0, event_id: str = "", event_type: str = "rating"
) -> Event:
    """Return an event that happened ``ago_s`` before now."""
    return Event(item_id, value, NOW_S - ago_s, event_type, event_id)


def history(state: ActorState) -> list[tuple[str, str, float, float]]:
    """Return the events of ``state`` as rows of item, type, value and seconds before now."""
    columns = (state.item_ids, state.event_types, state.values, [NOW_S - at for at in state.times_s])
    return list(zip(*columns, strict=True))


async def seconds_until_whole(store: FeatureStore) -> float:
    """Return after how long a store that was away answers again."""
    began = time.monotonic()
    async with asyncio.timeout(10):
        while True:
            try:
                await store.read_actor(KEY, 0, Deadline.after(0.05))
                return time.monotonic() - began
            except ShortlistError:
                await asyncio.sleep(0.005)


class FeatureStoreContract:
    """Inherited by the tests of each store."""

    async def test_an_unknown_actor_is_an_empty_state(self, make_store: MakeStore) -> None:
        store = await make_store()
        state = await store.read_actor(KEY, 0, soon())
        assert (state.known, state.version, state.caught_up) == (False, 0, True)
        assert history(state) == []
        assert state.attributes == {}

    async def test_events_come_back_oldest_first_whatever_the_order_of_writing(self, make_store: MakeStore) -> None:
        store = await make_store()
        result = await store.append_events(KEY, [event("b", 4.0, ago_s=10), event("a", 2.5, ago_s=30)], soon())
        assert (result.version, list(result.added)) == (1, [True, True])
        result = await store.append_events(KEY, [event("c", 5.0, ago_s=20, event_type="click")], soon())
        assert (result.version, list(result.added)) == (2, [True])
        state = await store.read_actor(KEY, 0, soon())
        assert history(state) == [("a", "rating", 2.5, 30), ("c", "click", 5.0, 20), ("b", "rating", 4.0, 10)]
        assert (state.known, state.version) == (True, 2)

    async def test_events_of_one_moment_are_in_the_order_of_their_ids(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(
            KEY, [event("x", event_id="2"), event("y", event_id="10"), event("z", event_id="1")], soon()
        )
        assert list((await store.read_actor(KEY, 0, soon())).item_ids) == ["z", "y", "x"]

    async def test_repeating_an_event_id_changes_nothing(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 3.0, event_id="e")], soon())
        result = await store.append_events(KEY, [event("b", 5.0, event_id="e")], soon())
        assert (result.version, list(result.added)) == (1, [False])
        assert history(await store.read_actor(KEY, 0, soon())) == [("a", "rating", 3.0, 0)]
        assert await store.read_items("", ["a", "b"], soon()) == [ItemDelta("a", 1.0, 3.0), None]

    async def test_an_id_twice_in_one_call_counts_once(self, make_store: MakeStore) -> None:
        store = await make_store()
        result = await store.append_events(KEY, [event("a", event_id="e"), event("b", event_id="e")], soon())
        assert list(result.added) == [True, False]
        assert list((await store.read_actor(KEY, 0, soon())).item_ids) == ["a"]

    async def test_an_event_without_id_is_recognised_by_what_it_says(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 3.0)], soon())
        differing = [
            event("a", 3.0),
            event("a", 3.5),
            event("a", 3.0, ago_s=1),
            event("a", 3.0, event_type="view"),
            event("b", 3.0),
        ]
        result = await store.append_events(KEY, differing, soon())
        assert list(result.added) == [False, True, True, True, True]

    async def test_writing_no_events_is_a_write_of_nothing(self, make_store: MakeStore) -> None:
        store = await make_store()
        result = await store.append_events(KEY, [], soon())
        assert (result.version, list(result.added)) == (0, [])
        assert not (await store.read_actor(KEY, 0, soon())).known

    @pytest.mark.parametrize(
        ("bad", "field"),
        [
            (event("a", math.nan), "events[1].value"),
            (event("a", math.inf), "events[1].value"),
            (event("a", 1e39), "events[1].value"),
            (event("a", ago_s=math.nan), "events[1].event_time"),
            (event("a", ago_s=-301), "events[1].event_time"),
            (event(""), "events[1].item_id"),
            (event("a\nb"), "events[1].item_id"),
            (event("a", event_id="e" * 257), "events[1].event_id"),
            (event("a", event_type="t" * 65), "events[1].event_type"),
        ],
    )
    async def test_one_bad_event_refuses_the_call_and_is_named(
        self, make_store: MakeStore, bad: Event, field: str
    ) -> None:
        store = await make_store()
        with pytest.raises(InvalidRequest) as refused:
            await store.append_events(KEY, [event("fine"), bad], soon())
        assert [violation.field for violation in refused.value.violations] == [field]
        assert not (await store.read_actor(KEY, 0, soon())).known

    async def test_clocks_may_differ_by_five_minutes(self, make_store: MakeStore) -> None:
        store = await make_store()
        assert (await store.append_events(KEY, [event("a", ago_s=-300)], soon())).version == 1

    @pytest.mark.parametrize("strange", ["{}", "}{", "a b", "a:b", "ключ/鍵", "%7B", "*", "0" * 256])
    async def test_strange_ids_are_kept_apart(self, make_store: MakeStore, strange: str) -> None:
        store = await make_store()
        keys = [
            ActorKey("", strange),
            ActorKey(strange, strange),
            ActorKey(strange, "u"),
            ActorKey("", f"{strange}:"[:256]),
        ]
        keys = list(dict.fromkeys(keys))
        for at, key in enumerate(keys):
            await store.append_events(key, [event(strange, float(at), event_id=strange, event_type="t")], soon())
            await store.write_attributes(key, {"name": f"{strange}{at}"}, NOW_S, soon())
        for at, key in enumerate(keys):
            state = await store.read_actor(key, 0, soon())
            assert history(state) == [(strange, "t", float(at), 0)]
            assert state.attributes == {"name": f"{strange}{at}"}

    async def test_a_history_keeps_the_newest_events(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(max_events_per_actor=3))
        await store.append_events(KEY, [event("c", ago_s=3), event("a", ago_s=5)], soon())
        await store.append_events(KEY, [event("b", ago_s=4), event("e", ago_s=1), event("d", ago_s=2)], soon())
        assert list((await store.read_actor(KEY, 0, soon())).item_ids) == ["c", "d", "e"]

    async def test_what_was_cut_does_not_come_back(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(max_events_per_actor=2))
        old = event("old", 4.0, ago_s=9)
        await store.append_events(KEY, [old, event("b", ago_s=2), event("c", ago_s=1)], soon())
        result = await store.append_events(KEY, [old, event("older", ago_s=10)], soon())
        assert list(result.added) == [False, False]
        assert list((await store.read_actor(KEY, 0, soon())).item_ids) == ["b", "c"]
        assert await store.read_items("", ["old", "older"], soon()) == [ItemDelta("old", 1.0, 4.0), None]

    async def test_a_full_history_shows_its_limit_before_it_is_cut(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(max_events_per_actor=10))
        await store.append_events(KEY, [event(str(at), ago_s=100 - at) for at in range(11)], soon())
        assert list((await store.read_actor(KEY, 0, soon())).item_ids) == [str(at) for at in range(1, 11)]

    async def test_concurrent_writers_of_one_actor_lose_nothing(self, make_store: MakeStore) -> None:
        store = await make_store()
        writes = [store.append_events(KEY, [event(f"i{at % 7}", event_id=str(at))], soon()) for at in range(50)]
        writes += [store.append_events(KEY, [event("twice", event_id="twice")], soon()) for _ in range(10)]
        results = await asyncio.gather(*writes)
        state = await store.read_actor(KEY, 0, soon())
        assert len(state.item_ids) == 51
        assert state.version == 51
        assert sorted(result.version for result in results if any(result.added)) == list(range(1, 52))
        assert await store.read_items("", ["i0", "i6", "twice"], soon()) == [
            ItemDelta("i0", 8.0, 8.0),
            ItemDelta("i6", 7.0, 7.0),
            ItemDelta("twice", 1.0, 1.0),
        ]

    async def test_the_later_attribute_wins_whatever_the_order_of_arrival(self, make_store: MakeStore) -> None:
        store = await make_store()
        result = await store.write_attributes(KEY, {"age": "30", "sex": "F"}, NOW_S - 5, soon())
        assert (result.version, result.applied) == (1, {"age": True, "sex": True})
        result = await store.write_attributes(KEY, {"age": "29", "job": "poet"}, NOW_S - 9, soon())
        assert (result.version, result.applied) == (2, {"age": False, "job": True})
        result = await store.write_attributes(KEY, {"age": "28"}, NOW_S - 9, soon())
        assert (result.version, result.applied) == (2, {"age": False})
        result = await store.write_attributes(KEY, {"age": "31"}, NOW_S, soon())
        state = await store.read_actor(KEY, 0, soon())
        assert state.attributes == {"age": "31", "sex": "F", "job": "poet"}
        assert (state.known, state.version) == (True, 3)

    async def test_of_two_attributes_of_one_moment_the_greater_text_stays(self, make_store: MakeStore) -> None:
        store = await make_store()
        for texts in (("a", "b"), ("b", "a")):
            key = ActorKey("", "".join(texts))
            for text in texts:
                await store.write_attributes(key, {"name": text}, NOW_S, soon())
            assert (await store.read_actor(key, 0, soon())).attributes == {"name": "b"}

    async def test_writing_an_attribute_again_is_harmless(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.write_attributes(KEY, {"name": ""}, NOW_S, soon())
        result = await store.write_attributes(KEY, {"name": ""}, NOW_S, soon())
        assert (result.version, result.applied) == (1, {"name": True})

    @pytest.mark.parametrize(
        ("attributes", "time_s", "field"),
        [
            ({"": "x"}, NOW_S, "attributes[0].name"),
            ({"n" * 65: "x"}, NOW_S, "attributes[0].name"),
            ({"m": "y", "n": "x" * 1025}, NOW_S, "attributes[1].text"),
            ({"n": "\ud800"}, NOW_S, "attributes[0].text"),
            ({"n": "x"}, math.nan, "event_time"),
            ({"n": "x"}, NOW_S + 301, "event_time"),
        ],
    )
    async def test_bad_attributes_are_refused_by_name(
        self, make_store: MakeStore, attributes: dict[str, str], time_s: float, field: str
    ) -> None:
        store = await make_store()
        with pytest.raises(InvalidRequest) as refused:
            await store.write_attributes(KEY, attributes, time_s, soon())
        assert [violation.field for violation in refused.value.violations] == [field]

    async def test_a_version_that_is_there_is_answered_at_once(self, make_store: MakeStore) -> None:
        store = await make_store()
        version = (await store.append_events(KEY, [event("a")], soon())).version
        assert (await store.read_actor(KEY, version, soon())).caught_up

    async def test_a_version_that_is_being_written_is_waited_for(self, make_store: MakeStore) -> None:
        store = await make_store()
        reading = asyncio.create_task(store.read_actor(KEY, 1, soon()))
        await asyncio.sleep(0.03)
        await store.append_events(KEY, [event("a")], soon())
        state = await reading
        assert (state.caught_up, state.version, list(state.item_ids)) == (True, 1, ["a"])

    async def test_a_version_that_does_not_come_is_said_so_within_the_deadline(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a")], soon())
        began = time.monotonic()
        state = await store.read_actor(KEY, 7, Deadline.after(0.4))
        assert time.monotonic() - began < 0.4
        assert (state.caught_up, state.version, list(state.item_ids)) == (False, 1, ["a"])

    async def test_erasing_leaves_nothing_and_says_what_there_was(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.append_events(KEY, [event("a", 3.0), event("b", 4.0)], soon())
        await store.append_events(ActorKey("", "u/2"), [event("a", 5.0)], soon())
        await store.write_attributes(KEY, {"age": "30"}, NOW_S, soon())
        erased = await store.erase_actor(KEY, soon())
        assert (erased.events, erased.attributes, erased.verified) == (2, 1, True)
        assert not (await store.read_actor(KEY, 0, soon())).known
        assert await store.read_items("", ["a", "b"], soon()) == [ItemDelta("a", 1.0, 5.0), ItemDelta("b", 0.0, 0.0)]
        erased = await store.erase_actor(KEY, soon())
        assert (erased.events, erased.attributes, erased.verified) == (0, 0, True)

    async def test_impressions_are_kept_apart_from_the_history_and_count_for_no_item(
        self, make_store: MakeStore
    ) -> None:
        store = await make_store(Limits(max_events_per_actor=3, max_impressions_per_actor=2))
        shown = [event(f"s{at}", ago_s=9 - at, event_id=f"slate:{at}", event_type="impression") for at in range(4)]
        result = await store.append_events(KEY, [shown[0], event("a", 4.0, ago_s=5), *shown[1:]], soon())
        assert list(result.added) == [True] * 5
        assert list((await store.append_events(KEY, shown, soon())).added) == [False] * 4
        state = await store.read_actor(KEY, result.version, soon())
        assert history(state) == [("a", "rating", 4.0, 5)]
        assert state.caught_up
        everything = history(await store.read_actor(KEY, 0, soon(), with_impressions=True))
        assert [row[0] for row in everything] == ["s2", "s3", "a"], "oldest first"
        kept = await store.read_events(KEY, soon(), impressions=True)
        assert history(kept) == [("s2", "impression", 1.0, 7), ("s3", "impression", 1.0, 6)]
        assert await store.read_items("", ["a", "s3"], soon()) == [ItemDelta("a", 1.0, 4.0), None]
        erased = await store.erase_actor(KEY, soon())
        assert (erased.events, erased.verified) == (3, True)
        assert history(await store.read_events(KEY, soon(), impressions=True)) == []

    async def test_where_an_event_happened_is_kept_with_it(self, make_store: MakeStore) -> None:
        store = await make_store(Limits(max_events_per_actor=2))
        home = replace(event("b", 2.0, ago_s=2, event_id="e"), surface="home/top")
        await store.append_events(KEY, [event("a", ago_s=3), home], soon())
        await store.append_events(KEY, [replace(home, surface="elsewhere")], soon())
        shown = replace(event("s", ago_s=1, event_type="impression"), surface="ü" * 128)
        await store.append_events(KEY, [event("c", ago_s=1), shown], soon())
        kept = await store.read_events(KEY, soon())
        assert history(kept) == [("b", "rating", 2.0, 2), ("c", "rating", 1.0, 1)]
        assert list(kept.surfaces) == ["home/top", ""]
        assert list((await store.read_events(KEY, soon(), impressions=True)).surfaces) == ["ü" * 128]
        state = await store.read_actor(KEY, 0, soon(), with_impressions=True)
        assert [row[0] for row in history(state)] == ["b", "c", "s"]
        await store.erase_actor(KEY, soon())
        assert await store.read_items("", ["b", "c"], soon()) == [ItemDelta("b", 0.0, 0.0), ItemDelta("c", 0.0, 0.0)]

    async def test_work_whose_time_is_over_is_not_begun(self, make_store: MakeStore) -> None:
        store = await make_store()
        with pytest.raises(BudgetExceeded):
            await store.append_events(KEY, [event("a")], Deadline.after(-1))
        with pytest.raises(BudgetExceeded):
            await store.read_actor(KEY, 0, Deadline.after(-1))
        assert not (await store.read_actor(KEY, 0, soon())).known

    async def test_a_store_that_works_answers_a_ping(self, make_store: MakeStore) -> None:
        store = await make_store()
        await store.ping(soon())
