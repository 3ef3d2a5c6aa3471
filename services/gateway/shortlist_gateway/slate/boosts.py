"""Boosts: factors on the relevance of candidates that pass a condition."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import add, mul

from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import Candidates

LEAST, MOST = 1e-6, 1e6
"""Bounds of all the factors of an item together, so that scores stay within float32."""


def products(boosts: Iterable[tuple[Iterable[int], float]], rows: Sequence[int]) -> array[float]:
    """Return the product of the factors that each of ``rows`` gets, within the bounds: float32.

    Args:
        boosts: Which of the rows get a factor, and the factor.
        rows: The candidates.
    """
    found: dict[int, float] = {}
    for passing, factor in boosts:
        for row in passing:
            found[row] = found.get(row, 1.0) * factor
    if found and not LEAST <= min(found.values()) <= max(found.values()) <= MOST:
        found = {row: min(max(product, LEAST), MOST) for row, product in found.items()}
    return array("f", [found.get(row, 1.0) for row in rows])


def boosted(
    candidates: Candidates, ranked: RankResult | None, boosts: Sequence[float]
) -> tuple[Candidates, RankResult | None]:
    """Return both with scores as ``boosts`` make them; none changes nothing.

    Relevance is multiplied. Of the ranker's score, a logarithm, it is the exponential; others are relevance themselves.
    """
    if not boosts:
        return candidates, ranked
    candidates = replace(candidates, scores=array("f", map(mul, candidates.scores, boosts)))
    if ranked is None:
        return candidates, None
    # As many as ranking had time for.
    return candidates, replace(ranked, scores=array("f", map(add, ranked.scores, map(math.log, boosts))))
