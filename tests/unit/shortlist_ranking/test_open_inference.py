"""The Open Inference Protocol on ranking, where Triton's client does not reach: typed contents, bad bytes."""

from __future__ import annotations

import asyncio
import struct
from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from shortlist.inference.v2 import inference_service_pb2 as pb
from shortlist.inference.v2.inference_service_pb2_grpc import (
    GRPCInferenceServiceStub,
    add_GRPCInferenceServiceServicer_to_server,
)
from shortlist.ranking.v1 import ranking_service_pb2 as ranking_pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import RankRequest, RankResult
from shortlist_ranking.open_inference import OpenInferenceServicer
from shortlist_ranking.settings import RankingSettings
from shortlist_ranking.wiring import RankingService
from shortlist_testing.running import channel_to, running
from shortlist_testing.tiny_bundle import NOW_S, tiny_bundle

if TYPE_CHECKING:
    from shortlist.inference.v2.inference_service_pb2_grpc import GRPCInferenceServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

Tensor = pb.ModelInferRequest.InferInputTensor
Contents = pb.InferTensorContents
NAME = "inference.GRPCInferenceService"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[grpc.aio.Channel]:
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder)
    settings = RankingSettings(bundle_store=folder, feature_store_target="", bundle_poll_s=0.01)
    async with running(RankingService(settings)) as server, channel_to(server) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> GRPCInferenceServiceAsyncStub:
    return GRPCInferenceServiceStub(channel)


def typed(name: str, datatype: str, **contents: Any) -> Tensor:
    (values,) = contents.values()
    return Tensor(name=name, datatype=datatype, shape=[len(values)], contents=Contents(**contents))


def question(*tensors: Tensor, rows: tuple[int, ...] = (3, 1)) -> pb.ModelInferRequest:
    now = typed("now_s", "FP64", fp64_contents=[NOW_S])
    return pb.ModelInferRequest(
        model_name="ranker", inputs=[typed("rows", "UINT32", uint_contents=rows), now, *tensors]
    )


async def test_typed_contents_are_answered_by_typed_contents_of_the_same_numbers(
    stub: GRPCInferenceServiceAsyncStub, channel: grpc.aio.Channel
) -> None:
    answer = await stub.ModelInfer(
        question(
            typed("attribute_names", "BYTES", bytes_contents=[b"gender"]),
            typed("attribute_values", "BYTES", bytes_contents=[b"F"]),
            typed("chosen_names", "BYTES", bytes_contents=[b"genres"]),
            typed("chosen_values", "BYTES", bytes_contents=[b"Comedy"]),
        )
    )
    asked = ranking_pb.RankCandidatesRequest(bundle_id=answer.model_version, rows=array("I", [3, 1]).tobytes())
    asked.actor.now_s = NOW_S
    asked.actor.attributes.add(name="gender", value="F")
    asked.actor.chosen.add(name="genres", value="Comedy")
    ranked = await RankingServiceStub(channel).RankCandidates(asked)
    found = {output.name: output.contents.fp32_contents for output in answer.outputs}
    assert list(found) == ["score", "click", "rating"]
    assert array("f", found["score"]).tobytes() == ranked.scores
    assert array("f", found["click"]).tobytes() == ranked.click
    assert array("f", found["rating"]).tobytes() == ranked.rating
    assert not answer.raw_output_contents
    assert [list(output.shape) for output in answer.outputs] == [[2]] * 3


async def test_without_a_moment_it_is_now(stub: GRPCInferenceServiceAsyncStub) -> None:
    alone = pb.ModelInferRequest(model_name="ranker", id="7", inputs=[typed("rows", "UINT32", uint_contents=[3])])
    answer = await stub.ModelInfer(alone)
    assert answer.id == "7"
    assert len(answer.outputs[0].contents.fp32_contents) == 1
    assert not answer.parameters


RAW_ROWS = array("I", [3, 1]).tobytes()


def raw(*tensors: Tensor, contents: tuple[bytes, ...], **fields: Any) -> pb.ModelInferRequest:
    return pb.ModelInferRequest(model_name="ranker", inputs=tensors, raw_input_contents=contents, **fields)


