"""Do predicted probabilities come true? The bins of a reliability diagram, and the error they add up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bin:
    """Events with like predictions."""

    predicted: float
    """Mean predicted probability."""

    observed: float
    """Share of them that came true."""

    low: float
    """Lower end of the 95 % interval of that share (Wilson 1927)."""

    high: float
    """Upper end."""

    count: int
    """Events in the bin."""


def reliability_bins(
    probabilities: NDArray[np.floating], labels: NDArray[np.bool_ | np.integer], bins: int = 10
) -> tuple[Bin, ...]:
    """Return up to ``bins`` bins of equal size, by ascending prediction.

    Of equal size and not of equal width, since with rare positives nearly all probabilities are small.

    Raises:
        ValueError: Shapes do not agree, a probability is not in [0, 1], or ``bins`` is below 1.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.float64)
    if p.ndim != 1 or p.shape != y.shape or bins < 1:
        raise ValueError(f"probabilities {p.shape} and labels {y.shape} do not agree, or bins={bins} is below 1")
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("a probability is not in [0, 1]")
    order = np.argsort(p, kind="stable")
    return tuple(_bin(p[part], y[part]) for part in np.array_split(order, bins) if len(part))


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Return the expected calibration error: the mean gap between predicted and observed, by size; NaN without bins."""
    total = sum(b.count for b in bins)
    return sum(abs(b.predicted - b.observed) * b.count for b in bins) / total if total else float("nan")


def _bin(p: NDArray[np.float64], y: NDArray[np.float64]) -> Bin:
    n, share, z = len(p), float(y.mean()), 1.959963984540054
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Bin(float(p.mean()), share, max(0.0, middle - half), min(1.0, middle + half), n)
