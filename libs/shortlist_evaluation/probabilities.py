"""Metrics of predicted probabilities and ratings, one number an event, so that intervals can be drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_PROBABILITY = 1e-7
"""Probabilities are kept this far from 0 and 1, so that one sure mistake is not infinite."""


def placements(scores: NDArray[np.floating], labels: NDArray[np.integer | np.bool_]) -> NDArray[np.float64]:
    """Return for each positive the share of negatives below it, ties counted half, ``(positives,)``.

    Their mean is the area under the ROC curve (Hanley and McNeil 1982, "The meaning and use of the area under a
    receiver operating characteristic curve").

    Args:
        scores: ``(m,)``, higher is more likely positive.
        labels: 1 or 0, ``(m,)``.

    Raises:
        ValueError: Shapes do not agree, a label is neither, there are no positives or no negatives.
    """
    positive = _checked(scores, labels) == 1
    if positive.all() or not positive.any():
        raise ValueError("the area under the curve needs positives and negatives")
    negatives = np.sort(scores[~positive])
    below = np.searchsorted(negatives, scores[positive], side="left")
    upto = np.searchsorted(negatives, scores[positive], side="right")
    shares: NDArray[np.float64] = (below + upto) / (2.0 * len(negatives))
    return shares


def log_losses(probabilities: NDArray[np.floating], labels: NDArray[np.integer | np.bool_]) -> NDArray[np.float64]:
    """Return the cross-entropy of each event, ``(m,)``, natural logarithm.

    Raises:
        ValueError: Shapes do not agree or a label is neither 0 nor 1.
    """
    y = _checked(probabilities, labels)
    p = np.clip(probabilities.astype(np.float64), LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
    return -(y * np.log(p) + (1.0 - y) * np.log1p(-p))


def squared_errors(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the squared error of each event; the root of their mean is RMSE.

    Raises:
        ValueError: Shapes do not agree.
    """
    return _errors(predicted, actual) ** 2


def absolute_errors(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the absolute error of each event; their mean is MAE.

    Raises:
        ValueError: Shapes do not agree.
    """
    return np.abs(_errors(predicted, actual))


def _errors(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> NDArray[np.float64]:
    if predicted.shape != actual.shape:
        raise ValueError(f"predicted {predicted.shape} and actual {actual.shape} do not agree")
    return predicted.astype(np.float64) - actual.astype(np.float64)


def _checked(scores: NDArray[np.floating], labels: NDArray[np.integer | np.bool_]) -> NDArray[np.float64]:
    y = labels.astype(np.float64)
    if scores.shape != y.shape or y.ndim != 1:
        raise ValueError(f"scores {scores.shape} and labels {y.shape} do not agree")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 or 1")
    return y
