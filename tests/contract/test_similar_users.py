"""SimilarUsers over the whole platform, against all cosines worked out apart from it."""

from __future__ import annotations

import uuid
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures
from shortlist_testing.platform import Platform, platform_over
from shortlist_testing.tiny_bundle import (
    item_ids,
    publish,
    tiny_bundle,
    tiny_embeddings,
    tiny_files,
    tiny_user,
    tiny_user_id,
    tiny_users,
)

from .questions import refused
from .slates import write

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 24
ITEMS = item_ids(60)
USERS = [tiny_user_id(number) for number in range(COUNT)]
NONE = answer_pb2.DEGRADATION_LEVEL_NONE
PLATFORM = {"users": True}


def exact(actor: ActorFeatures) -> dict[str, float]:
    """Return the cosine of ``actor``'s vector with that of every user, without the bias, in double precision."""
    every = tiny_embeddings([actor, *(tiny_user(n) for n in range(COUNT))])[:, :-1].astype(np.float64)
    every /= np.linalg.norm(every, axis=1, keepdims=True)
    return dict(zip(USERS, (every[1:] @ every[0]).tolist(), strict=True))


def events_of(actor: ActorFeatures) -> list[actor_pb2.Event]:
    """Return the history of ``actor`` as events with their times."""
    events = []
    for row, value, time_s in zip(actor.history_rows, actor.history_values, actor.history_times_s, strict=True):
        at = Timestamp()
        at.FromMicroseconds(round(time_s * 1e6))
        events.append(actor_pb2.Event(item_id=ITEMS[row], value=value, event_time=at))
    return events


def inline(actor: ActorFeatures) -> actor_pb2.Context:
    attributes = [actor_pb2.Attribute(name=name, text=value) for name, value in actor.attributes.items()]
    return actor_pb2.Context(events=events_of(actor), attributes=attributes)


def check(answer: pb.SimilarUsersResponse, expected: dict[str, float], wanted: int) -> None:
    """The ``wanted`` most similar of ``expected``, in order; equal ones as they come."""
    assert [user.rank for user in answer.results] == list(range(wanted))
    found = [user.similarity for user in answer.results]
    np.testing.assert_allclose(found, [expected[user.user_id] for user in answer.results], atol=1e-5)
    np.testing.assert_allclose(found, sorted(expected.values(), reverse=True)[:wanted], atol=1e-5)
    assert len({user.user_id for user in answer.results}) == wanted


@pytest.mark.parametrize("number", [0, 3, 10, 23])
async def test_users_come_by_the_cosine_of_what_the_tower_makes_of_them(
    recommendation: RecommendationServiceAsyncStub, number: int
) -> None:
    actor = tiny_user(number)
    request = pb.SimilarUsersRequest(context=inline(actor), user_count=COUNT)
    answer = await recommendation.SimilarUsers(request, timeout=5)
    check(answer, exact(actor), COUNT)
    assert answer.results[0].user_id == USERS[number], "who did the same is most like it"
    assert answer.results[0].similarity == pytest.approx(1.0, abs=1e-5)
    assert answer.meta.degradation.level == NONE
    assert answer.meta.attribution_token == answer.meta.next_token == ""
    few = await recommendation.SimilarUsers(pb.SimilarUsersRequest(context=inline(actor), user_count=4), timeout=5)
    check(few, exact(actor), 4)


async def test_a_user_is_not_its_own_like(platform: Platform, recommendation: RecommendationServiceAsyncStub) -> None:
    actor = tiny_user(6)
    await write(platform, USERS[6], *events_of(actor))
    # The store knows no attributes of this user.
    bare = ActorFeatures(
        actor.now_s, {}, actor.numbers, actor.history_rows, actor.history_values, actor.history_times_s
    )
    others = {user: similarity for user, similarity in exact(bare).items() if user != USERS[6]}
    request = pb.SimilarUsersRequest(actor=actor_pb2.Actor(user_id=USERS[6]), user_count=COUNT - 1)
    answer = await recommendation.SimilarUsers(request, timeout=5)
    check(answer, others, COUNT - 1)
    assert answer.meta.actor_known
    request = pb.SimilarUsersRequest(actor=actor_pb2.Actor(visitor_id=USERS[6]), context=inline(actor), user_count=1)
    answer = await recommendation.SimilarUsers(request, timeout=5)
    assert answer.results[0].user_id == USERS[6], "a visitor is no user"


