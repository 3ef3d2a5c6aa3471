"""Slates that go on page by page, against the whole platform in one process."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.gateway.v1.token_claims_pb2 import AttributionClaims, ContinuationClaims
from shortlist_gateway.seals import Keyring, Purpose
from shortlist_rpc.status import DETAILS_KEY
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import GENRES, item_ids, tiny_bundle

from .config_calls import Configs

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

N = 60
ITEMS = item_ids(N)
KEY = "a key for this test alone"
TTL_S = 900.0

Page = pb.RecommendResponse | pb.RecommendNextResponse


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("platform")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(folder: Path) -> AsyncIterator[Platform]:
    async with running_platform(folder, n_items=N, token_keys=KEY, continuation_ttl_s=TTL_S) as platform:
        yield platform


@pytest.fixture(scope="module")
def recommendation(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex}"


def ask(user: str, size: int, **fields: object) -> pb.RecommendRequest:
    actor = actor_pb2.Actor(user_id=user)
    return pb.RecommendRequest(actor=actor, slate_size=size, **fields)  # type: ignore[arg-type]


def rated(items: list[str]) -> list[actor_pb2.Event]:
    return [actor_pb2.Event(item_id=item, value=5.0) for item in items]


def ids(*pages: Page) -> list[str]:
    return [result.item_id for page in pages for result in page.results]


async def rest(stub: RecommendationServiceAsyncStub, page: Page, size: int = 0) -> list[pb.RecommendNextResponse]:
    pages: list[pb.RecommendNextResponse] = []
    while page.meta.next_token:
        request = pb.RecommendNextRequest(next_token=page.meta.next_token, slate_size=size)
        page = await stub.RecommendNext(request, timeout=5)
        pages.append(page)
    return pages


async def failure(call: object, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.code() is code, caught.value.details()
    return caught.value


def reason(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(dict(error.trailing_metadata() or ())[DETAILS_KEY])
    assert any(detail.Unpack(info) for detail in status.details)
    return str(info.reason)


def reopened(token: str, **changes: object) -> str:
    claims = ContinuationClaims.FromString(Keyring([KEY]).open(Purpose.CONTINUATION, token))
    for name, value in changes.items():
        setattr(claims, name, value)
    return Keyring([KEY]).seal(Purpose.CONTINUATION, claims.SerializeToString())


@pytest.mark.parametrize("size", [1, 7, 25])
async def test_pages_laid_end_to_end_are_one_long_slate(
    recommendation: RecommendationServiceAsyncStub, user: str, size: int
) -> None:
    context = actor_pb2.Context(events=rated(ITEMS[:4]))
    constraints = selection_pb2.Constraints(exclude_item_ids=ITEMS[40:43])
    long = await recommendation.Recommend(ask(user, 1000, context=context, constraints=constraints), timeout=5)
    first = await recommendation.Recommend(ask(user, size, context=context, constraints=constraints), timeout=5)
    pages: list[Page] = [first, *await rest(recommendation, first)]
    assert ids(*pages) == ids(long)
    assert len(ids(long)) == N - 4 - 3
    results = [result for page in pages for result in page.results]
    assert [result.rank for result in results] == list(range(len(results)))
    assert [result.score for result in results] == pytest.approx([result.score for result in long.results])
    assert {page.meta.degradation.level for page in pages[:-1]} == {answer_pb2.DEGRADATION_LEVEL_NONE}
    assert len({page.meta.slate_id for page in pages}) == len(pages)


@pytest.mark.parametrize(
    "constraints",
    [
        selection_pb2.Constraints(attribute_caps=[selection_pb2.AttributeCap(attribute="genres", maximum=4)]),
        selection_pb2.Constraints(
            pins=[selection_pb2.Pin(item_id=ITEMS[50], position=2), selection_pb2.Pin(item_id=ITEMS[11], position=4)]
        ),
        selection_pb2.Constraints(
            diversity=selection_pb2.Diversity(method=selection_pb2.DIVERSITY_METHOD_MMR, strength=0.7)
        ),
        selection_pb2.Constraints(
            diversity=selection_pb2.Diversity(method=selection_pb2.DIVERSITY_METHOD_DPP, strength=0.5)
        ),
        selection_pb2.Constraints(minimum_click_probability=0.5),
    ],
    ids=["caps", "pins", "mmr", "dpp", "minimum"],
)
async def test_constraints_hold_for_all_pages_together(
    recommendation: RecommendationServiceAsyncStub, user: str, constraints: selection_pb2.Constraints
) -> None:
    long = await recommendation.Recommend(ask(user, 30, constraints=constraints), timeout=5)
    first = await recommendation.Recommend(ask(user, 5, constraints=constraints), timeout=5)
    pages: list[Page] = [first, *await rest(recommendation, first)]
    assert ids(*pages)[: len(ids(long))] == ids(long)
    assert len(ids(long)) > 5


async def test_promotions_have_their_share_of_the_pages_together(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    promoted = set(ITEMS[1::4])
    which = selection_pb2.Filter(expression=f'genres:"{GENRES[1]}"')
    constraints = selection_pb2.Constraints(promotions=[selection_pb2.Promotion(filter=which, share=0.6)])
    first = await recommendation.Recommend(ask(user, 5, constraints=constraints), timeout=5)
    pages: list[Page] = [first, *await rest(recommendation, first)]
    shown: list[str] = []
    for page in pages[:4]:
        shown += ids(page)
        assert len(promoted & set(shown)) >= 0.6 * len(shown)
    assert len(shown) == len(set(shown)) == 20


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_changes_between_pages_nothing_comes_twice_and_nothing_is_lost(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, seed: int
) -> None:
    chance = random.Random(seed)
    event = EventServiceStub(platform.channel)
    page: Page = await recommendation.Recommend(ask(user, chance.randint(1, 9)), timeout=5)
    shown, written = ids(page), set[str]()
    while page.meta.next_token:
        done = chance.sample(ITEMS, chance.randint(0, 3))
        written |= set(done)
        if done:
            request = events_pb.WriteEventsRequest(actor=actor_pb2.Actor(user_id=user), events=rated(done))
            await event.WriteEvents(request, timeout=5)
        following = pb.RecommendNextRequest(next_token=page.meta.next_token, slate_size=chance.randint(1, 9))
        page = await recommendation.RecommendNext(following, timeout=5)
        assert not written & set(ids(page)), "what was rated meanwhile is seen"
        shown += ids(page)
    assert len(shown) == len(set(shown))
    assert set(shown) | written == set(ITEMS)


async def test_a_page_has_its_own_size_and_its_own_attribution(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    first = await recommendation.Recommend(ask(user, 4), timeout=5)
    request = pb.RecommendNextRequest(next_token=first.meta.next_token, slate_size=3, request_id="second")
    page = await recommendation.RecommendNext(request, timeout=5)
    assert (len(page.results), page.meta.request_id) == (3, "second")
    again = await recommendation.RecommendNext(request, timeout=5)
    assert ids(again) == ids(page), "repeating it is harmless"
    raw = Keyring([KEY]).open(Purpose.ATTRIBUTION, page.meta.attribution_token)
    claims = AttributionClaims.FromString(raw)
    assert (claims.first_rank, list(claims.item_ids)) == (4, ids(page))


async def test_pages_are_as_long_as_the_first_whatever_becomes_of_its_config(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    configs = Configs(platform.channel)
    await configs.put("pages", slate_size=4)
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=user), serving_config="pages")
    page: Page = await recommendation.Recommend(request, timeout=5)
    await configs.put("pages")
    for _ in range(2):
        page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=page.meta.next_token), timeout=5)
        assert len(page.results) == 4


async def test_another_replica_with_the_same_key_goes_on(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    long = await recommendation.Recommend(ask(user, 12), timeout=5)
    first = await recommendation.Recommend(ask(user, 5), timeout=5)
    replica = await platform.gateway_with(ranking=platform)
    following = pb.RecommendNextRequest(next_token=first.meta.next_token, slate_size=7)
    page = await RecommendationServiceStub(replica).RecommendNext(following, timeout=5)
    assert ids(first, page) == ids(long)
    told = events_pb.WriteEventsRequest(
        actor=actor_pb2.Actor(user_id=user), attribution_token=first.meta.attribution_token
    )
    assert (await EventServiceStub(replica).WriteEvents(told, timeout=5)).impressions == 5


async def test_a_slate_that_is_all_there_is_has_no_next_page(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    assert not (await recommendation.Recommend(ask(user, 1000), timeout=5)).meta.next_token
    assert not (await recommendation.Recommend(ask(user, 5, validate_only=True), timeout=5)).meta.next_token
    nothing = selection_pb2.Constraints(include_item_ids=["nowhere"])
    assert not (await recommendation.Recommend(ask(user, 5, constraints=nothing), timeout=5)).meta.next_token


async def test_a_continuation_says_when_it_ends_and_then_that_it_did(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    first = await recommendation.Recommend(ask(user, 4), timeout=5)
    ends_s = first.meta.next_token_expire_time.seconds
    second = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token), timeout=5)
    assert second.meta.next_token_expire_time.seconds == ends_s, "the time of a slate, not of a page"
    late = reopened(second.meta.next_token, started_s=ends_s - 2 * TTL_S - 2)
    call = recommendation.RecommendNext(pb.RecommendNextRequest(next_token=late), timeout=5)
    error = await failure(call, grpc.StatusCode.FAILED_PRECONDITION)
    assert "next_token: expired at 20" in str(error.details())
    assert reason(error) == "Expired"


async def test_bad_fields_are_named(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    first = await recommendation.Recommend(ask(user, 4), timeout=5)
    token = first.meta.next_token
    attribution = first.meta.attribution_token
    for fields, said in [
        ({}, "next_token: is required"),
        ({"next_token": "x"}, "next_token: is not a token"),
        ({"next_token": attribution}, "next_token: was not issued here for this"),
        ({"next_token": token[:-8] + "AAAAAAAA"}, "next_token: was not issued here for this, or was changed"),
        ({"next_token": token, "slate_size": -1}, "slate_size: is -1; it must be in [1, 1000]"),
        ({"next_token": token, "slate_size": 1001}, "slate_size: is 1001"),
        ({"next_token": token, "request_id": "r" * 257}, "request_id: is 257 bytes long"),
        ({"next_token": token, "request": ask(user, 4)}, "request: is in the token already"),
    ]:
        error = await failure(recommendation.RecommendNext(pb.RecommendNextRequest(**fields), timeout=5))  # type: ignore[arg-type]
        assert said in str(error.details())


async def test_a_large_request_comes_again_and_is_recognised(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    excluded = [f"{n:0250d}" for n in range(20)]
    large = ask(user, 5, constraints=selection_pb2.Constraints(exclude_item_ids=excluded))
    first = await recommendation.Recommend(large, timeout=5)
    assert len(first.meta.next_token) < 300
    token = first.meta.next_token
    page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=token, request=large), timeout=5)
    assert len(set(ids(first, page))) == 10
    error = await failure(recommendation.RecommendNext(pb.RecommendNextRequest(next_token=token), timeout=5))
    assert "request: is required" in str(error.details())
    other = ask(user, 6, constraints=large.constraints)
    call = recommendation.RecommendNext(pb.RecommendNextRequest(next_token=token, request=other), timeout=5)
    assert "request: is not the first page's" in str((await failure(call)).details())


async def test_a_continuation_survives_one_release_and_says_that_it_did_not_survive_two(
    recommendation: RecommendationServiceAsyncStub, folder: Path, user: str
) -> None:
    async def release(seed: int) -> None:
        bundle_id = tiny_bundle(folder / "bundles", n_items=N, seed=seed).bundle_id
        while (await recommendation.Recommend(ask(user, 1), timeout=5)).meta.bundle.bundle_id != bundle_id:
            await asyncio.sleep(0.02)

    first = await recommendation.Recommend(ask(user, 5), timeout=5)
    old = first.meta.bundle.bundle_id
    await release(1)
    following = pb.RecommendNextRequest(next_token=first.meta.next_token)
    page = await recommendation.RecommendNext(following, timeout=5)
    assert page.meta.bundle.bundle_id == old
    assert page.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
    long = await recommendation.Recommend(ask(user, 10, bundle_id=old), timeout=5)
    assert ids(first, page) == ids(long)
    await release(2)
    error = await failure(recommendation.RecommendNext(following, timeout=5), grpc.StatusCode.FAILED_PRECONDITION)
    assert f"next_token: expired, bundle {old} is not held any more" in str(error.details())
    assert reason(error) == "Expired"
