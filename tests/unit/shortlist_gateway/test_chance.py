"""Propensities against enumeration of everything that can happen, and against what does happen."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_gateway.slate.chance import (
    MOST_STRENGTH,
    POLICIES,
    EpsilonGreedy,
    ExplorationMethod,
    Pool,
    Softmax,
    Thompson,
    exactly,
)

DRAWS = 20_000
POOL = Pool(
    scores=[2.0, 1.8, 1.7, 1.2, 1.2, 0.1, -3.0],
    clicks=[0.5, 0.45, 0.45, 0.3, 0.3, 0.12, 0.05],
    counts=[400.0, 3.0, 0.0, 50.0, 0.0, 1.0, 0.0],
)
STRENGTHS = {
    ExplorationMethod.EPSILON_GREEDY: 0.4,
    ExplorationMethod.SOFTMAX: 0.7,
    ExplorationMethod.THOMPSON: 1.0,
}


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("method", POLICIES)
def test_propensities_are_the_shares_in_which_items_are_shown(method: ExplorationMethod, n: int) -> None:
    policy = POLICIES[method](POOL, STRENGTHS[method])
    rng = Random(7)
    seen = Counter(pair for _ in range(DRAWS) for pair in enumerate(policy.draw(rng, n)))
    told: dict[tuple[int, int], float] = {}
    for shown in itertools.permutations(range(len(POOL.scores)), n):
        for pair, propensity in zip(enumerate(shown), policy.propensities(shown), strict=True):
            assert told.setdefault(pair, propensity) == pytest.approx(propensity), "whatever the others hold"
    for pair, propensity in told.items():
        spread = 5.0 * math.sqrt(DRAWS * propensity * (1.0 - propensity)) + 1e-9
        assert abs(seen[pair] - DRAWS * propensity) <= spread, pair
    for position in range(n):
        assert math.fsum(p for (at, _), p in told.items() if at == position) == pytest.approx(1.0, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=5), st.sampled_from((0.05, 0.5, 3.0, 100.0)), st.data())
def test_the_softmax_is_plackett_and_luces_law(scores: list[float], temperature: float, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(scores)))
    policy = Softmax(Pool(scores, [], []), temperature)
    weights = [math.exp((score - max(scores)) / temperature) for score in scores]
    law = dict.fromkeys(itertools.product(range(n), range(len(scores))), 0.0)
    for order in itertools.permutations(range(len(scores)), n):
        probability, left = 1.0, math.fsum(weights)
        for place in order:
            probability *= weights[place] / left
            left = math.fsum(
                weights[other] for other in range(len(scores)) if other not in order[: order.index(place) + 1]
            )
        for pair in enumerate(order):
            law[pair] += probability
    for order in itertools.permutations(range(len(scores)), n):
        expected = [law[pair] for pair in enumerate(order)]
        assert policy.propensities(order) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_softmax_of_hardly_any_temperature_goes_by_the_scores() -> None:
    scores = [4.0 - 0.03 * place for place in range(100)]
    policy = Softmax(Pool(scores, [], []), 1e-6)
    assert policy.draw(Random(1), 10) == list(range(10))
    assert policy.propensities(range(10)) == pytest.approx([1.0] * 10)
    assert Softmax(Pool(scores, [], []), 0.01).propensities([*range(9), 99])[9] < 1e-9, "ninety others are better"


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_thompsons_propensities_count_every_combination_of_draws(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 3))
    n = data.draw(st.integers(1, size))
    clicks = data.draw(st.lists(st.sampled_from((0.0, 0.3, 0.32, 0.5, 1.0)), min_size=size, max_size=size))
    counts = data.draw(st.lists(st.sampled_from((0.0, 4.0, 1e6)), min_size=size, max_size=size))
    policy = Thompson(Pool([0.0] * size, clicks, counts), 1.0)
    shares: Counter[tuple[int, int]] = Counter()
    for values in itertools.product(range(Thompson.QUANTILES), repeat=size):
        drawn = [policy._beliefs[place][value] for place, value in enumerate(values)]
        shares.update(enumerate(sorted(range(size), key=lambda place: (-drawn[place], place))))
    total = Thompson.QUANTILES**size
    for order in itertools.permutations(range(size), n):
        expected = [shares[pair] / total for pair in enumerate(order)]
        assert policy.propensities(order) == pytest.approx(expected, abs=1e-12)


def test_of_what_is_known_well_the_better_is_shown_and_of_what_is_not_anything() -> None:
    known = Thompson(Pool([], [0.5, 0.4], [1e6, 1e6]), 1.0)
    assert known.propensities([0]) == [1.0]
    unknown = Thompson(Pool([], [0.5, 0.4], [0.0, 0.0]), 1.0)
    assert 0.5 < unknown.propensities([0])[0] < 0.8


def test_epsilon_is_shared_by_all_others_equally() -> None:
    policy = EpsilonGreedy(Pool([0.0] * 6, [], []), 0.3)
    assert policy.propensities([0, 4]) == pytest.approx([0.7, 0.3 / 4])
    # Two others for three positions: the first position keeps its own.
    assert EpsilonGreedy(Pool([0.0] * 5, [], []), 0.3).propensities([0, 1, 4]) == pytest.approx([1.0, 0.7, 0.15])
    assert EpsilonGreedy(Pool([0.0] * 2, [], []), 0.3).propensities([0, 1]) == [1.0, 1.0], "there are no others"


@pytest.mark.parametrize("method", POLICIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_drawn_has_a_propensity_above_zero_whatever_the_pool(
    method: ExplorationMethod, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, 30))
    scores = data.draw(st.lists(st.floats(-1e30, 1e30), min_size=size, max_size=size))
    clicks = data.draw(st.lists(st.floats(0.0, 1.0), min_size=size, max_size=size))
    counts = data.draw(st.lists(st.floats(0.0, 1e12), min_size=size, max_size=size))
    strength = data.draw(st.floats(1e-6, MOST_STRENGTH[method]))
    policy = POLICIES[method](Pool(scores, clicks, counts), strength)
    n = data.draw(st.integers(1, min(size, 10)))
    shown = policy.draw(Random(data.draw(st.integers(0, 99))), n)
    assert len(set(shown)) == n
    assert all(0.0 < propensity <= 1.0 for propensity in policy.propensities(shown))


def test_exactly_counts_independent_events() -> None:
    assert exactly([0.5, 0.5, 0.5], 3) == [0.125, 0.375, 0.375, 0.125]
    assert exactly([0.5], 1, exactly([0.5, 0.5], 1)) == [0.125, 0.375]
    assert exactly([], 2) == [1.0, 0.0, 0.0]


def test_every_method_has_a_policy_and_a_range() -> None:
    assert POLICIES.keys() == set(ExplorationMethod) == MOST_STRENGTH.keys()
