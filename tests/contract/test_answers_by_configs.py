"""Requests that name a serving config get its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.tiny_bundle import GENRES

from .config_calls import Configs
from .questions import actor, ask, refused, shown

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub
from .narrowed import ITEMS, genres

pytestmark = pytest.mark.asyncio(loop_scope="module")


def cap(maximum: int) -> selection_pb2.Constraints:
    return selection_pb2.Constraints(attribute_caps=[selection_pb2.AttributeCap(attribute="genres", maximum=maximum)])


async def test_an_answer_names_its_config_and_version(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    plain = await recommendation.Recommend(ask(user))
    assert (plain.meta.serving_config, plain.meta.serving_config_version) == ("default", 0)
    first = await configs.put(name, slate_size=3)
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    assert (answer.meta.serving_config, answer.meta.serving_config_version) == (name, first.version)
    assert shown(answer) == shown(plain)[:3]
    second = await configs.put(name, slate_size=4)
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    assert (len(answer.results), answer.meta.serving_config_version) == (4, second.version)
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
    assert list(answer.meta.warnings) == []


async def test_an_unknown_config_is_not_found_and_the_known_ones_are_named(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name)
    calls = (
        recommendation.Recommend(ask(user, serving_config="unheard-of")),
        recommendation.Recommend(ask(user, serving_config="unheard-of", validate_only=True)),
        recommendation.SimilarItems(pb.SimilarItemsRequest(item_ids=ITEMS[:1], serving_config="unheard-of")),
        recommendation.RerankItems(
            pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:2], serving_config="unheard-of")
        ),
        recommendation.ExplainRecommendation(
            pb.ExplainRecommendationRequest(request=ask(user, serving_config="unheard-of"), item_id=ITEMS[0])
        ),
        recommendation.CompareBundles(
            pb.CompareBundlesRequest(request=ask(user, serving_config="unheard-of"), other_bundle_id="other")
        ),
    )
    for call in calls:
        said = await refused(call, grpc.StatusCode.NOT_FOUND)
        assert "'unheard-of'" in said
        assert f"'{name}'" in said


async def test_only_the_sources_of_the_config_are_asked_and_their_weights_count(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    history = [actor_pb2.Event(item_id=ITEMS[0], value=5.0), actor_pb2.Event(item_id=ITEMS[5], value=4.0)]
    request = ask(user, slate_size=20, context=actor_pb2.Context(events=history), serving_config=name)
    await configs.put(name, sources=[{"source": "popular"}])
    answer = await recommendation.Recommend(request)
    assert {one.source for result in answer.results for one in result.provenance} == {"popular"}
    mixed = [{"source": "popular", "weight": 1000.0}, {"source": "two_tower", "weight": 0.001}]
    await configs.put(name, sources=mixed)
    request.debug_level = pb.DEBUG_LEVEL_FULL
    answer = await recommendation.Recommend(request)
    sources = {one.source for result in answer.results for one in result.provenance}
    assert sources == {"popular", "two_tower"}
    by_retrieval = sorted(zip(answer.debug.results, answer.results, strict=True), key=lambda p: p[0].retrieval_rank)
    popular = [next(o.source_rank for o in result.provenance if o.source == "popular") for _, result in by_retrieval]
    assert popular == sorted(popular), "the heavier source decides the order of retrieval"


async def test_head_weights_of_the_config_decide_the_order(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    for head, of in (("click", "click_probability"), ("rating", "rating")):
        await configs.put(name, head_weights=[{"head": head, "weight": 1.0}])
        answer = await recommendation.Recommend(ask(user, slate_size=20, serving_config=name))
        values = [getattr(result.heads, of) for result in answer.results]
        assert values == sorted(values, reverse=True)
        listed = pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:20], serving_config=name)
        reranked = await recommendation.RerankItems(listed)
        values = [getattr(result.heads, of) for result in reranked.results]
        assert values == sorted(values, reverse=True)
        assert reranked.meta.serving_config == name


async def test_candidates_of_the_config_are_the_default_and_the_most(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, candidate_count=20)
    for asked, given in ((0, 20), (15, 15), (20, 20)):
        answer = await recommendation.Recommend(ask(user, serving_config=name, candidate_count=asked))
        (retrieve,) = (stage for stage in answer.meta.stages if stage.stage == "retrieve")
        assert retrieve.items_out == given
    said = await refused(recommendation.Recommend(ask(user, serving_config=name, candidate_count=21)))
    assert said == f"candidate_count: is 21; serving config '{name}' allows at most 20"


async def test_every_call_under_a_config_keeps_to_its_constraints(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    constraints = cap(2)
    constraints.exclude_item_ids.extend(ITEMS[:10])
    record = await configs.put(name, slate_size=6, constraints=constraints)
    request = ask(user, serving_config=name)

    def check(answer: Any, n: int = 6) -> None:
        assert (answer.meta.serving_config, answer.meta.serving_config_version) == (name, record.version)
        assert len(answer.results) == n
        assert not set(shown(answer)) & set(ITEMS[:10])
        assert max(map(genres(answer).count, GENRES)) <= 2

    answer = await recommendation.Recommend(request)
    check(answer)
    similar = pb.SimilarItemsRequest(item_ids=ITEMS[20:21], serving_config=name)
    check(await recommendation.SimilarItems(similar))
    batch = pb.BatchRecommendRequest(actors=[actor("a"), actor("b")], request=pb.RecommendRequest(serving_config=name))
    found = [one async for one in recommendation.BatchRecommend(batch)]
    for one in found:
        check(one.answer)
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert (following.meta.serving_config, following.meta.serving_config_version) == (name, record.version)
    assert not set(shown(following)) & set(ITEMS[:10])
    both = [*shown(answer), *shown(following)]
    held = [GENRES[ITEMS.index(item) % len(GENRES)] for item in both]
    assert max(map(held.count, GENRES)) <= 2, "the cap holds for all pages together"
    explained = await recommendation.ExplainRecommendation(
        pb.ExplainRecommendationRequest(request=request, item_id=ITEMS[0])
    )
    assert explained.explanation.outcome == pb.ITEM_OUTCOME_EXCLUDED
    assert explained.meta.serving_config == name
    by_token = pb.ExplainRecommendationRequest(attribution_token=answer.meta.attribution_token, item_id=ITEMS[0])
    explained = await recommendation.ExplainRecommendation(by_token)
    assert explained.explanation.outcome == pb.ITEM_OUTCOME_EXCLUDED
    by_token.request.serving_config = "default"
    assert "request.serving_config: is not the token's" in await refused(recommendation.ExplainRecommendation(by_token))
    dry = await recommendation.Recommend(ask(user, serving_config=name, validate_only=True))
    assert (dry.meta.serving_config, dry.meta.serving_config_version) == (name, record.version)
