"""Whatever is written, in whatever order and however often, both stores answer the same."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist_domain.stages import ActorKey, Event
from shortlist_feature_store.memory_store import MemoryStore
from shortlist_feature_store.records import derived_id
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import FeatureStore, Limits
from shortlist_testing.feature_store_contract import NOW_S, history, soon
from shortlist_testing.redis import RunningValkey, running_valkey

ITEMS = ["a", "b c", "{}", "й"]
ALONE = [ActorKey("", "u/1"), ActorKey("", "v/1"), ActorKey("", "s/1"), ActorKey("t", "u/1")]
KEYS = [*ALONE, ActorKey("", "u/1", "1"), ActorKey("", "v/1", "1"), ActorKey("", "u/1", "2"), ActorKey("t", "u/1", "1")]


@dataclass(frozen=True)
class Append:
    key: ActorKey
    events: Sequence[Event]


@dataclass(frozen=True)
class Write:
    key: ActorKey
    attributes: dict[str, str]
    time_s: float


@dataclass(frozen=True)
class Erase:
    key: ActorKey


events = st.builds(
    Event,
    item_id=st.sampled_from(ITEMS),
    # Quarters: Redis keeps sums to 17 decimal places, which is exact for these.
    value=st.integers(-32, 32).map(lambda quarters: quarters / 4),
    time_s=st.integers(0, 6).map(lambda at: NOW_S - at),
    event_type=st.sampled_from(["rating", "click"]),
    event_id=st.sampled_from(["", "1", "2", "10", "11", "12"]),
)
keys = st.sampled_from(KEYS)
appends = st.builds(Append, keys, st.lists(events, max_size=6))
attributes = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["", "1", "2"]), max_size=2)
writes = st.builds(Write, keys, attributes, st.integers(0, 3).map(lambda at: NOW_S - at))
steps = st.lists(st.one_of(appends, appends, writes, st.builds(Erase, keys)), max_size=12)


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


async def answers(store: FeatureStore, script: Sequence[Append | Write | Erase]) -> list[object]:
    said: list[object] = []
    for step in script:
        match step:
            case Append(key, some):
                result = await store.append_events(key, some, soon())
                said.append((result.version, list(result.added)))
            case Write(key, pairs, time_s):
                said.append(await store.write_attributes(key, pairs, time_s, soon()))
            case Erase(key):
                said.append(await store.erase_actor(key, soon()))
    for key in KEYS:
        state = await store.read_actor(key, 0, soon())
        versions = (state.version, state.session_version)
        said.append((history(state), dict(state.attributes), state.known, versions))
        said.append(history(await store.read_events(key, soon())))
    for tenant in ("", "t"):
        said.append(await store.read_items(tenant, ITEMS, soon()))
        said.append((await store.read_freshness(tenant, soon())).newest_event_s)
    return said


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=steps, most=st.sampled_from([1, 3, 10, 5_000]))
def test_both_stores_answer_any_sequence_of_calls_alike(
    valkey: RunningValkey, script: list[Append | Write | Erase], most: int
) -> None:
    async def compare() -> None:
        valkey.command("FLUSHALL")
        link = RedisLink(valkey.url)
        limits = Limits(max_events_per_actor=most)
        real = await answers(RedisStore(link, limits, now=lambda: NOW_S), script)
        twin = await answers(MemoryStore(limits, now=lambda: NOW_S), script)
        await link.aclose()
        assert real == twin

    asyncio.run(compare())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), most=st.sampled_from([1, 2, 3, 5_000]))
def test_a_history_does_not_depend_on_order_or_repetition(data: st.DataObject, most: int) -> None:
    known = data.draw(st.lists(events, max_size=12, unique_by=lambda event: event.event_id or str(event)))
    arrivals = data.draw(
        st.permutations([*known, *data.draw(st.lists(st.sampled_from(known), max_size=5) if known else st.just([]))])
    )

    async def read(order: Sequence[Event]) -> object:
        store = MemoryStore(Limits(max_events_per_actor=most), now=lambda: NOW_S)
        for event in order:
            await store.append_events(KEYS[0], [event], soon())
        return history(await store.read_actor(KEYS[0], 0, soon()))

    assert asyncio.run(read(arrivals)) == asyncio.run(read(known))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(script=st.lists(appends, max_size=10))
def test_an_event_counts_once_in_how_many_histories_it_stands_and_erasing_everybody_leaves_nothing(
    script: list[Append],
) -> None:
    async def counts(store: FeatureStore, tenant: str) -> dict[str, float]:
        found = await store.read_items(tenant, ITEMS, soon())
        return {item: one.count if one else 0.0 for item, one in zip(ITEMS, found, strict=True)}

    async def check() -> None:
        store = MemoryStore(Limits(), now=lambda: NOW_S)
        histories: defaultdict[ActorKey, set[str]] = defaultdict(set)
        expected: Counter[tuple[str, str]] = Counter()
        for step in script:
            await store.append_events(step.key, step.events, soon())
            own = [one for one in (step.key.own, step.key.session) if one is not None]
            for event in step.events:
                event_id = event.event_id or derived_id(event)
                expected[step.key.tenant, event.item_id] += not any(event_id in histories[one] for one in own)
                for one in own:
                    histories[one].add(event_id)
        for tenant in ("", "t"):
            assert await counts(store, tenant) == {item: expected[tenant, item] for item in ITEMS}
        for key in KEYS:
            assert (await store.erase_actor(key.own, soon())).verified
        for key in KEYS:
            assert not (await store.read_actor(key, 0, soon())).known, "its sessions are gone with it"
        for tenant in ("", "t"):
            assert set((await counts(store, tenant)).values()) == {0.0}

    asyncio.run(check())
