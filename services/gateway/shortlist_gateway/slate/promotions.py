"""Positions that are kept for promoted items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shortlist_gateway.candidates import Candidates
from shortlist_gateway.slate.caps import Caps


@dataclass(frozen=True, slots=True)
class Promoted:
    """One promotion, as it is for one slate."""

    passes: Callable[[int], bool]
    """Whether the item of a row is promoted."""

    wanted: int
    """Positions that hold such items at least."""


def reserved(
    promotions: Sequence[Promoted],
    eligible: Sequence[int],
    pinned: Sequence[int],
    caps: Caps,
    candidates: Candidates,
    n: int,
) -> tuple[list[int], list[str]]:
    """Return the candidates that have a position for certain, and what is to be said of promotions that fall short.

    They are the first in order that pass, as many as are wanted beside the pins that pass and those that earlier
    promotions brought; they are counted under the caps before any other candidate.

    Args:
        promotions: The earlier ones come first where there is not room for all.
        eligible: Candidates in order, without the pinned ones.
        pinned: Candidates that are pinned.
        caps: With the pins counted; gets those that are returned.
        candidates: Their rows.
        n: Positions that are not pinned.
    """
    kept: list[int] = []
    warnings: list[str] = []
    for number, promotion in enumerate(promotions):
        count = sum(promotion.passes(candidates.rows[candidate]) for candidate in (*pinned, *kept))
        among = set(kept)
        for candidate in eligible:
            if count >= promotion.wanted or len(kept) >= n:
                break
            row = candidates.rows[candidate]
            if candidate in among or not promotion.passes(row):
                continue
            values = caps.values(row)
            if caps.admits(values):
                caps.take(values)
                kept.append(candidate)
                count += 1
        if count < promotion.wanted:
            warnings.append(
                f"constraints.promotions[{number}]: {count} of {promotion.wanted} positions, "
                "for want of items or positions"
            )
    return kept, warnings
