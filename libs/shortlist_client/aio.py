"""The client for asyncio code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType

import grpc

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1.event_service_pb2 import WriteEventsResponse
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2 import (
    RecommendResponse,
    RerankItemsRequest,
    RerankItemsResponse,
    SimilarItemsRequest,
    SimilarItemsResponse,
)
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_client import messages
from shortlist_client.messages import DEFAULT_TIMEOUT_S
from shortlist_rpc.channel import channel_options


class AsyncClient:
    """Calls a Shortlist gateway. One object serves many tasks; make it once and keep it.

    Every call has a deadline, and is repeated once after UNAVAILABLE where that is harmless. Errors are
    :class:`grpc.aio.AioRpcError`; ``error.code()`` and ``error.details()`` say what is wrong.
    """

    def __init__(self, address: str, *, tenant: str = "", credentials: grpc.ChannelCredentials | None = None) -> None:
        """Open a channel.

        Args:
            address: ``host:port``, or any gRPC name, as in ``dns:///gateway:50051``.
            tenant: Tenant of every call.
            credentials: For TLS; ``None`` is plain text.
        """
        options = channel_options()
        self._channel = (
            grpc.aio.secure_channel(address, credentials, options)
            if credentials
            else grpc.aio.insecure_channel(address, options)
        )
        self._tenant = tenant
        self._recommendation = RecommendationServiceStub(self._channel)
        self._event = EventServiceStub(self._channel)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def recommend(
        self,
        user_id: str = "",
        *,
        visitor_id: str = "",
        slate_size: int = 10,
        events: Iterable[actor_pb2.Event] = (),
        attributes: Mapping[str, str] | None = None,
        exclude_item_ids: Iterable[str] = (),
        item_fields: Iterable[str] = (),
        consistency_token: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> RecommendResponse:
        """Return items for an actor.

        Args:
            user_id: The user; or
            visitor_id: the anonymous visitor.
            slate_size: Items wanted, in [1, 1000].
            events: Events that are not written but count for this answer, oldest first.
            attributes: Attributes of the actor for this answer.
            exclude_item_ids: Items that must not appear.
            item_fields: Attributes of the items to return, as in ``title``; ``*`` is all.
            consistency_token: From :meth:`write_events`; the answer sees that write.
            timeout_s: Deadline, seconds.
        """
        request = messages.recommend_request(
            user_id,
            visitor_id,
            self._tenant,
            slate_size,
            events,
            attributes or {},
            exclude_item_ids,
            item_fields,
            consistency_token,
        )
        return await self._recommendation.Recommend(request, timeout=timeout_s)

    async def similar_items(
        self,
        item_ids: Iterable[str],
        *,
        slate_size: int = 10,
        item_fields: Iterable[str] = (),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> SimilarItemsResponse:
        """Return items that are like ``item_ids``."""
        request = SimilarItemsRequest(item_ids=item_ids, slate_size=slate_size, item_fields=item_fields)
        return await self._recommendation.SimilarItems(request, timeout=timeout_s)

    async def rerank_items(
        self,
        item_ids: Iterable[str],
        user_id: str = "",
        *,
        visitor_id: str = "",
        item_fields: Iterable[str] = (),
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> RerankItemsResponse:
        """Return ``item_ids`` in the order that suits the actor."""
        request = RerankItemsRequest(
            actor=messages.actor(user_id, visitor_id, self._tenant), item_ids=item_ids, item_fields=item_fields
        )
        return await self._recommendation.RerankItems(request, timeout=timeout_s)

    async def write_events(
        self,
        events: Iterable[actor_pb2.Event],
        user_id: str = "",
        *,
        visitor_id: str = "",
        timeout_s: float = 2 * DEFAULT_TIMEOUT_S,
    ) -> WriteEventsResponse:
        """Store what an actor did; see :func:`shortlist_client.rating` for making events."""
        request = messages.write_request(user_id, visitor_id, self._tenant, events)
        return await self._event.WriteEvents(request, timeout=timeout_s)
