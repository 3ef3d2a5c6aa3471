"""Serving configs without a ranker: retrieval's order stands, no heads are claimed, nothing is degraded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import item_ids

from .config_calls import Configs
from .questions import actor, ask, causes, refused, shown
from .slates import N

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(N)
NONE = configs_pb.RANKER_NONE


def check_unranked(answer: Any, name: str) -> None:
    """Nothing is degraded, the ranker was not asked, and nothing of it is claimed."""
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
    assert (causes(answer), answer.meta.degradation.ranked_fraction) == (set(), 0.0)
    (rank,) = (stage for stage in answer.meta.stages if stage.stage == "rank")
    assert (rank.outcome, rank.reason) == (
        answer_pb2.STAGE_OUTCOME_SKIPPED,
        f"serving config '{name}' asks no ranker",
    )
    assert not any(result.HasField("heads") for result in answer.results)


async def test_the_order_and_the_scores_are_those_of_retrieval(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, ranker=NONE)
    request = ask(user, slate_size=N, serving_config=name, debug_level=pb.DEBUG_LEVEL_FULL)
    answer = await recommendation.Recommend(request)
    check_unranked(answer, name)
    assert list(answer.meta.warnings) == []
    places = [stage.retrieval_rank for stage in answer.debug.results]
    assert places == list(range(len(answer.results)))
    assert [result.score for result in answer.results] == [stage.retrieval_score for stage in answer.debug.results]
    assert not any(stage.HasField("ranking_score") or stage.item_features for stage in answer.debug.results)
    request.serving_config = "default"
    ranked = await recommendation.Recommend(request)
    by_retrieval = sorted(ranked.debug.results, key=lambda stage: stage.retrieval_rank)
    assert [stage.item_id for stage in by_retrieval] == shown(answer)
    assert {r.item_id: (list(r.provenance), list(r.reasons)) for r in answer.results} == {
        r.item_id: (list(r.provenance), list(r.reasons)) for r in ranked.results
    }


async def test_pages_and_batches_go_on_in_the_same_order(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, ranker=NONE)
    whole = shown(await recommendation.Recommend(ask(user, slate_size=15, serving_config=name)))
    page: Any = await recommendation.Recommend(ask(user, slate_size=5, serving_config=name))
    found = shown(page)
    for _ in range(2):
        page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=page.meta.next_token))
        check_unranked(page, name)
        found += shown(page)
    assert found == whole
    template = pb.RecommendRequest(serving_config=name, slate_size=15)
    batch = pb.BatchRecommendRequest(actors=[actor(user)], request=template)
    (one,) = [one async for one in recommendation.BatchRecommend(batch)]
    check_unranked(one.answer, name)
    assert shown(one.answer) == whole


async def test_what_needs_no_ranker_holds_and_what_needs_one_is_refused(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    rules = {
        "attribute_caps": [{"attribute": "genres", "maximum": 2}],
        "pins": [{"item_id": ITEMS[4], "position": 1}],
        "promotions": [{"filter": {"expression": "year > 1990"}, "slots": 1}],
        "rotation": {"rate": 0.5, "half_life": {"seconds": 60}},
    }
    await configs.put(name, ranker=NONE, slate_size=6, constraints=rules)
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    check_unranked(answer, name)
    assert shown(answer)[1] == ITEMS[4]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"minimum_click_probability": 0.5}, "minimum_click_probability: is 0.5"),
        ({"diversity": {"strength": 0.5}}, "diversity.strength: is 0.5"),
        ({"exploration": {"slots": 1, "strength": 0.5}}, "exploration.strength: is 0.5"),
    ]
    for constraints, said in cases:
        request = ask(user, serving_config=name, constraints=constraints)
        limit = f"constraints.{said}; serving config '{name}' asks no ranker, and nothing else can do that"
        assert await refused(recommendation.Recommend(request)) == limit
        request.serving_config = "default"
        await recommendation.Recommend(request)
        refusal = await refused(configs.put(f"{name}-b", ranker=NONE, constraints=constraints))
        assert refusal.startswith(f"config.constraints.{next(iter(constraints))}: needs a ranker")
    idle = {"minimum_click_probability": 0.0, "exploration": {"slots": 1}, "diversity": {}}
    check_unranked(await recommendation.Recommend(ask(user, serving_config=name, constraints=idle)), name)
    weights = [{"head": "click", "weight": 1.0}]
    assert "config.head_weights: needs a ranker" in await refused(
        configs.put(f"{name}-b", ranker=NONE, head_weights=weights)
    )


async def test_a_fallback_without_a_ranker_leaves_out_what_needs_one_and_says_so(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(f"{name}-safe", ranker=NONE)
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe")
    request = ask(user, serving_config=name, constraints={"minimum_click_probability": 1.0})
    answer = await recommendation.Recommend(request)
    assert (len(answer.results), answer.meta.serving_config) == (10, f"{name}-safe")
    assert causes(answer) == {"FALLBACK_CONFIG"}
    said = f"was not applied, since serving config '{name}-safe' asks no ranker"
    assert f"constraints.minimum_click_probability: {said}" in answer.meta.warnings


async def test_a_list_keeps_its_order_and_that_is_said(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, ranker=NONE)
    items = [*ITEMS[20:10:-1], "nowhere", *ITEMS[30:35]]
    request = pb.RerankItemsRequest(actor=actor(user), item_ids=items, serving_config=name)
    answer = await recommendation.RerankItems(request)
    check_unranked(answer, name)
    assert shown(answer) == [*(item for item in items if item != "nowhere"), "nowhere"]
    assert list(answer.meta.warnings) == [f"serving_config: '{name}' asks no ranker; the items keep their order"]
    request.validate_only = True
    assert (await recommendation.RerankItems(request)).meta.warnings == answer.meta.warnings, "known without asking"


async def test_explanations_claim_nothing_of_a_ranker_that_was_not_asked(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, ranker=NONE)
    unranked = await recommendation.Recommend(ask(user, serving_config=name))
    third = unranked.results[2]
    token = pb.ExplainRecommendationRequest(
        attribution_token=unranked.meta.attribution_token,
        item_id=third.item_id,
        what_if=pb.WhatIf(serving_config="default"),
    )
    found = await recommendation.ExplainRecommendation(token)
    assert (found.explanation.rank, found.explanation.scores.retrieval_score) == (2, third.score)
    assert not found.explanation.HasField("heads")
    assert not found.explanation.scores.HasField("ranking_score")
    assert found.what_if.HasField("heads"), "with the bundle's ranker"
    assert found.what_if.scores.HasField("ranking_score")
    ranked = ask(user, constraints={"minimum_click_probability": 0.001, "diversity": {"strength": 0.5}})
    what_if = pb.ExplainRecommendationRequest(
        request=ranked, item_id=third.item_id, what_if=pb.WhatIf(serving_config=name)
    )
    found = await recommendation.ExplainRecommendation(what_if)
    assert found.explanation.HasField("heads")
    assert found.what_if.rank == 2
    assert not found.what_if.HasField("heads")
    said = f"was not applied in what_if, since serving config '{name}' asks no ranker"
    assert list(found.meta.warnings) == [f"constraints.{field}: {said}" for field in WITH_RANKER]
    hidden = pb.ExplainRecommendationRequest(
        request=ask(user, serving_config=name, constraints={"exclude_item_ids": ITEMS[:1]}), item_id=ITEMS[0]
    )
    found = await recommendation.ExplainRecommendation(hidden)
    assert found.explanation.outcome == pb.ITEM_OUTCOME_EXCLUDED
    assert not found.explanation.HasField("heads")


WITH_RANKER = ("minimum_click_probability", "diversity")


async def test_two_bundles_are_compared_by_their_retrieval(
    platform: Platform, configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, ranker=NONE)
    request = pb.CompareBundlesRequest(request=ask(user, serving_config=name), other_bundle_id=platform.bundle_id)
    compared = await recommendation.CompareBundles(request)
    check_unranked(compared.base, name)
    check_unranked(compared.other, name)
    assert set(compared.overlap_at) == {1.0}


async def test_an_arm_without_a_ranker_tells_what_the_ranker_brings(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub
) -> None:
    await configs.put(f"{name}-control", ranker=NONE)
    variants = [
        configs_pb.ServingVariant(name="ranked", weight=1),
        configs_pb.ServingVariant(name="control", weight=1, serving_config=f"{name}-control"),
    ]
    await configs.put(name, experiment=configs_pb.ServingExperiment(name="ranker", variants=variants))
    seen = set()
    for user in range(40):
        answer = await recommendation.Recommend(ask(f"arm-{user}", serving_config=name))
        (variant,) = answer.meta.variants
        seen.add(variant)
        if variant == "ranker:control":
            check_unranked(answer, f"{name}-control")
        else:
            assert answer.meta.degradation.ranked_fraction == 1.0
            assert all(result.HasField("heads") for result in answer.results)
    assert seen == {"ranker:ranked", "ranker:control"}
