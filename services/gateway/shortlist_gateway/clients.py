"""The stages over gRPC, behind the same protocols as the engines themselves."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist.ranking.v1 import ranking_service_pb2 as ranking_pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.stages import (
    ActorKey,
    ActorState,
    Event,
    RankRequest,
    RankResult,
    RetrieveRequest,
    RetrieveResult,
)
from shortlist_domain.user_search import UsersRequest, UsersResult
from shortlist_gateway import wire
from shortlist_gateway.document_client import DocumentClient
from shortlist_rpc.call import call


class FeatureStoreClient:
    """:class:`shortlist_domain.feature_stage.FeatureStage` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = FeatureStoreServiceStub(channel)
        self.documents = DocumentClient(self._stub)

    async def read_actor(
        self,
        key: ActorKey,
        min_version: int,
        deadline: Deadline,
        *,
        with_impressions: bool = False,
        min_session_version: int = 0,
    ) -> ActorState:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        request = store_pb.ReadActorRequest(
            key=wire.key_message(key),
            min_version=min_version,
            with_impressions=with_impressions,
            min_session_version=min_session_version,
        )
        return wire.actor_state(await call("feature-store", self._stub.ReadActor, request, deadline))

    async def append_events(self, key: ActorKey, events: Sequence[Event], deadline: Deadline) -> AppendResult:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        request = store_pb.AppendEventsRequest(key=wire.key_message(key), events=wire.event_messages(events))
        response = await call("feature-store", self._stub.AppendEvents, request, deadline)
        return AppendResult(response.version, tuple(response.added))

    async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        request = store_pb.AppendSlatesRequest(slates=map(SlateRecord.FromString, records))
        return int((await call("feature-store", self._stub.AppendSlates, request, deadline)).lost)


class RetrievalClient:
    """:class:`shortlist_domain.stages.RetrievalStage` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RetrievalServiceStub(channel)

    async def retrieve(self, request: RetrieveRequest, deadline: Deadline) -> RetrieveResult:
        """See :class:`shortlist_domain.stages.RetrievalStage`."""
        message = wire.retrieve_request(request)
        return wire.retrieve_result(await call("retrieval", self._stub.RetrieveCandidates, message, deadline))

    async def retrieve_users(self, request: UsersRequest, deadline: Deadline) -> UsersResult:
        """See :class:`shortlist_domain.user_search.UserSearch`."""
        message = wire.users_request(request)
        return wire.users_result(await call("retrieval", self._stub.RetrieveUsers, message, deadline))

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """See :class:`shortlist_domain.stages.RetrievalStage`."""
        request = retrieval_pb.DescribeIndexRequest()
        response = await call("retrieval", self._stub.DescribeIndex, request, deadline)
        return tuple(index.bundle_id for index in response.indexes)


class RankingClient:
    """:class:`shortlist_domain.stages.RankingStage` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = RankingServiceStub(channel)

    async def rank(self, request: RankRequest, deadline: Deadline) -> RankResult:
        """See :class:`shortlist_domain.stages.RankingStage`."""
        message = wire.rank_request(request)
        return wire.rank_result(await call("ranking", self._stub.RankCandidates, message, deadline))

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """See :class:`shortlist_domain.stages.RankingStage`."""
        response = await call("ranking", self._stub.DescribeModel, ranking_pb.DescribeModelRequest(), deadline)
        return tuple(model.bundle_id for model in response.models)
