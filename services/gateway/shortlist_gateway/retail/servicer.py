"""The door of the Retail facade: the servicers of our own RPCs answer, and what is wrong is named in Retail's words."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_gateway.attribution import Attribution
from shortlist_gateway.checks import Checks, key_of
from shortlist_gateway.retail import events, predict
from shortlist_gateway.retail.messages import (
    SERVICES,
    PredictRequest,
    PredictResponse,
    UserEvent,
    WriteUserEventRequest,
)
from shortlist_gateway.seals import BrokenSeal
from shortlist_gateway.servicer import EventServicer, RecommendationServicer

Context = grpc.aio.ServicerContext[Any, Any]

_NAMES = (
    (r"actor\.tenant", "placement"),
    (r"actor\.user_id", "user_event.user_info.user_id"),
    (r"actor\.visitor_id", "user_event.visitor_id"),
    (r"actor\.session_id", "user_event.session_id"),
    (r"slate_size", "page_size"),
    (r"durability", "write_async"),
    (r"serving_config", "placement"),
    (r"constraints\.diversity(\..*)?", "params['diversityLevel']"),
    (r"filter\.expression", "filter"),
    (r"filter\.on_empty", "params['strictFiltering']"),
    (r"(context\.)?events\[(\d+)\]\.item_id", r"user_event.product_details[\2].product.id"),
    (r"(context\.)?events\[\d+\]\.event_time", "user_event.event_time"),
    (r"attribution_token", "user_event.attribution_token"),
    (r"(context\.)?events", "user_event.product_details"),
    (r"item_ids\[(\d+)\]", r"user_event.product_details[\1].product.id"),
    (r"item_ids", "user_event.product_details"),
    (r"context\.attributes(\[\d+\].*)?", "user_event.attributes"),
)
"""Fields of our requests, and of Retail's that they were made from."""


_LIST_BYTES = 2000
"""Longest list in the metadata of an answer."""


class RetailServicer:
    """Serves ``google.cloud.retail.v2``: ``PredictionService.Predict`` and ``UserEventService.WriteUserEvent``."""

    rpc_names = tuple(service.full_name for service in SERVICES)

    def __init__(
        self,
        recommendation: RecommendationServicer,
        event: EventServicer,
        attribution: Attribution,
        event_values: Mapping[str, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a facade.

        Args:
            recommendation: Answers.
            event: Takes events in.
            attribution: Reads the tokens of events that are context.
            event_values: Values of events by Retail event type; 1 where a type is not in it.
            clock: Seconds since 1970 UTC.
        """
        self._recommendation = recommendation
        self._event = event
        self._attribution = attribution
        self._values = event_values
        self._clock = clock

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register both services."""
        unary = grpc.unary_unary_rpc_method_handler
        handlers = (
            unary(self.predict, PredictRequest.FromString, PredictResponse.SerializeToString),
            unary(self.write_user_event, WriteUserEventRequest.FromString, UserEvent.SerializeToString),
        )
        server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(service.full_name, {service.methods[0].name: handler})
                for service, handler in zip(SERVICES, handlers, strict=True)
            )
        )

    async def predict(self, request: Any, context: Context) -> Any:
        """Answer a PredictRequest.

        Raises:
            InvalidRequest: Names every field that is wrong or not honoured.
        """
        checks, dropped = Checks(), [f"labels[{name!r}]" for name in sorted(request.labels)]
        place = events.place(checks, "placement", request.placement, has_config=True)
        events.check(checks, request.user_event, (*events.EVENT_TYPES, *events.PAGES), dropped)
        self._check_token(checks, place.tenant, request.user_event, dropped)
        if request.page_token:
            checks.wrong("page_token", "is not used; leave it unset")
        flags = predict.Flags(checks, request.params)
        is_similar = place.config == predict.SIMILAR_ITEMS
        if is_similar:
            if request.user_event.attributes:
                checks.wrong("user_event.attributes", f"are not honoured by {predict.SIMILAR_ITEMS}; leave them out")
            if request.user_event.event_type in events.PAGES:
                checks.wrong("user_event.event_type", f"must be one with products for {predict.SIMILAR_ITEMS}")
            similar = predict.similar_request(request, place, checks, flags)
        elif request.user_event.event_type in (*events.EVENT_TYPES, *events.PAGES):
            recommend = predict.recommend_request(request, place, checks, flags, self._values)
        checks.done()
        with _retail_names():
            if is_similar:
                answer: Any = await self._recommendation.SimilarItems(similar, context)
            else:
                answer = await self._recommendation.Recommend(recommend, context)
        _tell(context, answer.meta, dropped)
        return predict.response(request, answer, flags)

    def _check_token(self, checks: Checks, tenant: str, event: Any, dropped: list[str]) -> None:
        """Check the token of an event that is not written: nothing follows from it, and a wrong one is still wrong."""
        if not event.attribution_token:
            return
        dropped.append("user_event.attribution_token")
        try:
            self._attribution.read(event.attribution_token, key_of(events.actor(tenant, event)), self._clock())
        except BrokenSeal as broken:
            checks.wrong("user_event.attribution_token", str(broken))

    async def write_user_event(self, request: Any, context: Context) -> Any:
        """Store a user event: all of its products or, where one is wrong, none.

        Returns:
            The event as far as it was kept.

        Raises:
            InvalidRequest: Names every field that is wrong or not honoured.
        """
        event = request.user_event
        checks, dropped = Checks(), list[str]()
        place = events.place(checks, "parent", request.parent, has_config=False)
        events.check(checks, event, events.WRITTEN, dropped)
        if event.attributes:
            checks.wrong("user_event.attributes", "are not kept; leave them out")
        if not event.product_details:
            checks.wrong("user_event.product_details", "is required: what was done was done to a product")
        checks.done()
        now_s = self._clock()
        if not event.HasField("event_time"):
            event.event_time.FromMicroseconds(round(now_s * 1e6))
        native = events_pb.WriteEventsRequest(
            actor=events.actor(place.tenant, event),
            events=events.events(event, self._values),
            attribution_token=event.attribution_token,
            durability=events_pb.DURABILITY_QUEUED if request.write_async else events_pb.DURABILITY_UNSPECIFIED,
        )
        with _retail_names():
            for index, one in enumerate(native.events):
                checks.event(f"events[{index}]", one, now_s)
            checks.done()
            answer = await self._event.WriteEvents(native, context)
        context.set_trailing_metadata(
            (
                ("shortlist-consistency-token", answer.consistency_token),
                *_listed("shortlist-not-kept", dropped),
                *_listed("shortlist-missing-ids", answer.missing_ids),
            )
        )
        return _kept(event)


