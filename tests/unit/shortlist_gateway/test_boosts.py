"""What boosts make of relevance, against slow and obvious references."""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.spread import DiversityMethod
from shortlist_domain.stages import ActorKey, Event
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.candidates import Candidates, from_caller
from shortlist_gateway.checks import Checks
from shortlist_gateway.configs.config import Serving
from shortlist_gateway.configs.fitting import fitted
from shortlist_gateway.configs.reading import read_config
from shortlist_gateway.constraint_checks import rules_of
from shortlist_gateway.debug import debug
from shortlist_gateway.explain import explain, message
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Cause, Level, Query, Slate
from shortlist_gateway.requests import recommend_query
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.slate.boosts import LEAST, MOST, products
from shortlist_gateway.slate.chance import POLICIES, ExplorationMethod, Pool, Thompson
from shortlist_gateway.slate.compose import compose_by_rules
from shortlist_gateway.slate.rules import Diversity, Rules
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import GENRES, tiny_bundle

from .test_slate import Case, Shelf, cases, expected_rows, query_of, ranked_of, slate_of

N = 60
NOW_S = 1_700_000_000.0
ALICE = ActorKey("", "u/alice")
FACTORS = st.sampled_from([0.01, 0.5, 1.0, 2.0, 100.0])


def with_scores(candidates: Candidates, scores: Sequence[float]) -> Candidates:
    return replace(candidates, scores=array("f", scores))


@st.composite
def boosted_cases(draw: st.DrawFn) -> tuple[Case, list[float]]:
    """A case whose candidates have scores of retrieval, best first, and a factor for each candidate."""
    case = draw(cases())
    n = len(case.candidates.rows)
    eighths = st.lists(st.integers(1, 8), min_size=n, max_size=n)
    scores = sorted((number / 8 for number in draw(eighths)), reverse=True)
    return replace(case, candidates=with_scores(case.candidates, scores)), draw(
        st.lists(FACTORS, min_size=n, max_size=n)
    )


@settings(max_examples=200, deadline=None)
@given(boosted_cases())
def test_a_boosted_slate_is_the_one_that_boosted_scores_would_give(boosted: tuple[Case, list[float]]) -> None:
    case, factors = boosted
    boosts = array("f", factors)
    shown = compose_by_rules(
        slate_of(case.shelf), case.query, case.candidates, case.ranked, case.pinned, case.shown_at, boosts
    )
    candidates = with_scores(case.candidates, [s * b for s, b in zip(case.candidates.scores, boosts, strict=True)])
    ranked = case.ranked
    if ranked is not None:
        lifted = [s + math.log(b) for s, b in zip(ranked.scores, boosts, strict=False)]
        ranked = replace(ranked, scores=array("f", lifted))
    expected = replace(case, candidates=candidates, ranked=ranked)
    assert [one.row for one in shown] == expected_rows(expected)
    at = {row: position for position, row in enumerate(case.candidates.rows)}
    for one in shown:
        place = at[one.row or 0]
        is_ranked = case.ranked is not None and place < len(case.ranked.scores)
        scores = ranked.scores if is_ranked and ranked else candidates.scores
        assert one.score == scores[place]
        assert one.click == (case.ranked.click[place] if is_ranked and case.ranked else None), "heads stay"


@settings(max_examples=100, deadline=None)
@given(boosted_cases())
def test_a_factor_of_one_changes_nothing(boosted: tuple[Case, list[float]]) -> None:
    case, factors = boosted
    arguments = (case.query, case.candidates, case.ranked, case.pinned, case.shown_at)
    plain = compose_by_rules(slate_of(case.shelf), *arguments)
    assert compose_by_rules(slate_of(case.shelf), *arguments, array("f", [1.0] * len(factors))) == plain


