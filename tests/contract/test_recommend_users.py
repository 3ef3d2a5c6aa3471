"""RecommendUsers over the whole platform, against the softmax over all items, worked out apart from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle import layout
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


def exact(*items: int) -> dict[str, float]:
    """Return of each user the geometric mean of the softmax of ``items``, over the mean of all users."""
    table = np.load(io.BytesIO(tiny_files()[layout.ITEM_EMBEDDINGS])).astype(np.float64)
    logits = tiny_embeddings([tiny_user(n) for n in range(COUNT)]).astype(np.float64) @ table.T
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    each = np.exp(np.log(shares[:, list(items)]).mean(axis=1))
    return dict(zip(USERS, (each / each.mean()).tolist(), strict=True))


def check(answer: pb.RecommendUsersResponse, expected: dict[str, float], wanted: int) -> None:
    """The ``wanted`` best of ``expected``, in order; equal ones as they come."""
    assert [user.rank for user in answer.results] == list(range(wanted))
    found = [user.lift for user in answer.results]
    np.testing.assert_allclose(found, [expected[user.user_id] for user in answer.results], rtol=1e-4)
    np.testing.assert_allclose(found, sorted(expected.values(), reverse=True)[:wanted], rtol=1e-4)
    assert len({user.user_id for user in answer.results}) == wanted


@pytest.mark.parametrize("rows", [[0], [17], [3, 41], list(range(60))])
async def test_users_come_by_how_much_more_than_the_average_they_are_expected_at_the_items(
    recommendation: RecommendationServiceAsyncStub, rows: list[int]
) -> None:
    items = [ITEMS[row] for row in rows]
    answer = await recommendation.RecommendUsers(pb.RecommendUsersRequest(item_ids=items, user_count=COUNT), timeout=5)
    check(answer, exact(*rows), COUNT)
    assert answer.meta.degradation.level == NONE
    assert answer.meta.attribution_token == answer.meta.next_token == ""
    assert [stage.stage for stage in answer.meta.stages] == ["retrieve"], "nobody's history is read"
    few = await recommendation.RecommendUsers(pb.RecommendUsersRequest(item_ids=[*items, items[0]]), timeout=5)
    check(few, exact(*rows), 10)


async def test_users_that_are_excluded_make_room_for_the_next(recommendation: RecommendationServiceAsyncStub) -> None:
    every = await recommendation.RecommendUsers(pb.RecommendUsersRequest(item_ids=ITEMS[:1], user_count=12), timeout=5)
    best = [user.user_id for user in every.results[:5]]
    request = pb.RecommendUsersRequest(item_ids=ITEMS[:1], user_count=7, exclude_user_ids=[*best, best[0], "nobody"])
    answer = await recommendation.RecommendUsers(request, timeout=5)
    assert [(u.user_id, u.lift) for u in answer.results] == [(u.user_id, u.lift) for u in every.results[5:]]
    assert not answer.meta.missing_ids, "whom there is not was excluded as well"


async def test_who_knows_the_item_may_be_among_them(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    request = pb.RecommendUsersRequest(item_ids=ITEMS[:1], user_count=1)
    before = await recommendation.RecommendUsers(request, timeout=5)
    await write(platform, before.results[0].user_id, actor_pb2.Event(item_id=ITEMS[0], value=5.0))
    assert (await recommendation.RecommendUsers(request, timeout=5)).results == before.results


async def test_items_that_there_are_not_are_missing_and_nothing_is_not_found(
    recommendation: RecommendationServiceAsyncStub,
) -> None:
    request = pb.RecommendUsersRequest(item_ids=["nowhere", ITEMS[2]], user_count=3)
    for request.validate_only in (True, False):
        answer = await recommendation.RecommendUsers(request, timeout=5)
        assert list(answer.meta.missing_ids) == ["nowhere"]
        assert len(answer.results) == (0 if request.validate_only else 3)
        assert bool(answer.meta.stages) is not request.validate_only
    check(answer, exact(2), 3)
    for is_dry in (True, False):
        unknown = pb.RecommendUsersRequest(item_ids=["nowhere", "never"], validate_only=is_dry)
        said = await refused(recommendation.RecommendUsers(unknown, timeout=5), grpc.StatusCode.NOT_FOUND)
        assert "nowhere, never" in said


async def test_more_users_than_the_bundle_has_is_all_of_them_and_said(
    recommendation: RecommendationServiceAsyncStub,
) -> None:
    answer = await recommendation.RecommendUsers(pb.RecommendUsersRequest(item_ids=ITEMS[:1], user_count=1000))
    assert sorted(user.user_id for user in answer.results) == sorted(USERS)
    assert list(answer.meta.degradation.causes) == [answer_pb2.DEGRADATION_CAUSE_SHORT_SLATE]


@pytest.mark.parametrize(
    ("fields", "field", "permitted"),
    [
        ({"item_ids": []}, "item_ids", "1 to 100"),
        ({"item_ids": ["i"] * 101}, "item_ids", "at most 100"),
        ({"item_ids": [""]}, "item_ids[0]", "is required"),
        ({"user_count": -1}, "user_count", "[1, 1000]"),
        ({"user_count": 1001}, "user_count", "[1, 1000]"),
        ({"tenant": "t" * 257}, "tenant", "at most 256"),
        ({"exclude_user_ids": ["u", "u\n"]}, "exclude_user_ids[1]", "control character"),
        ({"exclude_user_ids": ["u"] * 1001}, "exclude_user_ids", "at most 1000"),
        ({"bundle_id": "b" * 129}, "bundle_id", "at most 128"),
        ({"request_id": "r" * 257}, "request_id", "at most 256"),
    ],
)
async def test_what_is_wrong_with_a_question_whom_items_suit_is_named(
    recommendation: RecommendationServiceAsyncStub, fields: dict[str, object], field: str, permitted: str
) -> None:
    for is_dry in (False, True):
        request = pb.RecommendUsersRequest(**{"item_ids": ITEMS[:1], **fields, "validate_only": is_dry})  # type: ignore[arg-type]
        said = await refused(recommendation.RecommendUsers(request, timeout=5))
        assert said.startswith(f"{field}: ")
        assert permitted in said


async def test_the_stages_over_the_wire_find_the_same_users(
    platform: Platform, recommendation: RecommendationServiceAsyncStub
) -> None:
    stub: RecommendationServiceAsyncStub = RecommendationServiceStub(await platform.gateway_over_the_wire())
    request = pb.RecommendUsersRequest(item_ids=ITEMS[:2], user_count=7, exclude_user_ids=USERS[:5])
    here, there = [await s.RecommendUsers(request, timeout=5, wait_for_ready=True) for s in (recommendation, stub)]
    assert list(here.results) == list(there.results)
    assert len(here.results) == 7


async def test_users_of_another_tenant_or_of_a_bundle_without_any_are_a_failed_precondition(tmp_path: Path) -> None:
    without = tiny_bundle(tmp_path / "without")
    async with platform_over(tmp_path / "without", without.bundle_id) as platform:
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(platform.channel)
        for is_dry in (False, True):
            request = pb.RecommendUsersRequest(item_ids=ITEMS[:1], validate_only=is_dry)
            with pytest.raises(grpc.aio.AioRpcError, match=r"users\.vectors=true") as caught:
                await stub.RecommendUsers(request, timeout=5)
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            status = rpc_status.from_call(caught.value)
            info = error_details_pb2.ErrorInfo()
            assert status is not None
            assert any(detail.Unpack(info) for detail in status.details)
            assert info.reason == "BundleLacks"
    release = publish(tmp_path / "shop", tiny_files() | tiny_users(tenant="shop"))
    async with platform_over(tmp_path / "shop", release.bundle_id) as shop:
        stub = RecommendationServiceStub(shop.channel)
        request = pb.RecommendUsersRequest(item_ids=ITEMS[:1], tenant="shop")
        check(await stub.RecommendUsers(request, timeout=5), exact(0), 10)
        for request.tenant in ("", "another"):
            said = await refused(stub.RecommendUsers(request, timeout=5), grpc.StatusCode.FAILED_PRECONDITION)
            assert "shop" not in said
