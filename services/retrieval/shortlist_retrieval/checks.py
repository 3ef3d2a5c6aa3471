"""What a request to retrieval may hold."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np

from shortlist_bundle.request_checks import actor_violations, row_violations
from shortlist_domain.errors import Violation
from shortlist_domain.stages import RetrieveRequest

MAX_WEIGHT = 1000.0
"""Greatest weight of a source in the fusion."""

MAX_CANDIDATES = 2000
"""Most candidates of one request."""

MAX_ITEMS = 1000
"""Most items that one request has embedded."""


def retrieve_violations(request: RetrieveRequest, n_items: int, sources: Sequence[str]) -> list[Violation]:
    """Return everything that is wrong with ``request`` for a bundle of ``n_items`` items."""
    found = actor_violations(request.actor, n_items)
    if not 1 <= request.candidate_count <= MAX_CANDIDATES:
        found.append(Violation("candidate_count", f"is {request.candidate_count}; it must be in [1, {MAX_CANDIDATES}]"))
    found += row_violations("exclude_rows", request.exclude_rows, n_items)
    found += row_violations("allow_rows", request.allow_rows or array("I"), n_items)
    found += row_violations("anchor_rows", request.anchor_rows, n_items)
    there_are = f"there are {', '.join(sources)}"
    for at, (name, share) in enumerate(request.quotas.items()):
        if name not in sources:
            found.append(Violation(f"quotas[{at}].source", f"names the source {name!r}; {there_are}"))
        elif not (math.isfinite(share) and 0.0 <= share <= 1.0):
            found.append(Violation(f"quotas[{at}].share", f"is {share:g}; it must be in [0, 1]"))
    for at, name in enumerate(request.sources):
        if name not in sources:
            found.append(Violation(f"sources[{at}]", f"names the source {name!r}; {there_are}"))
    for at, (name, weight) in enumerate(request.weights.items()):
        if name not in sources:
            found.append(Violation(f"weights[{at}].source", f"names the source {name!r}; {there_are}"))
        elif not 0.0 < weight <= MAX_WEIGHT:
            found.append(Violation(f"weights[{at}].weight", f"is {weight:g}; (0, {MAX_WEIGHT:g}] is needed"))
    if sum(request.quotas.values()) > 1.0 + 1e-6:
        found.append(Violation("quotas", f"add up to {sum(request.quotas.values()):g}; at most 1 is possible"))
    return found


def embed_items_violations(columns: array[float], n_columns: int) -> list[Violation]:
    """Return what is wrong with static columns of items, row-major, for a bundle with ``n_columns`` of them."""
    items, left = divmod(len(columns), n_columns)
    if left:
        return [Violation("item_features", f"has {len(columns)} numbers; an item takes {n_columns}, one a column")]
    if not 1 <= items <= MAX_ITEMS:
        return [Violation("item_features", f"has {items} items; it must be in [1, {MAX_ITEMS}]")]
    if not np.isfinite(np.frombuffer(columns, np.float32)).all():
        return [Violation("item_features", "holds a value that is not finite")]
    return []
