"""The bundle host: swaps, refusals, grace, rollback."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.host import BundleHost
from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import BundleInvalid, BundleMismatch, NotReady
from shortlist_telemetry.catalogue import Metrics
from shortlist_testing.tiny_bundle import MANIFEST, publish, tiny_bundle, tiny_files


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def host_of(
    folder: Path, clock: Clock, refused: tuple[str, ...] = (), loads: list[str] | None = None
) -> BundleHost[str]:
    def load(bundle: Bundle) -> str:
        if loads is not None:
            loads.append(bundle.bundle_id)
        if bundle.bundle_id in refused:
            raise BundleInvalid("the loader says no")
        return bundle.bundle_id

    return BundleHost(BundleStore(folder), load, Metrics(CollectorRegistry()), grace_s=60.0, clock=clock)


def test_nothing_published_is_not_ready(tmp_path: Path) -> None:
    host = host_of(tmp_path, Clock())
    assert not host.poll()
    assert not host.is_ready()
    with pytest.raises(NotReady, match=str(tmp_path)):
        host.get("any")


def test_current_and_previous_are_held_and_the_previous_goes_after_its_grace(tmp_path: Path) -> None:
    clock = Clock()
    host = host_of(tmp_path, clock)
    first = tiny_bundle(tmp_path, seed=0)
    assert host.poll()
    second = tiny_bundle(tmp_path, seed=1)
    assert host.poll()
    assert host.held_ids() == (second.bundle_id, first.bundle_id)
    assert host.get(first.bundle_id) == first.bundle_id
    clock.now_s += 61.0
    assert not host.poll()
    assert host.held_ids() == (second.bundle_id,)
    with pytest.raises(BundleMismatch) as caught:
        host.get(first.bundle_id)
    assert caught.value.held == (second.bundle_id,)


def test_the_previous_stays_while_it_is_asked_for(tmp_path: Path) -> None:
    clock = Clock()
    host = host_of(tmp_path, clock)
    first = tiny_bundle(tmp_path, seed=0)
    host.poll()
    tiny_bundle(tmp_path, seed=1)
    host.poll()
    for _ in range(5):
        clock.now_s += 50.0
        host.poll()
        assert host.get(first.bundle_id) == first.bundle_id
    clock.now_s += 61.0
    host.poll()
    assert first.bundle_id not in host.held_ids()


def test_a_refused_release_is_loaded_once_and_the_old_one_serves(tmp_path: Path) -> None:
    clock = Clock()
    first = tiny_bundle(tmp_path, seed=0)
    loads: list[str] = []
    second_id = BundleStore(tmp_path).add(tiny_files(seed=1), MANIFEST).bundle_id
    host = host_of(tmp_path, clock, (second_id,), loads)
    host.poll()
    publish(tmp_path, tiny_files(seed=1))
    assert not host.poll()
    assert not host.poll()
    assert loads == [first.bundle_id, second_id]
    assert host.held_ids() == (first.bundle_id,)
    third = tiny_bundle(tmp_path, seed=2)
    assert host.poll()
    assert host.held_ids()[0] == third.bundle_id


def test_a_first_release_that_is_refused_says_why(tmp_path: Path) -> None:
    second_id = BundleStore(tmp_path).add(tiny_files(), MANIFEST).bundle_id
    publish(tmp_path, tiny_files())
    host = host_of(tmp_path, Clock(), (second_id,))
    assert not host.poll()
    with pytest.raises(NotReady, match="the loader says no"):
        host.get(second_id)


def test_rolling_back_to_a_held_bundle_loads_nothing(tmp_path: Path) -> None:
    loads: list[str] = []
    host = host_of(tmp_path, Clock(), (), loads)
    for seed in (0, 1, 0):
        tiny_bundle(tmp_path, seed=seed)
        assert host.poll()
    assert len(loads) == 2
    assert host.held_ids() == (loads[0], loads[1])
    assert host.held()[0].release.generation == 3


def test_a_release_that_is_not_one_keeps_the_old_bundle(tmp_path: Path) -> None:
    host = host_of(tmp_path, Clock())
    first = tiny_bundle(tmp_path)
    host.poll()
    (tmp_path / "releases" / "00000002.json").write_bytes(b"{")
    assert not host.poll()
    assert host.held_ids() == (first.bundle_id,)


def test_the_watching_thread_finds_releases_and_ends(tmp_path: Path) -> None:
    release = tiny_bundle(tmp_path)
    found: list[str] = []
    host = BundleHost(BundleStore(tmp_path), lambda bundle: found.append(bundle.bundle_id), poll_s=0.001)
    host.start()
    while not host.is_ready():
        pass
    host.close()
    assert found == [release.bundle_id]
    assert host.held_ids() == ()
