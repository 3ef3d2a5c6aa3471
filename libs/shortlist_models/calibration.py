"""Platt scaling: logits to probabilities that mean something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Platt:
    """``probability = sigmoid(slope * logit + intercept)``. Platt 1999."""

    slope: float
    intercept: float

    def probability(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities of the shape of ``logits``."""
        return _sigmoid(self.slope * np.asarray(logits, np.float64) + self.intercept)


def fit_platt(logits: NDArray[np.floating], labels: NDArray[np.bool_], steps: int = 100) -> Platt:
    """Fit slope and intercept by maximum likelihood, with Platt's smoothed targets and Newton steps.

    A calibration never turns the order round: where the likelihood asks for a negative slope, the best flat one is
    returned, which gives everything the same probability.

    Args:
        logits: ``(n,)``.
        labels: ``(n,)``; both classes must occur.
        steps: Most Newton steps.

    Raises:
        ValueError: Only one class occurs, or a logit is not finite.
    """
    x = np.asarray(logits, np.float64)
    positives = int(np.count_nonzero(labels))
    if not np.isfinite(x).all() or not 0 < positives < len(x):
        raise ValueError(f"calibration needs finite logits and both classes; {positives} of {len(x)} are positive")
    target = np.where(labels, (positives + 1.0) / (positives + 2.0), 1.0 / (len(x) - positives + 2.0))
    shift, scale = float(x.mean()), float(x.std()) or 1.0
    z = (x - shift) / scale
    prevalence = target.mean()
    slope, intercept = 0.0, float(np.log(prevalence / (1.0 - prevalence)))
    loss = _loss(z, target, slope, intercept)
    for _ in range(steps):
        p = _sigmoid(slope * z + intercept)
        residual, weight = p - target, np.maximum(p * (1.0 - p), 1e-12)
        gradient = np.array([(residual * z).sum(), residual.sum()])
        hessian = np.array([[(weight * z * z).sum(), (weight * z).sum()], [(weight * z).sum(), weight.sum()]])
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        size = 1.0
        while size > 1e-6 and (better := _loss(z, target, slope - size * step[0], intercept - size * step[1])) > loss:
            size /= 2.0
        if size <= 1e-6 or loss - better < 1e-10 * len(x):
            break
        slope, intercept, loss = slope - size * step[0], intercept - size * step[1], better
    if slope < 0.0:
        return Platt(0.0, float(np.log(prevalence / (1.0 - prevalence))))
    return Platt(float(slope / scale), float(intercept - slope * shift / scale))


def expected_calibration_error(probability: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the mean gap between predicted and observed frequency over ``bins`` groups of equal size.

    Groups of equal size and not of equal width, since with rare positives nearly all probabilities are small.
    """
    order = np.argsort(probability, kind="stable")
    gaps = [abs(probability[g].mean() - labels[g].mean()) * len(g) for g in np.array_split(order, bins) if len(g)]
    return float(sum(gaps) / len(probability))


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return out


def _loss(z: NDArray[np.float64], target: NDArray[np.float64], slope: float, intercept: float) -> float:
    x = slope * z + intercept
    return float((np.logaddexp(0.0, x) - target * x).sum())
