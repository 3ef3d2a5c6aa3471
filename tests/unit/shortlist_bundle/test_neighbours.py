"""What item neighbours say of a history: events that fade, alone and in batches."""

from __future__ import annotations

import numpy as np
import pytest

from shortlist_bundle.neighbours import batch_neighbour_scores, fading, neighbour_scores_of

ROWS = np.array([[1, 2], [0, -1], [0, 3], [2, -1]], np.int32)
SCORES = np.array([[0.5, 0.25], [0.5, 0.0], [0.25, 1.0], [1.0, 0.0]], np.float32)


def test_an_event_counts_half_a_half_life_before_the_latest_one_whenever_that_was() -> None:
    ages_s = np.array([400.0, 200.0, 100.0], np.float32)
    weights = fading(ages_s, 100.0)
    assert weights is not None
    np.testing.assert_allclose(weights, [0.125, 0.5, 1.0])
    later = fading(ages_s + np.float32(1e6), 100.0)
    assert later is not None
    np.testing.assert_allclose(later, weights)
    assert fading(ages_s, None) is None


def test_no_event_weighs_nothing() -> None:
    weights = fading(np.empty(0, np.float32), 100.0)
    assert weights is not None
    assert not len(weights)


def test_similarities_are_added_up_by_weight() -> None:
    history, weights = np.array([0, 2]), np.array([0.5, 1.0])
    expected = [0.25, 0.5 * 0.5, 0.5 * 0.25, 1.0]
    np.testing.assert_allclose(neighbour_scores_of(history, ROWS, SCORES, 4, weights), expected)


@pytest.mark.parametrize("half_life_s", [None, 50.0])
def test_a_batch_is_its_histories_one_by_one(half_life_s: float | None) -> None:
    histories = np.array([[-1, 0, 2], [3, 1, 1], [-1, -1, -1]])
    ages_s = np.array([[0.0, 90.0, 10.0], [500.0, 30.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    weights = fading(ages_s, half_life_s)
    together = batch_neighbour_scores(histories, ROWS, SCORES, 4, weights)
    for row, history in enumerate(histories):
        alone = neighbour_scores_of(history, ROWS, SCORES, 4, None if weights is None else weights[row])
        np.testing.assert_array_equal(together[row], alone)
