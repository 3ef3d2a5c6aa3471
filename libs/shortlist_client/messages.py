"""Arguments to requests: stated once, for both clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

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
    RerankItemsRequest,
    SimilarItemsRequest,
    SimilarUsersRequest,
    WhatIf,
)

DEFAULT_TIMEOUT_S = 1.0
"""Deadline of a call where the caller sets none; no call goes out without one."""

BATCH_TIMEOUT_S = 600.0
"""The same for a batch, from its beginning to its end."""

RESUMES = 3
"""Times in a row that a batch is resumed without getting any further before it is given up."""

RESUME_PAUSE_S = 0.1
"""Pause before a batch is resumed, longer by as much each time."""


class Who(TypedDict, total=False):
    """Whom a call is about, where it is not a known user."""

    visitor_id: str
    """Anonymous visitor, instead of a user."""


class Shown(TypedDict, total=False):
    """What an answer shows, and by which config it is made."""

    serving_config: str
    """Serving config by name; ``default`` where left out."""

    item_fields: Iterable[str]
    """Attributes of the items to return, as in ``title``; ``*`` is all."""


class Sized(Shown, total=False):
    """How much an answer shows."""

    slate_size: int
    """Items wanted, in [1, 1000]; 10 where left out."""


class Selected(Sized, total=False):
    """What may appear in an answer."""

    filter: str
    """Which items may appear, as in ``genres:"Comedy" AND year >= 1990``."""

    named_filter: selection_pb2.NamedFilter
    """A filter that the serving config keeps, from :func:`shortlist_client.named_filter`; with ``filter`` both hold."""

    on_empty: selection_pb2.EmptyPolicy
    """What happens where nothing passes, as in ``EMPTY_POLICY_RELAX_FILTER``; as the config says where left out."""

    exclude_item_ids: Iterable[str]
    """Items that must not appear."""

    constraints: selection_pb2.Constraints
    """What the answer must look like: caps, pins, rotation, diversity, exploration, what counts as seen."""


class SimilarFields(Selected, Who, total=False):
    """Arguments of ``similar_items`` beside the items."""

    user_id: str
    """Known user, whose seen items are left out; nobody where left out."""


class Surrounded(Who, total=False):
    """What surrounds a call."""

    events: Iterable[actor_pb2.Event]
    """Events that are not written but count for this answer, oldest first; see :func:`rating`."""

    attributes: Mapping[str, str | Sequence[str]]
    """Attributes of the actor for this answer; several texts are values of an item attribute that the actor chose to
    like, as in ``{"genres": ["Comedy", "Drama"]}``."""

    consistency_token: str
    """From a write; the answer sees it."""


class RecommendFields(Selected, Surrounded, total=False):
    """Arguments of ``recommend`` beside the user."""

    debug: bool
    """Whether the answer shows its working, in ``debug``."""

    validate_only: bool
    """Whether the request is only checked: the answer has no results."""

    experiment_override: str
    """Variant that answers, as ``experiment:variant``, instead of the one that the actor falls to."""


class RerankFields(Shown, Surrounded, total=False):
    """Arguments of ``rerank_items`` beside the items and the user."""


class WriteFields(Who, total=False):
    """Arguments of ``write_events`` beside the events and the user."""

    attribution_token: str
    """From the answer that the events follow; its items count as shown, also without events."""


class ExplainFields(RecommendFields, total=False):
    """Arguments of ``explain_recommendation`` beside item and user: those of ``recommend`` but what an answer shows."""

    attribution_token: str
    """From the answer that is explained, instead of a user."""

    dropped_features: Iterable[str]
    """What if the models did not see these features of the actor?"""

    without_history: bool
    """What if the actor had no history?"""

    what_if_bundle_id: str
    """What if this bundle had answered?"""

    what_if_serving_config: str
    """What if the head weights of this serving config had ordered the candidates?"""


class CompareFields(RecommendFields, total=False):
    """Arguments of ``compare_bundles`` beside the other bundle and the user."""

    base_bundle_id: str
    """One of the two bundles; the active one where left out."""


class BatchFields(Selected, total=False):
    """Arguments of ``batch_recommend`` beside the users."""

    resume_token: str
    """From the last answer that arrived, to go on after it; users and arguments must be the same."""


def recommend_request(tenant: str, user_id: str, fields: RecommendFields) -> RecommendRequest:
    """Return the request of a Recommend."""
    return RecommendRequest(
        actor=_actor(tenant, user_id, fields),
        context=_context(fields),
        filter=_filter(fields),
        constraints=_constraints(fields),
        slate_size=fields.get("slate_size", 0),
        serving_config=fields.get("serving_config", ""),
        item_fields=fields.get("item_fields", ()),
        consistency_token=fields.get("consistency_token", ""),
        validate_only=fields.get("validate_only", False),
        experiment_override=fields.get("experiment_override", ""),
        debug_level=DEBUG_LEVEL_FULL if fields.get("debug", False) else DEBUG_LEVEL_UNSPECIFIED,
    )


def next_request(next_token: str, slate_size: int, request: RecommendRequest | None) -> RecommendNextRequest:
    """Return the request of a RecommendNext."""
    return RecommendNextRequest(next_token=next_token, slate_size=slate_size, request=request)


def explain_request(tenant: str, item_id: str, user_id: str, fields: ExplainFields) -> ExplainRecommendationRequest:
    """Return the request of an ExplainRecommendation."""
    what_if = WhatIf(
        dropped_features=fields.get("dropped_features", ()),
        without_history=fields.get("without_history", False),
        bundle_id=fields.get("what_if_bundle_id", ""),
        serving_config=fields.get("what_if_serving_config", ""),
    )
    request = recommend_request(tenant, user_id, fields)
    token = fields.get("attribution_token", "")
    if token:
        request.ClearField("actor")
    return ExplainRecommendationRequest(
        request=request,
        attribution_token=token,
        item_id=item_id,
        what_if=what_if if what_if.ListFields() else None,
    )


def compare_request(tenant: str, other_bundle_id: str, user_id: str, fields: CompareFields) -> CompareBundlesRequest:
    """Return the request of a CompareBundles."""
    return CompareBundlesRequest(
        request=recommend_request(tenant, user_id, fields),
        base_bundle_id=fields.get("base_bundle_id", ""),
        other_bundle_id=other_bundle_id,
    )


def batch_request(tenant: str, user_ids: Iterable[str], fields: BatchFields) -> BatchRecommendRequest:
    """Return the request of a BatchRecommend."""
    return BatchRecommendRequest(
        actors=[actor_pb2.Actor(tenant=tenant, user_id=user_id) for user_id in user_ids],
        request=RecommendRequest(
            filter=_filter(fields),
            constraints=_constraints(fields),
            slate_size=fields.get("slate_size", 0),
            serving_config=fields.get("serving_config", ""),
            item_fields=fields.get("item_fields", ()),
        ),
        resume_token=fields.get("resume_token", ""),
    )


def similar_request(tenant: str, item_ids: Iterable[str], fields: SimilarFields) -> SimilarItemsRequest:
    """Return the request of a SimilarItems."""
    user_id = fields.get("user_id", "")
    return SimilarItemsRequest(
        item_ids=item_ids,
        actor=_actor(tenant, user_id, fields) if user_id or fields.get("visitor_id") else None,
        filter=_filter(fields),
        constraints=_constraints(fields),
        slate_size=fields.get("slate_size", 0),
        serving_config=fields.get("serving_config", ""),
        item_fields=fields.get("item_fields", ()),
    )


def similar_users_request(tenant: str, user_id: str, user_count: int, fields: Surrounded) -> SimilarUsersRequest:
    """Return the request of a SimilarUsers."""
    return SimilarUsersRequest(
        actor=_actor(tenant, user_id, fields),
        user_count=user_count,
        context=_context(fields),
        consistency_token=fields.get("consistency_token", ""),
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
    )


def write_request(
    tenant: str, events: Iterable[actor_pb2.Event], user_id: str, fields: WriteFields
) -> WriteEventsRequest:
    """Return the request of a WriteEvents."""
    return WriteEventsRequest(
        actor=_actor(tenant, user_id, fields), events=events, attribution_token=fields.get("attribution_token", "")
    )


def _actor(tenant: str, user_id: str, fields: Who) -> actor_pb2.Actor:
    return actor_pb2.Actor(tenant=tenant, user_id=user_id, visitor_id=fields.get("visitor_id", ""))


def _context(fields: Surrounded) -> actor_pb2.Context:
    named = [_attribute(name, value) for name, value in fields.get("attributes", {}).items()]
    return actor_pb2.Context(events=fields.get("events", ()), attributes=named)


def _attribute(name: str, value: str | Sequence[str]) -> actor_pb2.Attribute:
    if isinstance(value, str):
        return actor_pb2.Attribute(name=name, text=value)
    return actor_pb2.Attribute(name=name, texts=actor_pb2.TextList(values=value))


def _filter(fields: Selected) -> selection_pb2.Filter | None:
    expression, named, on_empty = fields.get("filter") or None, fields.get("named_filter"), fields.get("on_empty")
    if expression is None and named is None and on_empty is None:
        return None
    return selection_pb2.Filter(expression=expression, named=named, on_empty=on_empty)


def _constraints(fields: Selected) -> selection_pb2.Constraints:
    constraints = selection_pb2.Constraints()
    if "constraints" in fields:
        constraints.CopyFrom(fields["constraints"])
    constraints.exclude_item_ids.extend(fields.get("exclude_item_ids", ()))
    return constraints
