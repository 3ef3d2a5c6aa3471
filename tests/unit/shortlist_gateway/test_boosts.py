"""What boosts make of relevance, against slow and obvious references."""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import selection_pb2
from shortlist_gateway.candidates import Candidates, from_caller
from shortlist_gateway.checks import Checks
from shortlist_gateway.constraint_checks import rules_of
from shortlist_gateway.slate.boosts import LEAST, MOST, products
from shortlist_gateway.slate.chance import POLICIES, ExplorationMethod, Pool, Thompson
from shortlist_gateway.slate.compose import compose_by_rules
from shortlist_gateway.slate.rules import Rules

from .test_slate import Case, Shelf, cases, expected_rows, query_of, ranked_of, slate_of

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
