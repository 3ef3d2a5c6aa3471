"""Whatever arrives, the answer is one of the documented statuses: never INTERNAL, never UNKNOWN, never a hang."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist.inference.v2 import inference_service_pb2 as inference_pb
from shortlist_gateway.retail.messages import SERVICES as RETAIL_SERVICES
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids, tiny_user_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = "shortlist.gateway.v1"
METHODS = {
    f"/{service.full_name}/{method.name}": method.input_type
    for descriptor in (pb.DESCRIPTOR, events_pb.DESCRIPTOR, configs_pb.DESCRIPTOR)
    for service in descriptor.services_by_name.values()
    for method in service.methods
}
ALLOWED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
}
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from([*item_ids(20), tiny_user_id(3), "", "u1", "default", "{}", "a\x00"])
)
TENSORS = st.sampled_from(["ranker", "rows", "now_s", "attribute_names", "score", "UINT32", "FP64", "BYTES", ""])
CATALOG = "projects/p/locations/global/catalogs/default_catalog"
RETAIL = st.sampled_from(
    [CATALOG, f"{CATALOG}/placements/default", "home-page-view", "add-to-cart", *item_ids(3), "", "a\x00"]
)
SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 1001),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1) | st.integers(0, 60),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 20),
}


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 4, texts: st.SearchStrategy[str] = TEXTS) -> Message:
    """Any message of ``descriptor``: each field absent, or with any value of its type; maps stay empty."""
    message: Any = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        is_map = bool(field.message_type and field.message_type.GetOptions().map_entry)
        if depth == 0 or is_map or draw(st.integers(0, 2)) == 0:
            continue
        values = draw(st.lists(_values(field, depth, texts), max_size=3 if field.is_repeated else 1))
        if field.is_repeated:
            getattr(message, field.name).extend(values)
        elif values and field.message_type:
            getattr(message, field.name).CopyFrom(values[0])
        elif values:
            setattr(message, field.name, values[0])
    return message  # type: ignore[no-any-return]


def _values(field: FieldDescriptor, depth: int, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if field.message_type:
        return messages(field.message_type, depth - 1, texts)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=8) if field.type == FieldDescriptor.TYPE_BYTES else texts
    return SCALARS[field.cpp_type]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHORTLIST_GATEWAY_IS_RETAIL_SERVED", "true")
        async with running_platform(tmp_path_factory.mktemp("platform"), users=True) as platform:
            yield platform


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ranking(platform: Platform) -> grpc.aio.Channel:
    return await platform.stage_channel("ranking")


async def status_of(channel: grpc.aio.Channel, method: str, raw: bytes) -> grpc.StatusCode:
    # One answer or many look alike on the wire: a single one is a stream of one.
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
    try:
        async for _ in call(raw, timeout=5):
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_any_message_gets_a_documented_status(platform: Platform, method: str, data: st.DataObject) -> None:
    message = data.draw(messages(METHODS[method]))
    assert await status_of(platform.channel, method, message.SerializeToString()) in ALLOWED


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(raw=st.binary(max_size=64))
async def test_any_bytes_get_a_documented_status(platform: Platform, method: str, raw: bytes) -> None:
    assert await status_of(platform.channel, method, raw) in ALLOWED


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_any_inference_gets_a_documented_status(ranking: grpc.aio.Channel, data: st.DataObject) -> None:
    infer = inference_pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name["ModelInfer"]
    message = data.draw(messages(infer.input_type, texts=TENSORS))
    raw = message.SerializeToString()
    assert await status_of(ranking, "/inference.GRPCInferenceService/ModelInfer", raw) in ALLOWED


@pytest.mark.parametrize("method", [service.methods[0] for service in RETAIL_SERVICES], ids=lambda m: m.name)
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_any_message_of_retail_gets_a_documented_status(
    platform: Platform, method: MethodDescriptor, data: st.DataObject
) -> None:
    message = data.draw(messages(method.input_type, depth=3, texts=RETAIL))
    name = f"/{method.containing_service.full_name}/{method.name}"
    assert await status_of(platform.channel, name, message.SerializeToString()) in ALLOWED
