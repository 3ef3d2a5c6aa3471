"""Where answers and events belong on the caller's pages: recorded, and without any effect on an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import actor_pb2
from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .questions import actor, ask, refused
from .slates import ITEMS, ids

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "ü" * 128
PLATFORM = {"slate_log_share": 1.0}


async def history(platform: Platform, user: str, *, impressions: bool = False) -> list[tuple[str, str, str]]:
    """Return type, item and surface of what GetHistory says, newest first."""
    stub = FeatureStoreServiceStub(await platform.stage_channel("feature-store"))
    key = store_pb.ActorKey(actor_id=f"u/{user}")
    said = await stub.GetHistory(store_pb.GetHistoryRequest(key=key, impressions=impressions), timeout=5)
    return [(one.event_type, one.item_id, one.surface) for one in said.events]


async def test_the_surface_of_an_answer_is_logged_and_stands_with_the_impressions(
    platform: Platform,
    recommendation: RecommendationServiceAsyncStub,
    event: EventServiceAsyncStub,
    user: str,
) -> None:
    home = actor_pb2.Context(surface="home/top")
    answer = await recommendation.Recommend(ask(user, slate_size=2, context=home), timeout=5)
    assert ids(answer) == ids(await recommendation.Recommend(ask(user, slate_size=2), timeout=5)), "it changes nothing"
    page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token), timeout=5)
    reranked = await recommendation.RerankItems(
        pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:2], context=actor_pb2.Context(surface=LONG)), timeout=5
    )
    logged: dict[str, str] = {}
    store = platform.service.features.store()
    async with asyncio.timeout(10):
        while len(logged) < 4:
            for entry in await store.take_slates("test", 100, Deadline.after(5.0)):
                await store.confirm_slates([entry.entry_id], Deadline.after(5.0))
                record = SlateRecord.FromString(entry.record or b"")
                logged[record.slate_id] = record.surface
    assert [logged[one.meta.slate_id] for one in (answer, page)] == ["home/top"] * 2
    assert logged[reranked.meta.slate_id] == LONG
    clicked, bought = (actor_pb2.Event(item_id=ids(answer)[0], event_type=one) for one in ("click", "purchase"))
    clicked.surface = "home/top/2"
    await event.WriteEvents(
        events_pb.WriteEventsRequest(
            actor=actor(user), events=[clicked, bought], attribution_token=answer.meta.attribution_token
        ),
        timeout=5,
    )
    found = {(kind, surface) for kind, _, surface in await history(platform, user)}
    assert found == {("click", "home/top/2"), ("purchase", "")}, "a purchase need not be where the item was shown"
    shown = await history(platform, user, impressions=True)
    assert shown == [("impression", item, "home/top") for item in reversed(ids(answer))]


async def test_the_surface_of_an_event_is_kept_and_harms_no_answer(
    platform: Platform,
    recommendation: RecommendationServiceAsyncStub,
    event: EventServiceAsyncStub,
    user: str,
) -> None:
    plain = actor_pb2.Event(item_id=ITEMS[1], event_type="view", event_time={"seconds": 1_000})
    placed = actor_pb2.Event(item_id=ITEMS[2], event_type="view", event_time={"seconds": 2_000}, surface=LONG)
    request = events_pb.WriteEventsRequest(actor=actor(user), events=[plain, placed])
    written = await event.WriteEvents(request, timeout=5)
    assert written.written == 2
    assert await history(platform, user) == [("view", ITEMS[2], LONG), ("view", ITEMS[1], "")]
    answer = await recommendation.Recommend(ask(user, slate_size=60, debug_level=1), timeout=5)
    assert [one.item_id for one in answer.debug.actor.history] == ITEMS[1:3]
    assert not {ITEMS[1], ITEMS[2]} & set(ids(answer))
    request.events[1].surface = "elsewhere"
    assert (await event.WriteEvents(request, timeout=5)).duplicates == 2, "it is no part of what tells events apart"
    inline = actor_pb2.Context(events=[actor_pb2.Event(item_id=ITEMS[5], surface="home")])
    bare = actor_pb2.Context(events=[actor_pb2.Event(item_id=ITEMS[5])])
    answers = [await recommendation.Recommend(ask(user, context=one), timeout=5) for one in (inline, bare)]
    assert ids(answers[0]) == ids(answers[1])


async def test_surfaces_that_are_too_long_are_refused_by_name(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    context = actor_pb2.Context(surface=LONG + "x")
    said = "is 257 bytes long; at most 256 are allowed"
    assert await refused(recommendation.Recommend(ask(user, context=context), timeout=5)) == f"context.surface: {said}"
    request = pb.SimilarUsersRequest(actor=actor(user), context=context)
    assert await refused(recommendation.SimilarUsers(request, timeout=5)) == f"context.surface: {said}"
    bad = actor_pb2.Event(item_id=ITEMS[0], surface=LONG + "x")
    write = events_pb.WriteEventsRequest(actor=actor(user), events=[bad])
    assert await refused(event.WriteEvents(write, timeout=5)) == f"events[0].surface: {said}"
    context = actor_pb2.Context(events=[bad])
    refusal = await refused(recommendation.Recommend(ask(user, context=context), timeout=5))
    assert refusal == f"context.events[0].surface: {said}"
