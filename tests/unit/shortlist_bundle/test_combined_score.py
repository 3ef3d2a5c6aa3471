"""What retrieval's score adds to that of the heads."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist_bundle.combined_score import NO_PRIOR, PriorWeights, combined_score
from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.errors import BundleInvalid
from shortlist_testing.tiny_bundle import FEATURES


def test_the_weights_fall_from_the_newcomers_to_those_of_the_known_by_halves() -> None:
    weights = PriorWeights(retrieval=1.0, newcomer_retrieval=5.0, newcomer_popularity=8.0, half_life_events=2.0)
    retrieval, popularity = weights.at(np.array([0.0, 2.0, 4.0, 200.0]))
    assert retrieval.tolist() == pytest.approx([5.0, 3.0, 2.0, 1.0])
    assert popularity.tolist() == pytest.approx([8.0, 4.0, 2.0, 0.0])
    assert [float(weight) for weight in weights.at(2.0)] == [3.0, 4.0]


def test_the_score_is_the_heads_and_the_weighted_logarithms() -> None:
    heads = np.array([[1.0, 2.0], [1.0, 2.0]], np.float32)
    scores = np.array([[0.5, 0.25], [0.5, 0.25]], np.float32)
    counts = np.array([[0.0, 9.0], [0.0, 9.0]])
    weights = PriorWeights(retrieval=0.0, newcomer_retrieval=2.0, newcomer_popularity=3.0)
    found = combined_score(heads, scores, counts, weights, np.array([1e6, 0.0]))
    expected = [[1.0, 2.0], [1.0 + 2.0 * math.log(0.5), 2.0 + 2.0 * math.log(0.25) + 3.0 * math.log(10.0)]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    lifted = combined_score(
        heads, scores, counts, replace(weights, newcomer_segment=0.5), np.array([1e6, 0.0]), np.array([[4.0, 0.0]] * 2)
    )
    np.testing.assert_allclose(lifted - found, [[0.0, 0.0], [3.0 * 0.5 * 4.0, 0.0]], atol=1e-5)
    without = combined_score(heads, None, counts, weights, np.array([1e6, 0.0]))
    np.testing.assert_allclose(without, [[1.0, 2.0], [1.0, 2.0 + 3.0 * math.log(10.0)]], rtol=1e-6)


@given(st.lists(st.integers(1, 600), min_size=2, max_size=50, unique=True), st.data())
def test_a_great_weight_gives_retrievals_order(ranks: list[int], data: st.DataObject) -> None:
    size = len(ranks)
    heads = data.draw(st.lists(st.floats(-10, 10, width=32), min_size=size, max_size=size))
    scores = np.array([1.0 / (60.0 + rank) for rank in ranks], np.float32)
    found = combined_score(np.array(heads, np.float32), scores, np.ones(size), PriorWeights(1e6, 1e6), 3.0)
    assert np.argsort(-found, kind="stable").tolist() == np.argsort(ranks, kind="stable").tolist()


@pytest.mark.parametrize(
    "values",
    [
        (-1.0, 0.0, 0.0, 5.0),
        (0.0, math.inf, 0.0, 5.0),
        (0.0, 0.0, -2.0, 5.0),
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 5.0, -1.0),
    ],
)
def test_weights_out_of_range_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(BundleInvalid, match="at least 0"):
        PriorWeights(*values)


def test_a_bundle_of_before_has_no_prior() -> None:
    text = FEATURES.to_json().decode()
    assert FeatureList.from_json(text.encode()) == FEATURES
    start = text.index('"prior"')
    without = text[:start] + text[text.index("}", start) + 2 :].lstrip()
    assert FeatureList.from_json(without.encode()).prior == NO_PRIOR


def test_a_weight_that_is_none_of_the_known_ones_is_refused() -> None:
    changed = FEATURES.to_json().decode().replace('"newcomer_retrieval"', '"newcomers"')
    with pytest.raises(BundleInvalid, match="cannot be read"):
        FeatureList.from_json(changed.encode())
