"""Explanations and comparisons of requests that a fallback answers: they say what Recommend does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids, tiny_bundle

from .config_calls import Configs
from .questions import ask, causes, refused, shown

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(62)
NOTHING = selection_pb2.Filter(expression="year > 3000")
FALLBACK = "EMPTY_POLICY_FALLBACK_CONFIG"
ONLY_NEW = selection_pb2.Filter(expression=f'id:("{ITEMS[60]}", "{ITEMS[61]}")')
"""What the bundle before does not have."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform after a release of two items more; its ``bundle_id`` is the bundle before."""
    folder: Path = tmp_path_factory.mktemp("platform")
    async with running_platform(folder, n_items=60) as platform:
        new = tiny_bundle(folder / "bundles", n_items=62).bundle_id
        stub = RecommendationServiceStub(platform.channel)
        async with asyncio.timeout(10):
            while (await stub.Recommend(ask("u"), timeout=5)).meta.bundle.bundle_id != new:
                await asyncio.sleep(0.02)
        yield platform


async def explained(
    stub: RecommendationServiceAsyncStub, request: pb.RecommendRequest, item_id: str, **what_if: str
) -> pb.ExplainRecommendationResponse:
    changed = pb.WhatIf(**what_if) if what_if else None  # type: ignore[arg-type]
    return await stub.ExplainRecommendation(
        pb.ExplainRecommendationRequest(request=request, item_id=item_id, what_if=changed), timeout=10
    )


