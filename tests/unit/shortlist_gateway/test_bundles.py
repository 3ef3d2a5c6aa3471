"""Which bundle answers, while releases come and stages follow or do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import BundleMismatch, UpstreamFailed
from shortlist_gateway.bundles import ActiveBundle
from shortlist_testing.fakes import FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import tiny_bundle


class Followed:
    """A store with one release that both stages hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = tiny_bundle(folder).bundle_id
        self.retrieval = FakeRetrieval((), (self.first,))
        self.ranking = FakeRanking(float, (self.first,))
        self.bundles = ActiveBundle(BundleStore(folder), self.retrieval, self.ranking, own_metrics(), 1.0)


@pytest.fixture
async def followed(tmp_path: Path) -> Followed:
    followed = Followed(tmp_path)
    await followed.bundles.refresh()
    return followed


async def test_it_flips_only_when_both_stages_hold_the_new_release(followed: Followed) -> None:
    second = tiny_bundle(followed.folder, seed=1).bundle_id
    followed.retrieval.bundles = (second, followed.first)
    await followed.bundles.refresh()
    assert followed.bundles.pinned().bundle_id == followed.first
    followed.ranking.bundles = (second, followed.first)
    await followed.bundles.refresh()
    assert followed.bundles.pinned().bundle_id == second
    assert followed.bundles.pinned(followed.first).bundle_id == followed.first, "the one before can still be asked"


async def test_a_stage_that_is_away_does_not_hold_the_others_back(followed: Followed) -> None:
    class Away(FakeRanking):
        async def held_bundles(self, deadline: object) -> tuple[str, ...]:
            raise UpstreamFailed("ranking", "down")

    second = tiny_bundle(followed.folder, seed=1).bundle_id
    followed.retrieval.bundles = (second,)
    followed.bundles._stages = (followed.retrieval, Away(float, ()))
    await followed.bundles.refresh()
    assert followed.bundles.pinned().bundle_id == second


async def test_a_damaged_release_is_refused_and_the_old_one_answers_on(followed: Followed) -> None:
    second = tiny_bundle(followed.folder, seed=1).bundle_id
    followed.retrieval.bundles = followed.ranking.bundles = (second, followed.first)
    path = followed.folder / "bundles" / second / "item_ids.blobs"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for _ in range(3):
        await followed.bundles.refresh()
    assert followed.bundles.pinned().bundle_id == followed.first
    third = tiny_bundle(followed.folder, seed=2).bundle_id
    followed.retrieval.bundles = followed.ranking.bundles = (third,)
    await followed.bundles.refresh()
    assert followed.bundles.pinned().bundle_id == third
    with pytest.raises(BundleMismatch):
        followed.bundles.pinned(second)


async def test_a_rollback_is_followed_like_any_release(followed: Followed) -> None:
    second = tiny_bundle(followed.folder, seed=1).bundle_id
    followed.retrieval.bundles = followed.ranking.bundles = (second, followed.first)
    await followed.bundles.refresh()
    BundleStore(followed.folder).publish(followed.first, 2)
    await followed.bundles.refresh()
    assert followed.bundles.pinned().bundle_id == followed.first


async def test_a_gateway_that_starts_after_a_release_the_stages_refused_begins_with_the_one_they_hold(
    followed: Followed,
) -> None:
    second = tiny_bundle(followed.folder, seed=1).bundle_id
    stages = (followed.retrieval, followed.ranking)
    restarted = ActiveBundle(BundleStore(followed.folder), *stages, own_metrics(), 1.0)
    await restarted.refresh()
    assert restarted.pinned().bundle_id == followed.first
    followed.retrieval.bundles = followed.ranking.bundles = (second, followed.first)
    await restarted.refresh()
    assert restarted.pinned().bundle_id == second


async def test_a_gateway_that_starts_before_its_stages_begins_with_the_newest(followed: Followed) -> None:
    second = tiny_bundle(followed.folder, seed=1).bundle_id
    followed.retrieval.bundles = followed.ranking.bundles = ()
    stages = (followed.retrieval, followed.ranking)
    restarted = ActiveBundle(BundleStore(followed.folder), *stages, own_metrics(), 1.0)
    await restarted.refresh()
    assert restarted.pinned().bundle_id == second
