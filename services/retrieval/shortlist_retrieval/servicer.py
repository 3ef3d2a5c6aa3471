"""The gRPC door of retrieval: messages in, values through, messages out."""

from __future__ import annotations

from array import array
from typing import Any

import grpc

from shortlist.common.v1 import selection_pb2
from shortlist.retrieval.v1 import retrieval_service_pb2 as pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceServicer
from shortlist_bundle.host import BundleHost, Held
from shortlist_bundle.item_table import ItemFeedReader
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.filters import Node, parameters_of
from shortlist_domain.stages import RetrieveRequest, RetrieveResult
from shortlist_domain.user_search import UsersRequest
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_rpc.actor_message import actor_of, filled, rows_of
from shortlist_rpc.filter_message import node_of
from shortlist_rpc.interceptor import current_deadline

DEFAULT_CANDIDATES = 500
DEFAULT_USERS = 10

Context = grpc.aio.ServicerContext[Any, Any]


class RetrievalServicer(RetrievalServiceServicer):
    """Serves the whole contract."""

    def __init__(self, engine: RetrievalEngine, host: BundleHost[Shelf], feed: ItemFeedReader | None) -> None:
        self._engine = engine
        self._host = host
        self._feed = feed

    async def RetrieveCandidates(  # noqa: N802 - gRPC's name
        self, request: pb.RetrieveCandidatesRequest, context: Context
    ) -> pb.RetrieveCandidatesResponse:
        """See the proto."""
        return _response(await self._engine.retrieve(_request(request), current_deadline()))

    async def EmbedActor(self, request: pb.EmbedActorRequest, context: Context) -> pb.EmbedActorResponse:  # noqa: N802
        """See the proto."""
        _require_bundle(request.bundle_id)
        embedding = await self._engine.embed_actor(request.bundle_id, actor_of(request.actor), current_deadline())
        return pb.EmbedActorResponse(bundle_id=request.bundle_id, embedding=embedding.tobytes())

    async def RetrieveUsers(  # noqa: N802
        self, request: pb.RetrieveUsersRequest, context: Context
    ) -> pb.RetrieveUsersResponse:
        """See the proto."""
        _require_bundle(request.bundle_id)
        wanted = UsersRequest(
            bundle_id=request.bundle_id,
            actor=actor_of(request.actor),
            user_count=request.user_count or DEFAULT_USERS,
            exclude_rows=rows_of(request.exclude_rows, "exclude_rows"),
            user_row=request.user_row if request.HasField("user_row") else None,
            item_rows=rows_of(request.item_rows, "item_rows"),
        )
        found = await self._engine.retrieve_users(wanted, current_deadline())
        response = pb.RetrieveUsersResponse(bundle_id=found.bundle_id, rows=found.rows.tobytes())
        if wanted.item_rows:
            response.lifts = found.scores.tobytes()
        else:
            response.similarities = found.scores.tobytes()
        return response

    async def DescribeIndex(  # noqa: N802
        self, request: pb.DescribeIndexRequest, context: Context
    ) -> pb.DescribeIndexResponse:
        """See the proto."""
        return pb.DescribeIndexResponse(indexes=[self._described(held) for held in self._host.held()])

    async def EmbedItems(self, request: pb.EmbedItemsRequest, context: Context) -> pb.EmbedItemsResponse:  # noqa: N802
        """See the proto."""
        _require_bundle(request.bundle_id)
        columns = filled(array("f"), request.item_features, "item_features")
        embeddings = await self._engine.embed_items(request.bundle_id, columns, current_deadline())
        return pb.EmbedItemsResponse(bundle_id=request.bundle_id, embeddings=embeddings.tobytes())

    def _described(self, held: Held[Shelf]) -> pb.IndexDescription:
        bundle = held.value.bundle
        description = pb.IndexDescription(
            bundle_id=held.release.bundle_id,
            generation=held.release.generation,
            kind=bundle.index.kind,
            size=bundle.n_items,
            dimension=bundle.dim,
            measured_recall=bundle.manifest.metrics.get("index/recall", 1.0 if bundle.index.kind == "flat" else 0.0),
            sources=[source.name for source in held.value.sources],
            users=len(bundle.users) if bundle.users is not None else 0,
            added_items=bundle.model_rows.added,
            item_columns=bundle.features.item_columns,
        )
        description.ready_since.FromMicroseconds(round(held.ready_since_s * 1e6))
        age_s = self._feed.age_s() if self._feed else None
        if age_s is not None:
            description.item_feed_age.FromMicroseconds(round(age_s * 1e6))
        return description


def _request(message: pb.RetrieveCandidatesRequest) -> RetrieveRequest:
    _require_bundle(message.bundle_id)
    quotas: dict[str, float] = {}
    for position, quota in enumerate(message.quotas):
        if quota.source in quotas:
            raise InvalidRequest(Violation(f"quotas[{position}].source", f"names {quota.source!r} a second time"))
        quotas[quota.source] = quota.share
    weights: dict[str, float] = {}
    for position, weighed in enumerate(message.weights):
        if weighed.source in weights:
            raise InvalidRequest(Violation(f"weights[{position}].source", f"names {weighed.source!r} a second time"))
        weights[weighed.source] = weighed.weight
    return RetrieveRequest(
        bundle_id=message.bundle_id,
        actor=actor_of(message.actor),
        candidate_count=message.candidate_count or DEFAULT_CANDIDATES,
        exclude_rows=rows_of(message.exclude_rows, "exclude_rows"),
        allow_rows=rows_of(message.allow_rows, "allow_rows") if message.restrict else None,
        quotas=quotas,
        sources=tuple(message.sources),
        weights=weights,
        anchor_rows=rows_of(message.anchor_rows, "anchor_rows") if message.anchor_rows else array("I"),
        filter=_filter(message.filter) if message.HasField("filter") else None,
    )


def _filter(message: selection_pb2.Filter) -> Node:
    if message.WhichOneof("condition") != "ast" or message.HasField("named"):
        raise InvalidRequest(Violation("filter.ast", "is required in a filter; other forms are not read here"))
    violations: list[Violation] = []
    node = node_of(message.ast, "filter.ast", violations)
    if names := list(parameters_of(node)):
        violations.append(Violation("filter.ast", f"names the parameter {names[0]!r}, which has no value here"))
    if violations:
        raise InvalidRequest(*violations)
    return node


def _response(result: RetrieveResult) -> pb.RetrieveCandidatesResponse:
    return pb.RetrieveCandidatesResponse(
        bundle_id=result.bundle_id,
        rows=result.rows.tobytes(),
        scores=result.scores.tobytes(),
        sources=[
            pb.SourceCandidates(
                source=word.source,
                candidates=word.candidates.tobytes(),
                ranks=word.ranks.tobytes(),
                scores=word.scores.tobytes(),
                anchors=word.anchors.tobytes(),
            )
            for word in result.provenance
        ],
        actor_embedding=result.actor_embedding.tobytes(),
        failed_sources=result.failed_sources,
    )


def _require_bundle(bundle_id: str) -> None:
    if not bundle_id:
        raise InvalidRequest(Violation("bundle_id", "is required and empty"))
