"""What ranking is asked for a slate whose items differ, and what becomes of its answer."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from shortlist_domain.spread import Spread
from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import Candidates
from shortlist_gateway.query import Query, Slate
from shortlist_gateway.slate.order import kept_relevance

MOST_SPREAD = 100
"""Positions that are spread; those after them follow by relevance."""


def spread_of(
    query: Query,
    candidates: Candidates,
    pinned: Mapping[int, int],
    shown_at: Mapping[int, float],
    boosts: array[float],
) -> Spread | None:
    """Return the order that ranking is asked for beside its scores, ``None`` where the query wants no spread.

    Pins are held, so that the others differ from them as well; rotation and boosts are in the factors. With caps, more
    positions are filled than the slate has, since some of what fills them will be passed over.
    """
    rules = query.rules
    free = query.slate_size - len(pinned)
    if rules.diversity is None or free < 1:
        return None
    kept = array("f")
    if rules.rotation and shown_at:
        kept = kept_relevance(candidates.rows, shown_at, rules.rotation, query.now_s)
    return Spread(
        method=rules.diversity.method,
        strength=rules.diversity.strength,
        count=MOST_SPREAD if rules.caps else min(free, MOST_SPREAD),
        held=array("I", pinned.values()),
        kept=kept,
        minimum_click_probability=query.minimum_click_probability or 0.0,
        boosts=boosts,
    )


def spread_first(
    slate: Slate, query: Query, ranked: RankResult | None, order: Sequence[int], n_free: int
) -> Sequence[int]:
    """Return ``order`` with what ranking spread in front; where it did not, say so.

    Args:
        slate: Gets the warnings.
        query: Tells whether a spread was asked for.
        ranked: Ranking's answer.
        order: Candidates by relevance.
        n_free: Positions of the slate that are not pinned.
    """
    if query.rules.diversity is None or not order or n_free < 1:
        return order
    if ranked is None or ranked.order is None:
        why = "candidates could not be ranked" if ranked is None else "time ran out"
        slate.warnings.append(f"constraints.diversity: was not applied, since {why}")
        return order
    if n_free > MOST_SPREAD:
        slate.warnings.append(
            f"constraints.diversity: the first {MOST_SPREAD} positions are spread, the others follow by relevance"
        )
    in_front = set(ranked.order)
    return [*ranked.order, *(candidate for candidate in order if candidate not in in_front)]
