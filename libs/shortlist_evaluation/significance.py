"""Paired randomisation test: is a difference between two models more than chance?

Under the null hypothesis the two numbers of a user could as well be swapped, so every difference has either sign with
equal chance (Fisher 1935; Smucker, Allan and Carterette 2007, "A comparison of statistical significance tests for
information retrieval evaluation"). No distribution is assumed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.intervals import summed_by_group

_BLOCK = 4_000_000
"""Signs drawn at a time."""


def randomisation_test(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    seed: int,
    permutations: int = 10_000,
    groups: NDArray[np.generic] | None = None,
) -> float:
    """Return the two-sided p-value of the mean of ``a - b``, in (0, 1].

    ``p = (1 + permutations with a mean at least as far from 0) / (1 + permutations)``, which is never 0.

    Args:
        a: One number per user or event, finite, ``(m,)``.
        b: The other model's, position by position about the same user or event.
        seed: Of the signs.
        permutations: Number of random sign patterns, at least 1.
        groups: Label (user) of each pair; given, all pairs of a user are swapped together.

    Raises:
        ValueError: Shapes differ, there is no pair, a value is not finite, or ``permutations`` is below 1.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"a {x.shape} and b {y.shape} are not pairs")
    return randomisation_tests((x - y)[:, None], seed, permutations, groups)[0]


def randomisation_tests(
    differences: NDArray[np.floating],
    seed: int,
    permutations: int = 10_000,
    groups: NDArray[np.generic] | None = None,
) -> list[float]:
    """Return the p-value of each column of ``differences`` ``(m, c)``, all under the same sign patterns.

    Raises:
        ValueError: As :func:`randomisation_test`.
    """
    x: NDArray[np.float64] = np.asarray(differences, np.float64)
    if x.ndim != 2 or not len(x) or permutations < 1 or (groups is not None and np.shape(groups) != x.shape[:1]):
        raise ValueError(f"differences {x.shape}, permutations={permutations} (1 or more) or groups do not fit")
    if not np.isfinite(x).all():
        raise ValueError("differences must be finite; leave out what was not evaluated")
    sums, _ = summed_by_group(x, groups)
    observed = np.abs(sums.sum(axis=0))
    # A sum that only the order of addition keeps from being equal counts as equal.
    least = observed - 1e-9 * np.abs(sums).sum(axis=0)
    random = np.random.default_rng([seed, 31])
    n, as_far = len(sums), np.zeros(x.shape[1], np.int64)
    step = max(1, _BLOCK // n)
    for start in range(0, permutations, step):
        drawn = min(step, permutations - start)
        bits = np.unpackbits(random.integers(0, 256, (drawn, -(-n // 8)), np.uint8), axis=1, count=n)
        # The sum with random signs is the sum of those turned positive, twice, less the sum of all.
        swapped = 2.0 * (bits.astype(np.float64) @ sums) - sums.sum(axis=0)
        as_far += (np.abs(swapped) >= least).sum(axis=0)
    return [float((1 + count) / (1 + permutations)) for count in as_far]
