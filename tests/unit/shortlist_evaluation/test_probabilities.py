"""Metrics of probabilities and ratings, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from shortlist_evaluation.probabilities import absolute_errors, log_losses, placements, squared_errors


@pytest.mark.parametrize("seed", range(10))
def test_they_agree_with_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    m = int(random.integers(2, 500))
    labels = random.integers(2, size=m)
    labels[:2] = 0, 1
    scores = np.round(random.random(m), int(random.integers(1, 4)))  # rounding makes ties
    assert placements(scores, labels).mean() == pytest.approx(metrics.roc_auc_score(labels, scores))
    inside = np.clip(scores, 0.01, 0.99)
    assert log_losses(inside, labels).mean() == pytest.approx(metrics.log_loss(labels, inside))
    actual = random.random(m)
    assert np.sqrt(squared_errors(scores, actual).mean()) == pytest.approx(
        metrics.root_mean_squared_error(actual, scores)
    )
    assert absolute_errors(scores, actual).mean() == pytest.approx(metrics.mean_absolute_error(actual, scores))


def test_a_sure_mistake_costs_much_but_not_everything() -> None:
    assert log_losses(np.array([0.0, 1.0]), np.array([1, 0])).tolist() == pytest.approx([16.118, 16.118], abs=1e-3)


@pytest.mark.parametrize(
    ("scores", "labels", "said"),
    [
        ([0.1, 0.2], [1, 1], "positives and negatives"),
        ([0.1, 0.2], [1], "do not agree"),
        ([0.1, 0.2], [1, 2], "must be 0 or 1"),
    ],
)
def test_what_has_no_curve_is_refused(scores: list[float], labels: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        placements(np.array(scores), np.array(labels))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="do not agree"):
        squared_errors(np.zeros(2), np.zeros(3))
