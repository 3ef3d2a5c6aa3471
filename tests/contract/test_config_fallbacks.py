"""What answers where a serving config leaves nothing to show, and how its slates go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from shortlist.common.v1 import answer_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_testing.platform import Platform

from .config_calls import Configs
from .questions import ask, causes, refused, shown

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub
from .narrowed import ITEMS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_fallback_answers_where_the_filter_empties_the_slate(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(f"{name}-safe", slate_size=4, sources=[{"source": "popular"}])
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe")
    nothing = selection_pb2.Filter(expression="year > 3000")
    request = ask(user, serving_config=name, filter=nothing, slate_size=5)
    answer = await recommendation.Recommend(request)
    assert answer.meta.serving_config == f"{name}-safe"
    assert len(answer.results) == 4, "as many as the fallback allows"
    assert {one.source for result in answer.results for one in result.provenance} == {"popular"}
    assert causes(answer) == {"FALLBACK_CONFIG"}
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_PARTIAL
    said = f"serving_config: '{name}' left nothing to show; '{name}-safe' answered, without the request's filter"
    assert said in answer.meta.warnings
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert following.meta.serving_config == f"{name}-safe"
    assert not set(shown(following)) & set(shown(answer))
    explained = await recommendation.ExplainRecommendation(
        pb.ExplainRecommendationRequest(
            attribution_token=answer.meta.attribution_token, item_id=answer.results[0].item_id
        )
    )
    assert explained.explanation.rank == 0
    request.filter.on_empty = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    answer = await recommendation.Recommend(request)
    assert (list(answer.results), answer.meta.serving_config) == ([], name)
    assert causes(answer) == {"EMPTY_SELECTION", "SHORT_SLATE"}


async def test_a_request_may_ask_for_the_fallback_where_the_config_names_one(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    nothing = selection_pb2.Filter(expression="year > 3000", on_empty=selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG)
    await configs.put(name)
    for config in ("default", name):
        said = await refused(recommendation.Recommend(ask(user, serving_config=config, filter=nothing)))
        assert said == f"filter.on_empty: is FALLBACK_CONFIG; serving config '{config}' names no fallback_config"
    await configs.put(name, fallback_config="default")
    answer = await recommendation.Recommend(ask(user, serving_config=name, filter=nothing))
    assert (len(answer.results), answer.meta.serving_config) == (10, "default")
    similar = pb.SimilarItemsRequest(item_ids=ITEMS[:1], serving_config=name, filter=nothing)
    found = await recommendation.SimilarItems(similar)
    assert (len(found.results), found.meta.serving_config) == (10, "default")


async def test_a_fallback_of_a_fallback_answers_and_the_requests_constraints_hold(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    empty = {"minimum_click_probability": 1.0}
    await configs.put(f"{name}-c", constraints={"attribute_caps": [{"attribute": "genres", "maximum": 1}]})
    await configs.put(
        f"{name}-b", on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-c", constraints=empty
    )
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-b", constraints=empty)
    request = ask(user, serving_config=name)
    request.constraints.exclude_item_ids.extend(ITEMS[:20])
    request.constraints.attribute_caps.add(attribute="genres", maximum=2)
    answer = await recommendation.Recommend(request)
    assert answer.meta.serving_config == f"{name}-c"
    assert not set(shown(answer)) & set(ITEMS[:20])
    assert len(answer.results) == 4, "one of each genre: the fallback's cap is the tighter one"
    assert sum("left nothing to show" in warning for warning in answer.meta.warnings) == 2
    assert "FALLBACK_CONFIG" in causes(answer)


async def test_a_fallback_that_is_gone_leaves_the_answer_empty_and_that_is_said(
    platform: Platform, configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(f"{name}-safe")
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe")
    documents = platform.service.features.store().documents
    await documents.write_document("serving_configs", f"{name}-safe", None, None, Deadline.after(5.0))
    async with asyncio.timeout(10):
        while f"{name}-safe" in await configs.all():
            await asyncio.sleep(0.02)
    request = ask(user, serving_config=name, filter=selection_pb2.Filter(expression="year > 3000"))
    answer = await recommendation.Recommend(request)
    assert (list(answer.results), answer.meta.serving_config) == ([], name)
    assert (
        f"the fallback of '{name}' cannot answer: there is no serving config '{name}-safe'" in answer.meta.warnings[0]
    )
    (problem,) = (await configs.get(name)).problems
    assert problem.startswith(f"fallback_config is '{name}-safe', which there is not")
    await refused(configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe"))


async def test_a_relaxing_config_relaxes_where_the_request_is_silent(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, on_empty="EMPTY_POLICY_RELAX_FILTER")
    request = ask(user, serving_config=name, filter=selection_pb2.Filter(expression="year > 3000"))
    answer = await recommendation.Recommend(request)
    assert (len(answer.results), causes(answer)) == (10, {"FILTER_RELAXED"})
    request.filter.on_empty = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    assert not (await recommendation.Recommend(request)).results


async def test_a_page_is_no_longer_than_the_config_allows(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, slate_size=4)
    first = await recommendation.Recommend(ask(user, serving_config=name, slate_size=2))
    following = pb.RecommendNextRequest(next_token=first.meta.next_token, slate_size=4)
    assert len((await recommendation.RecommendNext(following)).results) == 4
    following.slate_size = 5
    said = await refused(recommendation.RecommendNext(following))
    assert said == f"slate_size: is 5; serving config {name!r} allows at most 4"


async def test_a_page_after_a_change_goes_on_under_the_changed_config_and_says_so(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name)
    first = await recommendation.Recommend(ask(user, serving_config=name, slate_size=5))
    changed = await configs.put(name, slate_size=3, constraints={"exclude_item_ids": ITEMS[:30]})
    page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token))
    assert page.meta.serving_config_version == changed.version
    assert not set(shown(page)) & {*shown(first), *ITEMS[:30]}
    assert any(f"'{name}' is at version {changed.version}" in warning for warning in page.meta.warnings)
    await configs.delete(name)
    said = await refused(
        recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token)),
        grpc.StatusCode.FAILED_PRECONDITION,
    )
    assert "call Recommend again" in said
