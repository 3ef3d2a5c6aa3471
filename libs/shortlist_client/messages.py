"""Arguments to requests; shared by both clients."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2, recommendation_service_pb2

DEFAULT_TIMEOUT_S = 1.0
"""Deadline of a call where the caller sets none; no call goes out without one."""


def rating(item_id: str, value: float, *, event_id: str = "", time_s: float | None = None) -> actor_pb2.Event:
    """Return an event of type ``rating``.

    Args:
        item_id: Item that was rated.
        value: Rating on the data set's own scale.
        event_id: Makes repeating the write harmless; empty: derived from the rest by the server.
        time_s: When it happened, seconds since 1970 UTC; ``None``: on arrival.

    Raises:
        ValueError: ``value`` is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"value is {value}; a rating must be a finite number")
    event = actor_pb2.Event(item_id=item_id, value=value, event_type="rating", event_id=event_id)
    if time_s is not None:
        event.event_time.FromMicroseconds(round(time_s * 1e6))
    return event


def actor(user_id: str, visitor_id: str, tenant: str) -> actor_pb2.Actor:
    """Return an actor message."""
    return actor_pb2.Actor(user_id=user_id, visitor_id=visitor_id, tenant=tenant)


def context(events: Iterable[actor_pb2.Event], attributes: Mapping[str, str]) -> actor_pb2.Context:
    """Return a context message."""
    named = [actor_pb2.Attribute(name=name, text=value) for name, value in attributes.items()]
    return actor_pb2.Context(events=events, attributes=named)


def recommend_request(
    user_id: str,
    visitor_id: str,
    tenant: str,
    slate_size: int,
    events: Iterable[actor_pb2.Event],
    attributes: Mapping[str, str],
    exclude_item_ids: Iterable[str],
    item_fields: Iterable[str],
    consistency_token: str,
) -> recommendation_service_pb2.RecommendRequest:
    """Return the request of a Recommend."""
    return recommendation_service_pb2.RecommendRequest(
        actor=actor(user_id, visitor_id, tenant),
        slate_size=slate_size,
        context=context(events, attributes),
        constraints=selection_pb2.Constraints(exclude_item_ids=exclude_item_ids),
        item_fields=item_fields,
        consistency_token=consistency_token,
    )


def write_request(
    user_id: str, visitor_id: str, tenant: str, events: Iterable[actor_pb2.Event]
) -> event_service_pb2.WriteEventsRequest:
    """Return the request of a WriteEvents."""
    return event_service_pb2.WriteEventsRequest(actor=actor(user_id, visitor_id, tenant), events=events)
