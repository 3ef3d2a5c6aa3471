"""Promotions of a request: what they say in the bundle that answers, and the candidates that they bring."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Protocol

from shortlist_domain.filters import EVERYTHING, NOTHING, All, Node, canonical
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.candidates import Candidates, Origins
from shortlist_gateway.filters.predicate import Predicate
from shortlist_gateway.filters.resolve import resolved
from shortlist_gateway.filters.search import passes_of
from shortlist_gateway.query import Origin, Query, Slate
from shortlist_gateway.slate.promotions import Promoted
from shortlist_gateway.slate.rules import Promotion

SPARE = 100
"""Candidates that one promotion brings at least, where there is room: some are pinned, shown before or over a cap."""


class Find(Protocol):
    """Finds candidates among the rows and under the condition given."""

    def __call__(
        self,
        wanted: int,
        excluded: set[int],
        allowed: set[int] | None,
        condition: Node | None = None,
        *,
        passes: Predicate | None = None,
    ) -> Awaitable[Candidates]:
        """Return ``wanted`` candidates at most; ``passes`` is the condition, for single rows."""
        ...


def wanted_positions(promotion: Promotion, slate_size: int) -> int:
    """Return how many positions of a slate a promotion is to hold: a share is rounded up."""
    if promotion.share is None:
        return min(promotion.slots, slate_size)
    return max(1, math.ceil(promotion.share * slate_size - 1e-4))  # a share is float32: 0.2 of 10 is 2


def brought_counts(promotions: Sequence[Promotion], slate_size: int, n_pinned: int, most: int) -> list[int]:
    """Return how many candidates each promotion may bring: as many as it wants positions, and some to spare.

    Args:
        promotions: The earlier ones come first where there is not room for all.
        slate_size: Items wanted; as many candidates are left room for.
        n_pinned: Pins, which are candidates too.
        most: Candidates in all.
    """
    room, free = most - slate_size - n_pinned, slate_size - n_pinned
    wanted = [wanted_positions(promotion, slate_size) for promotion in promotions]
    if sum(wanted) > room:
        before = accumulate(wanted, initial=0)
        wanted = [max(0, min(own, free - taken)) for own, taken in zip(wanted, before, strict=False)]
    spare = max(0, room - sum(wanted)) // max(1, len(wanted))
    return [own + min(spare, max(0, SPARE - own)) for own in wanted]


async def promoted_candidates(
    slate: Slate,
    query: Query,
    nodes: Sequence[Node],
    counts: Sequence[int],
    condition: Node | None,
    actor: KnownActor,
    excluded: set[int],
    allowed: set[int] | None,
    find: Find,
) -> tuple[list[Promoted], list[Candidates]]:
    """Return the promotions as they are for this slate, and what they bring, under the request's filter as well.

    All are looked for at once: promotions cost no round trip beside the one that candidates take.

    Args:
        slate: For whose bundle.
        query: Its rules have the promotions.
        nodes: Canonical tree of each promotion.
        counts: How many candidates each may bring.
        condition: Canonical tree of the request's filter.
        actor: For whom.
        excluded: Rows that may not appear.
        allowed: Rows that alone may appear; ``None``: all.
        find: Finds candidates.
    """
    promotions = []
    searches = []
    for promotion, node, count in zip(query.rules.promotions, nodes, counts, strict=True):
        passes = passes_of(resolved(node, actor, slate.catalogue), slate.catalogue)
        promotions.append(Promoted(passes, wanted_positions(promotion, query.slate_size)))
        both = node if condition is None else canonical(All((condition, node)), slate.catalogue.attributes.schema)
        own = resolved(both, actor, slate.catalogue)
        if own.node != NOTHING and count:
            within = allowed if own.allowed is None else set(own.allowed) if allowed is None else allowed & own.allowed
            tree = None if own.node == EVERYTHING else own.node
            searches.append(find(count, excluded | own.excluded, within, tree, passes=passes_of(own, slate.catalogue)))
    return promotions, await asyncio.gather(*searches)


def joined(candidates: Candidates, brought: Sequence[Candidates]) -> Candidates:
    """Return the candidates with those that promotions brought after them, with the score of the last, none twice."""
    rows = array("I", candidates.rows)
    known = set(rows)
    origins: dict[int, Sequence[Origin]] = {}
    for others in brought:
        for position, row in enumerate(others.rows):
            if row not in known:
                known.add(row)
                origins[len(rows)] = others.origins[position]
                rows.append(row)
    if not origins:
        return candidates
    least = candidates.scores[-1:] or array("f", [1.0])
    return replace(
        candidates,
        rows=rows,
        scores=candidates.scores + least * len(origins),
        origins=_JoinedOrigins(candidates.origins, origins),
    )


class _JoinedOrigins:
    """Origins of candidates, and of those that came after them."""

    def __init__(self, first: Origins, others: dict[int, Sequence[Origin]]) -> None:
        self._first = first
        self._others = others

    def __getitem__(self, position: int) -> Sequence[Origin]:
        found = self._others.get(position)
        return self._first[position] if found is None else found
