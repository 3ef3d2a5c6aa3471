"""Values between the stages to protobuf and back, on the gateway's side of the wire."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TypeVar

from shortlist.common.v1 import actor_features_pb2, actor_pb2, selection_pb2
from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.ranking.v1 import ranking_service_pb2 as ranking_pb
from shortlist.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.spread import Spread
from shortlist_domain.stages import (
    ActorFeatures,
    ActorKey,
    ActorState,
    Event,
    Provenance,
    RankRequest,
    RankResult,
    RetrieveRequest,
    RetrieveResult,
)
from shortlist_domain.user_search import UsersRequest, UsersResult
from shortlist_rpc.filter_message import node_message

N = TypeVar("N", int, float)


def ints(raw: bytes, upstream: str) -> array[int]:
    """Return uint32 values, as :func:`_column` does."""
    return _column(array("I"), raw, upstream)


def floats(raw: bytes, upstream: str) -> array[float]:
    """Return float32 values, as :func:`_column` does."""
    return _column(array("f"), raw, upstream)


def doubles(raw: bytes, upstream: str) -> array[float]:
    """Return float64 values, as :func:`_column` does."""
    return _column(array("d"), raw, upstream)


def _column(values: array[N], raw: bytes, upstream: str) -> array[N]:
    """Return ``values`` filled from little-endian ``raw``.

    Raises:
        UpstreamFailed: The bytes are no whole number of values.
    """
    try:
        values.frombytes(raw)
    except ValueError as error:
        raise UpstreamFailed(upstream, f"sent {len(raw)} bytes where {values.typecode!r} values belong") from error
    return values


def key_message(key: ActorKey) -> store_pb.ActorKey:
    """Return ``key`` for the wire."""
    return store_pb.ActorKey(tenant=key.tenant, actor_id=key.actor_id, session_id=key.session_id)


def event_messages(events: Iterable[Event]) -> list[actor_pb2.Event]:
    """Return ``events`` for the wire."""
    messages = []
    for event in events:
        message = actor_pb2.Event(
            event_id=event.event_id,
            event_type=event.event_type,
            item_id=event.item_id,
            value=event.value,
            surface=event.surface,
        )
        message.event_time.FromMicroseconds(round(event.time_s * 1e6))
        messages.append(message)
    return messages


def actor_state(response: store_pb.ReadActorResponse) -> ActorState:
    """Return the actor that ``response`` describes."""
    item_ids = tuple(response.item_ids)
    values = floats(response.values, "feature-store")
    times = doubles(response.times_s, "feature-store")
    if not len(item_ids) == len(values) == len(times):
        raise UpstreamFailed("feature-store", "sent columns of different lengths")
    return ActorState(
        attributes={a.name: a.text for a in response.attributes},
        item_ids=item_ids,
        event_types=tuple(response.event_types) or ("rating",) * len(item_ids),
        values=values,
        times_s=times,
        known=response.known,
        version=response.version,
        caught_up=response.caught_up,
    )


def actor_features(actor: ActorFeatures) -> actor_features_pb2.ActorFeatures:
    """Return ``actor`` for the wire."""
    return actor_features_pb2.ActorFeatures(
        now_s=actor.now_s,
        attributes=[actor_features_pb2.TextFeature(name=n, value=v) for n, v in actor.attributes.items()],
        numbers=[actor_features_pb2.NumberFeature(name=n, value=v) for n, v in actor.numbers.items()],
        history_rows=actor.history_rows.tobytes(),
        history_values=actor.history_values.tobytes(),
        history_times_s=actor.history_times_s.tobytes(),
        chosen=[
            actor_features_pb2.TextFeature(name=name, value=value)
            for name, values in actor.chosen.items()
            for value in values
        ],
    )


def retrieve_request(request: RetrieveRequest) -> retrieval_pb.RetrieveCandidatesRequest:
    """Return ``request`` for the wire."""
    return retrieval_pb.RetrieveCandidatesRequest(
        bundle_id=request.bundle_id,
        actor=actor_features(request.actor),
        candidate_count=request.candidate_count,
        exclude_rows=request.exclude_rows.tobytes(),
        allow_rows=b"" if request.allow_rows is None else request.allow_rows.tobytes(),
        restrict=request.allow_rows is not None,
        quotas=[retrieval_pb.SourceQuota(source=s, share=share) for s, share in request.quotas.items()],
        anchor_rows=request.anchor_rows.tobytes(),
        filter=None if request.filter is None else selection_pb2.Filter(ast=node_message(request.filter)),
        sources=request.sources,
        weights=[retrieval_pb.SourceWeight(source=s, weight=weight) for s, weight in request.weights.items()],
    )


def retrieve_result(response: retrieval_pb.RetrieveCandidatesResponse) -> RetrieveResult:
    """Return the candidates of ``response``."""
    return RetrieveResult(
        bundle_id=response.bundle_id,
        rows=ints(response.rows, "retrieval"),
        scores=floats(response.scores, "retrieval"),
        provenance=[
            Provenance(
                source=s.source,
                candidates=ints(s.candidates, "retrieval"),
                ranks=ints(s.ranks, "retrieval"),
                scores=floats(s.scores, "retrieval"),
                anchors=ints(s.anchors, "retrieval"),
            )
            for s in response.sources
        ],
        actor_embedding=floats(response.actor_embedding, "retrieval"),
        failed_sources=tuple(response.failed_sources),
    )


def users_request(request: UsersRequest) -> retrieval_pb.RetrieveUsersRequest:
    """Return ``request`` for the wire."""
    return retrieval_pb.RetrieveUsersRequest(
        bundle_id=request.bundle_id,
        actor=actor_features(request.actor),
        user_row=request.user_row,
        user_count=request.user_count,
        exclude_rows=request.exclude_rows.tobytes(),
        item_rows=request.item_rows.tobytes(),
    )


def users_result(response: retrieval_pb.RetrieveUsersResponse) -> UsersResult:
    """Return the users of ``response``."""
    rows, scores = ints(response.rows, "retrieval"), floats(response.similarities or response.lifts, "retrieval")
    if len(rows) != len(scores):
        raise UpstreamFailed("retrieval", "sent columns of different lengths")
    return UsersResult(response.bundle_id, rows, scores)


def rank_request(request: RankRequest) -> ranking_pb.RankCandidatesRequest:
    """Return ``request`` for the wire."""
    return ranking_pb.RankCandidatesRequest(
        bundle_id=request.bundle_id,
        actor=actor_features(request.actor),
        rows=request.rows.tobytes(),
        actor_embedding=request.actor_embedding.tobytes(),
        retrieval_scores=request.retrieval_scores.tobytes(),
        with_item_numbers=request.with_item_numbers,
        spread=None if request.spread is None else spread_message(request.spread),
        head_weights=[ranking_pb.HeadWeight(head=h, weight=weight) for h, weight in request.head_weights.items()],
    )


def spread_message(spread: Spread) -> ranking_pb.Spread:
    """Return ``spread`` for the wire."""
    return ranking_pb.Spread(
        method=f"DIVERSITY_METHOD_{spread.method.name}",
        strength=spread.strength,
        count=spread.count,
        held=spread.held.tobytes(),
        kept=spread.kept.tobytes(),
        boosts=spread.boosts.tobytes(),
        minimum_click_probability=spread.minimum_click_probability,
    )


def rank_result(response: ranking_pb.RankCandidatesResponse) -> RankResult:
    """Return the scores of ``response``."""
    return RankResult(
        bundle_id=response.bundle_id,
        scores=floats(response.scores, "ranking"),
        click=floats(response.click, "ranking"),
        rating=floats(response.rating, "ranking"),
        item_numbers={column.name: floats(column.values, "ranking") for column in response.item_numbers},
        order=ints(response.order, "ranking") if response.is_spread else None,
    )