@settings(max_examples=150, deadline=None)
@given(boosted_cases(), st.data())
def test_a_greater_factor_never_moves_what_passes_behind_what_does_not(
    boosted: tuple[Case, list[float]], data: st.DataObject
) -> None:
    case, _ = boosted
    n = len(case.candidates.rows)
    passes = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    less, more = sorted(data.draw(st.tuples(FACTORS, FACTORS)))
    before = []
    for factor in (less, more):
        boosts = array("f", [factor if one else 1.0 for one in passes])
        shown = compose_by_rules(
            slate_of(case.shelf), query_of(99, Rules()), case.candidates, case.ranked, {}, {}, boosts
        )
        order = [one.row for one in shown]
        pairs = itertools.combinations(order, 2)
        lifted = {row for row, one in zip(case.candidates.rows, passes, strict=True) if one}
        before.append({(one, other) for one, other in pairs if one in lifted and other not in lifted})
    assert before[0] <= before[1]


def test_factors_multiply_and_stay_within_bounds() -> None:
    assert products([({1, 2}, 4.0), ({2, 3}, 0.5)], [1, 2, 3, 4]) == array("f", [4.0, 2.0, 0.5, 1.0])
    assert products([({1}, 100.0)] * 40 + [({2}, 0.01)] * 40, [1, 2]) == array("f", [MOST, LEAST])


POOL = Pool(
    scores=[2.0, 1.8, 1.7, 1.2, 1.2, 0.1],
    clicks=[0.5, 0.45, 0.45, 0.3, 0.3, 0.12],
    counts=[400.0, 3.0, 0.0, 50.0, 0.0, 1.0],
    boosts=[1.0, 0.5, 2.0, 1.0, 100.0, 0.01],
)
DRAWS = 20_000


def test_thompsons_propensities_are_the_shares_in_which_boosted_items_are_shown() -> None:
    policy = Thompson(POOL, 1.0)
    rng = Random(7)
    seen = Counter(pair for _ in range(DRAWS) for pair in enumerate(policy.draw(rng, 2)))
    told = {
        pair: propensity
        for shown in itertools.permutations(range(len(POOL.scores)), 2)
        for pair, propensity in zip(enumerate(shown), policy.propensities(shown), strict=True)
    }
    for pair, propensity in told.items():
        spread = 5.0 * math.sqrt(DRAWS * propensity * (1.0 - propensity)) + 1e-9
        assert abs(seen[pair] - DRAWS * propensity) <= spread, pair
    for position in range(2):
        assert math.fsum(p for (at, _), p in told.items() if at == position) == pytest.approx(1.0, abs=1e-8)
    assert told[0, 4] > 0.5 > 1e-3 > told[0, 5]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), FACTORS, FACTORS, st.sampled_from([0.3, 1.0, 5.0]), st.integers(0, 2**31))
def test_a_greater_boost_never_makes_less_of_thompsons_draw(
    place: int, one: float, other: float, strength: float, seed: int
) -> None:
    places = []
    for factor in sorted((one, other)):
        boosts = [factor if at == place else 1.0 for at in range(6)]
        pool = Pool(POOL.scores, POOL.clicks, POOL.counts, boosts)
        order = Thompson(pool, strength).draw(Random(seed), 6)
        places.append(order.index(place))
    assert places[1] <= places[0]


@pytest.mark.parametrize("method", POLICIES)
def test_draws_without_boosts_are_those_with_boosts_of_one(method: ExplorationMethod) -> None:
    plain, ones = replace(POOL, boosts=()), replace(POOL, boosts=[1.0] * 6)
    for seed in range(20):
        policies = [POLICIES[method](pool, 0.5) for pool in (plain, ones)]
        first, second = ((shown := policy.draw(Random(seed), 3), policy.propensities(shown)) for policy in policies)
        assert first == second


