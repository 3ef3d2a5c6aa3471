"""The client for asyncio code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Self, Unpack

import grpc

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1.event_service_pb2 import WriteEventsResponse
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2 import (
    BatchRecommendResponse,
    CompareBundlesResponse,
    ExplainRecommendationResponse,
    RecommendNextResponse,
    RecommendRequest,
    RecommendResponse,
    RecommendUsersResponse,
    RerankItemsResponse,
    SimilarItemsResponse,
    SimilarUsersResponse,
)
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.gateway.v1.serving_config_service_pb2_grpc import ServingConfigServiceStub
from shortlist_client import messages
from shortlist_client.arguments import (
    BatchFields,
    CompareFields,
    ExplainFields,
    RecommendFields,
    RecommendUsersFields,
    RerankFields,
    SimilarFields,
    SimilarUsersFields,
    WriteFields,
)
from shortlist_client.bearer import async_bearer
from shortlist_client.configs import AsyncServingConfigs
from shortlist_client.connection import Retries, Token, check_token
from shortlist_client.timeouts import BATCH_TIMEOUT_S, DEFAULT_TIMEOUT_S, RESUME_PAUSE_S, RESUMES


class AsyncClient:
    """Calls a Shortlist gateway. One object serves many tasks; make it once and keep it.

    Every call has a deadline, and is repeated once after UNAVAILABLE where that is harmless: all are but changes of
    serving configs, which are in ``serving_configs``. Errors are :class:`grpc.aio.AioRpcError`; ``error.code()`` and
    ``error.details()`` say what is wrong. Arguments that are not listed here are fields of the types in
    :mod:`shortlist_client.arguments`.
    """

    def __init__(
        self,
        address: str,
        *,
        tenant: str = "",
        credentials: grpc.ChannelCredentials | None = None,
        token: Token | None = None,
        retries: Retries = Retries(),  # noqa: B008 - frozen
    ) -> None:
        """Open a channel.

        Args:
            address: ``host:port``, or any gRPC name, as in ``dns:///gateway:50051``; calls take turns among its
                addresses.
            tenant: Tenant of every call.
            credentials: For TLS, as of :func:`shortlist_client.tls`; ``None`` is plain text.
            token: Returns the bearer token of each call; only with ``credentials``.
            retries: When a call is repeated.

        Raises:
            ValueError: There is a token and no TLS.
        """
        check_token(credentials, token)
        options = retries.options()
        bearer = async_bearer(token) if token else None
        self._channel = (
            grpc.aio.secure_channel(address, credentials, options, interceptors=bearer)
            if credentials
            else grpc.aio.insecure_channel(address, options)
        )
        self._tenant = tenant
        self._recommendation = RecommendationServiceStub(self._channel)
        self._event = EventServiceStub(self._channel)
        self.serving_configs = AsyncServingConfigs(ServingConfigServiceStub(self._channel))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def recommend(
        self, user_id: str = "", *, timeout_s: float = DEFAULT_TIMEOUT_S, **fields: Unpack[RecommendFields]
    ) -> RecommendResponse:
        """Return items for a user, or for the ``visitor_id`` or ``session_id`` among the fields."""
        request = messages.recommend_request(self._tenant, user_id, fields)
        return await self._recommendation.Recommend(request, timeout=timeout_s)

    async def recommend_next(
        self,
        next_token: str,
        *,
        slate_size: int = 0,
        request: RecommendRequest | None = None,
        request_id: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> RecommendNextResponse:
        """Return the next page of a slate, from the ``meta.next_token`` of the page before.

        A first page whose request has more than 4,096 bytes needs that request again, from
        :func:`shortlist_client.first_page`.
        """
        message = messages.next_request(next_token, slate_size, request, request_id)
        return await self._recommendation.RecommendNext(message, timeout=timeout_s)

    async def explain_recommendation(
        self,
        item_id: str,
        user_id: str = "",
        *,
        timeout_s: float = 3 * DEFAULT_TIMEOUT_S,
        **fields: Unpack[ExplainFields],
    ) -> ExplainRecommendationResponse:
        """Return why an item is or is not in the slate of a user, or of the answer whose token is given."""
        request = messages.explain_request(self._tenant, item_id, user_id, fields)
        return await self._recommendation.ExplainRecommendation(request, timeout=timeout_s)

    async def compare_bundles(
        self,
        other_bundle_id: str,
        user_id: str = "",
        *,
        timeout_s: float = 2 * DEFAULT_TIMEOUT_S,
        **fields: Unpack[CompareFields],
    ) -> CompareBundlesResponse:
        """Return what two bundles recommend to a user, side by side."""
        request = messages.compare_request(self._tenant, other_bundle_id, user_id, fields)
        return await self._recommendation.CompareBundles(request, timeout=timeout_s)

    async def batch_recommend(
        self,
        actors: Iterable[str | actor_pb2.Actor],
        *,
        timeout_s: float = BATCH_TIMEOUT_S,
        **fields: Unpack[BatchFields],
    ) -> AsyncIterator[BatchRecommendResponse]:
        """Yield an answer or an error for each of ``actors``, in their order, resuming where the stream breaks.

        An actor is a user's id, or a message: a visitor, or somebody of another tenant than the client's.
        The server works out no more than is asked for; who stops asking stops the work.
        """
        request = messages.batch_request(self._tenant, actors, fields)
        ends_s = time.monotonic() + timeout_s
        failures = 0
        while True:
            answers = self._recommendation.BatchRecommend(request, timeout=max(0.0, ends_s - time.monotonic()))
            try:
                async for response in answers:
                    failures = 0
                    request.resume_token = response.resume_token
                    yield response
                return
            except grpc.aio.AioRpcError as error:
                failures += 1
                if error.code() is not grpc.StatusCode.UNAVAILABLE or failures > RESUMES:
                    raise
                await asyncio.sleep(RESUME_PAUSE_S * failures)
            finally:
                answers.cancel()

    async def similar_items(
        self, item_ids: Iterable[str], *, timeout_s: float = DEFAULT_TIMEOUT_S, **fields: Unpack[SimilarFields]
    ) -> SimilarItemsResponse:
        """Return items that are like ``item_ids``."""
        request = messages.similar_request(self._tenant, item_ids, fields)
        return await self._recommendation.SimilarItems(request, timeout=timeout_s)

    async def similar_users(
        self,
        user_id: str = "",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        **fields: Unpack[SimilarUsersFields],
    ) -> SimilarUsersResponse:
        """Return users whose taste is like that of a user, or of what the fields say of nobody in particular."""
        request = messages.similar_users_request(self._tenant, user_id, fields)
        return await self._recommendation.SimilarUsers(request, timeout=timeout_s)

    async def recommend_users(
        self, item_ids: Iterable[str], *, timeout_s: float = DEFAULT_TIMEOUT_S, **fields: Unpack[RecommendUsersFields]
    ) -> RecommendUsersResponse:
        """Return users to whom ``item_ids`` are worth showing."""
        request = messages.recommend_users_request(self._tenant, item_ids, fields)
        return await self._recommendation.RecommendUsers(request, timeout=timeout_s)

    async def rerank_items(
        self,
        item_ids: Iterable[str],
        user_id: str = "",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        **fields: Unpack[RerankFields],
    ) -> RerankItemsResponse:
        """Return ``item_ids`` in the order that suits the actor."""
        request = messages.rerank_request(self._tenant, item_ids, user_id, fields)
        return await self._recommendation.RerankItems(request, timeout=timeout_s)

    async def write_events(
        self,
        events: Iterable[actor_pb2.Event],
        user_id: str = "",
        *,
        timeout_s: float = 2 * DEFAULT_TIMEOUT_S,
        **fields: Unpack[WriteFields],
    ) -> WriteEventsResponse:
        """Store what an actor did; :func:`shortlist_client.rating` makes events."""
        request = messages.write_request(self._tenant, events, user_id, fields)
        return await self._event.WriteEvents(request, timeout=timeout_s)
