"""An order beside the scores, where a request asks for one: which candidates take part, and how."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.errors import Violation
from shortlist_domain.spread import Spread
from shortlist_ranking.diversity import METHODS, relevance_of

MAX_COUNT = 200
MAX_HELD = 100


def spread_order(
    spread: Spread,
    scores: NDArray[np.float32],
    clicks: NDArray[np.float32],
    embeddings: NDArray[Any],
    rows: NDArray[np.int64],
) -> array[int]:
    """Return candidates in the order that ``spread`` asks for.

    Args:
        spread: Checked.
        scores: Of the candidates that were ranked, ``(r,)``, which alone stand in the order.
        clicks: Their click probabilities, ``(r,)``.
        embeddings: Of all items, ``(n, d)``.
        rows: All candidates, ``(m,)`` with ``m >= r``.
    """
    kept = np.frombuffer(spread.kept, np.float32)[: len(scores)] if spread.kept else None
    if spread.boosts:
        boosts = np.frombuffer(spread.boosts, np.float32)[: len(scores)]
        scores = (scores + np.log(boosts.astype(np.float64))).astype(np.float32)
    relevance = relevance_of(scores, kept)
    held = np.frombuffer(spread.held, np.uint32).astype(np.int64) if spread.held else np.empty(0, np.int64)
    takes_part = clicks >= np.float32(spread.minimum_click_probability)
    takes_part[held[held < len(scores)]] = False
    # By relevance; among equals what is whole comes before what is left of more, then by score, then as asked.
    whole = np.ones(len(scores)) if kept is None else kept
    by_relevance = np.lexsort((-scores, -whole, -relevance))
    candidates = by_relevance[takes_part[by_relevance]]
    taken = METHODS[spread.method](
        relevance[candidates],
        embeddings.take(rows[candidates], axis=0),
        spread.strength,
        spread.count,
        embeddings.take(rows[held], axis=0),
    )
    return array("I", candidates[taken].tolist())


def spread_violations(spread: Spread, n: int) -> list[Violation]:
    """Return everything that is wrong with ``spread`` for ``n`` candidates."""
    found = []
    if not 0.0 <= spread.strength <= 1.0:
        found.append(Violation("spread.strength", f"is {spread.strength:g}; it must be in [0, 1]"))
    if not 1 <= spread.count <= MAX_COUNT:
        found.append(Violation("spread.count", f"is {spread.count}; it must be in [1, {MAX_COUNT}]"))
    if not 0.0 <= spread.minimum_click_probability <= 1.0:
        least = spread.minimum_click_probability
        found.append(Violation("spread.minimum_click_probability", f"is {least:g}; it must be in [0, 1]"))
    if len(spread.held) > MAX_HELD:
        found.append(Violation("spread.held", f"has {len(spread.held)} entries; at most {MAX_HELD} are allowed"))
    elif any(position >= n for position in spread.held):
        found.append(Violation("spread.held", f"holds a position that is not below {n}, the number of rows"))
    if spread.kept:
        kept = np.frombuffer(spread.kept, np.float32)
        if len(kept) != n:
            found.append(Violation("spread.kept", f"has {len(kept)} entries for {n} rows"))
        elif not ((kept >= 0.0) & (kept <= 1.0)).all():
            found.append(Violation("spread.kept", "holds a value outside of [0, 1]"))
    if spread.boosts:
        boosts = np.frombuffer(spread.boosts, np.float32)
        if len(boosts) != n:
            found.append(Violation("spread.boosts", f"has {len(boosts)} entries for {n} rows"))
        elif not (np.isfinite(boosts) & (boosts > 0.0)).all():
            found.append(Violation("spread.boosts", "holds a value that is not finite and above 0"))
    return found
