"""What promotions do to a slate, over gRPC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .slates import (
    GENRE_OF,
    ITEMS,
    NONE,
    WESTERNS,
    N,
    cap,
    event,
    explore,
    genres,
    ids,
    promote,
    recommend,
    write,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_promoted_items_have_positions_whatever_retrieval_proposes(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]))
    full = ids(await recommend(recommendation, user, N))
    westerns = [item for item in full if GENRE_OF[item] == "Western"]
    assert not set(westerns) & set(full[:8]), "comedies were liked"
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=8,
        candidate_count=8,
        constraints=sel.Constraints(promotions=[sel.Promotion(filter=WESTERNS, slots=3)]),
    )
    answer = await recommendation.Recommend(request, timeout=5)
    assert genres(ids(answer))["Western"] == 3
    assert ids(answer)[:5] == full[:5], "the others are the best, in order"
    assert all(result.HasField("heads") and result.provenance for result in answer.results)
    assert not answer.meta.warnings
    assert answer.meta.degradation.level == NONE
    wide = await recommend(recommendation, user, 8, promotions=[sel.Promotion(filter=WESTERNS, share=0.375)])
    assert ids(wide) == [*full[:5], *westerns[:3]], "a share of three eighths is three positions; the best are taken"
    comedies = await recommend(recommendation, user, 8, promotions=[promote('genres:"Comedy"', 1)])
    assert ids(comedies) == full[:8], "there are some anyway"


async def test_promotions_by_id_hold_beside_pins_filters_and_chance(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    full = ids(await recommend(recommendation, user, N))
    last = full[-1]
    by_id = promote(f"id:({json.dumps(last)}, {json.dumps(full[-2])})", 2)
    answer = await recommend(recommendation, user, 5, promotions=[by_id])
    assert ids(answer) == [*full[:3], full[-2], last]
    answer = await recommend(recommendation, user, 5, promotions=[by_id], pins=[sel.Pin(item_id=last, position=0)])
    assert ids(answer) == [last, *full[:3], full[-2]], "a pin that passes counts"
    for _ in range(5):
        exploration = explore(sel.EXPLORATION_METHOD_EPSILON_GREEDY, 3, 1.0)
        answer = await recommend(recommendation, user, 5, promotions=[by_id], exploration=exploration)
        assert {last, full[-2]} < set(ids(answer))
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=5,
        filter=sel.Filter(expression=f"NOT id:{json.dumps(last)}"),
        constraints=sel.Constraints(promotions=[by_id], exclude_item_ids=[full[0]]),
    )
    answer = await recommendation.Recommend(request, timeout=5)
    assert ids(answer) == [*full[1:5], full[-2]], "what may not appear is not promoted"
    assert "1 of 2 positions" in answer.meta.warnings[0]
    similar = pb.SimilarItemsRequest(item_ids=[full[0]], slate_size=5, constraints=sel.Constraints(promotions=[by_id]))
    assert {last, full[-2]} < set(ids(await recommendation.SimilarItems(similar, timeout=5)))


async def test_what_is_promoted_is_found_where_the_filter_was_dropped(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    last = ids(await recommend(recommendation, user, N))[-1]
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=3,
        candidate_count=3,
        filter=sel.Filter(expression='genres:"None"', on_empty=sel.EMPTY_POLICY_RELAX_FILTER),
        constraints=sel.Constraints(promotions=[promote(f"id:{json.dumps(last)}", 1)]),
    )
    answer = await recommendation.Recommend(request, timeout=5)
    assert last in ids(answer)
    assert not answer.meta.warnings
    assert list(answer.meta.degradation.causes) == [answer_pb2.DEGRADATION_CAUSE_FILTER_RELAXED]


async def test_a_stage_that_is_asked_several_times_is_reported_once(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    promotions = [promote('genres:"Western"', 1), promote('genres:"Comedy"', 1)]
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        filter=sel.Filter(expression='genres:"Opera"', on_empty=sel.EMPTY_POLICY_RELAX_FILTER),
        constraints=sel.Constraints(promotions=promotions),
    )
    stages = (await recommendation.Recommend(request, timeout=5)).meta.stages
    assert [stage.stage for stage in stages] == ["read_actor", "retrieve", "rank"]
    retrieve = stages[1]
    assert retrieve.items_in == N
    assert retrieve.items_out == N + N // 4 * 2, "of the search and of both promotions"
    assert 0.0 < retrieve.spent.ToTimedelta().total_seconds() <= retrieve.budget.ToTimedelta().total_seconds()


async def test_promotions_that_fall_short_are_said(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommend(recommendation, user, 5, promotions=[promote('id:"nowhere"', 2)])
    assert list(answer.meta.warnings) == ["constraints.promotions[0]: 0 of 2 positions, for want of items or positions"]
    assert ids(answer) == ids(await recommend(recommendation, user, 5))
    westerns = [sel.Promotion(filter=WESTERNS, slots=3)]
    capped = await recommend(recommendation, user, 8, promotions=westerns, attribute_caps=[cap(2)])
    assert genres(ids(capped))["Western"] == 2
    assert "2 of 3 positions" in capped.meta.warnings[0]
    plain = await recommend(recommendation, user, N)
    highest = plain.results[0].heads.click_probability
    bounded = await recommend(recommendation, user, 8, promotions=westerns, minimum_click_probability=highest)
    assert len(bounded.results) == 1
