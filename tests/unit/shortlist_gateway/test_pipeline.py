"""What an answer becomes when a stage does not do its part."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import (
    BudgetExceeded,
    BundleMismatch,
    NotReady,
    Overloaded,
    UpstreamFailed,
)
from shortlist_domain.stages import ActorKey, Event
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Cause, Level, Outcome
from shortlist_gateway.settings import GatewaySettings
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics

from .world import ALICE, NOW_S, N, World, ask, soon


async def test_a_full_answer_is_in_the_rankers_order_and_says_nothing_is_missing(world: World) -> None:
    slate = await world.pipeline.recommend(ask(), soon())
    assert [shown.row for shown in slate.results] == [59, 58, 57]
    assert (slate.level, slate.causes, slate.warnings) == (Level.NONE, {}, [])
    assert [(r.stage, r.outcome) for r in slate.reports] == [
        ("read_actor", Outcome.FULL),
        ("retrieve", Outcome.FULL),
        ("rank", Outcome.FULL),
    ]
    assert slate.ranked_fraction == 1.0


async def test_what_fusion_gave_reaches_the_ranker_and_nothing_else_does(world: World) -> None:
    await world.pipeline.recommend(ask(), soon())
    given = world.ranking.requests[-1]
    assert len(given.retrieval_scores) == len(given.rows) > 0
    await world.pipeline.rerank(ask(item_ids=(world.item(3), world.item(40))), soon())
    assert len(world.ranking.requests[-1].retrieval_scores) == 0
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    await world.pipeline.recommend(ask(), soon())
    assert len(world.ranking.requests[-1].rows) > 0
    assert len(world.ranking.requests[-1].retrieval_scores) == 0


async def test_seen_items_are_excluded_inside_retrieval(world: World) -> None:
    world.seen(59, 57)
    slate = await world.pipeline.recommend(ask(), soon())
    assert [shown.row for shown in slate.results] == [58, 56, 55]
    assert set(world.retrieval.requests[0].exclude_rows) == {59, 57}


async def test_seen_items_appear_where_the_caller_allows_them(world: World) -> None:
    world.seen(59)
    slate = await world.pipeline.recommend(ask(is_seen_excluded=False), soon())
    assert slate.results[0].row == 59


async def test_the_history_reaches_retrieval_oldest_first_with_inline_events_last(world: World) -> None:
    world.seen(5, 9)
    inline = Event(world.item(7), 2.0, NOW_S)
    await world.pipeline.recommend(ask(events=(inline,)), soon())
    actor = world.retrieval.requests[0].actor
    assert list(actor.history_rows) == [5, 9, 7]
    assert actor.numbers["user_count"] == 3.0
    assert actor.numbers["user_mean"] == pytest.approx(10 / 3)


async def test_inline_attributes_win_over_stored_ones(world: World) -> None:
    world.features.attributes[ALICE] = {"gender": "F", "age": "25"}
    await world.pipeline.recommend(ask(attributes={"gender": "M"}), soon())
    assert world.retrieval.requests[0].actor.attributes == {"gender": "M", "age": "25"}


@pytest.mark.parametrize(
    ("stage", "cause"),
    [
        ("features", Cause.FEATURES_DOWN),
        ("retrieval", Cause.RETRIEVAL_DOWN),
        ("ranking", Cause.RANKING_DOWN),
    ],
)
async def test_a_stage_that_raises_what_nobody_expected_is_replaced_and_declared(
    world: World, stage: str, cause: Cause
) -> None:
    getattr(world, stage).failure = ZeroDivisionError("of the stage's own")
    slate = await world.pipeline.recommend(ask(), soon())
    assert len(slate.results) == 3
    assert list(slate.causes) == [cause]
    failed = next(r for r in slate.reports if r.reason)
    assert failed.outcome is Outcome.FALLBACK
    assert "stage's own" not in failed.reason, "the log has it, callers do not"


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (UpstreamFailed("feature-store", "down"), Cause.FEATURES_DOWN),
        (BudgetExceeded("late"), Cause.FEATURES_TIMEOUT),
        (Overloaded("in flight", 0.1), Cause.LOAD_SHED),
    ],
)
async def test_without_features_the_answer_is_partial_and_still_ranked(
    world: World, failure: Exception, cause: Cause
) -> None:
    world.features.failure = failure
    slate = await world.pipeline.recommend(ask(), soon())
    assert [shown.row for shown in slate.results] == [59, 58, 57]
    assert (slate.level, list(slate.causes)) == (Level.PARTIAL, [cause])
    assert slate.features_present_fraction == 0.0
    assert "seen" in slate.warnings[0]


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (UpstreamFailed("ranking", "down"), Cause.RANKING_DOWN),
        (NotReady("loading"), Cause.RANKING_DOWN),
        (BudgetExceeded("late"), Cause.RANKING_TIMEOUT),
        (BundleMismatch("other", ()), Cause.BUNDLE_MISMATCH),
        (Overloaded("queue", 0.1), Cause.LOAD_SHED),
    ],
)
async def test_ranking_failure_keeps_retrieval_order_and_says_so(
    world: World, failure: Exception, cause: Cause
) -> None:
    world.ranking.failure = failure
    slate = await world.pipeline.recommend(ask(), soon())
    assert [shown.row for shown in slate.results] == [0, 1, 2]
    assert (slate.level, list(slate.causes)) == (Level.FALLBACK, [cause])
    assert slate.ranked_fraction == 0.0
    assert slate.reports[-1].outcome is Outcome.FALLBACK
    assert all(shown.click is None for shown in slate.results)


async def test_partly_ranked_candidates_come_first_and_the_rest_follows_in_retrieval_order(world: World) -> None:
    world.ranking.ranked = 2
    slate = await world.pipeline.recommend(ask(slate_size=4), soon())
    assert [shown.row for shown in slate.results] == [1, 0, 2, 3]
    assert (slate.level, list(slate.causes)) == (Level.PARTIAL, [Cause.RANKING_PARTIAL])
    assert slate.ranked_fraction == 0.5


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (UpstreamFailed("retrieval", "down"), Cause.RETRIEVAL_DOWN),
        (BudgetExceeded("late"), Cause.RETRIEVAL_TIMEOUT),
        (BundleMismatch("other", ()), Cause.BUNDLE_MISMATCH),
    ],
)
async def test_without_retrieval_popular_items_are_ranked_for_the_actor(
    world: World, failure: Exception, cause: Cause
) -> None:
    world.retrieval.failure = failure
    world.seen(59)
    slate = await world.pipeline.recommend(ask(), soon())
    assert [shown.row for shown in slate.results] == [58, 57, 56]
    assert (slate.level, list(slate.causes)) == (Level.FALLBACK, [cause])
    assert slate.results[0].origins[0].source == "popular"


async def test_without_retrieval_and_ranking_the_list_is_the_segments_popular_one(world: World) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    world.ranking.failure = UpstreamFailed("ranking", "down")
    world.features.attributes[ALICE] = {"gender": "F"}
    slate = await world.pipeline.recommend(ask(), soon())
    segment, rows = world.bundles.pinned().popular({"gender": "F"})
    assert segment == "gender=F"
    assert [shown.row for shown in slate.results] == list(rows[:3])
    assert slate.level is Level.STATIC
    assert set(slate.causes) == {Cause.RETRIEVAL_DOWN, Cause.RANKING_DOWN}


async def test_with_every_stage_down_everybody_gets_the_overall_list(world: World) -> None:
    for stage, name in ((world.features, "f"), (world.retrieval, "r"), (world.ranking, "k")):
        stage.failure = UpstreamFailed(name, "down")
    slate = await world.pipeline.recommend(ask(), soon())
    assert [shown.row for shown in slate.results] == list(world.bundles.pinned().popular_overall[:3])
    assert slate.level is Level.STATIC


async def test_a_source_that_failed_is_declared(world: World) -> None:
    world.retrieval.failed_sources = ("two_tower",)
    slate = await world.pipeline.recommend(ask(), soon())
    assert (slate.level, list(slate.causes)) == (Level.PARTIAL, [Cause.RETRIEVAL_PARTIAL])


async def test_short_time_asks_for_fewer_candidates_and_says_so(world: World) -> None:
    slate = await world.pipeline.recommend(ask(candidate_count=40), Deadline.after(0.012))
    assert world.retrieval.requests[0].candidate_count == 10
    assert Cause.FEWER_CANDIDATES in slate.causes


async def test_more_than_the_catalogue_gives_all_of_it_once_and_says_the_slate_is_short(world: World) -> None:
    slate = await world.pipeline.recommend(ask(slate_size=1000), soon())
    assert sorted(shown.row for shown in slate.results if shown.row is not None) == list(range(N))
    assert list(slate.causes) == [Cause.SHORT_SLATE]


async def test_with_everything_seen_the_slate_is_empty_and_says_so(world: World) -> None:
    world.seen(*range(N))
    slate = await world.pipeline.recommend(ask(), soon())
    assert slate.results == []
    assert list(slate.causes) == [Cause.SHORT_SLATE]
    assert slate.reports[-1].outcome is Outcome.SKIPPED


async def test_an_unknown_actor_is_answered_in_full(world: World) -> None:
    slate = await world.pipeline.recommend(ask(actor=ActorKey("", "u/nobody")), soon())
    assert len(slate.results) == 3
    assert (slate.level, slate.is_actor_known) == (Level.NONE, False)


async def test_a_write_that_is_not_visible_yet_is_declared_stale(world: World) -> None:
    world.features.caught_up = False
    slate = await world.pipeline.recommend(ask(min_versions=(7, 0)), soon())
    assert world.features.reads == [(ALICE, 7)]
    assert list(slate.causes) == [Cause.FEATURES_STALE]


async def test_a_bundle_that_is_not_held_is_refused(world: World) -> None:
    with pytest.raises(BundleMismatch, match="other-bundle"):
        await world.pipeline.recommend(ask(bundle_id="other-bundle"), soon())


async def test_before_any_bundle_nothing_can_be_answered(tmp_path: Path) -> None:
    retrieval, ranking = FakeRetrieval((), ()), FakeRanking(float, ())
    bundles = ActiveBundle(BundleStore(tmp_path), retrieval, ranking, own_metrics(), 1.0)
    await bundles.refresh()
    settings = GatewaySettings(bundle_store=tmp_path)
    with pytest.raises(NotReady, match="publish"):
        await Pipeline(FakeFeatures(), retrieval, ranking, bundles, settings).recommend(ask(), soon())


async def test_reasons_name_the_event_that_led_to_the_item(world: World) -> None:
    world.seen(7)
    slate = await world.pipeline.recommend(ask(), soon())
    assert slate.results[0].origins[0].anchor_item_id == world.item(7)
