"""The door and the life of a server, over a real socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey, ActorState
from shortlist_gateway import answers
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import GatewayService
from shortlist_rpc.server import LIVENESS, serving
from shortlist_rpc.settings import ServerSettings
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import channel_to, own_metrics, running
from shortlist_testing.tiny_bundle import tiny_bundle

RECOMMEND = "/shortlist.gateway.v1.RecommendationService/Recommend"
REQUEST = pb.RecommendRequest(actor=actor_pb2.Actor(user_id="alice"), slate_size=3)


class SlowFeatures(FakeFeatures):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def read_actor(
        self,
        key: ActorKey,
        min_version: int,
        deadline: Deadline,
        *,
        with_impressions: bool = False,
        min_session_version: int = 0,
    ) -> ActorState:
        self.entered.set()
        await self.release.wait()
        return await super().read_actor(key, min_version, deadline)


def gateway(store: Path, features: FakeFeatures | None = None) -> GatewayService:
    if not BundleStore(store).current():
        tiny_bundle(store)
    release = BundleStore(store).current()
    assert release is not None
    held = (release.bundle_id,)
    settings = GatewaySettings(bundle_store=store, read_actor_budget_s=5.0)
    return GatewayService(
        features or FakeFeatures(), FakeRetrieval(range(60), held), FakeRanking(float, held), settings, own_metrics()
    )


async def code_of(call: object) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value.code()


async def test_bytes_that_are_no_message_are_the_callers_fault(tmp_path: Path) -> None:
    async with running(gateway(tmp_path)) as server, channel_to(server) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RECOMMEND)
        assert await code_of(call(b"\xff\xff\xff", timeout=5)) is grpc.StatusCode.INVALID_ARGUMENT


async def test_ids_that_are_not_utf8_are_the_callers_fault(tmp_path: Path) -> None:
    # actor { user_id: <FF FE> }, which no protobuf library would write
    raw = b"\x0a\x04\x12\x02\xff\xfe"
    async with running(gateway(tmp_path)) as server, channel_to(server) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RECOMMEND)
        assert await code_of(call(raw, timeout=5)) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    settings = ServerSettings(port=0, max_message_bytes=4096, drain_grace_s=0.5)
    async with running(gateway(tmp_path), settings) as server, channel_to(server) as channel:
        big = pb.RecommendRequest(actor=actor_pb2.Actor(user_id="a" * 5000))
        code = await code_of(RecommendationServiceStub(channel).Recommend(big, timeout=5))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_every_violation_is_named_in_the_details(tmp_path: Path) -> None:
    async with running(gateway(tmp_path)) as server, channel_to(server) as channel:
        request = pb.RecommendRequest(slate_size=-1, experiment_override="x")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await RecommendationServiceStub(channel).Recommend(request, timeout=5)
        status = rpc_status.from_call(caught.value)
        bad = error_details_pb2.BadRequest()
        assert any(detail.Unpack(bad) for detail in status.details)
        assert {v.field for v in bad.field_violations} == {"experiment_override", "actor", "slate_size"}


def _defect(*_: object) -> None:
    raise ZeroDivisionError("the secret of our insides")


async def test_a_defect_is_internal_and_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "add_results", _defect)
    async with running(gateway(tmp_path)) as server, channel_to(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await RecommendationServiceStub(channel).Recommend(REQUEST, timeout=5)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in (caught.value.details() or "")


async def test_a_deadline_below_the_floor_is_not_begun(tmp_path: Path) -> None:
    features = FakeFeatures()
    async with running(gateway(tmp_path, features)) as server, channel_to(server) as channel:
        await channel.channel_ready()
        code = await code_of(RecommendationServiceStub(channel).Recommend(REQUEST, timeout=0.0005))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.sleep(0.05)
        assert features.reads == []


async def test_surplus_calls_are_refused_at_once_and_probes_are_not(tmp_path: Path) -> None:
    features = SlowFeatures()
    settings = ServerSettings(port=0, max_in_flight=1, drain_grace_s=1.0)
    async with running(gateway(tmp_path, features), settings) as server, channel_to(server) as channel:
        stub = RecommendationServiceStub(channel)
        first = stub.Recommend(REQUEST, timeout=5)
        await features.entered.wait()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recommend(REQUEST, timeout=5)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ("grpc-retry-pushback-ms", "50") in list(caught.value.trailing_metadata() or ())
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=LIVENESS), timeout=1)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        features.release.set()
        assert len((await first).results) == 3


async def test_draining_finishes_what_runs_and_refuses_what_comes(tmp_path: Path) -> None:
    features = SlowFeatures()
    service = gateway(tmp_path, features)
    settings = ServerSettings(port=0, drain_grace_s=5.0)
    context = serving(service, settings, own_metrics())
    server = await context.__aenter__()
    async with channel_to(server) as channel:
        stub = RecommendationServiceStub(channel)
        while not service.is_ready():
            await asyncio.sleep(0.01)
        running_call = stub.Recommend(REQUEST, timeout=5)
        await features.entered.wait()
        ending = asyncio.create_task(context.__aexit__(None, None, None))
        while not server.door.is_draining:
            await asyncio.sleep(0.01)
        assert await code_of(stub.Recommend(REQUEST, timeout=5)) is grpc.StatusCode.UNAVAILABLE
        features.release.set()
        assert len((await running_call).results) == 3
        await ending


async def test_health_is_by_service_name_and_follows_readiness(tmp_path: Path) -> None:
    empty = FakeRetrieval((), ())
    service = GatewayService(
        FakeFeatures(),
        empty,
        FakeRanking(float, ()),
        GatewaySettings(bundle_store=tmp_path, bundle_poll_s=0.02),
        own_metrics(),
    )
    name = service.rpc_names[0]
    async with running(service, wait_ready=False) as server, channel_to(server) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        before = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=1)
        assert before.status == health_pb2.HealthCheckResponse.NOT_SERVING
        tiny_bundle(tmp_path)
        async with asyncio.timeout(5):
            async for answer in health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=5):
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    break


async def test_without_any_bundle_the_answer_is_unavailable(tmp_path: Path) -> None:
    service = GatewayService(
        FakeFeatures(),
        FakeRetrieval((), ()),
        FakeRanking(float, ()),
        GatewaySettings(bundle_store=tmp_path),
        own_metrics(),
    )
    async with running(service, wait_ready=False) as server, channel_to(server) as channel:
        code = await code_of(RecommendationServiceStub(channel).Recommend(REQUEST, timeout=5))
        assert code is grpc.StatusCode.UNAVAILABLE


async def test_a_taken_port_is_said_so(tmp_path: Path) -> None:
    async with running(gateway(tmp_path)) as server:
        settings = ServerSettings(port=server.port)
        with pytest.raises(OSError, match="is the port taken"):
            async with running(gateway(tmp_path), settings):
                pass
