"""Every field of every request has its violation: status, where ``BadRequest`` says that it is, what is permitted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform

from ..any_message import every_method, path_of
from ..config_calls import Configs
from ..questions import ask
from . import configs, feature_store, gateway, stages
from .cases import Case, Fields
from .free import ANY_VALUE

pytestmark = pytest.mark.asyncio(loop_scope="module")

RPCS = {**gateway.RPCS, **configs.RPCS, **stages.RPCS, **feature_store.RPCS}
METHODS = {f"{method.containing_service.name}.{method.name}": method for method in every_method()}
STAGES = {"RetrievalService": "retrieval", "RankingService": "ranking", "GRPCInferenceService": "ranking"}
STAGES["FeatureStoreService"] = "feature-store"
PLATFORM = {"users": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channels(platform: Platform) -> dict[str, grpc.aio.Channel]:
    own = {stage: await platform.stage_channel(stage) for stage in ("retrieval", "ranking", "feature-store")}
    return {"gateway": platform.channel, **own}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fillings(platform: Platform) -> dict[str, str]:
    first = await RecommendationServiceStub(platform.channel).Recommend(ask("ann"), timeout=5)
    recent = selection_pb2.FilterDefinition(
        name="recent",
        expression="year >= $since",
        parameters=[selection_pb2.FilterParameter(name="since", kind=selection_pb2.PARAMETER_KIND_NUMBER)],
    )
    await Configs(platform.channel).put("kept", filters=[recent])
    return {"BUNDLE": platform.bundle_id, "NEXT_TOKEN": first.meta.next_token, "KEPT": "kept"}


def request_of(method: MethodDescriptor, usual: Fields, changes: Fields | Message, fillings: dict[str, str]) -> bytes:
    fields = {**usual, **changes} if isinstance(changes, Mapping) else usual
    filled = {name: fillings.get(value, value) if isinstance(value, str) else value for name, value in fields.items()}
    present = {name: value for name, value in filled.items() if value is not None}
    request = json_format.ParseDict(present, GetMessageClass(method.input_type)())
    if isinstance(changes, Message):
        request.MergeFrom(changes)
    return request.SerializeToString()


async def outcome(channel: grpc.aio.Channel, method: MethodDescriptor, raw: bytes) -> grpc.aio.AioRpcError | None:
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path_of(method))
    going = call(raw, timeout=5)
    try:
        async for _ in going:
            break
    except grpc.aio.AioRpcError as error:
        return error
    finally:
        going.cancel()
    return None


def violations(error: grpc.aio.AioRpcError) -> list[tuple[str, str]]:
    (raw,) = (value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin")
    bad = error_details_pb2.BadRequest()
    for detail in status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode("latin-1")).details:
        detail.Unpack(bad)
    return [(violation.field, violation.description) for violation in bad.field_violations]


UNREAD = {f"ServingConfigService.{name}ServingConfig" for name in ("Delete", "Rollback")}
UNREAD |= {"ServingConfigService.ListServingConfigVersions"}
UNREAD |= {"FeatureStoreService.ReadDocument", "FeatureStoreService.ListDocumentVersions"}
"""Their usual request asks for what is not there."""

CASES = [pytest.param(rpc, case, id=f"{rpc}:{case.path}") for rpc, asked in RPCS.items() for case in asked.cases]


@pytest.mark.parametrize("rpc", sorted(RPCS.keys() - UNREAD))
async def test_the_usual_request_is_right(
    channels: dict[str, grpc.aio.Channel], fillings: dict[str, str], rpc: str
) -> None:
    method = METHODS[rpc]
    channel = channels[STAGES.get(rpc.split(".")[0], "gateway")]
    error = await outcome(channel, method, request_of(method, RPCS[rpc].usual, {}, fillings))
    assert error is None, error


@pytest.mark.parametrize(("rpc", "case"), CASES)
async def test_what_is_wrong_is_named_with_what_is_permitted(
    channels: dict[str, grpc.aio.Channel], fillings: dict[str, str], rpc: str, case: Case
) -> None:
    method = METHODS[rpc]
    channel = channels[STAGES.get(rpc.split(".")[0], "gateway")]
    raw = request_of(method, RPCS[rpc].usual, case.changes, fillings)
    error = await outcome(channel, method, raw)
    assert error is not None, "it was taken"
    assert error.code() is case.code, error.details()
    if case.code is grpc.StatusCode.INVALID_ARGUMENT:
        found = violations(error)
        assert case.path in {path for path, _ in found}
        assert any(path == case.path and case.permitted in said for path, said in found), found
    else:
        assert case.permitted in (error.details() or "")


def messages(descriptor: Descriptor, seen: dict[str, Descriptor]) -> dict[str, Descriptor]:
    """Return ``descriptor`` and the messages in its fields, those of Google apart, by name."""
    if descriptor.full_name not in seen and not descriptor.full_name.startswith("google."):
        seen[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type and not field.message_type.GetOptions().map_entry:
                messages(field.message_type, seen)
    return seen


def name_of(field: FieldDescriptor) -> str:
    package = field.containing_type.file.package if field.containing_type else ""
    return field.full_name.removeprefix(f"{package}.")


def fields_of(descriptor: Descriptor, path: str) -> Iterator[FieldDescriptor]:
    """Yield the fields that a violation at ``path`` shows: the last one, and those on the way of which there is one."""
    names = re.sub(r"\[[^\]]*\]", "", path).split(".")
    for position, name in enumerate(names):
        field = descriptor.fields_by_name.get(name)
        if field is None:
            assert name in descriptor.oneofs_by_name, f"{path} of {descriptor.name}"
            return
        is_indexed = "[" in path.split(".")[position]
        if (position == len(names) - 1 or not field.is_repeated) and not (is_indexed and field.message_type):
            yield field
        if field.message_type:
            descriptor = field.message_type


async def test_every_field_of_every_request_has_its_violation_or_takes_any_value() -> None:
    asked: dict[str, Descriptor] = {}
    for method in METHODS.values():
        messages(method.input_type, asked)
    fields = {
        name_of(field)
        for descriptor in asked.values()
        for field in descriptor.fields
        if field.cpp_type != FieldDescriptor.CPPTYPE_BOOL or field.is_repeated
    }
    shown = {
        name_of(field)
        for rpc, of in RPCS.items()
        for case in of.cases
        for field in fields_of(METHODS[rpc].input_type, case.path)
    }
    assert fields - shown - ANY_VALUE.keys() == set(), "neither a violation nor said to take any value"
    assert ANY_VALUE.keys() <= fields - shown, "said to take any value, and gone or refused"


async def test_every_rpc_whose_request_has_fields_is_asked() -> None:
    with_fields = {name for name, method in METHODS.items() if method.input_type.fields}
    assert with_fields - {"GRPCInferenceService.ModelReady"} == RPCS.keys()
