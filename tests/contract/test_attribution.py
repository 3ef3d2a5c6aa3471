"""Attribution tokens from an answer to the events that follow it, against the whole platform in one process."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.gateway.v1.token_claims_pb2 import AttributionClaims
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey
from shortlist_gateway.seals import Keyring, Purpose
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids, tiny_bundle

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(60)
KEY = "a key for this test alone"
TTL_S = 3600.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("platform")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(folder: Path) -> AsyncIterator[Platform]:
    async with running_platform(folder, token_keys=KEY, attribution_ttl_s=TTL_S) as platform:
        yield platform


@pytest.fixture(scope="module")
def event(platform: Platform) -> EventServiceAsyncStub:
    return EventServiceStub(platform.channel)


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex}"


async def answer_to(platform: Platform, user: str, size: int = 5) -> pb.RecommendResponse:
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=user), slate_size=size)
    return await RecommendationServiceStub(platform.channel).Recommend(request, timeout=5)


def write(user: str, *events: actor_pb2.Event, token: str = "") -> events_pb.WriteEventsRequest:
    return events_pb.WriteEventsRequest(actor=actor_pb2.Actor(user_id=user), events=events, attribution_token=token)


def opened(token: str) -> AttributionClaims:
    return AttributionClaims.FromString(Keyring([KEY]).open(Purpose.ATTRIBUTION, token))


def sealed(claims: AttributionClaims) -> str:
    return Keyring([KEY]).seal(Purpose.ATTRIBUTION, claims.SerializeToString())


async def shown_to(platform: Platform, user: str) -> list[str]:
    store = platform.service.features.store()
    kept = await store.read_events(ActorKey("", f"u/{user}"), Deadline.after(5), impressions=True)
    assert set(kept.event_types) <= {"impression"}
    return list(kept.item_ids)


async def refused(call: object) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, caught.value.details()
    return caught.value.details() or ""


async def test_a_token_says_what_was_shown_to_whom_by_what(platform: Platform, user: str) -> None:
    before = time.time()
    answer = await answer_to(platform, user)
    claims = opened(answer.meta.attribution_token)
    assert list(claims.item_ids) == [result.item_id for result in answer.results]
    assert (claims.slate_id, claims.request_id) == (answer.meta.slate_id, answer.meta.request_id)
    assert (claims.tenant, claims.actor_id) == ("", f"u/{user}")
    assert (claims.serving_config, claims.bundle_id) == ("default", platform.bundle_id)
    assert (claims.first_rank, list(claims.propensities)) == (0, []), "all of them are 1"
    assert int(before * 1000) <= claims.made_ms <= time.time() * 1000


async def test_a_token_has_the_propensities_of_what_chance_put_there(platform: Platform, user: str) -> None:
    exploration = selection_pb2.Exploration(slots=3, strength=0.8)
    constraints = selection_pb2.Constraints(exploration=exploration)
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=user), slate_size=5, constraints=constraints)
    answer = await RecommendationServiceStub(platform.channel).Recommend(request, timeout=5)
    propensities = [result.propensity for result in answer.results]
    assert min(propensities) < 1.0
    assert list(opened(answer.meta.attribution_token).propensities) == propensities


async def test_events_with_a_token_imply_each_impression_once(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    answer = await answer_to(platform, user)
    shown = [result.item_id for result in answer.results]
    elsewhere = next(item for item in ITEMS if item not in shown)
    token = answer.meta.attribution_token
    clicks = [
        actor_pb2.Event(item_id=item, event_type="click", event_id=item, attribution_token=token)
        for item in (shown[2], elsewhere)
    ]
    first = await event.WriteEvents(write(user, *clicks), timeout=5)
    assert (first.written, first.impressions, first.attributed) == (2, 5, 1)
    again = await event.WriteEvents(write(user, *clicks), timeout=5)
    assert (again.written, again.duplicates, again.impressions) == (0, 2, 0)
    assert sorted(await shown_to(platform, user)) == sorted(shown)


async def test_whoever_writes_at_once_impressions_are_written_once(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    token = (await answer_to(platform, user)).meta.attribution_token
    written = await asyncio.gather(*(event.WriteEvents(write(user, token=token), timeout=5) for _ in range(8)))
    assert sum(each.impressions for each in written) == 5
    assert len(await shown_to(platform, user)) == 5


async def test_a_token_alone_says_that_the_answer_was_shown(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    answer = await answer_to(platform, user, size=3)
    written = await event.WriteEvents(write(user, token=answer.meta.attribution_token), timeout=5)
    assert (written.written, written.impressions) == (0, 3)
    after = await answer_to(platform, user, size=3)
    assert [r.item_id for r in after.results] == [r.item_id for r in answer.results], "what was shown is not seen"


async def test_an_impression_reported_with_the_token_is_the_implied_one(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    answer = await answer_to(platform, user, size=3)
    own = actor_pb2.Event(item_id=answer.results[1].item_id, event_type="impression")
    written = await event.WriteEvents(write(user, own, token=answer.meta.attribution_token), timeout=5)
    assert (written.written, written.impressions) == (1, 2)
    assert len(await shown_to(platform, user)) == 3


async def test_a_forged_token_is_refused_by_name(platform: Platform, event: EventServiceAsyncStub, user: str) -> None:
    token = (await answer_to(platform, user)).meta.attribution_token
    claims = opened(token)
    claims.item_ids[0] = ITEMS[-1]
    forged = Keyring(["another key of length"]).seal(Purpose.ATTRIBUTION, claims.SerializeToString())
    changed = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for bad, reason in ((forged, "key that is not in use"), (changed, "was changed"), ("nonsense", "is not a token")):
        details = await refused(event.WriteEvents(write(user, token=bad), timeout=5))
        assert details.startswith("attribution_token: ")
        assert reason in details
        click = actor_pb2.Event(item_id=ITEMS[0], attribution_token=bad)
        details = await refused(event.WriteEvents(write(user, click), timeout=5))
        assert details.startswith("events[0].attribution_token: ")
        good = actor_pb2.Event(item_id=ITEMS[1], event_id=bad[:200])
        written = await event.WriteEvents(write(user, good, click), timeout=5)
        assert written.written == 1
        assert [(r.index, r.field) for r in written.rejections] == [(1, "events[1].attribution_token")]
    assert await shown_to(platform, user) == []


async def test_an_expired_token_is_refused_and_says_when_it_ended(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    claims = opened((await answer_to(platform, user)).meta.attribution_token)
    claims.made_ms -= int(TTL_S * 1000) + 1
    details = await refused(event.WriteEvents(write(user, token=sealed(claims)), timeout=5))
    assert "attribution_token: expired at 20" in details
    assert "3600 s after its answer" in details
    claims.made_ms += 60_000
    assert (await event.WriteEvents(write(user, token=sealed(claims)), timeout=5)).impressions == 5


async def test_a_token_of_another_actor_is_refused(platform: Platform, event: EventServiceAsyncStub, user: str) -> None:
    token = (await answer_to(platform, user)).meta.attribution_token
    details = await refused(event.WriteEvents(write(f"{user}-2", token=token), timeout=5))
    assert "attribution_token: belongs to another actor" in details


async def test_a_token_of_an_answer_to_nobody_is_good_for_everybody(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    request = pb.SimilarItemsRequest(item_ids=[ITEMS[0]], slate_size=4)
    answer = await RecommendationServiceStub(platform.channel).SimilarItems(request, timeout=5)
    assert (await event.WriteEvents(write(user, token=answer.meta.attribution_token), timeout=5)).impressions == 4


async def test_more_than_twenty_tokens_in_one_call_are_refused_one_by_one(
    platform: Platform, event: EventServiceAsyncStub, user: str
) -> None:
    claims = opened((await answer_to(platform, user, size=1)).meta.attribution_token)
    events = []
    for n in range(21):
        claims.slate_id = f"{n}"
        events.append(actor_pb2.Event(item_id=ITEMS[0], event_id=f"{n}", attribution_token=sealed(claims)))
    written = await event.WriteEvents(write(user, *events), timeout=5)
    assert (written.written, written.impressions) == (20, 20)
    assert [r.field for r in written.rejections] == ["events[20].attribution_token"]


async def test_neither_events_nor_a_token_is_refused(event: EventServiceAsyncStub, user: str) -> None:
    assert "events: has 0 events" in await refused(event.WriteEvents(write(user), timeout=5))


async def test_an_impression_is_no_context(platform: Platform, user: str) -> None:
    seen = actor_pb2.Event(item_id=ITEMS[0], event_type="impression")
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=user), context=actor_pb2.Context(events=[seen]))
    call = RecommendationServiceStub(platform.channel).Recommend(request, timeout=5)
    assert "context.events[0].event_type" in await refused(call)


async def test_a_token_of_a_bundle_that_is_gone_still_counts(
    platform: Platform, event: EventServiceAsyncStub, folder: Path, user: str
) -> None:
    old = await answer_to(platform, user)
    for seed in (1, 2):
        bundle_id = tiny_bundle(folder / "bundles", seed=seed).bundle_id
        while (await answer_to(platform, user)).meta.bundle.bundle_id != bundle_id:
            await asyncio.sleep(0.02)
    pinned = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=user), bundle_id=old.meta.bundle.bundle_id)
    with pytest.raises(grpc.aio.AioRpcError):
        await RecommendationServiceStub(platform.channel).Recommend(pinned, timeout=5)
    assert (await event.WriteEvents(write(user, token=old.meta.attribution_token), timeout=5)).impressions == 5
