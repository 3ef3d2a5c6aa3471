"""Arguments to requests: stated once, for both clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1.event_service_pb2 import WriteEventsRequest
from shortlist.gateway.v1.recommendation_service_pb2 import (
    DEBUG_LEVEL_FULL,
    DEBUG_LEVEL_UNSPECIFIED,
    BatchRecommendRequest,
    CompareBundlesRequest,
    ExplainRecommendationRequest,
    RecommendNextRequest,
    RecommendRequest,
    RecommendUsersRequest,
    RerankItemsRequest,
    SimilarItemsRequest,
    SimilarUsersRequest,
    WhatIf,
)
from shortlist_client.arguments import (
    Answered,
    BatchFields,
    CompareFields,
    ExplainFields,
    RecommendFields,
    RecommendUsersFields,
    RerankFields,
    Selected,
    SimilarFields,
    SimilarUsersFields,
    Slate,
    Surrounded,
    Who,
    WriteFields,
)
from shortlist_client.values import attribute


def recommend_request(tenant: str, user_id: str, fields: RecommendFields) -> RecommendRequest:
    """Return the request of a Recommend."""
    request = _answered(fields)
    request.actor.CopyFrom(_actor(tenant, user_id, fields))
    request.consistency_token = fields.get("consistency_token", "")
    request.bundle_id = fields.get("bundle_id", "")
    request.validate_only = fields.get("validate_only", False)
    request.request_id = fields.get("request_id", "")
    return request


def first_page(user_id: str = "", *, tenant: str = "", **fields: Unpack[RecommendFields]) -> RecommendRequest:
    """Return what ``recommend`` asks with the same arguments, for the ``recommend_next`` of a large request.

    Args:
        user_id: As of ``recommend``.
        tenant: That of the client.
        fields: As of ``recommend``; what was an iterator is used up.
    """
    return recommend_request(tenant, user_id, fields)


def next_request(
    next_token: str, slate_size: int, request: RecommendRequest | None, request_id: str
) -> RecommendNextRequest:
    """Return the request of a RecommendNext."""
    return RecommendNextRequest(next_token=next_token, slate_size=slate_size, request=request, request_id=request_id)


def explain_request(tenant: str, item_id: str, user_id: str, fields: ExplainFields) -> ExplainRecommendationRequest:
    """Return the request of an ExplainRecommendation."""
    what_if = WhatIf(
        dropped_features=fields.get("dropped_features", ()),
        without_history=fields.get("without_history", False),
        bundle_id=fields.get("what_if_bundle_id", ""),
        serving_config=fields.get("what_if_serving_config", ""),
    )
    request = _slate(fields)
    request.consistency_token = fields.get("consistency_token", "")
    request.bundle_id = fields.get("bundle_id", "")
    token = fields.get("attribution_token", "")
    if not token:
        request.actor.CopyFrom(_actor(tenant, user_id, fields))
    return ExplainRecommendationRequest(
        request=request,
        attribution_token=token,
        item_id=item_id,
        what_if=what_if if what_if.ListFields() else None,
        request_id=fields.get("request_id", ""),
    )


def compare_request(tenant: str, other_bundle_id: str, user_id: str, fields: CompareFields) -> CompareBundlesRequest:
    """Return the request of a CompareBundles."""
    request = _answered(fields)
    request.actor.CopyFrom(_actor(tenant, user_id, fields))
    request.consistency_token = fields.get("consistency_token", "")
    return CompareBundlesRequest(
        request=request,
        base_bundle_id=fields.get("base_bundle_id", ""),
        other_bundle_id=other_bundle_id,
        request_id=fields.get("request_id", ""),
    )


def batch_request(tenant: str, actors: Iterable[str | actor_pb2.Actor], fields: BatchFields) -> BatchRecommendRequest:
    """Return the request of a BatchRecommend."""
    request = _answered(fields)
    request.bundle_id = fields.get("bundle_id", "")
    return BatchRecommendRequest(
        actors=[actor_pb2.Actor(tenant=tenant, user_id=one) if isinstance(one, str) else one for one in actors],
        request=request,
        resume_token=fields.get("resume_token", ""),
        request_id=fields.get("request_id", ""),
    )


def similar_request(tenant: str, item_ids: Iterable[str], fields: SimilarFields) -> SimilarItemsRequest:
    """Return the request of a SimilarItems."""
    user_id = fields.get("user_id", "")
    return SimilarItemsRequest(
        item_ids=item_ids,
        actor=_actor(tenant, user_id, fields)
        if user_id or fields.get("visitor_id") or fields.get("session_id")
        else None,
        filter=_filter(fields),
        constraints=_constraints(fields),
        slate_size=fields.get("slate_size", 0),
        serving_config=fields.get("serving_config", ""),
        item_fields=fields.get("item_fields", ()),
        bundle_id=fields.get("bundle_id", ""),
        validate_only=fields.get("validate_only", False),
        request_id=fields.get("request_id", ""),
    )


def similar_users_request(tenant: str, user_id: str, fields: SimilarUsersFields) -> SimilarUsersRequest:
    """Return the request of a SimilarUsers."""
    return SimilarUsersRequest(
        actor=_actor(tenant, user_id, fields),
        user_count=fields.get("user_count", 0),
        context=_context(fields),
        consistency_token=fields.get("consistency_token", ""),
        bundle_id=fields.get("bundle_id", ""),
        validate_only=fields.get("validate_only", False),
        request_id=fields.get("request_id", ""),
    )


def recommend_users_request(
    tenant: str, item_ids: Iterable[str], fields: RecommendUsersFields
) -> RecommendUsersRequest:
    """Return the request of a RecommendUsers."""
    return RecommendUsersRequest(
        item_ids=item_ids,
        user_count=fields.get("user_count", 0),
        tenant=tenant,
        exclude_user_ids=fields.get("exclude_user_ids", ()),
        bundle_id=fields.get("bundle_id", ""),
        validate_only=fields.get("validate_only", False),
        request_id=fields.get("request_id", ""),
    )


def rerank_request(tenant: str, item_ids: Iterable[str], user_id: str, fields: RerankFields) -> RerankItemsRequest:
    """Return the request of a RerankItems."""
    return RerankItemsRequest(
        actor=_actor(tenant, user_id, fields),
        item_ids=item_ids,
        context=_context(fields),
        serving_config=fields.get("serving_config", ""),
        item_fields=fields.get("item_fields", ()),
        consistency_token=fields.get("consistency_token", ""),
        bundle_id=fields.get("bundle_id", ""),
        validate_only=fields.get("validate_only", False),
        request_id=fields.get("request_id", ""),
    )


def write_request(
    tenant: str, events: Iterable[actor_pb2.Event], user_id: str, fields: WriteFields
) -> WriteEventsRequest:
    """Return the request of a WriteEvents."""
    return WriteEventsRequest(
        actor=_actor(tenant, user_id, fields),
        events=events,
        attribution_token=fields.get("attribution_token", ""),
        request_id=fields.get("request_id", ""),
    )


def _answered(fields: Answered) -> RecommendRequest:
    request = _slate(fields)
    request.item_fields.extend(fields.get("item_fields", ()))
    request.debug_level = DEBUG_LEVEL_FULL if fields.get("debug", False) else DEBUG_LEVEL_UNSPECIFIED
    return request


def _slate(fields: Slate) -> RecommendRequest:
    return RecommendRequest(
        context=_context(fields),
        filter=_filter(fields),
        constraints=_constraints(fields),
        slate_size=fields.get("slate_size", 0),
        serving_config=fields.get("serving_config", ""),
        candidate_count=fields.get("candidate_count", 0),
        experiment_override=fields.get("experiment_override", ""),
    )


def _actor(tenant: str, user_id: str, fields: Who) -> actor_pb2.Actor:
    return actor_pb2.Actor(
        tenant=tenant,
        user_id=user_id,
        visitor_id=fields.get("visitor_id", ""),
        session_id=fields.get("session_id", ""),
    )


def _context(fields: Surrounded) -> actor_pb2.Context:
    named = [attribute(name, value) for name, value in fields.get("attributes", {}).items()]
    return actor_pb2.Context(
        events=fields.get("events", ()),
        attributes=named,
        surface=fields.get("surface", ""),
        item_ids_in_view=fields.get("item_ids_in_view", ()),
    )


def _filter(fields: Selected) -> selection_pb2.Filter | None:
    condition, named, on_empty = fields.get("filter") or None, fields.get("named_filter"), fields.get("on_empty")
    if condition is None and named is None and on_empty is None:
        return None
    wanted = selection_pb2.Filter(named=named, on_empty=on_empty)
    if isinstance(condition, selection_pb2.FilterNode):
        wanted.ast.CopyFrom(condition)
    elif condition is not None:
        wanted.expression = condition
    return wanted


def _constraints(fields: Selected) -> selection_pb2.Constraints:
    constraints = selection_pb2.Constraints()
    if "constraints" in fields:
        constraints.CopyFrom(fields["constraints"])
    constraints.exclude_item_ids.extend(fields.get("exclude_item_ids", ()))
    return constraints