ROWS = Tensor(name="rows", datatype="UINT32", shape=[2])
NAMES = Tensor(name="attribute_names", datatype="BYTES", shape=[1])


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        (pb.ModelInferRequest(model_name="ranker"), "inputs", "tensor 'rows' is required"),
        (raw(ROWS, contents=(RAW_ROWS, b"")), "raw_input_contents", "has 2 entries, inputs has 1"),
        (raw(ROWS, contents=(RAW_ROWS[:7],)), "raw_input_contents[0]", "7 bytes; shape [2] of UINT32 takes 8"),
        (raw(ROWS, ROWS, contents=(RAW_ROWS,) * 2), "inputs[1].name", "'rows' is given twice"),
        (
            raw(typed("rows", "UINT32", uint_contents=[1, 2]), contents=(RAW_ROWS,)),
            "inputs[0].contents",
            "in raw_input_contents as well",
        ),
        (raw(ROWS, NAMES, contents=(RAW_ROWS, b"\x05\0\0\0abc")), "raw_input_contents[1]", "'attribute_names'"),
        (raw(ROWS, NAMES, contents=(RAW_ROWS, b"\x05")), "raw_input_contents[1]", "are not 1 values"),
        (raw(ROWS, NAMES, contents=(RAW_ROWS, struct.pack("<I", 1) + b"\xff")), "raw_input_contents[1]", "UTF-8"),
        (question(typed("rank", "FP32", fp32_contents=[1])), "inputs[2].name", "'rank'; the inputs are rows, "),
        (question(typed("actor_embedding", "FP32", uint_contents=[1])), "inputs[2].contents.uint_contents", "belong"),
        (
            question(Tensor(name="number_values", datatype="FP64", shape=[2])),
            "inputs[2].contents.fp64_contents",
            "has 0 values; its shape is [2]",
        ),
        (question(Tensor(name="history_values", datatype="FP32", shape=[-1])), "inputs[2].shape", "[-1]"),
        (question(typed("number_names", "BYTES", bytes_contents=[b"user_count"])), "number_values", "has 0 values"),
        (question(typed("history_rows", "UINT32", uint_contents=[1])), "history_values", "has 0 entries"),
        (question(rows=(60,)), "rows[0]", "is 60; the bundle's rows are below 60"),
        (question(rows=(1,) * 2001), "rows", "has 2001 entries; at most 2000 are allowed"),
        (pb.ModelInferRequest(model_name="ranker", id="i" * 257), "id", "at most 256"),
    ],
)
async def test_what_is_wrong_is_an_invalid_argument_that_names_the_tensor(
    stub: GRPCInferenceServiceAsyncStub, request_: pb.ModelInferRequest, field: str, said: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ModelInfer(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = caught.value.details() or ""
    assert f"{field}: " in details
    assert said in details


async def test_parameters_of_tensors_are_refused(stub: GRPCInferenceServiceAsyncStub) -> None:
    request = question()
    request.inputs[0].parameters["shared_memory_region"].string_param = "a"
    request.outputs.add(name="score").parameters["classification"].int64_param = 3
    with pytest.raises(grpc.aio.AioRpcError, match=r"outputs\[0\]\.parameters"):
        await stub.ModelInfer(request)
    del request.outputs[:]
    with pytest.raises(grpc.aio.AioRpcError, match=r"inputs\[0\]\.parameters: tensor 'rows'"):
        await stub.ModelInfer(request)


async def test_health_and_reflection_know_the_service_by_name(channel: grpc.aio.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(5):
        while True:
            answer = await health.Check(health_pb2.HealthCheckRequest(service=NAME))
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
            await asyncio.sleep(0.02)
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"{NAME}.ModelInfer")
    stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
    async for found in stream:
        assert found.file_descriptor_response.file_descriptor_proto


class Half:
    """An engine whose time ran out half-way, and the host of its one bundle."""

    async def rank(self, request: RankRequest, deadline: Deadline) -> RankResult:
        column = array("f", [0.5] * (len(request.rows) // 2))
        return RankResult(request.bundle_id, column, column, column)

    def held_ids(self) -> tuple[str, ...]:
        return ("b",)


class Alone:
    """The facade over ``Half`` as a service."""

    rpc_names = (NAME,)

    def add_to(self, server: grpc.aio.Server) -> None:
        half: Any = Half()
        add_GRPCInferenceServiceServicer_to_server(OpenInferenceServicer(half, half), server)

    async def start(self) -> None: ...

    def is_ready(self) -> bool:
        return True

    async def close(self) -> None: ...


async def test_where_time_ran_out_outputs_are_shorter_and_the_answer_says_so() -> None:
    async with running(Alone()) as server, channel_to(server) as channel:
        answer = await GRPCInferenceServiceStub(channel).ModelInfer(question(rows=(1, 2, 3, 4)))
    assert [list(output.shape) for output in answer.outputs] == [[2]] * 3
    assert answer.parameters["is_partial"].bool_param


async def test_without_a_bundle_it_is_live_not_ready_and_unavailable(tmp_path: Path) -> None:
    service = RankingService(RankingSettings(bundle_store=tmp_path, feature_store_target=""))
    async with running(service, wait_ready=False) as server, channel_to(server) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert (await stub.ServerLive(pb.ServerLiveRequest())).live
        assert not (await stub.ServerReady(pb.ServerReadyRequest())).ready
        assert not (await stub.ModelReady(pb.ModelReadyRequest(name="ranker"))).ready
        for call in (
            stub.ModelMetadata(pb.ModelMetadataRequest(name="ranker")),
            stub.ModelInfer(question()),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match="no bundle is loaded") as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    settings = RankingSettings(bundle_store=tmp_path, feature_store_target="", is_open_inference_served=False)
    service = RankingService(settings)
    assert service.rpc_names == ("shortlist.ranking.v1.RankingService",)
    async with running(service, wait_ready=False) as server, channel_to(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await GRPCInferenceServiceStub(channel).ServerLive(pb.ServerLiveRequest())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
