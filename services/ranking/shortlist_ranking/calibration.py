"""Platt calibration of click logits."""

import json
import math

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.errors import BundleInvalid


class PlattCalibration:
    """``probability = sigmoid(slope * logit + intercept)``. Platt 1999, "Probabilistic outputs for SVMs"."""

    def __init__(self, content: bytes) -> None:
        """Parse ``calibration.json``.

        Raises:
            BundleInvalid: Another method, or numbers that are not finite, or a slope that would turn the order round.
        """
        try:
            raw = json.loads(content)
            method, self.slope, self.intercept = raw["method"], float(raw["slope"]), float(raw["intercept"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleInvalid(f"calibration cannot be read: {error!r}") from error
        if method != "platt":
            raise BundleInvalid(f"calibration by {method!r}; this version knows 'platt'")
        if not (math.isfinite(self.slope) and math.isfinite(self.intercept) and self.slope >= 0.0):
            raise BundleInvalid(f"calibration with slope {self.slope} and intercept {self.intercept}")

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of finite ``logits``, in [0, 1], of the same shape."""
        exponents = np.clip(self.slope * logits.astype(np.float64) + self.intercept, -700.0, 700.0)
        return (1.0 / (1.0 + np.exp(-exponents))).astype(np.float32)
