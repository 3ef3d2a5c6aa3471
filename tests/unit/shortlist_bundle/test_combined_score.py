"""What retrieval's score adds to that of the heads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist_bundle.combined_score import NO_RETRIEVAL_WEIGHT, RetrievalWeight, combined_score
from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.errors import BundleInvalid
from shortlist_testing.tiny_bundle import FEATURES


def test_the_weight_falls_from_the_newcomers_to_that_of_the_known_by_halves() -> None:
    weight = RetrievalWeight(known=1.0, newcomer=5.0, half_life_events=2.0)
    assert weight.of(np.array([0.0, 2.0, 4.0, 200.0])).tolist() == pytest.approx([5.0, 3.0, 2.0, 1.0])
    assert float(weight.of(2.0)) == 3.0


def test_the_score_is_the_heads_and_the_weighted_logarithm() -> None:
    heads = np.array([[1.0, 2.0], [1.0, 2.0]], np.float32)
    scores = np.array([[0.5, 0.25], [0.5, 0.25]], np.float32)
    found = combined_score(heads, scores, np.array([0.0, 2.0]))
    expected = [[1.0, 2.0], [1.0 + 2.0 * math.log(0.5), 2.0 + 2.0 * math.log(0.25)]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@given(st.lists(st.integers(1, 600), min_size=2, max_size=50, unique=True), st.data())
def test_a_great_weight_gives_retrievals_order(ranks: list[int], data: st.DataObject) -> None:
    size = len(ranks)
    heads = data.draw(st.lists(st.floats(-10, 10, width=32), min_size=size, max_size=size))
    scores = np.array([1.0 / (60.0 + rank) for rank in ranks], np.float32)
    found = combined_score(np.array(heads, np.float32), scores, np.asarray(1e6))
    assert np.argsort(-found, kind="stable").tolist() == np.argsort(ranks, kind="stable").tolist()


@pytest.mark.parametrize("values", [(-1.0, 0.0, 5.0), (0.0, math.inf, 5.0), (0.0, 0.0, 0.0), (math.nan, 0.0, 5.0)])
def test_weights_out_of_range_are_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(BundleInvalid, match="at least 0"):
        RetrievalWeight(*values)


def test_a_bundle_of_before_gives_retrieval_no_weight() -> None:
    text = FEATURES.to_json().decode()
    assert FeatureList.from_json(text.encode()) == FEATURES
    start = text.index('"retrieval_weight"')
    without = text[:start] + text[text.index("}", start) + 2 :].lstrip()
    assert FeatureList.from_json(without.encode()).retrieval_weight == NO_RETRIEVAL_WEIGHT


def test_a_weight_that_is_none_of_the_known_ones_is_refused() -> None:
    changed = FEATURES.to_json().decode().replace('"newcomer"', '"newcomers"')
    with pytest.raises(BundleInvalid, match="cannot be read"):
        FeatureList.from_json(changed.encode())
