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
    if x.ndim != 1:
        raise ValueError(f"values {x.shape} are not one number per user or event")
    return bootstrap_columns(x[:, None], seed, resamples, groups)[0]


def bootstrap_columns(
    values: NDArray[np.floating], seed: int, resamples: int = 2000, groups: NDArray[np.generic] | None = None
) -> list[Interval]:
    """Return :func:`bootstrap` of every column of ``values`` ``(m, c)``, over the same resamples.

    Raises:
        ValueError: As :func:`bootstrap`.
    """
    x: NDArray[np.float64] = np.asarray(values, np.float64)
    if x.ndim != 2 or resamples < 1 or (groups is not None and np.shape(groups) != x.shape[:1]):
        raise ValueError(f"values {x.shape}, resamples={resamples} (1 or more) or groups do not fit")
    if not np.isfinite(x).all():
        raise ValueError("values must be finite; leave out what was not evaluated")
    if len(x) == 0:
        return [Interval(float("nan"), float("nan"), float("nan"))] * x.shape[1]
    sums, counts = summed_by_group(x, groups)
    means = _resampled(sums, counts, np.random.default_rng(seed), resamples)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [Interval(float(x[:, c].mean()), float(low[c]), float(high[c])) for c in range(x.shape[1])]


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


def summed_by_group(
    values: NDArray[np.float64], groups: NDArray[np.generic] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of each group ``(g, c)`` of ``values`` ``(m, c)``, and the sizes ``(g,)``; no groups: rows."""
    if groups is None:
        return values, np.ones(len(values))
    label = np.unique(groups, return_inverse=True)[1]
    sums = np.stack([np.bincount(label, column) for column in values.T], axis=1)
    return sums.astype(np.float64), np.bincount(label).astype(np.float64)


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], random: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Return the means of the resamples, ``(resamples, c)``: how often each group is drawn, times what it holds."""
    n = len(sums)
    both = np.concatenate([sums, counts[:, None]], axis=1)
    means = np.empty((resamples, sums.shape[1]))
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        b = min(step, resamples - start)
        drawn = random.integers(0, n, (b, n)) + n * np.arange(b)[:, None]
        times = np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n).astype(np.float64)
        totals = times @ both
        means[start : start + b] = totals[:, :-1] / totals[:, -1:]
    return means
