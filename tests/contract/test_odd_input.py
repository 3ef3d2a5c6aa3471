"""Rows of the edge-case table of ``protos/README.md`` on odd input: repeated, absent, not finite, no text."""

from __future__ import annotations

import math
import re
from array import array
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_features_pb2, actor_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.ranking.v1 import ranking_service_pb2 as ranking_pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .questions import actor, ask, ratings, refused
from .slates import ITEMS, N, ids

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_duplicate_ids_are_harmless(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    constraints = selection_pb2.Constraints(include_item_ids=[*ITEMS[:3], *ITEMS[:3]], exclude_item_ids=[ITEMS[0]] * 2)
    answer = await recommendation.Recommend(ask(user, constraints=constraints), timeout=5)
    assert sorted(ids(answer)) == sorted(ITEMS[1:3])
    request = pb.RerankItemsRequest(actor=actor(user), item_ids=[ITEMS[4]] * 3)
    assert ids(await recommendation.RerankItems(request, timeout=5)) == [ITEMS[4]]


async def test_duplicate_events_count_once(event: EventServiceAsyncStub, user: str) -> None:
    events = [actor_pb2.Event(event_id="e1", item_id=ITEMS[0], value=4.0)]
    request = events_pb.WriteEventsRequest(actor=actor(user), events=events)
    first, second = [await event.WriteEvents(request, timeout=5) for _ in range(2)]
    assert (first.written, first.duplicates) == (1, 0)
    assert (second.written, second.duplicates) == (0, 1)


async def test_absent_features_take_their_defaults(platform: Platform) -> None:
    stub = RankingServiceStub(await platform.stage_channel("ranking"))
    rows = array("I", [1, 2, 3]).tobytes()
    request = ranking_pb.RankCandidatesRequest(bundle_id=platform.bundle_id, rows=rows)
    scores = array("f")
    scores.frombytes((await stub.RankCandidates(request, timeout=5)).scores)
    assert len(scores) == 3
    assert all(map(math.isfinite, scores))


async def test_features_that_are_not_finite_take_their_defaults(platform: Platform) -> None:
    stub = RankingServiceStub(await platform.stage_channel("ranking"))

    def request(*numbers: actor_features_pb2.NumberFeature) -> ranking_pb.RankCandidatesRequest:
        features = actor_features_pb2.ActorFeatures(now_s=1e9, numbers=numbers)
        rows = array("I", [1, 2, 3]).tobytes()
        return ranking_pb.RankCandidatesRequest(bundle_id=platform.bundle_id, rows=rows, actor=features)

    plain = await stub.RankCandidates(request(), timeout=5)
    for value in (math.nan, math.inf, -math.inf):
        odd = actor_features_pb2.NumberFeature(name="user_mean", value=value)
        assert (await stub.RankCandidates(request(odd), timeout=5)).scores == plain.scores


async def test_bad_events_are_refused_one_by_one(event: EventServiceAsyncStub, user: str) -> None:
    events = [
        *ratings(ITEMS[0], value=math.nan),
        *ratings(ITEMS[1]),
        *ratings(ITEMS[2], value=math.inf),
        *ratings(""),
    ]
    request = events_pb.WriteEventsRequest(actor=actor(user), events=events)
    written = await event.WriteEvents(request, timeout=5)
    assert written.written == 1
    assert [(r.index, r.field) for r in written.rejections] == [
        (0, "events[0].value"),
        (2, "events[2].value"),
        (3, "events[3].item_id"),
    ]
    request = events_pb.WriteEventsRequest(actor=actor(user), events=events[:1])
    assert "events[0].value" in await refused(event.WriteEvents(request, timeout=5))


@pytest.mark.parametrize("seconds", [-(2**63), -62_135_596_801, 2**63 - 1])
async def test_a_time_that_no_calendar_has_is_refused(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str, seconds: int
) -> None:
    happened = actor_pb2.Event(item_id=ITEMS[0], event_time=Timestamp(seconds=seconds))
    said = await refused(event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=[happened])))
    assert "events[0].event_time" in said
    context = actor_pb2.Context(events=[happened])
    request = ask(user, context=context, debug_level=pb.DEBUG_LEVEL_FULL)
    assert "context.events[0].event_time" in await refused(recommendation.Recommend(request, timeout=5))


async def test_the_earliest_time_there_is_comes_back_in_the_working(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    happened = actor_pb2.Event(item_id=ITEMS[0], event_time=Timestamp(seconds=-62_135_596_800))
    await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=[happened]), timeout=5)
    answer = await recommendation.Recommend(ask(user, debug_level=pb.DEBUG_LEVEL_FULL), timeout=5)
    assert [e.event_time.seconds for e in answer.debug.actor.history] == [-62_135_596_800]


