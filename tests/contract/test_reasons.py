"""Reasons of results are what the answer was made from: without the event that one names, it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.platform import Platform

from .config_calls import Configs
from .questions import ask, ratings
from .slates import ITEMS

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

HISTORY = [ITEMS[0], ITEMS[5], ITEMS[10]]


async def by(
    recommendation: RecommendationServiceAsyncStub, source: str, history: list[str]
) -> dict[str, tuple[float, answer_pb2.Reason]]:
    """Return the score and the reason that a source gives each item, where it is the only one that is asked."""
    context = actor_pb2.Context(events=ratings(*history))
    request = ask("somebody", context=context, slate_size=60, candidate_count=2000, serving_config=source)
    answer: pb.RecommendResponse = await recommendation.Recommend(request)
    found = {}
    for result in answer.results:
        (place,), (reason,) = result.provenance, result.reasons
        assert place.source == source.replace("-", "_")
        found[result.item_id] = (place.source_score, reason)
    return found


async def test_the_item_that_a_reason_names_is_the_one_that_gave_most(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    await Configs(platform.channel).put("item-neighbours", sources=[{"source": "item_neighbours"}])
    whole = await by(recommendation, "item-neighbours", HISTORY)
    lost: dict[str, dict[str, float]] = {item_id: {} for item_id in whole}
    for event in HISTORY:
        rest = await by(recommendation, "item-neighbours", [other for other in HISTORY if other != event])
        for item_id, (score, _) in whole.items():
            lost[item_id][event] = score - (rest[item_id][0] if item_id in rest else 0.0)
        assert all(reason.anchor_item_id != event for _, reason in rest.values()), "no event, no reason"
    anchors = set()
    for item_id, (_, reason) in whole.items():
        assert reason.kind == answer_pb2.REASON_KIND_SIMILAR_ITEM
        assert lost[item_id][reason.anchor_item_id] == pytest.approx(max(lost[item_id].values()), abs=1e-5)
        anchors.add(reason.anchor_item_id)
    assert len(anchors) > 1


async def test_taste_is_a_reason_only_where_there_is_some(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    await Configs(platform.channel).put("two-tower", sources=[{"source": "two_tower"}])
    found = await by(recommendation, "two-tower", HISTORY)
    assert {reason.kind for _, reason in found.values()} == {answer_pb2.REASON_KIND_TASTE}
    stranger = await recommendation.Recommend(ask("nobody-at-all", serving_config="two-tower"))
    assert not [reason for result in stranger.results for reason in result.reasons]


async def test_what_is_like_an_item_is_to_nobodys_taste(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    await Configs(platform.channel).put("two-tower", sources=[{"source": "two_tower"}])
    request = pb.SimilarItemsRequest(item_ids=ITEMS[:2], slate_size=60, serving_config="two-tower")
    answer = await recommendation.SimilarItems(request)
    kinds = {reason.kind for result in answer.results for reason in result.reasons}
    assert kinds == {answer_pb2.REASON_KIND_ALIKE}


async def test_popular_with_people_alike_is_said_where_the_list_is_theirs(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    await Configs(platform.channel).put("popular", sources=[{"source": "popular"}])

    async def said(*history: str, gender: str = "") -> set[tuple[str, int]]:
        attributes = [actor_pb2.Attribute(name="gender", text=gender)] if gender else []
        context = actor_pb2.Context(events=ratings(*history), attributes=attributes)
        answer = await recommendation.Recommend(ask("a-stranger", context=context, serving_config="popular"))
        return {
            (place.source, reason.kind)
            for result in answer.results
            for place, reason in zip(result.provenance, result.reasons, strict=True)
        }

    of_all = {("popular", answer_pb2.REASON_KIND_POPULAR)}
    assert await said() == of_all
    assert await said(gender="unheard of") == of_all
    assert await said(gender="F") == {("popular_segment", answer_pb2.REASON_KIND_POPULAR_SEGMENT)}
    assert await said(ITEMS[0], gender="F") == of_all, "who did something gets what most people take"
