"""Spreading a slate, against slow and obvious references."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist_domain.spread import DiversityMethod
from shortlist_ranking.diversity import METHODS, dpp, mmr, relevance_of

Floats = NDArray[np.float64]


def likeness(vectors: NDArray[np.float32]) -> Floats:
    exact = vectors.astype(np.float64)
    units = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    return (1.0 + units @ units.T) / 2.0  # type: ignore[no-any-return]


def slow_mmr(relevance: Floats, like: Floats, strength: float, count: int, h: int) -> list[int]:
    """Carbonell and Goldstein's formula, item by item; rows before ``h`` are taken already."""
    taken = list(range(h))
    while len(taken) < h + count:
        worth = {
            i: (1 - strength) * relevance[i - h] - strength * max((like[i, j] for j in taken), default=0.0)
            for i in range(h, len(like))
            if i not in taken
        }
        taken.append(max(worth, key=lambda i: (worth[i], -i)))
    return [i - h for i in taken[h:]]


def slow_dpp(relevance: Floats, like: Floats, strength: float, count: int, h: int) -> list[int]:
    """At each step the determinant of every possible slate, from scratch."""
    taken = list(range(h))
    while len(taken) < h + count:
        worth = {}
        for i in range(h, len(like)):
            if i not in taken:
                slate = [*taken, i]
                logdet = np.linalg.slogdet(like[np.ix_(slate, slate)])[1]
                worth[i] = (1 - strength) * sum(relevance[j - h] for j in slate[h:]) + strength * logdet
        taken.append(max(worth, key=lambda i: (worth[i], -i)))
    return [i - h for i in taken[h:]]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Floats, NDArray[np.float32], NDArray[np.float32], int]:
    """Relevance, vectors, vectors of what is taken, and how many to take: in general position, so that nothing ties."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    m, h, d = draw(st.integers(1, 9)), draw(st.integers(0, 2)), draw(st.integers(12, 16))
    vectors = rng.normal(size=(h + m, d)).astype(np.float32) + draw(st.sampled_from((0.0, 2.0)))
    relevance = np.sort(rng.random(m))[::-1].copy()
    return relevance, vectors[h:], vectors[:h], draw(st.integers(1, m))


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from((0.0, 0.1, 0.5, 0.9, 1.0)))
def test_mmr_takes_what_the_formula_says(
    world: tuple[Floats, NDArray[np.float32], NDArray[np.float32], int], strength: float
) -> None:
    relevance, vectors, held, count = world
    like = likeness(np.concatenate([held, vectors]))
    assert mmr(relevance, vectors, strength, count, held) == slow_mmr(relevance, like, strength, count, len(held))


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from((0.0, 0.1, 0.5, 0.9)))
def test_dpp_takes_what_raises_the_determinant_most(
    world: tuple[Floats, NDArray[np.float32], NDArray[np.float32], int], strength: float
) -> None:
    relevance, vectors, held, count = world
    like = likeness(np.concatenate([held, vectors]))
    assert dpp(relevance, vectors, strength, count, held) == slow_dpp(relevance, like, strength, count, len(held))


@settings(max_examples=50, deadline=None)
@given(worlds())
def test_spread_alone_reaches_the_determinants_of_the_reference(
    world: tuple[Floats, NDArray[np.float32], NDArray[np.float32], int],
) -> None:
    relevance, vectors, held, count = world
    like = likeness(np.concatenate([held, vectors]))
    h = len(held)

    def logdet(order: list[int]) -> float:
        slate = [*range(h), *(h + i for i in order)]
        return float(np.linalg.slogdet(like[np.ix_(slate, slate)])[1])

    # The first of an empty slate ties exactly, and rounding decides among what ties: the determinants are the same.
    found, expected = dpp(relevance, vectors, 1.0, count, held), slow_dpp(relevance, like, 1.0, count, h)
    if h:
        assert logdet(found) == pytest.approx(logdet(expected), abs=1e-6)
    else:
        assert len(set(found)) == count


@pytest.mark.parametrize("method", METHODS.values())
@settings(max_examples=30, deadline=None)
@given(worlds())
def test_no_strength_is_the_order_of_relevance(
    method: object, world: tuple[Floats, NDArray[np.float32], NDArray[np.float32], int]
) -> None:
    relevance, vectors, held, count = world
    assert method(np.round(relevance, 1), vectors, 0.0, count, held) == list(range(count))  # type: ignore[operator]


@pytest.mark.parametrize("method", METHODS.values())
@settings(max_examples=30, deadline=None)
@given(worlds(), st.sampled_from((0.2, 0.7, 1.0)))
def test_a_shorter_slate_is_the_beginning_of_a_longer_one(
    method: object, world: tuple[Floats, NDArray[np.float32], NDArray[np.float32], int], strength: float
) -> None:
    relevance, vectors, held, count = world
    whole = method(relevance, vectors, strength, len(vectors), held)  # type: ignore[operator]
    assert sorted(whole) == list(range(len(vectors)))
    assert method(relevance, vectors, strength, count, held) == whole[:count]  # type: ignore[operator]


@pytest.mark.parametrize("method", METHODS.values())
def test_a_copy_of_what_is_taken_comes_last_where_spread_is_all(method: object) -> None:
    vectors = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    relevance = np.array([1.0, 0.9, 0.2, 0.1])
    nothing = np.empty((0, 3), np.float32)
    assert method(relevance, vectors, 1.0, 4, nothing) == [0, 2, 3, 1]  # type: ignore[operator]
    assert method(relevance, vectors, 1.0, 4, vectors[2:3]) == [0, 3, 1, 2]  # type: ignore[operator]


def test_more_items_than_dimensions_are_all_taken_by_relevance_where_nothing_new_is_left() -> None:
    vectors = np.tile(np.eye(2, dtype=np.float32), (5, 1))
    relevance = np.linspace(1.0, 0.1, 10)
    order = dpp(relevance, vectors, 0.5, 10, np.empty((0, 2), np.float32))
    assert order == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("method", METHODS.values())
def test_vectors_without_a_direction_are_taken_too(method: object) -> None:
    vectors = np.zeros((3, 4), np.float32)
    order = method(np.array([0.9, 0.5, 0.1]), vectors, 0.5, 3, vectors[:1])  # type: ignore[operator]
    assert sorted(order) == [0, 1, 2]


def test_relevance_is_the_place_between_lowest_and_highest() -> None:
    scores = np.array([5.0, 3.0, 1.0], np.float32)
    np.testing.assert_array_equal(relevance_of(scores), [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(relevance_of(scores, np.array([0.5, 1.0, 1.0], np.float32)), [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(relevance_of(np.full(2, 7.0, np.float32)), [1.0, 1.0])


def test_every_method_has_an_entry() -> None:
    assert METHODS.keys() == set(DiversityMethod)


@pytest.mark.parametrize("method", list(METHODS))
def test_fifty_of_five_hundred_cost_no_more_than_some_products_of_their_vectors(method: DiversityMethod) -> None:
    """A bound that moves with the machine (7 and 12 products measured): what solves anew at each position fails."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 64)).astype(np.float32)
    relevance = np.sort(rng.random(500))[::-1]
    nothing = np.empty((0, 64), np.float32)

    def products() -> None:
        for row in range(50):
            vectors @ vectors[row]

    def least_s(call: Callable[[], object]) -> float:
        took = []
        for _ in range(50):
            started = time.thread_time()
            call()
            took.append(time.thread_time() - started)
        return min(took)

    spread = least_s(lambda: METHODS[method](relevance, vectors, 0.5, 50, nothing))
    assert spread < 40 * least_s(products)
