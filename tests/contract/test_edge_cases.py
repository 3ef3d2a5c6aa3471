"""The edge-case table of ``protos/README.md``, row by row, against the whole platform in one process."""

from __future__ import annotations

import asyncio
import math
import re
import uuid
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_features_pb2, actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.ranking.v1 import ranking_service_pb2 as ranking_pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

N = 60
ITEMS = item_ids(N)
NONE = answer_pb2.DEGRADATION_LEVEL_NONE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform"), n_items=N) as platform:
        yield platform


@pytest.fixture(scope="module")
def recommendation(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


@pytest.fixture(scope="module")
def event(platform: Platform) -> EventServiceAsyncStub:
    return EventServiceStub(platform.channel)


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex}"


def actor(user_id: str) -> actor_pb2.Actor:
    return actor_pb2.Actor(user_id=user_id)


def ask(user_id: str, **fields: object) -> pb.RecommendRequest:
    return pb.RecommendRequest(actor=actor(user_id), **fields)  # type: ignore[arg-type]


def ids(answer: pb.RecommendResponse | pb.SimilarItemsResponse | pb.RerankItemsResponse) -> list[str]:
    return [result.item_id for result in answer.results]


def causes(answer: pb.RecommendResponse) -> set[str]:
    names = (answer_pb2.DegradationCause.Name(c) for c in answer.meta.degradation.causes)
    return {name.removeprefix("DEGRADATION_CAUSE_") for name in names}


def ratings(*items: str, value: float = 5.0) -> list[actor_pb2.Event]:
    return [actor_pb2.Event(item_id=item, value=value) for item in items]


