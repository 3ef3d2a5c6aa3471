"""Two slates of one request, side by side: how far they agree, and where each item moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_gateway.checks import Checks
from shortlist_gateway.conditions import moved_conditions
from shortlist_gateway.configs.choice import Asked, ServingChoice
from shortlist_gateway.configs.config import Serving
from shortlist_gateway.explain_requests import within
from shortlist_gateway.query import Query
from shortlist_gateway.requests import recommend_query


def compare_queries(request: pb.CompareBundlesRequest, now_s: float, choice: ServingChoice) -> tuple[Asked, Asked]:
    """Return what is asked of each of the two bundles.

    Raises:
        InvalidRequest: With every field that is wrong.
        NotFound: There is no such serving config.
    """
    checks = Checks()
    checks.request_id(request.request_id)
    checks.text("base_bundle_id", request.base_bundle_id, 128)
    if not checks.text("other_bundle_id", request.other_bundle_id, 128):
        checks.wrong("other_bundle_id", "is required")
    if not request.HasField("request"):
        checks.wrong("request", "is required")
    checks.unsupported(request.request, "request.", ("validate_only", "bundle_id", "request_id"))
    checks.done()
    read = partial(recommend_query, request.request, now_s)
    name, forced = request.request.serving_config, request.request.experiment_override
    query = within("request", lambda: choice.query(name, read, forced))

    def of_bundle(bundle_id: str) -> Asked:
        def placed(query: Query) -> Query:
            request_id = request.request_id or query.request_id
            return replace(moved_conditions(query, "request"), bundle_id=bundle_id, request_id=request_id)

        def read_instead(serving: Serving) -> Query:
            return placed(within("request", lambda: read(serving)))

        return Asked(placed(query), read_instead)

    return of_bundle(request.base_bundle_id), of_bundle(request.other_bundle_id)


def add_comparison(response: pb.CompareBundlesResponse) -> None:
    """Write into ``response`` how its two slates compare."""
    base, other = ([result.item_id for result in slate.results] for slate in (response.base, response.other))
    response.overlap_at.extend(overlap_at(base, other))
    ranks = {item_id: rank for rank, item_id in enumerate(base)}
    other_ranks = {item_id: rank for rank, item_id in enumerate(other)}
    for item_id in (*base, *(item_id for item_id in other if item_id not in ranks)):
        response.moves.add(item_id=item_id, base_rank=ranks.get(item_id), other_rank=other_ranks.get(item_id))


def overlap_at(base: Sequence[str], other: Sequence[str]) -> list[float]:
    """Return for each k, from 1 to the longer length, the share of k that both have among their first k items."""
    overlaps = []
    once: set[str] = set()
    n_common = 0
    for k in range(1, max(len(base), len(other)) + 1):
        for item_id in {*base[k - 1 : k], *other[k - 1 : k]}:
            # An item that comes in both lists is common from the later of its two places on; alike at k, at once.
            if item_id in once or base[k - 1 : k] == other[k - 1 : k]:
                n_common += 1
            once.add(item_id)
        overlaps.append(n_common / k)
    return overlaps
