"""The feature store's door: check, ask the store, answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc

from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist.featurestore.v1 import feature_store_service_pb2_grpc as pb_grpc
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.features import Entity
from shortlist_domain.stages import ActorKey, ActorState
from shortlist_feature_store import document_wire, wire
from shortlist_feature_store.store import FeatureStore
from shortlist_feature_store.views import item_columns, user_columns
from shortlist_rpc.interceptor import current_deadline

Context = grpc.aio.ServicerContext[Any, Any]

_ACTORS_AT_ONCE = 4
"""Actors read at once for one GetFeatures, so that a long one leaves connections to others."""


class FeatureStoreServicer(pb_grpc.FeatureStoreServiceServicer):
    """FeatureStoreService. Repeating its calls is harmless, but for AppendSlates and WriteDocument."""

    def __init__(self, store: Callable[[], FeatureStore], now: Callable[[], float] = time.time) -> None:
        """Keep the way to the store.

        Args:
            store: Returns the store, or raises where it is not open.
            now: Seconds since 1970 UTC.
        """
        self._store = store
        self._now = now

    async def ReadActor(self, request: pb.ReadActorRequest, context: Context) -> pb.ReadActorResponse:  # noqa: N802, D102
        key = wire.actor_key(request.key)
        if request.min_version < 0:
            raise InvalidRequest(Violation("min_version", f"is {request.min_version}; 0 or more is needed"))
        if request.min_session_version < 0:
            said = f"is {request.min_session_version}; 0 or more is needed"
            raise InvalidRequest(Violation("min_session_version", said))
        state = await self._store().read_actor(
            key,
            request.min_version,
            current_deadline(),
            with_impressions=request.with_impressions,
            min_session_version=request.min_session_version,
        )
        return wire.actor_message(state)

    async def AppendEvents(self, request: pb.AppendEventsRequest, context: Context) -> pb.AppendEventsResponse:  # noqa: N802, D102
        key = wire.actor_key(request.key)
        events = wire.events_of(request, self._now())
        result = await self._store().append_events(key, events, current_deadline())
        return pb.AppendEventsResponse(version=result.version, added=result.added)

    async def GetHistory(self, request: pb.GetHistoryRequest, context: Context) -> pb.GetHistoryResponse:  # noqa: N802, D102
        key, limit = wire.actor_key(request.key), wire.history_limit(request)
        store, deadline = self._store(), current_deadline()
        state = await store.read_events(key, deadline, impressions=request.impressions)
        return wire.history_message(state, limit)

    async def WriteFeatures(self, request: pb.WriteFeaturesRequest, context: Context) -> pb.WriteFeaturesResponse:  # noqa: N802, D102
        key = wire.actor_key(request.key)
        attributes, time_s = wire.attributes_of(request, self._now())
        result = await self._store().write_attributes(key, attributes, time_s, current_deadline())
        written = sum(result.applied.values())
        return pb.WriteFeaturesResponse(written=written, outdated=len(result.applied) - written, version=result.version)

    async def GetFeatures(self, request: pb.GetFeaturesRequest, context: Context) -> pb.GetFeaturesResponse:  # noqa: N802, D102
        entity = wire.features_asked(request)
        store, deadline, names = self._store(), current_deadline(), list(request.feature_names)
        if entity is Entity.USER:
            keys = [ActorKey(request.tenant, actor_id) for actor_id in request.entity_ids]
            columns = user_columns(names, await _read_actors(store, keys, deadline), self._now())
        else:
            totals = await store.read_items(request.tenant, list(request.entity_ids), deadline)
            freshness = await store.read_freshness(request.tenant, deadline)
            columns = item_columns(names, totals, freshness.last_write_s, self._now())
        return pb.GetFeaturesResponse(columns=map(wire.column_message, columns))

    async def DescribeViews(self, request: pb.DescribeViewsRequest, context: Context) -> pb.DescribeViewsResponse:  # noqa: N802, D102
        return pb.DescribeViewsResponse(views=wire.view_messages())

    async def GetFreshness(self, request: pb.GetFreshnessRequest, context: Context) -> pb.GetFreshnessResponse:  # noqa: N802, D102
        freshness = await self._store().read_freshness(wire.tenant_of(request.tenant), current_deadline())
        newest, last = freshness.newest_event_s, freshness.last_write_s
        return pb.GetFreshnessResponse(
            newest_event=None if newest is None else wire.timestamp(newest),
            last_write=None if last is None else wire.timestamp(last),
        )

    async def EraseActor(self, request: pb.EraseActorRequest, context: Context) -> pb.EraseActorResponse:  # noqa: N802, D102
        erased = await self._store().erase_actor(wire.actor_key(request.key), current_deadline())
        return pb.EraseActorResponse(events=erased.events, attributes=erased.attributes, verified=erased.verified)

    async def AppendSlates(self, request: pb.AppendSlatesRequest, context: Context) -> pb.AppendSlatesResponse:  # noqa: N802, D102
        lost = await self._store().append_slates(wire.slates_of(request), current_deadline())
        return pb.AppendSlatesResponse(lost=lost)

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: Context) -> pb.ListDocumentsResponse:  # noqa: N802, D102
        document_wire.check_collection(request.collection)
        found = await self._store().documents.list_documents(request.collection, current_deadline())
        return pb.ListDocumentsResponse(documents=map(document_wire.message, found))

    async def ReadDocument(self, request: pb.ReadDocumentRequest, context: Context) -> pb.ReadDocumentResponse:  # noqa: N802, D102
        document_wire.check_read(request)
        documents = self._store().documents
        found = await documents.read_document(request.collection, request.name, request.version, current_deadline())
        return pb.ReadDocumentResponse(document=document_wire.message(found))

    async def WriteDocument(self, request: pb.WriteDocumentRequest, context: Context) -> pb.WriteDocumentResponse:  # noqa: N802, D102
        content, expected = document_wire.checked_write(request)
        documents = self._store().documents
        written = await documents.write_document(
            request.collection, request.name, content, expected, current_deadline()
        )
        return pb.WriteDocumentResponse(document=document_wire.message(written))

    async def ListDocumentVersions(  # noqa: N802, D102
        self, request: pb.ListDocumentVersionsRequest, context: Context
    ) -> pb.ListDocumentVersionsResponse:
        document_wire.check_document(request)
        found = await self._store().documents.list_versions(request.collection, request.name, current_deadline())
        return pb.ListDocumentVersionsResponse(versions=map(document_wire.message, found))

    async def WatchItems(  # noqa: N802, D102
        self, request: pb.WatchItemsRequest, context: Context
    ) -> AsyncIterator[pb.WatchItemsResponse]:
        steps = self._store().watch_items(wire.tenant_of(request.tenant), request.cursor)
        async with contextlib.aclosing(steps):  # a caller that goes away leaves no connection behind
            async for step in steps:
                for message in wire.step_messages(step):
                    yield message


async def _read_actors(store: FeatureStore, keys: Sequence[ActorKey], deadline: Deadline) -> list[ActorState]:
    states: list[ActorState] = []
    for start in range(0, len(keys), _ACTORS_AT_ONCE):
        some = keys[start : start + _ACTORS_AT_ONCE]
        states += await asyncio.gather(*(store.read_actor(key, 0, deadline) for key in some))
    return states
