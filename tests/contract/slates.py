"""Questions with constraints, in short, and what their answers hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import GENRES, item_ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

N = 60
ITEMS = item_ids(N)
GENRE_OF = {item: GENRES[row % len(GENRES)] for row, item in enumerate(ITEMS)}
NONE = answer_pb2.DEGRADATION_LEVEL_NONE
DAY_S = 86_400.0


WESTERNS = sel.Filter(expression='genres:"Western"')


DAY = Duration(seconds=86_400)


METHODS = (sel.DIVERSITY_METHOD_UNSPECIFIED, sel.DIVERSITY_METHOD_MMR, sel.DIVERSITY_METHOD_DPP)


EXPLORATIONS = {
    sel.EXPLORATION_METHOD_UNSPECIFIED: 0.5,
    sel.EXPLORATION_METHOD_EPSILON_GREEDY: 0.5,
    sel.EXPLORATION_METHOD_SOFTMAX: 0.2,
    sel.EXPLORATION_METHOD_THOMPSON: 3.0,
}


async def recommend(
    recommendation: RecommendationServiceAsyncStub, user: str, slate_size: int = 10, **constraints: object
) -> pb.RecommendResponse:
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=slate_size,
        constraints=sel.Constraints(**constraints),  # type: ignore[arg-type]
    )
    return await recommendation.Recommend(request, timeout=5)


async def write(platform: Platform, user: str, *events: actor_pb2.Event) -> None:
    request = events_pb.WriteEventsRequest(actor=actor_pb2.Actor(user_id=user), events=events)
    await EventServiceStub(platform.channel).WriteEvents(request, timeout=5)


def event(item: str, event_type: str = "rating", age_s: float = 0.0) -> actor_pb2.Event:
    at = Timestamp()
    at.FromMicroseconds(int((time.time() - age_s) * 1e6))
    return actor_pb2.Event(item_id=item, event_type=event_type, value=4.0, event_time=at)


def ids(
    answer: pb.RecommendResponse | pb.RecommendNextResponse | pb.SimilarItemsResponse | pb.RerankItemsResponse,
) -> list[str]:
    return [result.item_id for result in answer.results]


def genres(items: Iterable[str]) -> Counter[str]:
    return Counter(GENRE_OF[item] for item in items)


def cap(maximum: int, attribute: str = "genres") -> sel.AttributeCap:
    return sel.AttributeCap(attribute=attribute, maximum=maximum)


def spread(method: sel.DiversityMethod, strength: float) -> sel.Diversity:
    return sel.Diversity(method=method, strength=strength)


def explore(method: sel.ExplorationMethod, slots: int, strength: float) -> sel.Exploration:
    return sel.Exploration(method=method, slots=slots, strength=strength)


def boost(expression: str, factor: float) -> sel.Boost:
    return sel.Boost(filter=sel.Filter(expression=expression), factor=factor)


def promote(expression: str, slots: int) -> sel.Promotion:
    return sel.Promotion(filter=sel.Filter(expression=expression), slots=slots)
