"""Candidates: best lists, live counters, nothing that was seen."""

import numpy as np
import pytest

from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_trainer.candidates import LiveCounters, best
from shortlist_trainer.config import SplitConfig
from shortlist_trainer.prepare import prepare


def test_best_sorts_with_the_lower_row_first_among_equals_and_pads_what_is_excluded() -> None:
    scores = np.array([[1.0, 3.0, 3.0, -np.inf], [-np.inf, -np.inf, 2.0, -np.inf]], np.float32)
    assert best(scores, 3).tolist() == [[1, 2, 0], [2, -1, -1]]
    assert best(scores, 9).tolist() == [[1, 2, 0, -1], [2, -1, -1, -1]]


def test_best_agrees_with_sorting_everything() -> None:
    scores = np.random.default_rng(1).normal(size=(20, 300)).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :40]
    np.testing.assert_array_equal(best(scores, 40), expected)


def test_best_takes_the_lower_rows_among_equals_at_the_end_of_the_list_too() -> None:
    scores = np.random.default_rng(1).integers(0, 5, (20, 300)).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :40]
    np.testing.assert_array_equal(best(scores, 40), expected)


def test_live_counters_are_the_totals_before_each_event(world: Dataset) -> None:
    counters = LiveCounters(prepare(world, SplitConfig()))
    for event in (0, 1, 500, 500, 9_999):
        np.testing.assert_allclose(counters.until(event), item_totals(world, event))


def test_live_counters_do_not_go_back(world: Dataset) -> None:
    counters = LiveCounters(prepare(world, SplitConfig()))
    counters.until(10)
    with pytest.raises(ValueError, match="cannot go back to 9"):
        counters.until(9)