def _kept(event: Any) -> Any:
    kept = UserEvent(
        event_type=event.event_type,
        visitor_id=event.visitor_id,
        event_time=event.event_time,
        attribution_token=event.attribution_token,
        session_id=event.session_id,
    )
    if event.user_info.user_id:
        kept.user_info.user_id = event.user_info.user_id
    for item_id in events.product_ids(event):
        kept.product_details.add().product.id = item_id
    return kept


def _tell(context: Context, meta: answer_pb2.AnswerMeta, dropped: Sequence[str]) -> None:
    """Say in trailing metadata what Retail's answer has no field for."""
    degradation = meta.degradation
    said = {
        "request_id": meta.request_id,
        "bundle_id": meta.bundle.bundle_id,
        "level": answer_pb2.DegradationLevel.Name(degradation.level),
        "causes": [answer_pb2.DegradationCause.Name(cause) for cause in degradation.causes],
    }
    context.set_trailing_metadata(
        (
            ("shortlist-answer", json.dumps(said)),
            *_listed("shortlist-warnings", meta.warnings),
            *_listed("shortlist-not-kept", dropped),
        )
    )


def _listed(key: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return a list as metadata, in JSON: the first texts and, under ``<key>-left-out``, how many more there are.

    A client takes 8 kB of metadata by default, and fails the call where there is more.
    """
    shown: list[str] = []
    size = 0
    for text in texts:
        size += len(json.dumps(text)) + 2
        if size > _LIST_BYTES:
            break
        shown.append(text)
    found = [(key, json.dumps(shown))] if texts else []
    if len(shown) < len(texts):
        found.append((f"{key}-left-out", str(len(texts) - len(shown))))
    return found


@contextmanager
def _retail_names() -> Iterator[None]:
    """Let violations of our requests name the fields of Retail's."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(*(Violation(_named(v.field), v.description) for v in error.violations)) from error


def _named(field: str) -> str:
    for ours, theirs in _NAMES:
        found = re.fullmatch(ours, field)
        if found is not None:
            return found.expand(theirs)
    return field