def test_chance_draws_by_boosted_relevance() -> None:
    shelf, n = Shelf([{}] * 8), 8
    candidates = from_caller(range(n))
    ranked = ranked_of([1.0] * n, [0.5] * n)
    ranked = replace(ranked, item_numbers={"item_count": array("f", [4.0] * n)})
    boosts = array("f", [1.0] * 7 + [100.0])
    for method in (ExplorationMethod.SOFTMAX, ExplorationMethod.THOMPSON):
        checks = Checks()
        wanted = {"method": f"EXPLORATION_METHOD_{method.name}", "slots": 1, "strength": 1.0}
        rules = rules_of(checks, selection_pb2.Constraints(exploration=wanted), 1)
        checks.done()
        shown = [
            compose_by_rules(
                slate_of(shelf), replace(query_of(1, rules), chance_id=str(seed)), candidates, ranked, {}, {}, boosts
            )[0]
            for seed in range(30)
        ]
        told = {one.row: one.propensity for one in shown}
        assert told[7] == pytest.approx(100.0 / 107.0 if method is ExplorationMethod.SOFTMAX else told[7])
        assert told[7] > 0.9


class World:
    """A pipeline over fakes and a real bundle. Ranking prefers high rows, retrieval low ones."""

    def __init__(self, store: Path) -> None:
        bundle_id = tiny_bundle(store, n_items=N).bundle_id
        self.features = FakeFeatures()
        self.retrieval = FakeRetrieval(range(N), (bundle_id,))
        self.ranking = FakeRanking(lambda row: row / N, (bundle_id,))
        self.bundles = ActiveBundle(BundleStore(store), self.retrieval, self.ranking, own_metrics(), 1.0)
        self.pipeline = Pipeline(self.features, self.retrieval, self.ranking, self.bundles, GatewaySettings())

    async def recommend(self, *boosts: tuple[str, float], **changes: object) -> Slate:
        return await self.pipeline.recommend(query(*boosts, **changes), Deadline.after(10.0))


