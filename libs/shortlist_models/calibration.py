"""Logits to probabilities that mean something: Platt scaling and isotonic regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

_LEAST_PROBABILITY = 1e-12
"""What a probability of 0 counts as in the log loss."""


class Calibration(Protocol):
    """A map from logits to probabilities that never turns the order round."""

    def probability(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities of the shape of ``logits``."""
        ...

    def parameters(self) -> dict[str, object]:
        """Return what a bundle's calibration file says of it, beside the method and the version."""
        ...


@dataclass(frozen=True, slots=True)
class Platt:
    """``probability = sigmoid(slope * logit + intercept)``. Platt 1999."""

    slope: float
    intercept: float

    def probability(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities of the shape of ``logits``."""
        return sigmoid(self.slope * np.asarray(logits, np.float64) + self.intercept)

    def parameters(self) -> dict[str, object]:
        """Return ``slope`` and ``intercept``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Lines between knots, constant beyond the first and the last."""

    logits: tuple[float, ...]
    """Strictly ascending."""

    probabilities: tuple[float, ...]
    """One per logit, in (0, 1), never descending."""

    def probability(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities of the shape of ``logits``."""
        out: NDArray[np.float64] = np.interp(logits, self.logits, self.probabilities)
        return out

    def parameters(self) -> dict[str, object]:
        """Return the knots."""
        return {"logits": list(self.logits), "probabilities": list(self.probabilities)}


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
    x, target = _checked(logits, labels)
    shift, scale = float(x.mean()), float(x.std()) or 1.0
    z = (x - shift) / scale
    prevalence = target.mean()
    slope, intercept = 0.0, float(np.log(prevalence / (1.0 - prevalence)))
    loss = _loss(z, target, slope, intercept)
    for _ in range(steps):
        p = sigmoid(slope * z + intercept)
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


def fit_isotonic(logits: NDArray[np.floating], labels: NDArray[np.bool_]) -> Isotonic:
    """Fit the never descending function with the least squared error, as lines between the middles of its steps.

    The steps are those of pool adjacent violators (Zadrozny & Elkan 2002, "Transforming Classifier Scores into Accurate
    Multiclass Probability Estimates"), on Platt's smoothed targets, so that no probability is 0 or 1. Each step becomes
    one knot at the mean logit of its events, as in centred isotonic regression (Oron & Flournoy 2017): a step function
    would jump by a lot between two logits that differ in their last digit. Equal logits count as one of their mean.
    Logits that are all equal give the same probability everywhere.

    Args:
        logits: ``(n,)``.
        labels: ``(n,)``; both classes must occur.

    Raises:
        ValueError: Only one class occurs, or a logit is not finite.
    """
    x, target = _checked(logits, labels)
    at, place, count = np.unique(x, return_inverse=True, return_counts=True)
    weight = count.astype(np.float64)
    fitted = isotonic_regression(np.bincount(place, weights=target) / weight, weights=weight)
    begin = fitted.blocks[:-1]
    middle = np.add.reduceat(at * weight, begin) / np.add.reduceat(weight, begin)
    return Isotonic(tuple(middle.tolist()), tuple(fitted.x[begin].tolist()))


FITS: Mapping[str, Callable[[NDArray[np.floating], NDArray[np.bool_]], Calibration]] = {
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}
"""Every way to calibrate, by name. Adding one: an entry here, a form of the file in the ranking service."""


def log_loss(probability: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Return the mean negative log of the probability given to what happened, finite for a wrong certainty."""
    given = np.where(labels, probability, 1.0 - probability)
    return float(-np.log(np.maximum(given, _LEAST_PROBABILITY)).mean())


def expected_calibration_error(probability: NDArray[np.float64], labels: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the mean gap between predicted and observed frequency over ``bins`` groups of equal size.

    Groups of equal size and not of equal width, since with rare positives nearly all probabilities are small.
    """
    order = np.argsort(probability, kind="stable")
    gaps = [abs(probability[g].mean() - labels[g].mean()) * len(g) for g in np.array_split(order, bins) if len(g)]
    return float(sum(gaps) / len(probability))


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-x))``, without an exponential that could overflow."""
    out: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return out


def _loss(z: NDArray[np.float64], target: NDArray[np.float64], slope: float, intercept: float) -> float:
    x = slope * z + intercept
    return float((np.logaddexp(0.0, x) - target * x).sum())


def _checked(
    logits: NDArray[np.floating], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logits and Platt's smoothed targets: what a uniform prior on either class makes of 0 and 1."""
    x = np.asarray(logits, np.float64)
    positives = int(np.count_nonzero(labels))
    if not np.isfinite(x).all() or not 0 < positives < len(x):
        raise ValueError(f"calibration needs finite logits and both classes; {positives} of {len(x)} are positive")
    return x, np.where(labels, (positives + 1.0) / (positives + 2.0), 1.0 / (len(x) - positives + 2.0))
