"""The gRPC door of ranking: messages in, values through, messages out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import grpc

from shortlist.common.v1 import selection_pb2
from shortlist.ranking.v1 import ranking_service_pb2 as pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceServicer
from shortlist_bundle.host import BundleHost, Held
from shortlist_bundle.item_table import ItemFeedReader
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.features import FEATURE_BY_NAME
from shortlist_domain.spread import DiversityMethod, Spread
from shortlist_domain.stages import RankRequest
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_rpc.actor_message import actor_of, floats_of, rows_of
from shortlist_rpc.interceptor import current_deadline

_METHODS = {
    selection_pb2.DIVERSITY_METHOD_MMR: DiversityMethod.MMR,
    selection_pb2.DIVERSITY_METHOD_DPP: DiversityMethod.DPP,
}

Context = grpc.aio.ServicerContext[Any, Any]


class RankingServicer(RankingServiceServicer):
    """Serves ``shortlist.ranking.v1``."""

    def __init__(self, engine: RankingEngine, host: BundleHost[LoadedRanker], feed: ItemFeedReader | None) -> None:
        self._engine = engine
        self._host = host
        self._feed = feed

    async def RankCandidates(  # noqa: N802 - gRPC's name
        self, request: pb.RankCandidatesRequest, context: Context
    ) -> pb.RankCandidatesResponse:
        """See the proto."""
        if not request.bundle_id:
            raise InvalidRequest(Violation("bundle_id", "is required and empty"))
        if request.heads:
            raise InvalidRequest(Violation("heads", "is not honoured yet; leave it empty for all heads"))
        asked = RankRequest(
            bundle_id=request.bundle_id,
            actor=actor_of(request.actor),
            rows=rows_of(request.rows, "rows"),
            actor_embedding=floats_of(request.actor_embedding, "actor_embedding"),
            retrieval_scores=floats_of(request.retrieval_scores, "retrieval_scores"),
            with_item_numbers=request.with_item_numbers,
            spread=_spread_of(request.spread) if request.HasField("spread") else None,
            head_weights=_head_weights(request),
        )
        result = await self._engine.rank(asked, current_deadline())
        return pb.RankCandidatesResponse(
            bundle_id=result.bundle_id,
            scores=result.scores.tobytes(),
            click=result.click.tobytes(),
            rating=result.rating.tobytes(),
            item_numbers=[pb.NumberColumn(name=n, values=v.tobytes()) for n, v in result.item_numbers.items()],
            order=b"" if result.order is None else result.order.tobytes(),
            is_spread=result.order is not None,
        )

    async def DescribeModel(  # noqa: N802
        self, request: pb.DescribeModelRequest, context: Context
    ) -> pb.DescribeModelResponse:
        """See the proto."""
        return pb.DescribeModelResponse(models=[self._described(held) for held in self._host.held()])

    def _described(self, held: Held[LoadedRanker]) -> pb.ModelDescription:
        ranker = held.value
        features = ranker.features
        names = (*features.user_numbers, *features.context_numbers, *features.item_numbers)
        description = pb.ModelDescription(
            bundle_id=held.release.bundle_id,
            generation=held.release.generation,
            model=ranker.manifest.models.get("ranker", ""),
            inputs=ranker.inputs,
            features=[pb.FeatureDefault(name=n, default_value=FEATURE_BY_NAME[n].default) for n in names],
            head_weights=[pb.HeadWeight(head=h, weight=w) for h, w in sorted(features.head_weights.items())],
            prior=pb.PriorWeights(**asdict(features.prior)),
        )
        description.ready_since.FromMicroseconds(round(held.ready_since_s * 1e6))
        age_s = self._feed.age_s() if self._feed else None
        if age_s is not None:
            description.item_feed_age.FromMicroseconds(round(age_s * 1e6))
        return description


def _head_weights(request: pb.RankCandidatesRequest) -> dict[str, float]:
    weights: dict[str, float] = {}
    for position, one in enumerate(request.head_weights):
        if one.head in weights:
            raise InvalidRequest(Violation(f"head_weights[{position}].head", f"names {one.head!r} a second time"))
        weights[one.head] = one.weight
    return weights


def _spread_of(message: pb.Spread) -> Spread:
    """Return the order that ``message`` asks for.

    Raises:
        InvalidRequest: The method is none, or a column is no whole number of values.
    """
    method = _METHODS.get(message.method)
    if method is None:
        names = ", ".join(selection_pb2.DiversityMethod.Name(number) for number in _METHODS)
        raise InvalidRequest(Violation("spread.method", f"is {message.method}; it must be one of {names}"))
    return Spread(
        method=method,
        strength=message.strength,
        count=message.count,
        held=rows_of(message.held, "spread.held"),
        kept=floats_of(message.kept, "spread.kept"),
        boosts=floats_of(message.boosts, "spread.boosts"),
        minimum_click_probability=message.minimum_click_probability,
    )
