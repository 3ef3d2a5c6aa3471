"""Both stores under one contract; Redis is a real Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from shortlist_feature_store.memory_store import MemoryStore
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import FeatureStore, Limits
from shortlist_testing.documents_contract import DocumentsContract
from shortlist_testing.feature_store_contract import NOW_S, FeatureStoreContract, MakeStore
from shortlist_testing.item_counters_contract import ItemCountersContract
from shortlist_testing.redis import RunningValkey, running_valkey
from shortlist_testing.sessions_contract import SessionsContract
from shortlist_testing.slates_contract import SlatesContract


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


class TestMemoryStore(FeatureStoreContract, SessionsContract, ItemCountersContract, SlatesContract, DocumentsContract):
    @pytest.fixture
    async def make_store(self) -> AsyncIterator[MakeStore]:
        stores: list[FeatureStore] = []

        async def make(limits: Limits | None = None) -> FeatureStore:
            stores.append(MemoryStore(limits or Limits(), now=lambda: NOW_S))
            return stores[-1]

        yield make
        for store in stores:
            await store.aclose()


class TestRedisStore(FeatureStoreContract, SessionsContract, ItemCountersContract, SlatesContract, DocumentsContract):
    @pytest.fixture
    async def make_store(self, valkey: RunningValkey) -> AsyncIterator[MakeStore]:
        valkey.command("FLUSHALL")
        stores: list[FeatureStore] = []

        async def make(limits: Limits | None = None) -> FeatureStore:
            stores.append(RedisStore(RedisLink(valkey.url), limits or Limits(), now=lambda: NOW_S))
            return stores[-1]

        yield make
        for store in stores:
            await store.aclose()
