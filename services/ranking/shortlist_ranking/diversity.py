"""Spreads a slate: an order in which an item differs from those before it. Knows no bundle and no request.

Likeness of two items is ``(1 + cosine) / 2``, in [0, 1], as in Chen et al. 2018, so that likenesses of any items are a
positive semi-definite matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.spread import DiversityMethod

Vectors = NDArray[np.float32]
Relevance = NDArray[np.float64]

SMALLEST_RESIDUAL = 1e-9
"""Items of which less than this is left, when what they share with those taken is taken away, count as equal to them:
what is smaller is rounding."""


def relevance_of(scores: NDArray[np.float32], kept: NDArray[np.float32] | None = None) -> Relevance:
    """Return each score's place between the lowest and the highest one, in [0, 1], times what is kept of it, ``(m,)``.

    Args:
        scores: Finite, at least one.
        kept: Factors in [0, 1]; ``None``: 1 each.
    """
    exact = scores.astype(np.float64)
    lowest = exact.min()
    width = exact.max() - lowest
    relevance: Relevance = (exact - lowest) / width if width > 0.0 else np.ones(len(exact))
    return relevance if kept is None else relevance * kept


class Method(Protocol):
    """Takes candidates one by one."""

    def __call__(self, relevance: Relevance, vectors: Vectors, strength: float, count: int, held: Vectors) -> list[int]:
        """Return positions of at most ``count`` candidates, in the order they are taken.

        Args:
            relevance: In [0, 1], ``(m,)``. Of equal candidates the first is taken.
            vectors: Their embeddings, ``(m, d)``.
            strength: In [0, 1]: 0 is relevance alone, 1 is spread alone.
            count: How many to take.
            held: Embeddings of what is taken already, ``(h, d)``.
        """
        ...


def mmr(relevance: Relevance, vectors: Vectors, strength: float, count: int, held: Vectors) -> list[int]:
    """Maximal marginal relevance: Carbonell and Goldstein, SIGIR 1998. Arguments as :class:`Method`; O(count m d)."""
    units = _units(vectors)
    nearest = np.zeros(len(units))
    for unit in _units(held):
        np.maximum(nearest, (units @ unit + 1.0) / 2.0, out=nearest)
    worth = (1.0 - strength) * relevance
    taken: list[int] = []
    for _ in range(min(count, len(units))):
        best = int(np.argmax(worth - strength * nearest))
        taken.append(best)
        worth[best] = -np.inf
        np.maximum(nearest, (units @ units[best] + 1.0) / 2.0, out=nearest)
    return taken


def dpp(relevance: Relevance, vectors: Vectors, strength: float, count: int, held: Vectors) -> list[int]:
    """Greedy MAP of a determinantal point process: Chen, Zhang and Zhou, NeurIPS 2018, algorithm 1.

    The kernel is ``exp(a r_i) S_ij exp(a r_j)`` with ``a = (1 - strength) / (2 strength)``, taken as a logarithm times
    ``strength``, so that neither end overflows. Each step adds a row to a Cholesky factor; ``residual`` is the square
    of its diagonal, by which taking an item multiplies the determinant.
    Arguments as :class:`Method`; O(count m (d + count)).
    """
    m, h = len(vectors), len(held)
    units = np.concatenate([_units(held), _units(vectors)])
    factors = np.empty((h + min(count, m), h + m), units.dtype)
    # Likeness to itself: 1 to the bit where there is a direction, so that rounding does not choose the first of all.
    residual = np.where(units.any(axis=1), 1.0, 0.5)
    worth = np.concatenate([np.full(h, -np.inf), (1.0 - strength) * relevance])
    taken: list[int] = []
    used = 0
    for step in range(h + min(count, m)):
        if step < h:
            best = step
        else:
            best = int(np.argmax(worth + strength * np.log(np.maximum(residual, SMALLEST_RESIDUAL))))
            taken.append(best - h)
            worth[best] = -np.inf
        if residual[best] > SMALLEST_RESIDUAL:
            likeness = (units @ units[best] + 1.0) / 2.0
            factors[used] = (likeness - factors[:used, best] @ factors[:used]) / np.sqrt(residual[best])
            residual -= factors[used] ** 2
            used += 1
    return taken


METHODS: Mapping[DiversityMethod, Method] = {DiversityMethod.MMR: mmr, DiversityMethod.DPP: dpp}


def _units(vectors: Vectors) -> NDArray[np.float64]:
    """Return vectors of length 1; one without a direction stays as it is."""
    exact = vectors.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))
    return exact / np.where(lengths > 0.0, lengths, 1.0)[:, None]
