"""Loading a prepared data set."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate
from shortlist_domain.stages import ActorKey
from shortlist_feature_store.load import LoadReport, load
from shortlist_feature_store.memory_store import MemoryStore
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import FeatureStore, Limits
from shortlist_testing.feature_store_contract import soon
from shortlist_testing.redis import running_valkey


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return simulate(users=70, items=30, events=900, seed=5)


@pytest.fixture(scope="module")
def folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("data") / "small"
    save(dataset, where)
    return where


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_valkey() as server:
        yield server.url


@pytest.fixture(params=["redis", "memory"])
async def store(request: pytest.FixtureRequest, url: str) -> AsyncIterator[FeatureStore]:
    store: FeatureStore = RedisStore(RedisLink(url), Limits()) if request.param == "redis" else MemoryStore(Limits())
    yield store
    await store.aclose()


async def test_everything_is_there_once_however_often_it_is_loaded(
    store: FeatureStore, dataset: Dataset, folder: Path
) -> None:
    seen: list[LoadReport] = []
    first = await load(store, folder, "shop", seen.append)
    second = await load(store, folder, "shop")
    assert (first.users, first.events, first.added) == (len(dataset.user_ids), dataset.events, dataset.events)
    assert (second.events, second.added) == (dataset.events, 0)
    assert seen[-1] == first
    assert all(report.events_in_all == dataset.events for report in seen)

    events: defaultdict[str, list[tuple[float, str, float]]] = defaultdict(list)
    counts: Counter[str] = Counter()
    rows = zip(dataset.user_rows, dataset.item_rows, dataset.values, dataset.times_s, strict=True)
    for user_row, item_row, value, time_s in rows:
        item_id = dataset.item_ids[item_row]
        events[dataset.user_ids[user_row]].append((float(time_s), item_id, float(value)))
        counts[item_id] += 1
    for row, user_id in enumerate(dataset.user_ids):
        state = await store.read_actor(ActorKey("shop", f"u/{user_id}"), 0, soon())
        stored = list(zip(state.times_s, state.item_ids, state.values, strict=True))
        assert sorted(stored) == sorted(events[user_id])
        texts = {name: dataset.users[name][row] for name in dataset.user_attributes}
        assert state.attributes == {name: text for name, text in texts.items() if text}
    totals = await store.read_items("shop", list(counts), soon())
    assert [total and total.count for total in totals] == [float(count) for count in counts.values()]
    assert (await store.read_freshness("shop", soon())).newest_event_s == dataset.times_s[-1]


async def test_events_in_the_future_are_refused_before_anything_is_written(dataset: Dataset, tmp_path: Path) -> None:
    times_s = dataset.times_s.copy()
    times_s[-2:] = time.time() + 86_400.0
    save(replace(dataset, times_s=times_s), tmp_path / "ahead")
    store = MemoryStore(Limits())
    with pytest.raises(DataRefused, match="ahead: 2 events lie in the future"):
        await load(store, tmp_path / "ahead")
    assert [total.count for total in await store.read_items("", dataset.item_ids, soon()) if total] == []


async def test_an_attribute_written_after_the_data_end_stays(
    store: FeatureStore, dataset: Dataset, folder: Path
) -> None:
    key = ActorKey("late", f"u/{dataset.user_ids[0]}")
    name = dataset.user_attributes[0]
    await store.write_attributes(key, {name: "new"}, float(dataset.times_s[-1]) + 1, soon())
    await load(store, folder, "late")
    assert (await store.read_actor(key, 0, soon())).attributes[name] == "new"


async def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused):
        await load(MemoryStore(Limits()), tmp_path)
