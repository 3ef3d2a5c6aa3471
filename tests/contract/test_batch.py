"""Answers for many actors in one stream, against the whole platform in one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform

from .config_calls import Configs

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONCURRENCY = 3
PLATFORM = {"batch_concurrency": CONCURRENCY}


@pytest.fixture(scope="module")
def stub(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


class Work:
    """Counts what retrieval is asked, and how much of it at once."""

    def __init__(self, retrieve: Any) -> None:
        self._retrieve = retrieve
        self.calls = self.now = self.most = 0

    async def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.001)
            return await self._retrieve(*arguments)
        finally:
            self.now -= 1


@pytest.fixture
def work(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Work:
    engine = platform.service.retrieval.engine
    counting = Work(engine.retrieve)
    monkeypatch.setattr(engine, "retrieve", counting)
    return counting


def batch(n: int, size: int = 3, **fields: object) -> pb.BatchRecommendRequest:
    actors = [actor_pb2.Actor(user_id=f"u{at}") for at in range(n)]
    request = pb.RecommendRequest(slate_size=size)
    return pb.BatchRecommendRequest(**{"actors": actors, "request": request, **fields})  # type: ignore[arg-type]


async def all_of(stub: RecommendationServiceAsyncStub, request: pb.BatchRecommendRequest) -> list[Any]:
    return [response async for response in stub.BatchRecommend(request, timeout=10)]


async def rest(work: Work) -> int:
    """Return the calls counted once no more come."""
    seen = -1
    while work.calls != seen:
        seen = work.calls
        await asyncio.sleep(0.25)
    return seen


async def test_every_actor_gets_in_order_what_a_recommend_gives(stub: RecommendationServiceAsyncStub) -> None:
    responses = await all_of(stub, batch(20, request_id="nightly"))
    assert [response.index for response in responses] == list(range(20))
    for response in responses[::7]:
        alone = await stub.Recommend(pb.RecommendRequest(actor=response.actor, slate_size=3), timeout=5)
        assert list(response.answer.results) == list(alone.results)
        assert response.answer.meta.request_id == f"nightly-{response.index}"
        assert response.answer.meta.attribution_token


async def test_one_actors_error_ends_nothing(stub: RecommendationServiceAsyncStub) -> None:
    request = batch(4)
    request.actors[1].Clear()
    request.actors[2].user_id = "a\x00b"
    responses = await all_of(stub, request)
    assert [response.WhichOneof("outcome") for response in responses] == ["answer", "error", "error", "answer"]
    assert {response.error.code for response in responses[1:3]} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
    assert responses[1].error.message.startswith("actors[1].user_id: is required")
    assert responses[2].error.message.startswith("actors[2].user_id: has the control character")


async def test_no_more_is_worked_on_at_once_than_the_setting_says_by_all_streams_together(
    stub: RecommendationServiceAsyncStub, work: Work
) -> None:
    await asyncio.gather(*(all_of(stub, batch(15)) for _ in range(4)))
    assert work.calls == 60
    assert work.most == CONCURRENCY


async def test_what_is_not_read_is_not_computed(platform: Platform, work: Work) -> None:
    n = 1000
    request = batch(n, size=60)
    request.request.item_fields.append("*")
    # A connection whose window stays at HTTP/2's 64 KiB, so that little fits into it.
    async with grpc.aio.insecure_channel(platform.address, [("grpc.http2.bdp_probe", 0)]) as channel:
        call = RecommendationServiceStub(channel).BatchRecommend(request, timeout=30)
        reader = call.__aiter__()
        size = (await anext(reader)).ByteSize()
        at_rest = await rest(work)
        assert at_rest * size < 300_000, "what fits into the connection's buffers, and no more"
        for _ in range(at_rest):
            await anext(reader)
        assert await rest(work) > at_rest, "reading lets it go on"
        call.cancel()
        assert await rest(work) < n / 4, "who goes away stops the work"


async def test_a_stream_goes_on_after_the_answer_whose_token_is_given(stub: RecommendationServiceAsyncStub) -> None:
    responses = await all_of(stub, batch(6))
    again = await all_of(stub, batch(6, resume_token=responses[3].resume_token))
    assert [response.index for response in again] == [4, 5]
    assert list(again[1].answer.results) == list(responses[5].answer.results)
    assert await all_of(stub, batch(6, resume_token=responses[5].resume_token)) == []


async def test_a_replica_that_drains_hands_its_streams_on(
    platform: Platform, stub: RecommendationServiceAsyncStub
) -> None:
    reader = stub.BatchRecommend(batch(150, size=60), timeout=10).__aiter__()
    arrived = {index: await anext(reader) for index in range(3)}
    platform.server.door.is_draining = True

    async def read_on() -> None:
        async for response in reader:
            arrived[response.index] = response

    try:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_on()
    finally:
        platform.server.door.is_draining = False
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(arrived) < 150
    following = await all_of(stub, batch(150, size=60, resume_token=arrived[max(arrived)].resume_token))
    assert [response.index for response in (*arrived.values(), *following)] == list(range(150))


async def test_a_config_that_changes_meanwhile_is_that_of_the_actors_after_it(
    platform: Platform, stub: RecommendationServiceAsyncStub
) -> None:
    configs = Configs(platform.channel)
    await configs.put("nightly", slate_size=60)
    asked = pb.RecommendRequest(serving_config="nightly", slate_size=60)
    reader = stub.BatchRecommend(batch(400, request=asked), timeout=20).__aiter__()
    first = await anext(reader)
    assert len(first.answer.results) == 60
    await configs.put("nightly", slate_size=2)
    said = [response.error async for response in reader if response.HasField("error")]
    expected = "request.slate_size: is 60; serving config 'nightly' allows at most 2"
    assert {error.message for error in said} == {expected}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await all_of(stub, batch(400, request=asked, resume_token=first.resume_token))
    assert "request.slate_size: is 60" in str(caught.value.details())


async def test_what_is_wrong_with_all_actors_is_refused_before_the_first(
    stub: RecommendationServiceAsyncStub, work: Work
) -> None:
    token = (await all_of(stub, batch(2)))[0].resume_token
    before = work.calls
    for request, said in [
        (batch(0), "actors: has 0 entries; it must have 1 to 10000"),
        (batch(10_001), "actors: has 10001 entries"),
        (batch(1, size=-1), "request.slate_size: is -1"),
        (batch(1, request=pb.RecommendRequest(actor=actor_pb2.Actor(user_id="a"))), "request.actor: "),
        (batch(1, request=pb.RecommendRequest(validate_only=True)), "request.validate_only: "),
        (batch(1, request=pb.RecommendRequest(consistency_token="t")), "request.consistency_token: "),
        (
            batch(1, request=pb.RecommendRequest(filter=selection_pb2.Filter(expression="colour = 1"))),
            "request.filter.expression: ",
        ),
        (batch(1, request_id="r" * 201), "request_id: is 201 bytes"),
        (batch(1, resume_token="forged"), "resume_token: is not a token"),
        (batch(3, resume_token=token), "resume_token: is of another batch"),
        (batch(2, size=4, resume_token=token), "resume_token: is of another batch"),
    ]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await all_of(stub, request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert said in str(caught.value.details())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await all_of(stub, batch(1, request=pb.RecommendRequest(bundle_id="tiny-0")))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await all_of(stub, batch(1, request=pb.RecommendRequest(serving_config="nobody")))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert work.calls == before
