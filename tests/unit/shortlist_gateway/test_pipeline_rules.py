"""What the pipeline makes of constraints, of lists and of configs."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from shortlist.common.v1 import selection_pb2
from shortlist_domain.errors import (
    NotFound,
    UpstreamFailed,
)
from shortlist_domain.spread import DiversityMethod, Spread
from shortlist_domain.stages import Event
from shortlist_gateway.checks import Checks
from shortlist_gateway.configs.config import Serving, ServingConfig
from shortlist_gateway.constraint_checks import rules_of
from shortlist_gateway.query import Cause, Level, Outcome, SeenEvents
from shortlist_gateway.slate.rules import Diversity, Pin, Rotation, Rules

from .world import ALICE, NOW_S, N, World, ask, soon


async def test_an_allow_list_of_unknown_items_gives_nothing_and_reports_them(world: World) -> None:
    slate = await world.pipeline.recommend(ask(include_item_ids=("nowhere",)), soon())
    assert slate.results == []
    assert Cause.EMPTY_SELECTION in slate.causes
    assert list(slate.missing_ids) == ["nowhere"]


async def test_an_allow_list_holds_even_when_retrieval_is_down(world: World) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    chosen = (world.item(4), world.item(8))
    slate = await world.pipeline.recommend(ask(include_item_ids=chosen), soon())
    assert {shown.item_id for shown in slate.results} == set(chosen)


async def test_exclusion_wins_over_the_allow_list(world: World) -> None:
    chosen = (world.item(4), world.item(8))
    slate = await world.pipeline.recommend(ask(include_item_ids=chosen, exclude_item_ids=chosen[:1]), soon())
    assert [shown.row for shown in slate.results] == [8]


async def test_items_below_the_minimum_click_probability_are_left_out(world: World) -> None:
    slate = await world.pipeline.recommend(ask(minimum_click_probability=57.5 / N), soon())
    assert [shown.row for shown in slate.results] == [59, 58]


async def test_similar_items_leave_the_anchors_out_and_are_not_ranked(world: World) -> None:
    slate = await world.pipeline.similar(ask(item_ids=(world.item(0), "nowhere")), soon())
    assert [shown.row for shown in slate.results] == [1, 2, 3]
    assert list(world.retrieval.requests[0].anchor_rows) == [0]
    assert list(slate.missing_ids) == ["nowhere"]
    assert world.ranking.requests == []
    assert slate.level is Level.NONE


async def test_similar_items_of_nothing_known_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await world.pipeline.similar(ask(item_ids=("nowhere",)), soon())


async def test_reranking_orders_the_callers_list_and_keeps_unknown_items_last(world: World) -> None:
    given = (world.item(3), "x", world.item(40), "y", world.item(3))
    slate = await world.pipeline.rerank(ask(item_ids=given, is_seen_excluded=False), soon())
    assert [shown.item_id for shown in slate.results] == [world.item(40), world.item(3), "x", "y"]
    assert list(slate.missing_ids) == ["x", "y"]
    assert world.retrieval.requests == []


async def test_reranking_without_the_ranker_keeps_the_callers_order(world: World) -> None:
    world.ranking.failure = UpstreamFailed("ranking", "down")
    given = (world.item(3), world.item(40))
    slate = await world.pipeline.rerank(ask(item_ids=given, is_seen_excluded=False), soon())
    assert [shown.item_id for shown in slate.results] == list(given)
    assert slate.level is Level.FALLBACK


UNRANKED = Serving(ServingConfig("cheap", is_ranked=False))


async def test_a_config_without_a_ranker_shows_retrievals_order_and_lacks_nothing(world: World) -> None:
    slate = await world.pipeline.recommend(ask(serving=UNRANKED), soon())
    assert [shown.row for shown in slate.results] == [0, 1, 2]
    assert world.ranking.requests == []
    assert (slate.level, slate.causes, slate.warnings, slate.ranked_fraction) == (Level.NONE, {}, [], 0.0)
    (rank,) = (report for report in slate.reports if report.stage == "rank")
    assert (rank.outcome, rank.reason) == (Outcome.SKIPPED, "serving config 'cheap' asks no ranker")
    assert all(shown.click is None and shown.rating is None for shown in slate.results)
    assert [shown.score for shown in slate.results] == sorted((s.score for s in slate.results), reverse=True)


async def test_without_a_ranker_pins_and_caps_hold_and_pages_follow_each_other(world: World) -> None:
    pinned = ask(serving=UNRANKED, rules=Rules(pins=(Pin(world.item(40), 1),)))
    slate = await world.pipeline.recommend(pinned, soon())
    assert [shown.row for shown in slate.results] == [0, 40, 1]
    following = replace(pinned, slate_size=6, shown_rows=frozenset((0, 40, 1)))
    slate = await world.pipeline.recommend(following, soon())
    assert [shown.row for shown in slate.results] == [2, 3, 4]


async def test_without_a_ranker_and_without_retrieval_the_answer_is_static(world: World) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    slate = await world.pipeline.recommend(ask(serving=UNRANKED), soon())
    assert len(slate.results) == 3
    assert (slate.level, list(slate.causes)) == (Level.STATIC, [Cause.RETRIEVAL_DOWN])
    assert world.ranking.requests == []


async def test_without_a_ranker_the_callers_list_keeps_its_order(world: World) -> None:
    given = (world.item(3), "x", world.item(40), world.item(7))
    slate = await world.pipeline.rerank(ask(item_ids=given, is_seen_excluded=False, serving=UNRANKED), soon())
    assert [shown.item_id for shown in slate.results] == [world.item(3), world.item(40), world.item(7), "x"]
    assert (slate.level, slate.ranked_fraction) == (Level.NONE, 0.0)
    assert world.ranking.requests == []


DIVERSE = Rules(diversity=Diversity(DiversityMethod.DPP, 0.5))


async def test_diversity_is_part_of_the_one_call_to_ranking(world: World) -> None:
    rules = Rules(diversity=DIVERSE.diversity, pins=(Pin(world.item(3), 1),))
    slate = await world.pipeline.recommend(ask(rules=rules, minimum_click_probability=0.25), soon())
    (request,) = world.ranking.requests
    assert request.spread == Spread(DiversityMethod.DPP, 0.5, 2, array("I", [3]), minimum_click_probability=0.25)
    assert [shown.row for shown in slate.results] == [59, 3, 58]
    assert slate.level is Level.NONE


async def test_without_ranking_there_is_no_diversity_and_the_answer_says_so(world: World) -> None:
    world.ranking.failure = UpstreamFailed("ranking", "down")
    slate = await world.pipeline.recommend(ask(rules=DIVERSE), soon())
    assert [shown.row for shown in slate.results] == [0, 1, 2]
    assert slate.warnings == ["constraints.diversity: was not applied, since candidates could not be ranked"]
    assert slate.level is Level.FALLBACK


async def test_where_time_is_short_diversity_gives_way_and_the_answer_says_so(world: World) -> None:
    world.ranking.has_time_to_spread = False
    slate = await world.pipeline.recommend(ask(rules=DIVERSE), soon())
    assert [shown.row for shown in slate.results] == [59, 58, 57]
    assert slate.warnings == ["constraints.diversity: was not applied, since time ran out"]


async def test_a_pin_that_retrieval_does_not_propose_is_ranked_and_counts_as_its_last(world: World) -> None:
    world.retrieval.order = range(10)
    slate = await world.pipeline.recommend(ask(rules=Rules(pins=(Pin(world.item(40), 2),))), soon())
    assert [shown.row for shown in slate.results] == [9, 8, 40]
    (request,) = world.ranking.requests
    assert list(request.rows) == [*range(10), 40]
    assert request.retrieval_scores[-1] == request.retrieval_scores[-2]
    assert slate.results[2].click == pytest.approx(40 / N)


async def test_pins_hold_where_every_stage_is_down(world: World) -> None:
    for stage, name in ((world.features, "f"), (world.retrieval, "r"), (world.ranking, "k")):
        stage.failure = UpstreamFailed(name, "down")
    slate = await world.pipeline.recommend(ask(rules=Rules(pins=(Pin(world.item(40), 1),))), soon())
    assert slate.results[1].row == 40
    assert slate.level is Level.STATIC


async def test_pins_leave_room_among_the_candidates_that_ranking_takes(world: World) -> None:
    rules = Rules(pins=(Pin(world.item(40), 1), Pin(world.item(41), 2)))
    await world.pipeline.recommend(ask(rules=rules, candidate_count=2000), soon())
    assert world.retrieval.requests[0].candidate_count == 1998


async def test_without_features_there_is_no_rotation_and_the_answer_says_so(world: World) -> None:
    world.features.failure = UpstreamFailed("feature-store", "down")
    slate = await world.pipeline.recommend(ask(rules=Rules(rotation=Rotation(1.0, 60.0))), soon())
    assert [shown.row for shown in slate.results] == [59, 58, 57]
    assert slate.warnings[-1] == "constraints.rotation: was not applied, since what was shown is not known"


async def test_impressions_are_read_only_where_something_depends_on_them(world: World) -> None:
    world.features.events[ALICE] = [Event(world.item(59), 1.0, NOW_S, "impression"), Event(world.item(7), 4.0, NOW_S)]
    plain = await world.pipeline.recommend(ask(), soon())
    rotated = await world.pipeline.recommend(ask(rules=Rules(rotation=Rotation(1.0, 60.0))), soon())
    named = await world.pipeline.recommend(ask(seen_by=(SeenEvents(frozenset({"impression"})),)), soon())
    assert [[shown.row for shown in slate.results] for slate in (plain, rotated, named)] == [
        [59, 58, 57],
        [58, 57, 56],
        [58, 57, 56],
    ]
    assert all(list(request.actor.history_rows) == [7] for request in world.retrieval.requests)
    assert all(request.actor.numbers["user_count"] == 1.0 for request in world.retrieval.requests)


async def test_a_promotion_by_a_history_that_cannot_be_read_is_said(world: World) -> None:
    checks = Checks()
    asked = selection_pb2.Constraints(promotions=[{"filter": {"expression": "seen()"}, "slots": 1}])
    query = ask(rules=rules_of(checks, asked, 3), is_seen_excluded=False)
    checks.done()
    world.seen(3)
    slate = await world.pipeline.recommend(query, soon())
    assert (3 in {shown.row for shown in slate.results}, slate.warnings) == (True, [])
    world.features.failure = UpstreamFailed("feature-store", "down")
    slate = await world.pipeline.recommend(query, soon())
    said = "what the actor has done is not known at the moment; seen(...) holds for nothing"
    assert slate.warnings[0] == f"constraints.promotions: {said}"
