"""Boosts in the pipeline: what of an answer they move, on every rung, and what is told of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.spread import DiversityMethod
from shortlist_gateway.checks import Checks
from shortlist_gateway.configs.config import Serving
from shortlist_gateway.configs.fitting import fitted
from shortlist_gateway.configs.reading import read_config
from shortlist_gateway.constraint_checks import rules_of
from shortlist_gateway.debug import debug
from shortlist_gateway.explain import explain, message
from shortlist_gateway.query import Cause, Level, Query, Slate
from shortlist_gateway.requests import recommend_query
from shortlist_gateway.slate.rules import Diversity
from shortlist_testing.tiny_bundle import GENRES

from .world import ALICE, NOW_S, N, World, ask, soon


async def recommend(world: World, *boosts: tuple[str, float], **changes: object) -> Slate:
    return await world.pipeline.recommend(query(*boosts, **changes), soon())


def query(*boosts: tuple[str, float], **changes: object) -> Query:
    constraints = selection_pb2.Constraints()
    for expression, factor in boosts:
        constraints.boosts.add(filter=selection_pb2.Filter(expression=expression), factor=factor)
    checks = Checks()
    rules = rules_of(checks, constraints, 60)
    checks.done()
    return ask(**{"slate_size": N, "rules": rules, **changes})


def rows(slate: Slate) -> list[int]:
    return [shown.row for shown in slate.results if shown.row is not None]


def in_genre(row: int, genre: int = 1) -> bool:
    return row % len(GENRES) == genre


async def test_the_rankers_score_is_a_logarithm_of_relevance(world: World) -> None:
    slate = await recommend(world, (f'genres:"{GENRES[1]}"', 1.5))
    relevance = {row: math.exp(row / N) * (1.5 if in_genre(row) else 1.0) for row in range(N)}
    assert rows(slate) == sorted(relevance, key=lambda row: -relevance[row])
    for shown in slate.results:
        assert math.exp(shown.score) == pytest.approx(relevance[shown.row or 0], rel=1e-5)
        assert shown.click == pytest.approx((shown.row or 0) / N), "outputs of the ranker stay"
    assert (slate.level, slate.warnings) == (Level.NONE, [])


async def test_what_was_not_ranked_has_its_fused_score_multiplied(world: World) -> None:
    world.ranking.failure = UpstreamFailed("ranking", "down")
    slate = await recommend(world, (f'genres:"{GENRES[1]}"', 0.5))
    relevance = {row: (1.0 - row / N) * (0.5 if in_genre(row) else 1.0) for row in range(N)}
    assert rows(slate) == sorted(relevance, key=lambda row: -relevance[row])
    assert all(shown.score == pytest.approx(relevance[shown.row or 0]) for shown in slate.results)
    world.ranking.failure, world.ranking.ranked = None, 20
    slate = await recommend(world, (f'genres:"{GENRES[1]}"', 0.5))
    assert set(rows(slate)[:20]) == set(range(20)), "what was ranked comes first"
    late = [row for row in sorted(relevance, key=lambda row: -relevance[row]) if row >= 20]
    assert rows(slate)[20:] == late


async def test_lists_in_memory_are_boosted_too(world: World) -> None:
    world.retrieval.failure = world.ranking.failure = UpstreamFailed("both", "down")
    plain = await recommend(world)
    slate = await recommend(world, (f'genres:"{GENRES[1]}"', 100.0))
    assert slate.level is Level.STATIC
    n = sum(map(in_genre, rows(plain)))
    assert rows(slate) == sorted(rows(plain), key=lambda row: not in_genre(row))
    assert 0 < n < len(plain.results)
    assert all(shown.score > 1.0 for shown in slate.results[:n])


async def test_a_boost_brings_nothing_in(world: World) -> None:
    world.retrieval.order = [row for row in range(N) if not in_genre(row)]
    slate = await recommend(world, (f'genres:"{GENRES[1]}"', 100.0), slate_size=5)
    assert rows(slate) == [59, 58, 56, 55, 54]


async def test_the_minimum_click_probability_reads_what_the_ranker_said(world: World) -> None:
    slate = await recommend(world, ("id:*", 100.0), minimum_click_probability=0.5)
    assert rows(slate) == list(range(59, 29, -1))


async def test_boosts_by_what_the_actor_did_and_is(world: World) -> None:
    world.seen(3)
    world.features.attributes[ALICE] = {"age": "25"}
    slate = await recommend(world, ("seen()", 100.0), ("actor.age >= 18", 2.0), is_seen_excluded=False)
    assert rows(slate)[0] == 3
    assert slate.results[0].score == pytest.approx(3 / N + math.log(200.0), rel=1e-5)
    world.features.failure = UpstreamFailed("feature-store", "down")
    slate = await recommend(world, ("seen()", 100.0), is_seen_excluded=False)
    assert rows(slate)[0] == 59
    assert list(slate.causes) == [Cause.FEATURES_DOWN]
    said = "what the actor has done is not known at the moment; seen(...) holds for nothing"
    assert slate.warnings == [f"constraints.boosts: {said}"]


async def test_ranking_gets_the_boosts_where_it_is_to_spread(world: World) -> None:
    plain = query((f'genres:"{GENRES[1]}"', 2.0), slate_size=5)
    diverse = replace(plain, rules=replace(plain.rules, diversity=Diversity(DiversityMethod.MMR, 0.5)))
    await world.pipeline.recommend(diverse, soon())
    (request,) = world.ranking.requests
    assert request.spread is not None
    assert list(request.spread.boosts) == [2.0 if in_genre(row) else 1.0 for row in request.rows]
    assert list(request.retrieval_scores) == pytest.approx([1.0 - row / N for row in request.rows]), "as it was"


async def test_debug_and_explanations_tell_the_boost_beside_scores_without_it(world: World) -> None:
    boost = (f'genres:"{GENRES[1]}"', 4.0)
    slate = await recommend(world, boost, is_debugged=True)
    plain = await recommend(world, is_debugged=True)
    unboosted = {one.item_id: one for one in debug(plain).results}
    for shown, told in zip(slate.results, debug(slate).results, strict=True):
        assert told.boost == (4.0 if in_genre(shown.row or 0) else 1.0)
        assert shown.score == pytest.approx(told.ranking_score + math.log(told.boost), rel=1e-5)
        before = unboosted[told.item_id]
        assert not before.HasField("boost")
        told.ClearField("boost")
        assert told == before
    seen = world.item(1)
    asked = query(boost, exclude_item_ids=(seen,))
    answered = await world.pipeline.recommend(asked, soon())
    told_of = message(await explain(world.pipeline, answered, asked, seen, soon()))
    assert (told_of.is_relaxed, told_of.scores.boost) == (True, 4.0)


def test_boosts_of_a_config_that_do_not_fit_a_bundle_are_left_out_and_the_requests_stay(world: World) -> None:
    def boosts(*named: tuple[str, float]) -> selection_pb2.Constraints:
        return selection_pb2.Constraints(
            boosts=[{"filter": {"expression": expression}, "factor": factor} for expression, factor in named]
        )

    config = configs_pb.ServingConfig(name="home", constraints=boosts(("flavour = 1", 2.0), ("year > 1990", 3.0)))
    request = pb.RecommendRequest(
        actor={"user_id": "u"},
        constraints=boosts(("year > 1990", 5.0)),
    )
    asked = recommend_query(request, NOW_S, Serving(read_config(config, 1)))
    slate = Slate(world.bundles.pinned())
    assert [boost.factor for boost in fitted(asked, slate).rules.boosts] == [3.0, 5.0]
    assert list(slate.causes) == [Cause.CONFIG_UNFIT]
    (said,) = slate.warnings
    assert said.startswith("serving_config: constraints.boosts[0].filter.expression there is no attribute 'flavour'")
    assert said.endswith("it was left out")