async def test_a_wrong_dimension_is_named(platform: Platform) -> None:
    stub = RankingServiceStub(await platform.stage_channel("ranking"))
    request = ranking_pb.RankCandidatesRequest(
        bundle_id=platform.bundle_id, rows=array("I", [1]).tobytes(), actor_embedding=array("f", [0.5] * 3).tobytes()
    )
    assert "actor_embedding" in await refused(stub.RankCandidates(request, timeout=5))
    request = ranking_pb.RankCandidatesRequest(bundle_id=platform.bundle_id, rows=b"\x01\x02\x03")
    assert "rows" in await refused(stub.RankCandidates(request, timeout=5))
    request = ranking_pb.RankCandidatesRequest(bundle_id=platform.bundle_id, rows=array("I", [N]).tobytes())
    assert "rows" in await refused(stub.RankCandidates(request, timeout=5))


async def test_the_message_limit_is_exact(platform: Platform, recommendation: RecommendationServiceAsyncStub) -> None:
    limit = platform.max_message_bytes

    def sized(size: int) -> pb.RecommendRequest:
        request = pb.RecommendRequest(request_id="a")
        request.request_id = "a" * (size - (request.ByteSize() - 1) - 2)
        assert request.ByteSize() == size
        return request

    assert "request_id" in await refused(recommendation.Recommend(sized(limit), timeout=5))
    await refused(recommendation.Recommend(sized(limit + 1), timeout=5), grpc.StatusCode.RESOURCE_EXHAUSTED)


@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x04\x12\x02\xff\xfe", b"\x0a\x7f"])
async def test_bytes_that_are_no_message_are_refused(platform: Platform, raw: bytes) -> None:
    method = "/shortlist.gateway.v1.RecommendationService/Recommend"
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = platform.channel.unary_unary(method)
    await refused(call(raw, timeout=5))


@pytest.mark.parametrize("odd", ["a\x00b", "\n", "a\x1bb"])
async def test_control_characters_in_ids_are_refused(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str, odd: str
) -> None:
    assert "actor.user_id" in await refused(recommendation.Recommend(ask(odd), timeout=5))
    constraints = selection_pb2.Constraints(exclude_item_ids=[ITEMS[0], odd])
    details = await refused(recommendation.Recommend(ask(user, constraints=constraints), timeout=5))
    assert "constraints.exclude_item_ids[1]" in details
    request = events_pb.WriteEventsRequest(actor=actor(user), events=ratings(odd))
    assert "events[0].item_id" in await refused(event.WriteEvents(request, timeout=5))


@pytest.mark.parametrize("odd", ["{}", "{a}:b", "a b/c%00", "ユーザー", "*", "'\"\\"])
async def test_odd_ids_are_served_like_any_other(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, odd: str
) -> None:
    written = await event.WriteEvents(
        events_pb.WriteEventsRequest(actor=actor_pb2.Actor(tenant=odd, user_id=odd), events=ratings(ITEMS[3])),
        timeout=5,
    )
    assert written.written == 1
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(tenant=odd, user_id=odd), slate_size=60, consistency_token=written.consistency_token
    )
    answer = await recommendation.Recommend(request, timeout=5)
    assert answer.meta.actor_known
    assert ITEMS[3] not in ids(answer)
    assert len(answer.results) == N - 1
    elsewhere = await recommendation.Recommend(ask(odd), timeout=5)
    assert not elsewhere.meta.actor_known, "tenants do not share users"


@pytest.mark.parametrize(
    ("field", "request_fields"),
    [
        ("filter.named.name", {"filter": selection_pb2.Filter(named=selection_pb2.NamedFilter(name="a"))}),
        (
            "filter.on_empty",
            {"filter": selection_pb2.Filter(expression="", on_empty=selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG)},
        ),
        ("debug_level", {"debug_level": 2}),
        (
            "context.events[0].attribution_token",
            {"context": actor_pb2.Context(events=[actor_pb2.Event(item_id="a", attribution_token="t")])},
        ),
        (
            "context.attributes[0].time",
            {"context": actor_pb2.Context(attributes=[actor_pb2.Attribute(name="a", time={"seconds": 1})])},
        ),
        ("consistency_token", {"consistency_token": "bm90IGEgdG9rZW4="}),
    ],
)
async def test_fields_that_are_not_honoured_are_refused(
    recommendation: RecommendationServiceAsyncStub, user: str, field: str, request_fields: dict[str, object]
) -> None:
    details = await refused(recommendation.Recommend(ask(user, **request_fields), timeout=5))
    assert re.search(rf"(^|; ){re.escape(field)}: ", details)
