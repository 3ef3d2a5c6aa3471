"""Boosts of a request: what they are of each candidate of one actor."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from shortlist_domain.filters import Node
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.filters.resolve import resolved
from shortlist_gateway.filters.search import passing_of, warn_of_history
from shortlist_gateway.query import Query, Slate
from shortlist_gateway.slate.boosts import products


def boosts_of(
    slate: Slate, query: Query, nodes: Sequence[Node], actor: KnownActor, rows: Sequence[int]
) -> array[float]:
    """Return the factor on the relevance of each of ``rows``: float32; empty where nothing is boosted.

    Args:
        slate: Gets the warnings.
        query: Its rules have the boosts.
        nodes: Canonical tree of each boost.
        actor: For whom.
        rows: The candidates.
    """
    if not nodes:
        return array("f")
    warn_of_history(slate, nodes, "constraints.boosts")
    passing = (passing_of(resolved(node, actor, slate.catalogue), slate.catalogue, rows) for node in nodes)
    factors = (boost.factor for boost in query.rules.boosts)
    return products(zip(passing, factors, strict=True), rows)