async def refused(call: object, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.code() is code, caught.value.details()
    return caught.value.details() or ""


async def test_an_unknown_user_is_answered_in_full(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommendation.Recommend(ask(user), timeout=5)
    assert len(set(ids(answer))) == 10
    assert not answer.meta.actor_known
    assert answer.meta.degradation.level == NONE
    assert answer.meta.bundle.bundle_id
    assert all(result.provenance and result.propensity == 1.0 for result in answer.results)
    reasons = {reason.kind for result in answer.results for reason in result.reasons}
    assert answer_pb2.REASON_KIND_TASTE not in reasons, "there is no taste to speak of"


async def test_unknown_items_are_reported_and_harm_nothing(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    written = await event.WriteEvents(
        events_pb.WriteEventsRequest(actor=actor(user), events=ratings("nowhere", ITEMS[0])), timeout=5
    )
    assert (written.written, list(written.missing_ids)) == (2, ["nowhere"])
    constraints = selection_pb2.Constraints(exclude_item_ids=["gone", ITEMS[1]], include_item_ids=["lost", *ITEMS[:5]])
    answer = await recommendation.Recommend(ask(user, constraints=constraints, slate_size=3), timeout=5)
    assert set(ids(answer)) == {ITEMS[2], ITEMS[3], ITEMS[4]}
    assert set(answer.meta.missing_ids) == {"gone", "lost"}


async def test_similar_items_of_unknown_items(recommendation: RecommendationServiceAsyncStub) -> None:
    request = pb.SimilarItemsRequest(item_ids=["nowhere", ITEMS[0]], slate_size=5)
    answer = await recommendation.SimilarItems(request, timeout=5)
    assert list(answer.meta.missing_ids) == ["nowhere"]
    assert len(answer.results) == 5
    assert ITEMS[0] not in ids(answer)
    request = pb.SimilarItemsRequest(item_ids=["nowhere"])
    await refused(recommendation.SimilarItems(request, timeout=5), grpc.StatusCode.NOT_FOUND)


async def test_reranking_keeps_unknown_items_last(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    request = pb.RerankItemsRequest(actor=actor(user), item_ids=["x", ITEMS[0], "y", ITEMS[1]])
    answer = await recommendation.RerankItems(request, timeout=5)
    assert set(ids(answer)[:2]) == set(ITEMS[:2])
    assert ids(answer)[2:] == ["x", "y"]
    assert list(answer.meta.missing_ids) == ["x", "y"]
    assert answer.meta.degradation.level == NONE


async def test_slate_size_zero_is_ten(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    assert len((await recommendation.Recommend(ask(user, slate_size=0), timeout=5)).results) == 10


@pytest.mark.parametrize("size", [-1, 1001, -(2**31)])
async def test_slate_sizes_out_of_range_are_refused(
    recommendation: RecommendationServiceAsyncStub, user: str, size: int
) -> None:
    details = await refused(recommendation.Recommend(ask(user, slate_size=size), timeout=5))
    assert f"slate_size: is {size}" in details


async def test_a_slate_larger_than_the_catalogue_is_all_of_it(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    answer = await recommendation.Recommend(ask(user, slate_size=1000), timeout=5)
    assert sorted(ids(answer)) == sorted(ITEMS)
    assert causes(answer) == {"SHORT_SLATE"}


async def test_an_empty_selection_is_an_empty_slate(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    constraints = selection_pb2.Constraints(include_item_ids=["nowhere"])
    answer = await recommendation.Recommend(ask(user, constraints=constraints), timeout=5)
    assert not answer.results
    assert "EMPTY_SELECTION" in causes(answer)


async def test_a_filter_that_nothing_passes_is_an_empty_slate_or_dropped_and_declared(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    nothing = selection_pb2.Filter(expression='genres:"Comedy" AND genres:"Drama"')
    answer = await recommendation.Recommend(ask(user, filter=nothing), timeout=5)
    assert not answer.results
    assert causes(answer) == {"EMPTY_SELECTION", "SHORT_SLATE"}
    nothing.on_empty = selection_pb2.EMPTY_POLICY_RELAX_FILTER
    answer = await recommendation.Recommend(ask(user, filter=nothing), timeout=5)
    assert len(answer.results) == 10
    assert causes(answer) == {"FILTER_RELAXED"}


async def test_a_missing_value_passes_no_comparison(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    missing = {ITEMS[row] for row in range(N) if row % 9 == 8}
    for expression in ("year > 0", "year != 1988", "NOT year = 1988", "NOT year > 3000"):
        request = ask(user, filter=selection_pb2.Filter(expression=expression), slate_size=N)
        answer = await recommendation.Recommend(request, timeout=5)
        assert answer.results
        assert not missing & set(ids(answer))
    request = ask(user, filter=selection_pb2.Filter(expression="NOT year:*"), slate_size=N)
    assert set(ids(await recommendation.Recommend(request, timeout=5))) == missing
    request = ask(user, filter=selection_pb2.Filter(expression="NOT tags:t1"), slate_size=N)
    untagged = {ITEMS[row] for row in range(N) if row % 4 < 2}
    assert set(ids(await recommendation.Recommend(request, timeout=5))) == untagged, "no tag is a set without t1"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("colour = red", "there is no attribute 'colour' to filter by; there are id, genres (texts), in_colour (flag)"),
        ('year = "abc"', "'year' is a number: it is compared with a number without quotes, as in 1990"),
        ("genres > 3", "'genres' has several texts"),
        ("year >", "has the end at character 7; expected"),
    ],
)
async def test_a_filter_that_does_not_suit_the_catalogue_is_refused(
    recommendation: RecommendationServiceAsyncStub, user: str, expression: str, said: str
) -> None:
    for is_dry in (False, True):
        request = ask(user, filter=selection_pb2.Filter(expression=expression), validate_only=is_dry)
        details = await refused(recommendation.Recommend(request, timeout=5))
        assert f"filter.expression: {said}" in details


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


async def test_a_bundle_that_is_not_held_is_refused(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    code = grpc.StatusCode.FAILED_PRECONDITION
    assert "tiny-0" in await refused(recommendation.Recommend(ask(user, bundle_id="tiny-0"), timeout=5), code)
    stub = RankingServiceStub(await platform.stage_channel("ranking"))
    request = ranking_pb.RankCandidatesRequest(bundle_id="tiny-0")
    assert "tiny-0" in await refused(stub.RankCandidates(request, timeout=5), code)


async def test_a_stage_with_another_bundle_degrades_the_answer(tmp_path: Path, user: str) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(running_platform(tmp_path / "one", n_items=N))
        other = await stack.enter_async_context(running_platform(tmp_path / "other", n_items=N, seed=1))
        mixed = await one.gateway_with(ranking=other)
        answer = await RecommendationServiceStub(mixed).Recommend(ask(user), timeout=5)
        assert causes(answer) == {"BUNDLE_MISMATCH"}
        assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_FALLBACK
        assert len(answer.results) == 10


async def test_with_everything_seen_the_slate_is_empty(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(*ITEMS)), timeout=5)
    answer = await recommendation.Recommend(ask(user), timeout=5)
    assert not answer.results
    assert causes(answer) == {"SHORT_SLATE"}
    assert answer.meta.actor_known


async def test_a_deadline_that_has_passed_is_not_begun(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await refused(recommendation.Recommend(ask(user), timeout=0.0), grpc.StatusCode.DEADLINE_EXCEEDED)
    await refused(recommendation.Recommend(ask(user), timeout=0.0005), grpc.StatusCode.DEADLINE_EXCEEDED)


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
        ("filter.named", {"filter": selection_pb2.Filter(named=selection_pb2.NamedFilter(name="a"))}),
        (
            "filter.on_empty",
            {"filter": selection_pb2.Filter(expression="", on_empty=selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG)},
        ),
        ("experiment_override", {"experiment_override": "a:b"}),
        ("debug_level", {"debug_level": 2}),
        ("context.item_ids_in_view", {"context": actor_pb2.Context(item_ids_in_view=["a"])}),
        (
            "context.events[0].attribution_token",
            {"context": actor_pb2.Context(events=[actor_pb2.Event(item_id="a", attribution_token="t")])},
        ),
        ("context.surface", {"context": actor_pb2.Context(surface="home")}),
        ("consistency_token", {"consistency_token": "bm90IGEgdG9rZW4="}),
    ],
)
async def test_fields_that_are_not_honoured_are_refused(
    recommendation: RecommendationServiceAsyncStub, user: str, field: str, request_fields: dict[str, object]
) -> None:
    details = await refused(recommendation.Recommend(ask(user, **request_fields), timeout=5))
    assert re.search(rf"(^|; ){re.escape(field)}: ", details)


async def test_a_write_changes_the_very_next_answer_through_the_history(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    before = await recommendation.Recommend(ask(user, slate_size=20), timeout=5)
    liked = ITEMS[2]
    written = await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(liked)), timeout=5)
    request = ask(user, slate_size=20, consistency_token=written.consistency_token)
    after = await recommendation.Recommend(request, timeout=5)
    without = [item for item in ids(before) if item != liked]
    assert liked not in ids(after)
    assert [item for item in ids(after) if item in without] != without, "the order changed too, not only the exclusion"
    two_tower = [r for r in after.results if any(p.source == "two_tower" for p in r.provenance)]
    assert two_tower
    assert after.meta.degradation.level == NONE


async def test_validate_only_touches_no_stage(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommendation.Recommend(ask(user, validate_only=True), timeout=5)
    assert not answer.results
    assert not answer.meta.stages
    await refused(recommendation.Recommend(ask(user, validate_only=True, slate_size=-1), timeout=5))


async def test_an_unknown_serving_config_is_not_found(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    call = recommendation.Recommend(ask(user, serving_config="nobody"), timeout=5)
    assert "default" in await refused(call, grpc.StatusCode.NOT_FOUND)


async def test_titles_come_with_the_answer_when_asked_for(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    answer = await recommendation.Recommend(ask(user, item_fields=["title", "colour"]), timeout=5)
    assert answer.results[0].fields[0].text.startswith("Film ")
    assert list(answer.meta.warnings) == ["item_fields: the catalogue has no field 'colour'"]


async def test_many_callers_at_once_get_what_each_would_get_alone(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    alone = [await recommendation.Recommend(ask(f"{user}-{i}", slate_size=5), timeout=5) for i in range(8)]
    together = await asyncio.gather(
        *(recommendation.Recommend(ask(f"{user}-{i}", slate_size=5), timeout=5) for i in range(8))
    )
    assert [ids(answer) for answer in together] == [ids(answer) for answer in alone]
