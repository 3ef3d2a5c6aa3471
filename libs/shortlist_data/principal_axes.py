"""Principal component analysis: few coordinates that keep most of what tells vectors apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 65_536
"""Rows taken in double precision at a time."""

_NEGLIGIBLE = 1e-9
"""Share of the largest variance below which an axis is rounding."""


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """Axes fitted on some vectors, in order of falling variance along them."""

    mean: NDArray[np.float64]
    """``(d,)``."""

    axes: NDArray[np.float64]
    """Orthonormal rows, ``(components, d)``. Of each, the coordinate of largest magnitude is positive."""

    variances: NDArray[np.float64]
    """Population variance along each axis, ``(components,)``, non-increasing, above 0."""

    def project(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the coordinates of ``vectors`` ``(m, d)`` along the axes, ``(m, components)``."""
        parts = [
            (vectors[begin : begin + _BLOCK].astype(np.float64) - self.mean) @ self.axes.T
            for begin in range(0, len(vectors), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.axes)))


def fit_principal_axes(vectors: NDArray[np.floating], components: int) -> PrincipalAxes:
    """Return the first ``components`` principal axes of ``vectors`` ``(m, d)``; fewer where they vary in fewer.

    Axes are eigenvectors of the covariance matrix (Jolliffe 2002, "Principal Component Analysis", chapter 1), which
    takes ``d^2`` numbers whatever ``m`` is. The sign of an eigenvector is arbitrary; here it is fixed, so that equal
    vectors give equal axes.

    Raises:
        ValueError: There is no vector, or ``components`` is negative.
    """
    m, d = vectors.shape
    if m < 1 or components < 0:
        raise ValueError(f"{components} principal axes of {m} vectors cannot be had")
    blocks = [slice(begin, begin + _BLOCK) for begin in range(0, m, _BLOCK)]
    mean = np.sum([vectors[b].astype(np.float64).sum(axis=0) for b in blocks], axis=0) / m
    covariance = np.zeros((d, d))
    for block in blocks:
        centred = vectors[block].astype(np.float64) - mean
        covariance += centred.T @ centred
    values, columns = np.linalg.eigh(covariance / m)
    order = np.argsort(-values, kind="stable")[:components]
    order = order[values[order] > _NEGLIGIBLE * max(float(values[-1]), 1e-30)]
    axes = columns[:, order].T
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return PrincipalAxes(mean, axes * np.sign(largest), values[order])
