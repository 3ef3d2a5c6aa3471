"""Fusion of candidate lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shortlist_bundle.fusion import RANK_OFFSET, fuse, fuse_scored
from shortlist_bundle.ordering import best_first

LISTS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.lists(st.integers(0, 40), unique=True, max_size=25), max_size=3
)


def rows(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def test_one_list_keeps_its_order() -> None:
    assert fuse({"a": rows(5, 3, 9)}, {}, 3).tolist() == [5, 3, 9]


def test_two_lists_add_up_by_the_paper() -> None:
    fused = fuse_scored({"a": rows(1, 2), "b": rows(2, 3)}, {}, 10)
    first, second = 1 / (RANK_OFFSET + 1), 1 / (RANK_OFFSET + 2)
    assert fused.rows.tolist() == [2, 1, 3]
    np.testing.assert_allclose(fused.scores, [first + second, first, second], rtol=1e-6)


def test_equal_scores_put_the_lower_row_first() -> None:
    assert fuse({"a": rows(9, 1), "b": rows(4, 7)}, {}, 4).tolist() == [4, 9, 1, 7]


def test_a_share_is_kept_for_a_source_that_agrees_with_nobody() -> None:
    popular = {"a": rows(*range(20)), "b": rows(*range(20)), "c": rows(*range(100, 120))}
    without = fuse(popular, {"a": 0.4, "b": 0.4}, 10)
    with_share = fuse(popular, {"a": 0.4, "b": 0.3, "c": 0.2}, 10)
    assert sum(row >= 100 for row in without) == 0
    assert sorted(row for row in with_share if row >= 100) == [100, 101]


def test_a_source_weighs_what_it_is_guaranteed() -> None:
    assert fuse({"a": rows(1), "b": rows(2)}, {"a": 0.1, "b": 0.6}, 2).tolist() == [2, 1]


def test_weights_count_instead_of_the_shares_and_leave_them_as_they_are() -> None:
    lists = {"a": rows(1, 2), "b": rows(2, 3)}
    fused = fuse_scored(lists, {"a": 0.9}, 10, {"a": 1.0, "b": 3.0})
    first, second = 1 / (RANK_OFFSET + 1), 1 / (RANK_OFFSET + 2)
    assert fused.rows.tolist() == [2, 3, 1]
    np.testing.assert_allclose(fused.scores, [second + 3 * first, 3 * second, first], rtol=1e-6)
    assert 1 in fuse_scored(lists, {"a": 0.5}, 2, {"a": 1e-6, "b": 3.0}).rows, "a share is kept, whatever the weight"


def test_a_source_without_a_weight_has_the_average_one() -> None:
    fused = fuse_scored({"a": rows(1), "b": rows(2), "c": rows(3)}, {}, 10, {"a": 1.0, "b": 3.0})
    assert fused.rows.tolist() == [2, 3, 1]
    np.testing.assert_allclose(fused.scores, np.array([3.0, 2.0, 1.0]) / (RANK_OFFSET + 1), rtol=1e-6)


@pytest.mark.parametrize("quotas", [{"a": -0.1}, {"a": float("nan")}, {"a": 0.6, "b": 0.6}])
def test_impossible_shares_are_refused(quotas: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="quotas"):
        fuse({"a": rows(1)}, quotas, 1)


def test_nothing_in_is_nothing_out() -> None:
    assert fuse({}, {}, 5).tolist() == []
    assert fuse({"a": rows()}, {"a": 0.5}, 5).tolist() == []
    assert fuse({"a": rows(1)}, {}, 0).tolist() == []


@given(LISTS, st.integers(0, 40), st.integers(0, 100_000))
def test_fusion_equals_the_slow_definition(lists: dict[str, list[int]], k: int, offset: int) -> None:
    # A large offset takes the path for large catalogues; both must give the same.
    quotas = {"a": 0.5, "b": 0.25}
    weights = {"a": 0.5, "b": 0.25, "c": 0.375}
    arrays = {name: np.array(of, np.int32) + offset for name, of in lists.items()}
    scores: dict[int, float] = {}
    for name, of in lists.items():
        for rank, row in enumerate(of):
            scores[row + offset] = scores.get(row + offset, 0.0) + weights[name] / (RANK_OFFSET + 1 + rank)
    guaranteed = {row + offset for name, of in lists.items() for row in of[: int(quotas.get(name, 0) * k)]}
    order = sorted(scores, key=lambda row: (-float(np.float32(scores[row])), row))
    rest = [row for row in order if row not in guaranteed][: max(0, k - len(guaranteed))]
    expected = [row for row in order if row in guaranteed or row in rest]
    fused = fuse_scored(arrays, quotas, k)
    assert fused.rows.tolist() == (expected if k else [])
    assert np.all(np.diff(fused.scores) <= 0)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50), st.integers(0, 60))
def test_best_first_equals_sorting_by_score_and_row(scores: list[float], k: int) -> None:
    values = np.array(scores, np.float32)
    ids = np.arange(len(scores))[::-1].copy()
    expected = sorted(ids.tolist(), key=lambda row: (-values[len(scores) - 1 - row] + 0.0, row))
    assert best_first(values, ids, k).tolist() == expected[:k]
