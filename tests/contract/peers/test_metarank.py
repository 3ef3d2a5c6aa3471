"""What users of Metarank complained of."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_domain.stages import ActorKey
from shortlist_gateway.tokens import consistency_token
from shortlist_testing.platform import Platform

from ..questions import actor, ask, causes, ratings
from ..slates import GENRE_OF, ITEMS, NONE, N, ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_metarank_1547_an_unknown_item_of_the_context(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """An item in the context that the model had never seen ended the request with an exception."""
    known = ratings(ITEMS[4], ITEMS[8])
    context = actor_pb2.Context(events=[*ratings("never-heard-of"), *known])
    answer = await recommendation.Recommend(ask(user, context=context), timeout=5)
    without = await recommendation.Recommend(ask(user, context=actor_pb2.Context(events=known)), timeout=5)
    assert list(answer.meta.missing_ids) == ["never-heard-of"]
    assert len(answer.results) == 10
    assert {item for item in ids(answer) if item in ITEMS} == set(ids(without)), "the rest of the context counts"
    nothing_known = actor_pb2.Context(events=ratings("never-heard-of"))
    assert len((await recommendation.Recommend(ask(user, context=nothing_known), timeout=5)).results) == 10


async def test_metarank_698_a_read_right_after_a_write_sees_it_for_many_at_once(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    """Feedback went through a buffer, so that a ranking right behind it did not know of it yet, now and then."""
    other = RecommendationServiceStub(await platform.gateway_over_the_wire())

    async def one(number: int) -> None:
        who = f"{user}-{number}"
        for turn in range(3):
            item = ITEMS[(number * 7 + turn * 11) % N]
            request = events_pb.WriteEventsRequest(actor=actor(who), events=ratings(item))
            token = (await event.WriteEvents(request, timeout=10)).consistency_token
            stub = (recommendation, other)[turn % 2]  # whichever replica reads
            answer = await stub.Recommend(ask(who, slate_size=N, consistency_token=token), timeout=10)
            assert item not in ids(answer)
            assert "FEATURES_STALE" not in causes(answer)
            assert answer.meta.actor_known

    for start in range(0, 60, 10):  # ten at a time: as many as the machine takes without shedding
        await asyncio.gather(*(one(number) for number in range(start, start + 10)))


async def test_metarank_698_a_write_that_is_not_there_in_time_is_waited_for_within_bounds_and_declared(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    """Nothing told a caller that the answer was made without its last write."""
    ahead = consistency_token(ActorKey("", f"u/{user}"), 2)
    started = time.perf_counter()
    answer = await recommendation.Recommend(ask(user, consistency_token=ahead), timeout=5)
    assert time.perf_counter() - started < 3.0
    assert causes(answer) == {"FEATURES_STALE"}
    assert len(answer.results) == 10
    reading = asyncio.create_task(_read(recommendation, user, ahead))
    for item in ITEMS[:2]:
        await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(item)), timeout=5)
    late = await reading
    assert "FEATURES_STALE" in causes(late) or not set(ids(late)) & set(ITEMS[:2]), "stale and said so, or not stale"


async def _read(recommendation: RecommendationServiceAsyncStub, user: str, token: str) -> pb.RecommendResponse:
    return await recommendation.Recommend(ask(user, slate_size=N, consistency_token=token), timeout=5)


async def test_metarank_845_and_1381_a_list_for_the_user_alone_under_a_filter(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    """Its recommendations start from items: "just for you" did not exist, and could not be filtered."""
    tastes = {genre: [item for item in ITEMS if GENRE_OF[item] == genre][:5] for genre in ("Comedy", "Western")}
    condition = selection_pb2.Filter(expression="year >= 1985")
    lists = {}
    for genre, items in tastes.items():
        who = f"{user}-{genre}"
        request = events_pb.WriteEventsRequest(actor=actor(who), events=ratings(*items))
        token = (await event.WriteEvents(request, timeout=5)).consistency_token
        answer = await recommendation.Recommend(ask(who, filter=condition, consistency_token=token), timeout=5)
        assert answer.meta.degradation.level == NONE
        lists[genre] = ids(answer)
        assert not set(items) & set(lists[genre])
    assert lists["Comedy"] != lists["Western"], "by what each of them did"
    years = {item: 1980 + row % 40 for row, item in enumerate(ITEMS) if row % 9 != 8}
    assert all(years.get(item, 0) >= 1985 for found in lists.values() for item in found)
