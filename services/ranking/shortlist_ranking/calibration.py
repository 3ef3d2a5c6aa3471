"""Calibration of click logits, as a bundle's file says it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.errors import BundleInvalid

VERSION = 1
"""Of the calibration file. A file that names none is of the first."""

MOST_KNOTS = 100_000


class Calibration(Protocol):
    """Logits to probabilities, never turning the order round."""

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of finite ``logits``, in [0, 1], of the same shape."""
        ...


class PlattCalibration:
    """``probability = sigmoid(slope * logit + intercept)``. Platt 1999, "Probabilistic outputs for SVMs"."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Take the parameters.

        Raises:
            BundleInvalid: Numbers that are not finite, or a slope that would turn the order round.
        """
        self._slope, self._intercept = float(raw["slope"]), float(raw["intercept"])
        if not (np.isfinite(self._slope) and np.isfinite(self._intercept) and self._slope >= 0.0):
            raise BundleInvalid(f"calibration with slope {self._slope} and intercept {self._intercept}")

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of finite ``logits``, in [0, 1], of the same shape."""
        exponents = np.clip(self._slope * logits.astype(np.float64) + self._intercept, -700.0, 700.0)
        return (1.0 / (1.0 + np.exp(-exponents))).astype(np.float32)


class PiecewiseLinearCalibration:
    """Lines between knots ``(logit, probability)``, constant beyond the first and the last."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Take the knots.

        Raises:
            BundleInvalid: Lists of different length, no knot or too many, a number that is not finite, logits that do
                not ascend, probabilities that descend or are outside of [0, 1].
        """
        logits, probabilities = np.array(raw["logits"], np.float64), np.array(raw["probabilities"], np.float64)
        if logits.ndim != 1 or logits.shape != probabilities.shape or not 1 <= len(logits) <= MOST_KNOTS:
            raise BundleInvalid(
                f"calibration with logits of shape {logits.shape} and probabilities of shape {probabilities.shape}; "
                f"as many of one as of the other are needed, 1 to {MOST_KNOTS}"
            )
        if not (np.isfinite(logits).all() and np.isfinite(probabilities).all()):
            raise BundleInvalid("calibration with a knot that is not finite")
        for name, wrong in (
            ("its logit does not ascend", np.flatnonzero(np.diff(logits) <= 0.0) + 1),
            ("its probability descends", np.flatnonzero(np.diff(probabilities) < 0.0) + 1),
            ("its probability is outside of [0, 1]", np.flatnonzero((probabilities < 0.0) | (probabilities > 1.0))),
        ):
            if len(wrong):
                at = int(wrong[0])
                raise BundleInvalid(f"calibration, knot {at} ({logits[at]}, {probabilities[at]}): {name}")
        self._logits, self._probabilities = logits, probabilities

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of finite ``logits``, in [0, 1], of the same shape."""
        return np.interp(logits, self._logits, self._probabilities).astype(np.float32)


CALIBRATIONS: Mapping[str, Callable[[Mapping[str, Any]], Calibration]] = {
    "platt": PlattCalibration,
    "isotonic": PiecewiseLinearCalibration,
}
"""By the method that the file names."""


def load_calibration(content: bytes) -> Calibration:
    """Parse ``calibration.json``.

    Raises:
        BundleInvalid: It cannot be read, is of another version, or of a method or with numbers that are not allowed.
    """
    try:
        raw = json.loads(content)
        method, version = raw["method"], int(raw.get("version", VERSION))
        if version != VERSION:
            raise BundleInvalid(f"calibration has version {version}; this release reads {VERSION}")
        if method not in CALIBRATIONS:
            raise BundleInvalid(f"calibration by {method!r}; this release knows {', '.join(CALIBRATIONS)}")
        return CALIBRATIONS[method](raw)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BundleInvalid(f"calibration cannot be read: {error!r}") from error