def query(*boosts: tuple[str, float], **changes: object) -> Query:
    constraints = selection_pb2.Constraints()
    for expression, factor in boosts:
        constraints.boosts.add(filter=selection_pb2.Filter(expression=expression), factor=factor)
    checks = Checks()
    rules = rules_of(checks, constraints, 60)
    checks.done()
    usual: dict[str, object] = {"request_id": "r", "now_s": NOW_S, "actor": ALICE, "slate_size": N, "rules": rules}
    return Query(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.bundles.refresh()
    return world


def rows(slate: Slate) -> list[int]:
    return [shown.row for shown in slate.results if shown.row is not None]


def in_genre(row: int, genre: int = 1) -> bool:
    return row % len(GENRES) == genre


async def test_the_rankers_score_is_a_logarithm_of_relevance(world: World) -> None:
    slate = await world.recommend((f'genres:"{GENRES[1]}"', 1.5))
    relevance = {row: math.exp(row / N) * (1.5 if in_genre(row) else 1.0) for row in range(N)}
    assert rows(slate) == sorted(relevance, key=lambda row: -relevance[row])
    for shown in slate.results:
        assert math.exp(shown.score) == pytest.approx(relevance[shown.row or 0], rel=1e-5)
        assert shown.click == pytest.approx((shown.row or 0) / N), "outputs of the ranker stay"
    assert (slate.level, slate.warnings) == (Level.NONE, [])


async def test_what_was_not_ranked_has_its_fused_score_multiplied(world: World) -> None:
    world.ranking.failure = UpstreamFailed("ranking", "down")
    slate = await world.recommend((f'genres:"{GENRES[1]}"', 0.5))
    relevance = {row: (1.0 - row / N) * (0.5 if in_genre(row) else 1.0) for row in range(N)}
    assert rows(slate) == sorted(relevance, key=lambda row: -relevance[row])
    assert all(shown.score == pytest.approx(relevance[shown.row or 0]) for shown in slate.results)
    world.ranking.failure, world.ranking.ranked = None, 20
    slate = await world.recommend((f'genres:"{GENRES[1]}"', 0.5))
    assert set(rows(slate)[:20]) == set(range(20)), "what was ranked comes first"
    late = [row for row in sorted(relevance, key=lambda row: -relevance[row]) if row >= 20]
    assert rows(slate)[20:] == late


async def test_lists_in_memory_are_boosted_too(world: World) -> None:
    world.retrieval.failure = world.ranking.failure = UpstreamFailed("both", "down")
    plain = await world.recommend()
    slate = await world.recommend((f'genres:"{GENRES[1]}"', 100.0))
    assert slate.level is Level.STATIC
    n = sum(map(in_genre, rows(plain)))
    assert rows(slate) == sorted(rows(plain), key=lambda row: not in_genre(row))
    assert 0 < n < len(plain.results)
    assert all(shown.score > 1.0 for shown in slate.results[:n])


async def test_a_boost_brings_nothing_in(world: World) -> None:
    world.retrieval.order = [row for row in range(N) if not in_genre(row)]
    slate = await world.recommend((f'genres:"{GENRES[1]}"', 100.0), slate_size=5)
    assert rows(slate) == [59, 58, 56, 55, 54]


async def test_the_minimum_click_probability_reads_what_the_ranker_said(world: World) -> None:
    slate = await world.recommend(("id:*", 100.0), minimum_click_probability=0.5)
    assert rows(slate) == list(range(59, 29, -1))


async def test_boosts_by_what_the_actor_did_and_is(world: World) -> None:
    world.features.events[ALICE] = [Event(f"{world.bundles.pinned().item_id(3)}", 4.0, NOW_S - 60.0)]
    world.features.attributes[ALICE] = {"age": "25"}
    slate = await world.recommend(("seen()", 100.0), ("actor.age >= 18", 2.0), is_seen_excluded=False)
    assert rows(slate)[0] == 3
    assert slate.results[0].score == pytest.approx(3 / N + math.log(200.0), rel=1e-5)
    world.features.failure = UpstreamFailed("feature-store", "down")
    slate = await world.recommend(("seen()", 100.0), is_seen_excluded=False)
    assert rows(slate)[0] == 59
    assert list(slate.causes) == [Cause.FEATURES_DOWN]
    said = "what the actor has done is not known at the moment; seen(...) holds for nothing"
    assert slate.warnings == [f"constraints.boosts: {said}"]


async def test_ranking_gets_the_boosts_where_it_is_to_spread(world: World) -> None:
    plain = query((f'genres:"{GENRES[1]}"', 2.0), slate_size=5)
    diverse = replace(plain, rules=replace(plain.rules, diversity=Diversity(DiversityMethod.MMR, 0.5)))
    await world.pipeline.recommend(diverse, Deadline.after(10.0))
    (request,) = world.ranking.requests
    assert request.spread is not None
    assert list(request.spread.boosts) == [2.0 if in_genre(row) else 1.0 for row in request.rows]
    assert list(request.retrieval_scores) == pytest.approx([1.0 - row / N for row in request.rows]), "as it was"


async def test_debug_and_explanations_tell_the_boost_beside_scores_without_it(world: World) -> None:
    boost = (f'genres:"{GENRES[1]}"', 4.0)
    slate = await world.recommend(boost, is_debugged=True)
    plain = await world.recommend(is_debugged=True)
    unboosted = {one.item_id: one for one in debug(plain).results}
    for shown, told in zip(slate.results, debug(slate).results, strict=True):
        assert told.boost == (4.0 if in_genre(shown.row or 0) else 1.0)
        assert shown.score == pytest.approx(told.ranking_score + math.log(told.boost), rel=1e-5)
        before = unboosted[told.item_id]
        assert not before.HasField("boost")
        told.ClearField("boost")
        assert told == before
    seen = world.bundles.pinned().item_id(1)
    asked = query(boost, exclude_item_ids=(seen,))
    answered = await world.pipeline.recommend(asked, Deadline.after(10.0))
    told_of = message(await explain(world.pipeline, answered, asked, seen, Deadline.after(10.0)))
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
