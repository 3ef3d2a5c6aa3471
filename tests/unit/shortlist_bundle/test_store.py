"""Publishing: killed anywhere, raced, damaged."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shortlist_bundle import layout
from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import BundleInvalid, NotFound, PublishConflict
from shortlist_testing.tiny_bundle import MANIFEST, publish, tiny_bundle, tiny_files


class Killed(BaseException):
    """Stands for the end of the process at this point."""


def dying_at(call: Callable[..., object], countdown: int) -> Callable[..., object]:
    """Return ``call``, except that its ``countdown``-th use ends everything."""
    left = [countdown]

    def wrapped(*args: object, **kwargs: object) -> object:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return call(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize(
    ("owner", "name", "countdown"),
    [(os, "fsync", n) for n in (1, 2, 9, 17, 18, 19, 20, 21)] + [(os, "link", 1), (Path, "rename", 1)],
)
def test_a_publisher_killed_anywhere_leaves_the_old_or_the_new_bundle_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, countdown: int
) -> None:
    store = BundleStore(tmp_path)
    old = tiny_bundle(tmp_path, seed=0)
    files = tiny_files(seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying_at(getattr(owner, name), countdown))
        with pytest.raises(Killed):
            publish(tmp_path, files)
    seen = store.current()
    assert seen is not None
    store.open(seen).verify()
    assert seen.generation in (1, 2)
    assert (seen == old) == (seen.generation == 1)
    again = publish(tmp_path, files)  # whoever comes next succeeds
    store.open(again).verify()
    assert store.current() == again


def test_of_many_publishers_exactly_one_wins_each_generation(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    bundles = [store.add(tiny_files(seed=seed), MANIFEST).bundle_id for seed in range(2)]
    for generation in range(20):
        outcomes: list[object] = []
        barrier = threading.Barrier(4)

        def race(
            bundle_id: str,
            generation: int = generation,
            outcomes: list[object] = outcomes,
            barrier: threading.Barrier = barrier,
        ) -> None:
            barrier.wait()
            try:
                outcomes.append(store.publish(bundle_id, generation))
            except PublishConflict as error:
                outcomes.append(error)

        threads = [threading.Thread(target=race, args=(bundles[i % 2],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [o for o in outcomes if not isinstance(o, PublishConflict)]
        assert len(outcomes) == 4
        assert winners == [store.current()]
        assert len(store.releases()) == generation + 1


def test_the_same_content_is_the_same_bundle(tmp_path: Path) -> None:
    first = tiny_bundle(tmp_path)
    second = tiny_bundle(tmp_path)
    assert (first.bundle_id, first.manifest_sha256) == (second.bundle_id, second.manifest_sha256)
    assert second.generation == 2


def test_a_bundle_that_is_not_there_cannot_be_published(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no-such"):
        BundleStore(tmp_path).publish("no-such", 0)


def test_a_damaged_bundle_cannot_be_published(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    bundle = store.add(tiny_files(), MANIFEST)
    path = bundle.path / layout.RANKER
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleInvalid, match=layout.RANKER):
        store.publish(bundle.bundle_id, 0)
    assert store.current() is None


def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    bundle = store.add(tiny_files(), MANIFEST)
    path = bundle.path / layout.RANKER
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleInvalid):
        store.publish(bundle.bundle_id, 0)