async def test_an_explanation_is_of_the_fallbacks_answer_where_that_is_what_recommend_gives(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    safe = f"{name}-safe"
    await configs.put(safe, slate_size=4, sources=[{"source": "popular"}])
    await configs.put(name, on_empty=FALLBACK, fallback_config=safe)
    request = ask(user, serving_config=name, filter=NOTHING, slate_size=5)
    answer = await recommendation.Recommend(request)
    assert (answer.meta.serving_config, len(answer.results)) == (safe, 4)
    for rank, item_id in enumerate(shown(answer)):
        why = await explained(recommendation, request, item_id)
        assert (why.explanation.outcome, why.explanation.rank) == (pb.ITEM_OUTCOME_SHOWN, rank)
        assert {one.source for one in why.explanation.provenance} == {"popular"}
        assert why.explanation.serving_config == why.meta.serving_config == safe
        assert list(why.meta.warnings) == list(answer.meta.warnings)
        assert causes(why) == causes(answer) == {"FALLBACK_CONFIG"}
        assert list(why.explanation.causes) == list(answer.meta.degradation.causes)
    other = next(item for item in ITEMS if item not in shown(answer))
    kept_out = (await explained(recommendation, request, other)).explanation.outcome
    assert kept_out == pb.ITEM_OUTCOME_BELOW_SLATE, "the fallback answers without the filter"
    request.filter.on_empty = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    why = await explained(recommendation, request, shown(answer)[0])
    assert why.explanation.outcome == pb.ITEM_OUTCOME_FILTERED
    assert why.explanation.serving_config == why.meta.serving_config == name
    request.constraints.minimum_click_probability = 2.0
    assert "request.constraints.minimum_click" in await refused(explained(recommendation, request, other))


async def test_a_fallback_of_a_fallback_is_followed_and_an_answers_token_is_not_left(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    empty = {"minimum_click_probability": 1.0}
    await configs.put(f"{name}-c", slate_size=3)
    await configs.put(f"{name}-b", on_empty=FALLBACK, fallback_config=f"{name}-c", constraints=empty)
    await configs.put(name, on_empty=FALLBACK, fallback_config=f"{name}-b", constraints=empty)
    request = ask(user, serving_config=name)
    answer = await recommendation.Recommend(request)
    why = await explained(recommendation, request, shown(answer)[2])
    assert why.explanation.rank == 2
    assert why.explanation.serving_config == answer.meta.serving_config == f"{name}-c"
    await configs.put(f"{name}-c", on_empty=FALLBACK, fallback_config="default", constraints=empty)
    later = pb.ExplainRecommendationRequest(attribution_token=answer.meta.attribution_token, item_id=shown(answer)[2])
    by_token = await recommendation.ExplainRecommendation(later)
    assert by_token.explanation.serving_config == f"{name}-c", "the answer was this config's"
    assert by_token.explanation.outcome == pb.ITEM_OUTCOME_BELOW_MINIMUM


async def test_a_what_if_goes_as_far_down_as_it_has_to(
    platform: Platform, configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    safe = f"{name}-safe"
    await configs.put(safe, slate_size=50)
    await configs.put(name, on_empty=FALLBACK, fallback_config=safe)
    request = ask(user, serving_config=name, filter=ONLY_NEW)
    old = platform.bundle_id
    why = await explained(recommendation, request, ITEMS[60], bundle_id=old)
    assert (why.explanation.outcome, why.explanation.serving_config) == (pb.ITEM_OUTCOME_SHOWN, name)
    assert why.what_if.outcome == pb.ITEM_OUTCOME_NOT_IN_CATALOGUE
    assert (why.what_if.bundle_id, why.what_if.serving_config) == (old, safe)
    assert f"what_if: serving_config: {name!r} left nothing to show; {safe!r} answered" in str(list(why.meta.warnings))
    assert "FALLBACK_CONFIG" not in causes(why), "meta is about the answer as it is"
    request.bundle_id = old
    new = why.explanation.bundle_id
    why = await explained(recommendation, request, ITEMS[5], bundle_id=new)
    assert (why.explanation.bundle_id, why.explanation.serving_config) == (old, safe)
    assert (why.what_if.outcome, why.what_if.serving_config) == (pb.ITEM_OUTCOME_FILTERED, name)


async def test_a_what_if_of_another_ranking_orders_what_the_fallback_found(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    weights = [{"head": "rating", "weight": 1.0}]
    await configs.put(f"{name}-safe", slate_size=50)
    await configs.put(f"{name}-rating", head_weights=weights)
    await configs.put(f"{name}-plain", ranker="RANKER_NONE")
    await configs.put(f"{name}-safe-by-rating", slate_size=50, head_weights=weights)
    await configs.put(name, on_empty=FALLBACK, fallback_config=f"{name}-safe")
    request = ask(user, serving_config=name, filter=NOTHING, slate_size=40)
    expected = shown(await recommendation.Recommend(ask(user, serving_config=f"{name}-safe-by-rating", slate_size=40)))
    for item_id in expected[:3]:
        why = await explained(recommendation, request, item_id, serving_config=f"{name}-rating")
        assert why.what_if.rank == expected.index(item_id)
        assert why.explanation.serving_config == why.what_if.serving_config == f"{name}-safe"
        assert not [warning for warning in why.meta.warnings if warning.startswith("what_if")], "both fell back"
    why = await explained(recommendation, request, expected[0], serving_config=f"{name}-plain")
    assert why.explanation.HasField("heads")
    assert not why.what_if.HasField("heads")


async def test_each_bundle_that_is_compared_answers_by_its_own_fallback(
    platform: Platform, configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    safe = f"{name}-safe"
    await configs.put(safe, slate_size=4)
    await configs.put(name, on_empty=FALLBACK, fallback_config=safe)
    request = ask(user, serving_config=name, filter=ONLY_NEW, slate_size=5)
    compared = pb.CompareBundlesRequest(request=request, other_bundle_id=platform.bundle_id)
    both = await recommendation.CompareBundles(compared)
    halves = {"": both.base, platform.bundle_id: both.other}
    for bundle_id, half in halves.items():
        request.bundle_id = bundle_id
        answer = await recommendation.Recommend(request)
        assert shown(half) == shown(answer)
        assert half.meta.serving_config == answer.meta.serving_config
        assert causes(half) == causes(answer)
        assert list(half.meta.warnings) == list(answer.meta.warnings)
    assert (both.base.meta.serving_config, len(both.base.results)) == (name, 2)
    assert (both.other.meta.serving_config, len(both.other.results)) == (safe, 4)
    assert "FALLBACK_CONFIG" in causes(both.other)
    assert len(both.moves) == 6
    assert both.overlap_at[-1] == 0.0
