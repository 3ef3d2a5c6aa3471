"""What a request to retrieval may hold."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

from shortlist_bundle.request_checks import actor_violations, row_violations
from shortlist_domain.errors import Violation
from shortlist_domain.stages import RetrieveRequest

MAX_WEIGHT = 1000.0
"""Greatest weight of a source in the fusion."""

MAX_CANDIDATES = 2000
"""Most candidates of one request."""


def retrieve_violations(request: RetrieveRequest, n_items: int, sources: Sequence[str]) -> list[Violation]:
    """Return everything that is wrong with ``request`` for a bundle of ``n_items`` items."""
    found = actor_violations(request.actor, n_items)
    if not 1 <= request.candidate_count <= MAX_CANDIDATES:
        found.append(Violation("candidate_count", f"is {request.candidate_count}; it must be in [1, {MAX_CANDIDATES}]"))
    found += row_violations("exclude_rows", request.exclude_rows, n_items)
    found += row_violations("allow_rows", request.allow_rows or array("I"), n_items)
    found += row_violations("anchor_rows", request.anchor_rows, n_items)
    for name, share in request.quotas.items():
        if name not in sources:
            found.append(Violation("quotas", f"names the source {name!r}; there are {', '.join(sources)}"))
        elif not (math.isfinite(share) and 0.0 <= share <= 1.0):
            found.append(Violation("quotas", f"gives {name!r} the share {share:g}; it must be in [0, 1]"))
    for name in request.sources:
        if name not in sources:
            found.append(Violation("sources", f"names the source {name!r}; there are {', '.join(sources)}"))
    for name, weight in request.weights.items():
        if name not in sources:
            found.append(Violation("weights", f"names the source {name!r}; there are {', '.join(sources)}"))
        elif not 0.0 < weight <= MAX_WEIGHT:
            found.append(Violation("weights", f"gives {name!r} the weight {weight:g}; (0, {MAX_WEIGHT:g}] is needed"))
    if sum(request.quotas.values()) > 1.0 + 1e-6:
        found.append(Violation("quotas", f"add up to {sum(request.quotas.values()):g}; at most 1 is possible"))
    return found
