"""Bootstrap intervals: percentile, 95 %, seeded (Efron and Tibshirani 1993, "An Introduction to the Bootstrap")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 2_000_000
"""Random numbers drawn at a time, so that memory stays small."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval that holds 95 % of its resamples."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: NDArray[np.floating], seed: int, resamples: int = 2000, groups: NDArray[np.generic] | None = None
) -> Interval:
    """Return the mean of ``values`` and its interval.

    Args:
        values: One number per user or event, finite, shape ``(m,)``. None at all gives NaN, a single unit an interval
            of no width.
        seed: Seed of the resampling.
        resamples: Number of resamples, at least 1.
        groups: Label (user) of each value, shape ``(m,)``. Given, whole groups are drawn (cluster bootstrap): the mean
            of a resample is the sum of the drawn groups' sums over the sum of their counts. Events of one user depend
            on each other; drawing them singly gives intervals that are too narrow.

    Raises:
        ValueError: A value is not finite, ``resamples`` is below 1, or shapes do not agree.
    """
    x: NDArray[np.float64] = np.asarray(values, np.float64)
    if x.ndim != 1 or resamples < 1 or (groups is not None and np.shape(groups) != x.shape):
        raise ValueError(f"values {x.shape}, resamples={resamples} (1 or more) or groups do not fit")
    if not np.isfinite(x).all():
        raise ValueError("values must be finite; leave out what was not evaluated")
    if len(x) == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    label = np.arange(len(x)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(label, x).astype(np.float64)
    counts = np.bincount(label).astype(np.float64)
    means = _resampled(sums, counts, np.random.default_rng(seed), resamples)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(x.mean()), float(low), float(high))


def paired_bootstrap(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    seed: int,
    resamples: int = 2000,
    groups: NDArray[np.generic] | None = None,
) -> Interval:
    """Return the mean of ``a - b`` and its interval; position by position both are about the same user or event.

    An interval without 0 is a difference that resampling does not explain.

    Raises:
        ValueError: Shapes differ; otherwise as :func:`bootstrap`.
    """
    if np.shape(a) != np.shape(b):
        raise ValueError(f"a {np.shape(a)} and b {np.shape(b)} are not pairs")
    return bootstrap(np.asarray(a, np.float64) - np.asarray(b, np.float64), seed, resamples, groups)


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], random: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    n = len(sums)
    means = np.empty(resamples)
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        drawn = random.integers(0, n, (min(step, resamples - start), n))
        means[start : start + step] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means
