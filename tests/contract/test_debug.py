"""What an answer shows of its working, against the whole platform in one process."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(60)
ANN = actor_pb2.Actor(user_id="ann")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform")) as platform:
        events = [actor_pb2.Event(item_id=ITEMS[2], value=5.0), actor_pb2.Event(item_id=ITEMS[6], value=2.0)]
        for event, at_s in zip(events, (1_000, 2_000), strict=True):
            event.event_time.FromSeconds(at_s)
        request = events_pb.WriteEventsRequest(actor=ANN, events=events)
        await EventServiceStub(platform.channel).WriteEvents(request, timeout=5)
        yield platform


def ask(**fields: object) -> pb.RecommendRequest:
    return pb.RecommendRequest(actor=ANN, slate_size=6, **fields)  # type: ignore[arg-type]


async def test_nothing_is_shown_where_nobody_asks(platform: Platform) -> None:
    answer = await RecommendationServiceStub(platform.channel).Recommend(ask(), timeout=5)
    assert not answer.HasField("debug")


async def test_the_actor_is_shown_as_the_stages_saw_it(platform: Platform) -> None:
    own = actor_pb2.Event(item_id=ITEMS[9], value=2.0)
    named = [actor_pb2.Attribute(name="gender", text="F")]
    context = actor_pb2.Context(events=[own], attributes=named)
    request = ask(debug_level=pb.DEBUG_LEVEL_FULL, context=context)
    answer = await RecommendationServiceStub(platform.channel).Recommend(request, timeout=5)
    actor = answer.debug.actor
    assert [(event.item_id, event.value) for event in actor.history] == [
        (ITEMS[2], 5.0),
        (ITEMS[6], 2.0),
        (ITEMS[9], 2.0),
    ]
    assert [event.event_time.seconds for event in actor.history[:2]] == [1_000, 2_000]
    assert [(a.name, a.text) for a in actor.attributes] == [("gender", "F")]
    features = {feature.name: feature.value for feature in actor.features}
    assert features["user_count"] == 3.0
    assert features["user_mean"] == pytest.approx(3.0)
    assert features["user_deviation"] == pytest.approx(2.0**0.5)
    now = datetime.fromtimestamp(actor.as_of.seconds, UTC)
    assert abs(actor.as_of.seconds - time.time()) < 60
    assert (features["hour_of_day"], features["day_of_week"]) == (now.hour, now.weekday())


async def test_each_result_is_shown_with_the_scores_of_every_stage(platform: Platform) -> None:
    stub = RecommendationServiceStub(platform.channel)
    answer = await stub.Recommend(ask(debug_level=pb.DEBUG_LEVEL_FULL), timeout=5)
    shown = answer.debug.results
    assert [entry.item_id for entry in shown] == [result.item_id for result in answer.results]
    assert [entry.ranking_score for entry in shown] == [result.score for result in answer.results]
    assert [entry.ranking_rank for entry in shown] == list(range(6)), "no constraint moved anything"
    fused = sorted(shown, key=lambda entry: entry.retrieval_rank)
    scores = [entry.retrieval_score for entry in fused]
    assert scores == sorted(scores, reverse=True), "retrieval ordered them so"
    assert {feature.name for entry in shown for feature in entry.item_features} >= {"item_count", "item_mean"}
    following = pb.RecommendNextRequest(next_token=answer.meta.next_token)
    page = await stub.RecommendNext(following, timeout=5)
    assert [entry.ranking_rank for entry in page.debug.results] == list(range(6, 12))


async def test_stages_behind_ports_of_their_own_show_the_same(platform: Platform) -> None:
    request = ask(debug_level=pb.DEBUG_LEVEL_FULL)
    here = await RecommendationServiceStub(platform.channel).Recommend(request, timeout=5)
    there = await RecommendationServiceStub(await platform.gateway_over_the_wire()).Recommend(request, timeout=5)
    for one, other in zip(here.debug.results, there.debug.results, strict=True):
        assert one.item_id == other.item_id
        assert one.ranking_score == pytest.approx(other.ranking_score)
        assert [feature.name for feature in one.item_features] == [feature.name for feature in other.item_features]
    assert here.debug.results[0].item_features
