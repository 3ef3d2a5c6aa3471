"""Requests to queries: protobuf in, checked values out."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.ids import id_violation
from shortlist_domain.stages import ActorKey, Event
from shortlist_gateway.checks import MAX_LIST_IDS, MAX_SURFACE_BYTES, Checks
from shortlist_gateway.configs.config import PLAIN, Serving
from shortlist_gateway.configs.narrowing import Narrowing
from shortlist_gateway.filters.condition import Condition
from shortlist_gateway.query import Query
from shortlist_gateway.tokens import version_of
from shortlist_gateway.user_search import UsersQuery

MAX_CANDIDATES = 2000
MAX_INLINE_EVENTS = 100
MAX_IN_VIEW = 100
VIEW = "view"
"""Type of the event that an item in view counts as."""

MAX_ANCHORS = 100


def recommend_query(request: pb.RecommendRequest, now_s: float, serving: Serving = PLAIN) -> Query:
    """Return the checked query of a Recommend, under the config that answers it.

    Raises:
        InvalidRequest: With every field that is wrong, not honoured yet, or would widen the config.
    """
    checks = Checks()
    narrowing = Narrowing(serving, checks)
    if not 0 <= request.candidate_count <= MAX_CANDIDATES:
        checks.wrong("candidate_count", f"is {request.candidate_count}; it must be in [0, {MAX_CANDIDATES}]")
    if request.debug_level not in (pb.DEBUG_LEVEL_UNSPECIFIED, pb.DEBUG_LEVEL_FULL):
        checks.wrong("debug_level", f"is {request.debug_level}; DEBUG_LEVEL_FULL (1) is the only one")
    actor = checks.actor(request, request.actor)
    slate_size = narrowing.slate_size(request.slate_size)
    exclude, include = narrowing.lists(*_lists(checks, request.constraints))
    is_seen_excluded, seen_by = narrowing.seen(request.constraints, now_s)
    attributes, chosen = checks.attributes("context.attributes", request.context.attributes, 50)
    events, in_view = _context_events(checks, request.context, now_s)
    minimum = checks.minimum_click_probability(request.constraints)
    condition, on_empty = _filter(request, narrowing)
    query = Query(
        request_id=_request_id(checks, request.request_id),
        now_s=now_s,
        actor=actor,
        slate_size=slate_size,
        candidate_count=narrowing.candidate_count(request.candidate_count),
        bundle_id=checks.text("bundle_id", request.bundle_id, 128),
        exclude_item_ids=(*exclude, *in_view),
        include_item_ids=include,
        is_seen_excluded=is_seen_excluded,
        seen_by=seen_by,
        minimum_click_probability=narrowing.minimum_click_probability(minimum),
        rules=narrowing.rules(request.constraints, slate_size),
        events=events,
        attributes=attributes,
        chosen=chosen,
        surface=checks.text("context.surface", request.context.surface, MAX_SURFACE_BYTES),
        item_fields=_fields(checks, request.item_fields),
        is_debugged=request.debug_level == pb.DEBUG_LEVEL_FULL,
        min_versions=_min_versions(checks, request.consistency_token, actor),
        filter=condition,
        on_empty=on_empty,
        serving=serving,
        warnings=tuple(narrowing.warnings),  # last: all that may warn has been read
    )
    checks.done()
    return query


def similar_query(request: pb.SimilarItemsRequest, now_s: float, serving: Serving = PLAIN) -> Query:
    """Return the checked query of a SimilarItems, under the config that answers it.

    Raises:
        InvalidRequest: With every field that is wrong, not honoured yet, or would widen the config.
    """
    checks = Checks()
    narrowing = Narrowing(serving, checks)
    checks.unsupported(request.constraints, "constraints.", ("minimum_click_probability", "diversity", "exploration"))
    slate_size = narrowing.slate_size(request.slate_size)
    exclude, include = narrowing.lists(*_lists(checks, request.constraints))
    is_seen_excluded, seen_by = narrowing.seen(request.constraints, now_s)
    condition, on_empty = _filter(request, narrowing)
    query = Query(
        request_id=_request_id(checks, request.request_id),
        now_s=now_s,
        actor=checks.actor(request, request.actor, required=False),
        slate_size=slate_size,
        bundle_id=checks.text("bundle_id", request.bundle_id, 128),
        exclude_item_ids=exclude,
        include_item_ids=include,
        candidate_count=narrowing.candidate_count(0),
        is_seen_excluded=is_seen_excluded,
        seen_by=seen_by,
        rules=narrowing.unranked_rules(request.constraints, slate_size),
        item_fields=_fields(checks, request.item_fields),
        item_ids=checks.item_ids("item_ids", request.item_ids, MAX_ANCHORS, required=True),
        filter=condition,
        on_empty=on_empty,
        serving=serving,
        warnings=tuple(narrowing.warnings),  # last: all that may warn has been read
    )
    checks.done()
    return query


def rerank_query(request: pb.RerankItemsRequest, now_s: float, serving: Serving = PLAIN) -> Query:
    """Return the checked query of a RerankItems; of its config, only the ranker and the heads' weights count.

    Raises:
        InvalidRequest: With every field that is wrong or not honoured yet.
    """
    checks = Checks()
    actor = checks.actor(request, request.actor)
    item_ids = checks.item_ids("item_ids", request.item_ids, MAX_LIST_IDS, required=True)
    attributes, chosen = checks.attributes("context.attributes", request.context.attributes, 50)
    query = Query(
        request_id=_request_id(checks, request.request_id),
        now_s=now_s,
        actor=actor,
        slate_size=max(1, len(item_ids)),
        bundle_id=checks.text("bundle_id", request.bundle_id, 128),
        is_seen_excluded=False,
        events=_context_events(checks, request.context, now_s)[0],
        attributes=attributes,
        chosen=chosen,
        surface=checks.text("context.surface", request.context.surface, MAX_SURFACE_BYTES),
        item_fields=_fields(checks, request.item_fields),
        min_versions=_min_versions(checks, request.consistency_token, actor),
        item_ids=item_ids,
        serving=serving,
        warnings=(*serving.warnings, *_unranked(serving)),
    )
    checks.done()
    return query


def _unranked(serving: Serving) -> tuple[str, ...]:
    if serving.config.is_ranked:
        return ()
    return (f"serving_config: {serving.config.name!r} asks no ranker; the items keep their order",)


def similar_users_query(request: pb.SimilarUsersRequest, now_s: float) -> UsersQuery:
    """Return the checked query of a SimilarUsers.

    Raises:
        InvalidRequest: With every field that is wrong or not honoured yet.
    """
    checks = Checks()
    context = request.context
    has_context = bool(context.events or context.item_ids_in_view or context.attributes)
    actor = checks.actor(request, request.actor, required=not has_context)
    if actor is None and request.consistency_token:
        checks.wrong("consistency_token", "is of a write of an actor; name the actor or leave it unset")
    attributes, chosen = checks.attributes("context.attributes", request.context.attributes, 50)
    query = Query(
        request_id=_request_id(checks, request.request_id),
        now_s=now_s,
        actor=actor,
        slate_size=checks.slate_size(request.user_count, "user_count"),
        bundle_id=checks.text("bundle_id", request.bundle_id, 128),
        is_seen_excluded=False,
        events=_context_events(checks, request.context, now_s)[0],
        attributes=attributes,
        chosen=chosen,
        surface=checks.text("context.surface", request.context.surface, MAX_SURFACE_BYTES),
        min_versions=_min_versions(checks, request.consistency_token, actor),
    )
    checks.done()
    return UsersQuery(query, request.actor.tenant)


def recommend_users_query(request: pb.RecommendUsersRequest, now_s: float) -> UsersQuery:
    """Return the checked query of a RecommendUsers.

    Raises:
        InvalidRequest: With every field that is wrong.
    """
    checks = Checks()
    if violation := id_violation("tenant", request.tenant, required=False):
        checks.violations.append(violation)
    query = Query(
        request_id=_request_id(checks, request.request_id),
        now_s=now_s,
        actor=None,
        slate_size=checks.slate_size(request.user_count, "user_count"),
        bundle_id=checks.text("bundle_id", request.bundle_id, 128),
        is_seen_excluded=False,
        item_ids=checks.item_ids("item_ids", request.item_ids, MAX_ANCHORS, required=True),
    )
    excluded = checks.item_ids("exclude_user_ids", request.exclude_user_ids, MAX_LIST_IDS)
    checks.done()
    return UsersQuery(query, request.tenant, excluded)


def _request_id(checks: Checks, given: str) -> str:
    return checks.request_id(given) or secrets.token_hex(16)


def _filter(
    request: pb.RecommendRequest | pb.SimilarItemsRequest, narrowing: Narrowing
) -> tuple[Condition | None, selection_pb2.EmptyPolicy]:
    """Return the filter, if there is one, and what happens where nothing is left."""
    condition = narrowing.filter(request.filter) if request.HasField("filter") else None
    on_empty = narrowing.on_empty(request.filter.on_empty)
    is_relaxed = on_empty == selection_pb2.EMPTY_POLICY_RELAX_FILTER
    if condition is not None and condition.is_relaxed is not is_relaxed:
        condition = replace(condition, is_relaxed=is_relaxed)
    return condition, on_empty


def _lists(checks: Checks, constraints: selection_pb2.Constraints) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        checks.item_ids("constraints.exclude_item_ids", constraints.exclude_item_ids, MAX_LIST_IDS),
        checks.item_ids("constraints.include_item_ids", constraints.include_item_ids, MAX_LIST_IDS),
    )


def _context_events(
    checks: Checks, context: actor_pb2.Context, now_s: float
) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """Return the context's own events and then a look at each item in view, and which items these are."""
    in_view = checks.item_ids("context.item_ids_in_view", context.item_ids_in_view, MAX_IN_VIEW)
    looks = tuple(Event(item_id, 1.0, now_s, VIEW) for item_id in in_view)
    if len(context.events) > MAX_INLINE_EVENTS:
        checks.wrong("context.events", f"has {len(context.events)} events; at most {MAX_INLINE_EVENTS} are allowed")
        return looks, in_view
    own = (checks.event(f"context.events[{i}]", event, now_s) for i, event in enumerate(context.events))
    return (*own, *looks), in_view


def _fields(checks: Checks, names: Iterable[str]) -> tuple[str, ...]:
    listed = tuple(names)
    if len(listed) > 50:
        checks.wrong("item_fields", f"has {len(listed)} names; at most 50 are allowed")
    return tuple(dict.fromkeys(listed))


def _min_versions(checks: Checks, token: str, actor: ActorKey | None) -> tuple[int, int]:
    """Return the versions that must be visible, of the actor and of the session that it is in."""
    if not token or actor is None:
        return 0, 0
    version = version_of(token, actor)
    if version is not None:
        return version, 0
    version = version_of(token, actor.session) if actor.session is not None else None
    if version is None:
        checks.wrong("consistency_token", "is not a token of a write of this actor")
        return 0, 0
    return 0, version
