"""A Valkey of each test's own, and a store on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import NOW_S
from shortlist_testing.redis import RunningValkey, running_valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[RunningValkey]:
    with running_valkey(tmp_path, keep_data=True) as server:
        yield server


@pytest.fixture
async def link(valkey: RunningValkey) -> AsyncIterator[RedisLink]:
    link = RedisLink(valkey.url, max_connections=4, max_waiting=8)
    yield link
    await link.aclose()


@pytest.fixture
def store(link: RedisLink) -> RedisStore:
    return RedisStore(link, Limits(), now=lambda: NOW_S)