async def test_inline_events_come_after_written_ones(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    user, rows = f"u-{uuid.uuid4().hex}", [4, 9]
    first, second = (actor_pb2.Event(item_id=ITEMS[row], value=4.0) for row in rows)
    written = await write_one(platform, user, first)
    request = pb.SimilarUsersRequest(
        actor=actor_pb2.Actor(user_id=user),
        context=actor_pb2.Context(events=[second]),
        user_count=5,
        consistency_token=written,
    )
    times = array("d", [1e9, 1e9])
    expected = exact(ActorFeatures(1e9, {}, user_numbers([4.0, 4.0]), array("I", rows), array("f", [4.0, 4.0]), times))
    check(await recommendation.SimilarUsers(request, timeout=5), expected, 5)


async def write_one(platform: Platform, user: str, event: actor_pb2.Event) -> str:
    from shortlist.gateway.v1 import event_service_pb2 as events_pb
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub

    request = events_pb.WriteEventsRequest(actor=actor_pb2.Actor(user_id=user), events=[event])
    return (await EventServiceStub(platform.channel).WriteEvents(request, timeout=5)).consistency_token


async def test_an_unknown_actor_has_nobody_like_it_unless_the_request_says_more(
    recommendation: RecommendationServiceAsyncStub,
) -> None:
    stranger = actor_pb2.Actor(user_id="nobody-ever-saw")
    answer = await recommendation.SimilarUsers(pb.SimilarUsersRequest(actor=stranger), timeout=5)
    assert (len(answer.results), answer.meta.actor_known) == (0, False)
    assert list(answer.meta.degradation.causes) == [answer_pb2.DEGRADATION_CAUSE_SHORT_SLATE]
    assert "nothing is known of the actor" in answer.meta.warnings[0]
    woman = actor_pb2.Context(attributes=[actor_pb2.Attribute(name="gender", text="F")])
    answer = await recommendation.SimilarUsers(pb.SimilarUsersRequest(actor=stranger, context=woman), timeout=5)
    check(answer, exact(ActorFeatures(0.0, {"gender": "F"})), 10)
    viewed = actor_pb2.Context(events=[actor_pb2.Event(item_id=ITEMS[3], event_type="view")])
    in_view = actor_pb2.Context(item_ids_in_view=[ITEMS[3]])
    answers = [
        await recommendation.SimilarUsers(pb.SimilarUsersRequest(context=one), timeout=5) for one in (viewed, in_view)
    ]
    assert len(answers[1].results) == 10
    assert answers[0].results == answers[1].results, "what is looked at is something known"
    unknown = actor_pb2.Context(events=[actor_pb2.Event(item_id="nowhere")])
    answer = await recommendation.SimilarUsers(pb.SimilarUsersRequest(context=unknown), timeout=5)
    assert (len(answer.results), list(answer.meta.missing_ids)) == (0, ["nowhere"])
    odd = actor_pb2.Context(attributes=[actor_pb2.Attribute(name="no model reads it", text="x")])
    answer = await recommendation.SimilarUsers(pb.SimilarUsersRequest(context=odd), timeout=5)
    assert len(answer.results) == 0
    assert "makes nothing of what is known of the actor" in answer.meta.warnings[0]


async def test_more_users_than_there_are_is_all_of_them_and_said(
    recommendation: RecommendationServiceAsyncStub,
) -> None:
    request = pb.SimilarUsersRequest(context=inline(tiny_user(1)), user_count=1000)
    answer = await recommendation.SimilarUsers(request, timeout=5)
    assert sorted(user.user_id for user in answer.results) == sorted(USERS)
    assert answer_pb2.DEGRADATION_CAUSE_SHORT_SLATE in answer.meta.degradation.causes


@pytest.mark.parametrize(
    ("fields", "field", "permitted"),
    [
        ({}, "actor", "user_id, a visitor_id or a session_id"),
        ({"actor": actor_pb2.Actor(tenant="t")}, "actor.user_id", "is required"),
        ({"actor": actor_pb2.Actor(user_id="u" * 257)}, "actor.user_id", "at most 256"),
        ({"user_count": -1}, "user_count", "[1, 1000]"),
        ({"user_count": 1001}, "user_count", "[1, 1000]"),
        ({"context": actor_pb2.Context(events=[actor_pb2.Event(item_id="a")] * 101)}, "context.events", "at most 100"),
        ({"context": actor_pb2.Context(surface="p" * 257)}, "context.surface", "at most 256"),
        ({"consistency_token": "forged"}, "consistency_token", "is not a token"),
        ({"bundle_id": "b" * 129}, "bundle_id", "at most 128"),
        ({"request_id": "r" * 257}, "request_id", "at most 256"),
    ],
)
async def test_what_is_wrong_with_a_question_for_users_is_named(
    recommendation: RecommendationServiceAsyncStub, fields: dict[str, object], field: str, permitted: str
) -> None:
    usual = {} if field.startswith("actor") else {"actor": actor_pb2.Actor(user_id="ann")}
    for is_dry in (False, True):
        request = pb.SimilarUsersRequest(**{**usual, **fields, "validate_only": is_dry})  # type: ignore[arg-type]
        said = await refused(recommendation.SimilarUsers(request, timeout=5))
        assert said.startswith(f"{field}: ")
        assert permitted in said
    token = pb.SimilarUsersRequest(context=inline(tiny_user(1)), consistency_token="t")
    assert "consistency_token" in await refused(recommendation.SimilarUsers(token, timeout=5))


async def test_validating_asks_no_stage(recommendation: RecommendationServiceAsyncStub) -> None:
    request = pb.SimilarUsersRequest(context=inline(tiny_user(1)), validate_only=True)
    answer = await recommendation.SimilarUsers(request, timeout=5)
    assert (len(answer.results), len(answer.meta.stages)) == (0, 0)
    pinned = pb.SimilarUsersRequest(context=inline(tiny_user(1)), bundle_id="another", validate_only=True)
    await refused(recommendation.SimilarUsers(pinned, timeout=5), grpc.StatusCode.FAILED_PRECONDITION)


async def test_the_stages_over_the_wire_answer_alike(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    stub: RecommendationServiceAsyncStub = RecommendationServiceStub(await platform.gateway_over_the_wire())
    request = pb.SimilarUsersRequest(context=inline(tiny_user(2)), user_count=7)
    here, there = [await s.SimilarUsers(request, timeout=5, wait_for_ready=True) for s in (recommendation, stub)]
    assert list(here.results) == list(there.results)


async def test_a_bundle_without_user_vectors_says_which_setting_writes_them(tmp_path: Path) -> None:
    release = tiny_bundle(tmp_path / "bundles")
    async with platform_over(tmp_path / "bundles", release.bundle_id) as without:
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(without.channel)
        for is_dry in (False, True):
            request = pb.SimilarUsersRequest(context=inline(tiny_user(2)), validate_only=is_dry)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.SimilarUsers(request, timeout=5)
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert "users.vectors=true" in (caught.value.details() or "")
            status = rpc_status.from_call(caught.value)
            info = error_details_pb2.ErrorInfo()
            assert status is not None
            assert any(detail.Unpack(info) for detail in status.details)
            assert info.reason == "BundleLacks"


async def test_users_of_one_tenant_are_not_told_to_another(tmp_path: Path) -> None:
    release = publish(tmp_path / "bundles", tiny_files() | tiny_users(tenant="shop"))
    async with platform_over(tmp_path / "bundles", release.bundle_id) as shop:
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(shop.channel)
        request = pb.SimilarUsersRequest(actor=actor_pb2.Actor(tenant="shop"), context=inline(tiny_user(2)))
        assert len((await stub.SimilarUsers(request, timeout=5)).results) == 10
        for tenant in ("", "another"):
            request.actor.tenant = tenant
            said = await refused(stub.SimilarUsers(request, timeout=5), grpc.StatusCode.FAILED_PRECONDITION)
            assert "shop" not in said
