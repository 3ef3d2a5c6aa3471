"""In which order candidates come: by score, and with what was shown lately moved down."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from shortlist_domain.stages import RankResult
from shortlist_gateway.slate.rules import Rotation


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


def boosted_order(ranked: RankResult | None, scores: Sequence[float]) -> list[int]:
    """Return positions of candidates, best first, where what was not ranked is in the order of its ``scores`` too."""
    n_ranked = len(ranked.scores) if ranked else 0
    order = list(ranked_order(ranked, n_ranked))
    return order + sorted(range(n_ranked, len(scores)), key=scores.__getitem__, reverse=True)


def kept_relevance(
    rows: Sequence[int], shown_at: Mapping[int, float], rotation: Rotation, now_s: float
) -> array[float]:
    """Return what rotation leaves of the relevance of each of ``rows``, in [0, 1]: float32.

    ``1 - rate * 0.5 ** (age / half_life)``, with the age of the latest time the item was shown; 1 where it never was.

    Args:
        rows: The candidates.
        shown_at: When an item was last shown, by row, seconds since 1970 UTC.
        rotation: Rate and half-life.
        now_s: Moment of the request.
    """
    kept = array("f", [1.0]) * len(rows)
    for position, row in enumerate(rows):
        if row in shown_at:
            age_s = max(0.0, now_s - shown_at[row])
            kept[position] = 1.0 - rotation.rate * 0.5 ** (age_s / rotation.half_life_s)
    return kept


def rotated_scores(scores: Sequence[float], kept: Sequence[float]) -> Sequence[float]:
    """Return scores with what ``kept`` leaves of their places between the lowest and the highest one.

    Args:
        scores: Of candidates that compare, at least one.
        kept: Factors in [0, 1], of as many or more.
    """
    lowest = min(scores)
    return [lowest + (score - lowest) * factor for score, factor in zip(scores, kept, strict=False)]


def rotated_order(scores: Sequence[float], kept: Sequence[float], n_ranked: int) -> list[int]:
    """Return positions of the candidates, best first, with relevance as ``kept`` leaves it.

    Relevance is the score's place between the lowest and the highest one, in [0, 1]. Candidates that were ranked and
    those that were not do not compare: the latter stay behind, each part in an order of its own.

    Args:
        scores: The ranker's of the first ``n_ranked`` candidates, retrieval's of the others.
        kept: Factors in [0, 1], as :func:`kept_relevance` gives them.
        n_ranked: How many were ranked.
    """
    order: list[int] = []
    for part in (range(n_ranked), range(n_ranked, len(scores))):
        if part:
            own = scores[part.start : part.stop]
            lowest = min(own)
            width = max(own) - lowest
            keys = []
            for position in part:
                relevance = (scores[position] - lowest) / width if width else 1.0
                # What was shown comes after what was not and is as relevant; else the score decides.
                keys.append((-relevance * kept[position], -kept[position], -scores[position], position))
            order.extend(position for *_, position in sorted(keys))
    return order
