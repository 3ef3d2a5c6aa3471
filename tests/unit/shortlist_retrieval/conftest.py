"""A loaded tiny bundle for every test of retrieval."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shortlist_bundle.host import BundleHost
from shortlist_bundle.store import BundleStore
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.wiring import load_shelf
from shortlist_rpc.executor import BoundedExecutor
from shortlist_testing.tiny_bundle import tiny_bundle


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> BundleHost[Shelf]:
    folder: Path = tmp_path_factory.mktemp("store")
    tiny_bundle(folder, content=True)
    made: BundleHost[Shelf] = BundleHost(BundleStore(folder), load_shelf)
    assert made.poll()
    return made


@pytest.fixture
def shelf(host: BundleHost[Shelf]) -> Shelf:
    return host.held()[0].value


@pytest.fixture
def fresh_shelf(tmp_path: Path) -> Shelf:
    """A shelf of its own for a test that changes its counters."""
    tiny_bundle(tmp_path)
    store = BundleStore(tmp_path)
    release = store.current()
    assert release is not None
    return load_shelf(store.open(release))


@pytest.fixture
def engine(host: BundleHost[Shelf]) -> Iterator[RetrievalEngine]:
    executor = BoundedExecutor(1, 16, "retrieval")
    yield RetrievalEngine(host, executor)
    executor.close()
