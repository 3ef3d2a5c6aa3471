"""Turns scored candidates into results: order, limits, size."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import Candidates
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Shown


def ranked_order(ranked: RankResult | None, n: int) -> Sequence[int]:
    """Return positions of ``n`` candidates, best first.

    Ranked candidates come first, by score; the rest follows as retrieval ordered it. Ties keep retrieval's order.
    """
    if ranked is None or not ranked.scores:
        return range(n)
    scores = ranked.scores.tolist()
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    order.extend(range(len(scores), n))
    return order


def compose(
    candidates: Candidates,
    ranked: RankResult | None,
    catalogue: Catalogue,
    slate_size: int,
    minimum_click: float | None = None,
) -> list[Shown]:
    """Return the slate, at most ``slate_size`` results; whatever fails a limit is replaced by the next in order."""
    results: list[Shown] = []
    n_ranked = len(ranked.scores) if ranked else 0
    empty: array[float] = array("f")
    scores, click, rating = (ranked.scores, ranked.click, ranked.rating) if ranked else (empty, empty, empty)
    for position in ranked_order(ranked, len(candidates.rows)):
        if len(results) >= slate_size:
            break
        is_ranked = position < n_ranked
        if minimum_click is not None and is_ranked and click[position] < minimum_click:
            continue
        row = candidates.rows[position]
        results.append(
            Shown(
                item_id=catalogue.item_id(row),
                score=scores[position] if is_ranked else candidates.scores[position],
                click=click[position] if is_ranked else None,
                rating=rating[position] if is_ranked else None,
                origins=candidates.origins[position],
                row=row,
            )
        )
    return results
