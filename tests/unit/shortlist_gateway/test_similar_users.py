"""What an answer of SimilarUsers becomes when a stage does not do its part."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, BundleLacks, BundleMismatch, UpstreamFailed
from shortlist_domain.stages import ActorKey, Event
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.query import Cause, Level, Outcome, Query, Slate
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.similar_users import SimilarUsers
from shortlist_gateway.user_search import FoundUser, UsersQuery
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import publish, tiny_bundle, tiny_files, tiny_user_id, tiny_users

NOW_S = 1_700_000_000.0
KNOWN = ActorKey("", f"u/{tiny_user_id(3)}")


class World:
    """SimilarUsers over fakes and a real bundle."""

    def __init__(self, store: Path) -> None:
        bundle_id = tiny_bundle(store, users=True).bundle_id
        self.features = FakeFeatures()
        self.retrieval = FakeRetrieval((), (bundle_id,), users=range(24))
        ranking = FakeRanking(float, (bundle_id,))
        self.bundles = ActiveBundle(BundleStore(store), self.retrieval, ranking, own_metrics(), 1.0)
        settings = GatewaySettings(bundle_store=store)
        self.similar_users = SimilarUsers(self.features, self.retrieval, self.bundles, settings)

    async def ask(
        self, actor: ActorKey | None = KNOWN, tenant: str = "", **about: object
    ) -> tuple[Slate, list[FoundUser]]:
        usual = {"request_id": "r", "now_s": NOW_S, "actor": actor, "slate_size": 3, "is_seen_excluded": False}
        query = Query(**{**usual, **about})  # type: ignore[arg-type]
        return await self.similar_users.find(UsersQuery(query, tenant), Deadline.after(1.0))


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.bundles.refresh()
    return world


def event(world: World, row: int) -> Event:
    return Event(world.bundles.pinned().item_id(row), 4.0, NOW_S - 60.0)


async def test_a_full_answer_leaves_the_actor_out_and_says_nothing_is_missing(world: World) -> None:
    world.features.events[KNOWN] = [event(world, 5)]
    slate, users = await world.ask(slate_size=4)
    assert [user.user_id for user in users] == [tiny_user_id(n) for n in (0, 1, 2, 4)]
    assert [user.score for user in users] == [1.0, 0.5, 0.25, 0.125]
    assert (slate.level, slate.causes, slate.warnings) == (Level.NONE, {}, [])
    assert [(r.stage, r.outcome, r.items_out) for r in slate.reports] == [
        ("read_actor", Outcome.FULL, 1),
        ("retrieve", Outcome.FULL, 4),
    ]
    (asked,) = world.retrieval.user_requests
    assert (list(asked.actor.history_rows), asked.user_row) == ([5], None)


async def test_a_visitor_is_nobody_of_the_users_whatever_it_is_called(world: World) -> None:
    slate, users = await world.ask(ActorKey("", f"v/{tiny_user_id(0)}"), attributes={"gender": "F"})
    assert users[0].user_id == tiny_user_id(0)
    assert not slate.is_actor_known


async def test_nobody_is_like_somebody_of_whom_nothing_is_known(world: World) -> None:
    slate, users = await world.ask(ActorKey("", "u/stranger"))
    assert users == []
    assert list(slate.causes) == [Cause.SHORT_SLATE]
    assert "nothing is known of the actor" in slate.warnings[0]
    assert slate.reports[-1].outcome is Outcome.SKIPPED
    assert world.retrieval.user_requests == []


async def test_whom_the_store_does_not_know_the_bundle_does_not_know_either(world: World) -> None:
    _, users = await world.ask(KNOWN)
    assert users == []
    assert world.retrieval.user_requests == [], "it may have been erased"


@pytest.mark.parametrize("failure", [UpstreamFailed("redis", "away"), BudgetExceeded("late")])
async def test_where_the_store_is_away_the_bundles_vector_stands_in(world: World, failure: Exception) -> None:
    world.features.failure = failure
    slate, users = await world.ask(KNOWN)
    assert [user.user_id for user in users] == [tiny_user_id(n) for n in (0, 1, 2)]
    assert world.retrieval.user_requests[0].user_row == 3
    assert slate.level is Level.PARTIAL
    assert set(slate.causes) <= {Cause.FEATURES_DOWN, Cause.FEATURES_TIMEOUT}
    assert "as the bundle knows it" in slate.warnings[0]
    _, users = await world.ask(ActorKey("", "u/stranger"))
    assert users == []
    await world.ask(KNOWN, events=[event(world, 7)])
    assert world.retrieval.user_requests[-1].user_row is None, "what comes with the request says more"


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (UpstreamFailed("retrieval", "down"), Cause.RETRIEVAL_DOWN),
        (BudgetExceeded("late"), Cause.RETRIEVAL_TIMEOUT),
        (BundleMismatch("a", ("b",)), Cause.BUNDLE_MISMATCH),
    ],
)
async def test_without_retrieval_the_answer_is_empty_and_says_so(
    world: World, failure: Exception, cause: Cause
) -> None:
    world.retrieval.failure = failure
    slate, users = await world.ask(events=[event(world, 7)])
    assert users == []
    assert slate.level is Level.FALLBACK
    assert set(slate.causes) == {cause, Cause.SHORT_SLATE}


async def test_a_tenant_gets_its_own_users_and_nobody_elses(world: World, tmp_path: Path) -> None:
    with pytest.raises(BundleLacks, match=r"of the tenant 'shop'.*users\.tenant=shop"):
        await world.ask(ActorKey("shop", "u/ann"), "shop", events=[event(world, 7)])
    release = publish(tmp_path, tiny_files() | tiny_users(tenant="shop"))
    world.retrieval.bundles = (release.bundle_id,)
    world.bundles._stages[1].bundles = (release.bundle_id,)  # type: ignore[attr-defined]
    await world.bundles.refresh()
    _, users = await world.ask(ActorKey("shop", "u/ann"), "shop", events=[event(world, 7)])
    assert len(users) == 3
    with pytest.raises(BundleLacks):
        await world.ask(events=[event(world, 7)])
