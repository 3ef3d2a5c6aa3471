"""What boosts make of a slate, over gRPC."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import ParseDict

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_domain.errors import UpstreamFailed
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .config_calls import Configs
from .questions import ask, refused
from .slates import GENRE_OF, ITEMS, METHODS, NONE, N, boost, event, explore, genres, ids, recommend, spread, write

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTRACT = Path(__file__).parents[2] / "protos" / "README.md"
LIFTED = 'genres:"Western"'


def factor_of(item: str, factor: float) -> float:
    return factor if GENRE_OF[item] == "Western" else 1.0


def scores(answer: Any) -> dict[str, float]:
    return {result.item_id: result.score for result in answer.results}


async def test_a_boost_multiplies_the_odds_that_the_ranker_orders_by(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    plain = await recommend(recommendation, user, N)
    answer = await recommend(recommendation, user, N, boosts=[boost(LIFTED, 3.0)])
    expected = {item: score + math.log(factor_of(item, 3.0)) for item, score in scores(plain).items()}
    assert scores(answer) == pytest.approx(expected, abs=1e-5)
    found = [result.score for result in answer.results]
    assert found == sorted(found, reverse=True)
    assert ids(answer) != ids(plain)
    heads = {result.item_id: result.heads for result in plain.results}
    assert all(result.heads == heads[result.item_id] for result in answer.results), "the ranker's word stays"
    assert answer.meta.degradation.level == NONE
    assert not answer.meta.warnings
    buried = await recommend(recommendation, user, N, boosts=[boost(LIFTED, 0.01)])
    assert genres(ids(buried)[-N // 4 :]) == {"Western": N // 4}
    assert ids(await recommend(recommendation, user, N, boosts=[boost(LIFTED, 1.0)])) == ids(plain)


async def test_boosts_that_change_nothing_leave_the_slate_and_none_brings_anything_in(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]))
    request = ask(user, slate_size=8, candidate_count=8)
    plain = await recommendation.Recommend(request)
    assert not genres(ids(plain))["Western"], "comedies were liked"
    for idle in (boost("id:*", 1.0), boost('id:"nowhere"', 100.0), boost(LIFTED, 100.0)):
        request.constraints.CopyFrom(sel.Constraints(boosts=[idle]))
        answer = await recommendation.Recommend(request)
        assert ids(answer) == ids(plain)
        assert scores(answer) == pytest.approx(scores(plain), abs=1e-5)


async def test_many_boosts_of_one_item_multiply_within_bounds(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    boosts = [boost(LIFTED, 100.0)] * 10 + [boost('genres:"Drama"', 0.01)] * 10
    request = ask(user, slate_size=N, constraints={"boosts": boosts}, debug_level=pb.DEBUG_LEVEL_FULL)
    told = {one.item_id: one.boost for one in (await recommendation.Recommend(request)).debug.results}
    bounds = {"Western": 1e6, "Drama": 1e-6}
    assert told == {item: pytest.approx(bounds.get(GENRE_OF[item], 1.0)) for item in told}


async def test_the_minimum_click_probability_reads_what_the_ranker_said(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    plain = await recommend(recommendation, user, N)
    least = plain.results[20].heads.click_probability
    some = {"minimum_click_probability": least}
    expected = ids(await recommend(recommendation, user, N, **some))
    boosted = await recommend(recommendation, user, N, boosts=[boost(LIFTED, 100.0)], **some)
    assert sorted(ids(boosted)) == sorted(expected)
    assert ids(boosted) != expected


def breaking(monkeypatch: pytest.MonkeyPatch, stage: Any, name: str) -> None:
    async def broken(*arguments: Any, **named: Any) -> Any:
        raise UpstreamFailed(name, "down")

    monkeypatch.setattr(stage, name, broken)


async def test_lists_from_memory_are_boosted_too(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, platform.service.retrieval.engine, "retrieve")
    breaking(monkeypatch, platform.service.ranking.engine, "rank")
    plain = await recommend(recommendation, user, N)
    assert plain.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_STATIC
    answer = await recommend(recommendation, user, N, boosts=[boost(LIFTED, 100.0)])
    assert ids(answer) == sorted(ids(plain), key=lambda item: GENRE_OF[item] != "Western")
    assert ids(answer) != ids(plain)
    expected = {item: score * factor_of(item, 100.0) for item, score in scores(plain).items()}
    assert scores(answer) == pytest.approx(expected)
    assert not answer.meta.warnings


async def test_a_boost_by_a_history_that_cannot_be_read_is_said(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(platform, user, event(ITEMS[7]))
    breaking(monkeypatch, platform.service.features.store(), "read_actor")
    rules = {"exclude_seen": sel.ExcludeSeen(disabled=True)}
    plain = await recommend(recommendation, user, N, **rules)
    answer = await recommend(recommendation, user, N, boosts=[boost("seen()", 100.0)], **rules)
    assert ids(answer) == ids(plain)
    (said,) = answer.meta.warnings
    assert said.startswith("constraints.boosts: what the actor has done is not known at the moment")


async def test_boosts_by_attributes_ids_and_history_multiply(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, event(ITEMS[7]), event(ITEMS[8], "impression"))
    rules = {"exclude_seen": sel.ExcludeSeen(disabled=True)}
    plain = scores(await recommend(recommendation, user, N, **rules))
    asked = [
        boost('seen("rating", 1d)', 50.0),
        boost(f'id:("{ITEMS[7]}", "nowhere")', 2.0),
        boost("seen(impression)", 3.0),
    ]
    answer = await recommend(recommendation, user, N, boosts=asked, **rules)
    assert ids(answer)[0] == ITEMS[7]
    lifts = {ITEMS[7]: 100.0, ITEMS[8]: 3.0}
    expected = {item: score + math.log(lifts.get(item, 1.0)) for item, score in plain.items()}
    assert scores(answer) == pytest.approx(expected, abs=1e-5)


async def test_similarity_is_multiplied(recommendation: RecommendationServiceAsyncStub) -> None:
    def similar(*boosts: sel.Boost) -> pb.SimilarItemsRequest:
        return pb.SimilarItemsRequest(item_ids=ITEMS[:1], slate_size=N, constraints=sel.Constraints(boosts=boosts))

    plain = await recommendation.SimilarItems(similar(), timeout=5)
    answer = await recommendation.SimilarItems(similar(boost(LIFTED, 4.0)), timeout=5)
    expected = {item: score * factor_of(item, 4.0) for item, score in scores(plain).items()}
    assert scores(answer) == pytest.approx(expected)
    assert ids(answer) == sorted(ids(plain), key=lambda item: -expected[item])
    assert ids(answer) != ids(plain)


async def test_without_a_ranker_the_fused_score_is_multiplied(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, ranker="RANKER_NONE", constraints={"boosts": [boost(LIFTED, 0.5)]})
    request = ask(user, slate_size=N, serving_config=name, debug_level=pb.DEBUG_LEVEL_FULL)
    answer = await recommendation.Recommend(request)
    told = answer.debug.results
    assert [one.boost for one in told] == [factor_of(item, 0.5) for item in ids(answer)]
    products = [one.retrieval_score * one.boost for one in told]
    assert [result.score for result in answer.results] == pytest.approx(products)
    assert products == sorted(products, reverse=True)
    assert [one.retrieval_rank for one in told] != list(range(len(told))), "places are those before"


async def test_boosts_hold_for_all_pages(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    boosts = [boost(LIFTED, 2.0), boost("year < 2000", 0.5)]
    whole = ids(await recommend(recommendation, user, 15, boosts=boosts))
    page: Any = await recommend(recommendation, user, 5, boosts=boosts)
    found = ids(page)
    for _ in range(2):
        page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=page.meta.next_token), timeout=5)
        found += ids(page)
    assert found == whole


@pytest.mark.parametrize("method", METHODS)
async def test_diversity_spreads_what_boosts_made_relevant(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str, method: sel.DiversityMethod
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]))
    slight = spread(method, 0.01)
    plain = await recommend(recommendation, user, 8, diversity=slight)
    assert genres(ids(plain))["Western"] < 6, "comedies were liked"
    boosts = [boost(LIFTED, 100.0)]
    assert genres(ids(await recommend(recommendation, user, 8, diversity=slight, boosts=boosts))) == {"Western": 8}
    # The very same over the wire between gateway and ranking.
    wired = RecommendationServiceStub(await platform.gateway_over_the_wire())
    assert genres(ids(await recommend(wired, user, 8, diversity=slight, boosts=boosts))) == {"Western": 8}
    alone = await recommend(recommendation, user, 8, diversity=spread(method, 1.0), boosts=boosts)
    assert GENRE_OF[ids(alone)[0]] == "Western", "from the most relevant on"
    assert len(genres(ids(alone)[:4])) == 4


@pytest.mark.parametrize("method", [sel.EXPLORATION_METHOD_SOFTMAX, sel.EXPLORATION_METHOD_THOMPSON])
async def test_boosted_items_are_shown_as_often_as_their_propensity_says(
    recommendation: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    n = 100
    told: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for _ in range(n):
        exploration = explore(method, 1, 0.5)
        answer = await recommend(recommendation, user, 3, exploration=exploration, boosts=[boost(LIFTED, 5.0)])
        result = answer.results[2]
        assert told.setdefault(result.item_id, result.propensity) == result.propensity
        seen[result.item_id] += 1
    for item, propensity in told.items():
        assert abs(seen[item] - n * propensity) <= 5.0 * (n * propensity * (1.0 - propensity)) ** 0.5 + 1.0, item
    assert genres(seen.elements())["Western"] > n / 2


async def test_boosts_of_a_config_hold_and_those_of_a_request_multiply(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    western = sel.FilterDefinition(
        name="of",
        expression="genres:$genre",
        parameters=[sel.FilterParameter(name="genre", kind=sel.PARAMETER_KIND_TEXT)],
    )
    named = sel.Filter(named=sel.NamedFilter(name="of", parameters=[actor_pb2.Attribute(name="genre", text="Western")]))
    own = {"boosts": [sel.Boost(filter=named, factor=3.0)]}
    await configs.put(name, filters=[western], constraints=own)
    plain = scores(await recommend(recommendation, user, N))
    request = ask(user, slate_size=N, serving_config=name, debug_level=pb.DEBUG_LEVEL_FULL)
    answer = await recommendation.Recommend(request)
    expected = {item: score + math.log(factor_of(item, 3.0)) for item, score in plain.items()}
    assert scores(answer) == pytest.approx(expected, abs=1e-5)
    request.constraints.boosts.extend([sel.Boost(filter=named, factor=2.0), boost("genres:Drama", 7.0)])
    answer = await recommendation.Recommend(request)
    assert {one.boost for one in answer.debug.results if GENRE_OF[one.item_id] == "Western"} == {6.0}
    assert {one.boost for one in answer.debug.results if GENRE_OF[one.item_id] == "Drama"} == {7.0}
    assert not answer.meta.warnings
    said = await refused(configs.put(name, constraints={"boosts": [boost("flavour = 1", 2.0)]}))
    assert said.startswith("config.constraints.boosts[0].filter.expression: there is no attribute 'flavour'")
    said = await refused(configs.put(name, constraints={"boosts": [boost("year > 1", 101.0)]}))
    assert said == "config.constraints.boosts[0].factor: is 101; it must be in [0.01, 100]"


async def test_the_example_of_the_contract_works(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    (example,) = re.findall(r"```json\n(\{\"constraints\": .*?)```", CONTRACT.read_text("utf-8"), re.DOTALL)
    request = ParseDict(json.loads(example), ask(user, debug_level=pb.DEBUG_LEVEL_FULL))
    answer = await recommendation.Recommend(request)
    assert len(request.constraints.boosts) == 2
    assert {one.boost for one in answer.debug.results} <= {0.5, 1.0, 2.0}
    assert len({one.boost for one in answer.debug.results}) > 1


async def test_an_explanation_tells_the_boost_beside_scores_without_it(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, constraints={"boosts": [boost(LIFTED, 100.0)]})
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    first = answer.results[0]
    assert GENRE_OF[first.item_id] == "Western"
    request = pb.ExplainRecommendationRequest(
        attribution_token=answer.meta.attribution_token,
        item_id=first.item_id,
        what_if=pb.WhatIf(without_history=True),
    )
    found = await recommendation.ExplainRecommendation(request)
    for told in (found.explanation.scores, found.what_if.scores):
        assert told.boost == 100.0
    assert found.explanation.rank == 0
    assert first.score == pytest.approx(found.explanation.scores.ranking_score + math.log(100.0), abs=1e-5)
    request = pb.ExplainRecommendationRequest(request=ask(user), item_id=first.item_id)
    assert not (await recommendation.ExplainRecommendation(request)).explanation.scores.HasField("boost")


@pytest.mark.parametrize("call", ["ExplainRecommendation", "CompareBundles"])
async def test_what_is_wrong_with_a_boost_is_found_where_it_stands(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str, call: str
) -> None:
    request = ask(user, constraints={"boosts": [boost(LIFTED, 2.0), boost("flavour = 1", 2.0)]})
    asked = {
        "ExplainRecommendation": pb.ExplainRecommendationRequest(request=request, item_id=ITEMS[0]),
        "CompareBundles": pb.CompareBundlesRequest(request=request, other_bundle_id=platform.bundle_id),
    }[call]
    said = await refused(getattr(recommendation, call)(asked))
    assert said.startswith("request.constraints.boosts[1].filter.expression: there is no attribute 'flavour'")


async def test_what_is_wrong_with_a_boost_is_refused_with_what_is_permitted(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    relaxed = sel.Filter(expression="", on_empty=sel.EMPTY_POLICY_RELAX_FILTER)
    cases: list[tuple[list[sel.Boost], str]] = [
        ([boost("", 0.009)], "boosts[0].factor: is 0.009; it must be in [0.01, 100]"),
        ([boost("", 100.1)], "boosts[0].factor: is 100.1; it must be in [0.01, 100]"),
        ([boost("", -1.0)], "boosts[0].factor: is -1; it must be in [0.01, 100]"),
        ([boost("", math.inf)], "boosts[0].factor: is inf; it must be in [0.01, 100]"),
        ([boost("year >", 2.0)], "boosts[0].filter.expression: has the end at character 7"),
        ([sel.Boost(factor=2.0)], "boosts[0].filter: must be one of expression and ast, or named, or both"),
        ([sel.Boost(filter=relaxed, factor=2.0)], "is RELAX_FILTER; a boost cannot be made without its filter"),
        ([boost("", 1.0)] * 21, "boosts: has 21 entries; at most 20 are allowed"),
    ]
    for boosts, said in cases:
        assert said in await refused(recommend(recommendation, user, boosts=boosts))
    edges = [boost("", 0.01), boost("", 100.0)] * 10
    assert len((await recommend(recommendation, user, boosts=edges)).results) == 10
