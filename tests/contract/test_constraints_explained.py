"""What explanations say of items that constraints keep out, and of pages that are longer than their config allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.tiny_bundle import GENRES

from .config_calls import Configs
from .narrowed import ITEMS
from .questions import ask, shown

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def outcome(stub: RecommendationServiceAsyncStub, item_id: str, **fields: object) -> str:
    request = pb.ExplainRecommendationRequest(item_id=item_id, **fields)  # type: ignore[arg-type]
    found = (await stub.ExplainRecommendation(request, timeout=5)).explanation
    return pb.ItemOutcome.Name(found.outcome).removeprefix("ITEM_OUTCOME_")


async def test_what_a_cap_passes_over_is_constrained_wherever_boosts_put_it(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    free = shown(await recommendation.Recommend(ask(user, slate_size=4)))
    dramas = ITEMS[GENRES.index("Drama") :: len(GENRES)]
    boost = selection_pb2.Boost(filter=selection_pb2.Filter(expression='genres:"Drama"'), factor=100.0)
    cap = selection_pb2.AttributeCap(attribute="genres", maximum=2)
    request = ask(user, slate_size=4, constraints=selection_pb2.Constraints(boosts=[boost], attribute_caps=[cap]))
    slate = shown(await recommendation.Recommend(request))
    assert len(set(slate) & set(dramas)) == 2
    for item_id in dramas:
        expected = "SHOWN" if item_id in slate else "CONSTRAINED"
        assert await outcome(recommendation, item_id, request=request) == expected, "all dramas are before all others"
    others = [item_id for item_id in ITEMS if item_id not in {*dramas, *slate, *free}]
    over = {genre for genre in GENRES if [GENRES[ITEMS.index(i) % len(GENRES)] for i in slate].count(genre) == 2}
    below = [item_id for item_id in others if GENRES[ITEMS.index(item_id) % len(GENRES)] not in over]
    assert {await outcome(recommendation, item_id, request=request) for item_id in below[:8]} == {"BELOW_SLATE"}


async def test_nothing_is_below_a_slate_that_a_cap_left_short(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    cap = selection_pb2.AttributeCap(attribute="genres", maximum=1)
    request = ask(user, slate_size=10, constraints=selection_pb2.Constraints(attribute_caps=[cap]))
    slate = shown(await recommendation.Recommend(request))
    assert len(slate) == len(GENRES)
    for item_id in ITEMS[::7]:
        expected = "SHOWN" if item_id in slate else "CONSTRAINED"
        assert await outcome(recommendation, item_id, request=request) == expected


async def test_an_item_of_a_later_page_is_explained_where_the_config_limits_pages(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, slate_size=3)
    token = (await recommendation.Recommend(ask(user, serving_config=name))).meta.next_token
    for _ in range(2):
        page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=token))
        token = page.meta.next_token
    token = page.meta.attribution_token
    for result in page.results:
        request = pb.ExplainRecommendationRequest(item_id=result.item_id, attribution_token=token)
        found = (await recommendation.ExplainRecommendation(request, timeout=5)).explanation
        assert (found.outcome, found.rank) == (pb.ITEM_OUTCOME_SHOWN, result.rank)


async def test_a_token_is_of_the_slate_that_was_asked_for_also_where_a_cap_left_it_short(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    cap = selection_pb2.AttributeCap(attribute="genres", maximum=1)
    explore = selection_pb2.Exploration(slots=3, strength=1.0)
    constraints = selection_pb2.Constraints(attribute_caps=[cap], exploration=explore)
    answer = await recommendation.Recommend(ask(user, slate_size=10, constraints=constraints))
    assert len(answer.results) == len(GENRES) < 10
    again = pb.RecommendRequest(constraints=constraints)
    for result in answer.results:
        request = pb.ExplainRecommendationRequest(
            item_id=result.item_id, request=again, attribution_token=answer.meta.attribution_token
        )
        found = (await recommendation.ExplainRecommendation(request, timeout=5)).explanation
        assert (found.outcome, found.rank) == (pb.ITEM_OUTCOME_SHOWN, result.rank)


async def test_a_what_if_is_told_to_models_and_not_to_conditions(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    context = actor_pb2.Context(attributes=[actor_pb2.Attribute(name="gender", text="F")])
    women = selection_pb2.Filter(expression='actor.gender = "F" AND genres:"Drama"')
    constraints = selection_pb2.Constraints(boosts=[selection_pb2.Boost(filter=women, factor=5.0)])
    request = ask(user, context=context, filter=women, constraints=constraints)
    best = (await recommendation.Recommend(request)).results[0].item_id
    asked = pb.ExplainRecommendationRequest(
        request=request, item_id=best, what_if=pb.WhatIf(dropped_features=["gender"])
    )
    answer = await recommendation.ExplainRecommendation(asked, timeout=5)
    assert answer.what_if.outcome in (pb.ITEM_OUTCOME_SHOWN, pb.ITEM_OUTCOME_BELOW_SLATE)
    assert answer.what_if.scores.boost == answer.explanation.scores.boost == 5.0
    assert not answer.what_if.actor.attributes
