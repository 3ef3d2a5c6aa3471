"""Lists of what is popular and of what is new, as serving configs, and new items among an actor's candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_testing.tiny_bundle import tiny_times

from .config_calls import Configs
from .questions import ask, causes, shown
from .slates import ITEMS, N

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

KNOWN, TIMES_S = tiny_times(N).T
NEWEST = [ITEMS[row] for row in np.argsort(-TIMES_S, kind="stable").tolist() if KNOWN[row]]
ANYBODY = actor_pb2.Actor(visitor_id="a-list")


def sources(answer: Any) -> set[str]:
    return {one.source for result in answer.results for one in result.provenance}


def reasons(answer: Any) -> set[int]:
    return {reason.kind for result in answer.results for reason in result.reasons}


async def test_a_config_without_ranker_is_a_list_of_what_is_new(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub
) -> None:
    await configs.put(name, sources=[{"source": "newest"}], ranker=configs_pb.RANKER_NONE)
    request = pb.RecommendRequest(actor=ANYBODY, serving_config=name, slate_size=7)
    answer = await recommendation.Recommend(request)
    assert shown(answer) == NEWEST[:7]
    assert sources(answer) == {"newest"}
    assert reasons(answer) == {answer_pb2.REASON_KIND_NEWEST}
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert shown(following) == NEWEST[7:14]
    request.filter.expression = f'id:("{NEWEST[9]}", "{NEWEST[4]}")'
    assert shown(await recommendation.Recommend(request)) == [NEWEST[4], NEWEST[9]]


async def test_a_config_without_ranker_is_a_list_of_what_is_popular(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub
) -> None:
    await configs.put(name, sources=[{"source": "popular"}], ranker=configs_pb.RANKER_NONE)
    answer = await recommendation.Recommend(pb.RecommendRequest(actor=ANYBODY, serving_config=name, slate_size=20))
    ranks = [one.source_rank for result in answer.results for one in result.provenance]
    assert ranks == list(range(20))
    assert (sources(answer), reasons(answer)) == ({"popular"}, {answer_pb2.REASON_KIND_POPULAR})


async def test_a_share_of_the_candidates_may_be_new_and_is_none_unless_it_is_named(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    mixed = [{"source": "two_tower", "quota": 0.8}, {"source": "newest", "quota": 0.2}]
    await configs.put(name, sources=mixed, candidate_count=20)
    answer = await recommendation.Recommend(ask(user, serving_config=name, slate_size=20))
    new = {r.item_id for r in answer.results if any(one.source == "newest" for one in r.provenance)}
    assert new >= set(NEWEST[:4]), "a fifth of twenty candidates"
    assert "newest" not in sources(await recommendation.Recommend(ask(user, slate_size=N)))


async def test_sources_that_have_nothing_for_an_actor_are_no_matter_of_the_filter(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, sources=[{"source": "item_neighbours"}])
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    assert (shown(answer), causes(answer)) == ([], {"SHORT_SLATE"})
    request = ask(user, serving_config=name)
    request.filter.expression = "year > 3000"
    assert causes(await recommendation.Recommend(request)) == {"SHORT_SLATE", "EMPTY_SELECTION"}
