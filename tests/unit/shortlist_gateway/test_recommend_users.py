"""What RecommendUsers asks of retrieval, and what an answer becomes when that does not do its part."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, BundleLacks, BundleMismatch, NotFound, UpstreamFailed
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.query import Cause, Level, Outcome, Query, Slate
from shortlist_gateway.recommend_users import RecommendUsers
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.user_search import FoundUser, UsersQuery
from shortlist_testing.fakes import FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import item_ids, tiny_bundle, tiny_user_id

ITEMS = item_ids(60)


class World:
    """RecommendUsers over a fake retrieval and a real bundle."""

    def __init__(self, store: Path, *, users: bool = True) -> None:
        bundle_id = tiny_bundle(store, users=users).bundle_id
        self.retrieval = FakeRetrieval((), (bundle_id,), users=range(24))
        ranking = FakeRanking(float, (bundle_id,))
        self.bundles = ActiveBundle(BundleStore(store), self.retrieval, ranking, own_metrics(), 1.0)
        self.recommend_users = RecommendUsers(self.retrieval, self.bundles, GatewaySettings(bundle_store=store))

    async def ask(self, *items: str, count: int = 3, excluded: tuple[str, ...] = ()) -> tuple[Slate, list[FoundUser]]:
        about = Query(request_id="r", now_s=1.7e9, actor=None, slate_size=count, item_ids=items)
        return await self.recommend_users.find(UsersQuery(about, "", excluded), Deadline.after(1.0))


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.bundles.refresh()
    return world


async def test_a_full_answer_is_what_retrieval_found_without_whom_the_request_excludes(world: World) -> None:
    excluded = (tiny_user_id(1), "nobody", tiny_user_id(0))
    slate, users = await world.ask(ITEMS[5], "nowhere", ITEMS[2], ITEMS[5], excluded=excluded)
    assert users == [FoundUser(tiny_user_id(n), 0.5**at) for at, n in enumerate((2, 3, 4))]
    assert list(slate.missing_ids) == ["nowhere"]
    assert (slate.level, slate.causes, slate.warnings) == (Level.NONE, {}, [])
    assert [(r.stage, r.outcome, r.items_in, r.items_out) for r in slate.reports] == [
        ("retrieve", Outcome.FULL, 24, 3)
    ], "nobody's history is read"
    (asked,) = world.retrieval.user_requests
    assert (list(asked.item_rows), list(asked.exclude_rows), asked.user_count) == ([5, 2], [1, 0], 3)


async def test_fewer_users_than_wanted_is_said(world: World) -> None:
    slate, users = await world.ask(ITEMS[5], count=25)
    assert len(users) == 24
    assert (slate.level, list(slate.causes)) == (Level.PARTIAL, [Cause.SHORT_SLATE])


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (UpstreamFailed("retrieval", "down"), Cause.RETRIEVAL_DOWN),
        (BudgetExceeded("late"), Cause.RETRIEVAL_TIMEOUT),
        (BundleMismatch("a", ("b",)), Cause.BUNDLE_MISMATCH),
    ],
)
async def test_without_retrieval_nobody_is_named_and_that_is_said(
    world: World, failure: Exception, cause: Cause
) -> None:
    world.retrieval.failure = failure
    slate, users = await world.ask(ITEMS[5])
    assert (users, slate.level) == ([], Level.FALLBACK)
    assert set(slate.causes) == {cause, Cause.SHORT_SLATE}


async def test_what_the_bundle_does_not_have_is_said_before_anything_is_asked(world: World, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none of the items is in bundle .*: nowhere, never"):
        await world.ask("nowhere", "never")
    without = World(tmp_path / "without", users=False)
    await without.bundles.refresh()
    with pytest.raises(BundleLacks, match=r"users\.vectors=true"):
        await without.ask(ITEMS[5])
    assert world.retrieval.user_requests == without.retrieval.user_requests == []
