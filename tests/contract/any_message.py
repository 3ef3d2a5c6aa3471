"""Any message of a descriptor, for hypothesis: with any value in each field, or mostly with what the field may be."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from shortlist_testing.tiny_bundle import item_ids, tiny_user_id

PROTOS = Path(__file__).parents[2] / "protos"

Values = st.SearchStrategy[Any]

TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from([*item_ids(20), tiny_user_id(3), "", "u1", "default", "{}", "a\x00"])
)
SCALARS: Mapping[int, Values] = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 1001),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1) | st.integers(0, 60),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(0, 20),
}


def every_method() -> list[MethodDescriptor]:
    """Return every RPC of the services that the protos declare."""
    names = sorted(PROTOS.glob("shortlist/*/v*/*_service.proto"))
    modules = [str(path.relative_to(PROTOS).with_suffix("")).replace("/", ".") + "_pb2" for path in names]
    services = [
        service for name in modules for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values()
    ]
    return [method for service in services for method in service.methods]


def path_of(method: MethodDescriptor) -> str:
    """Return how ``method`` is called on the wire."""
    return f"/{method.containing_service.full_name}/{method.name}"


@st.composite
def messages(
    draw: st.DrawFn,
    descriptor: Descriptor,
    depth: int = 4,
    texts: Values = TEXTS,
    tame: Mapping[str, Values] | None = None,
) -> Message:
    """Return any message of ``descriptor``: each field absent, or with any value of its type; maps stay empty.

    Args:
        draw: Given by hypothesis.
        descriptor: Of which message.
        depth: How deep messages stand in messages.
        texts: Values of text fields.
        tame: By the name of a field, or by message and field (``Event.value``), its values instead of any of its type;
            ``None`` leaves it absent. Lists where the field is repeated.
    """
    message: Any = GetMessageClass(descriptor)()
    tame = tame or {}
    for field in descriptor.fields:
        own = tame.get(f"{descriptor.name}.{field.name}", tame.get(field.name))
        is_map = bool(field.message_type and field.message_type.GetOptions().map_entry)
        if depth == 0 or is_map or (own is None and draw(st.integers(0, 2)) == 0):
            continue
        if own is not None:
            values = draw(own if field.is_repeated else st.lists(own, min_size=1, max_size=1))
        else:
            each = _values(field, depth, texts, tame)
            values = draw(st.lists(each, max_size=3 if field.is_repeated else 1))
        values = [value for value in values if value is not None]
        if field.is_repeated:
            getattr(message, field.name).extend(values)
        elif values and field.message_type:
            getattr(message, field.name).CopyFrom(values[0])
        elif values:
            setattr(message, field.name, values[0])
    return message  # type: ignore[no-any-return]


def _values(field: FieldDescriptor, depth: int, texts: Values, tame: Mapping[str, Values]) -> Values:
    if field.message_type:
        return messages(field.message_type, depth - 1, texts, tame)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return st.binary(max_size=8) if field.type == FieldDescriptor.TYPE_BYTES else texts
    return SCALARS[field.cpp_type]


async def status_of(channel: grpc.aio.Channel, method: str, raw: bytes, *, is_endless: bool = False) -> grpc.StatusCode:
    """Return how a call ends; one that is endless by nature ends with its first answer, or where none comes, as OK."""
    # One answer or many look alike on the wire: a single one is a stream of one.
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(method)
    going = call(raw, timeout=0.1 if is_endless else 5)
    try:
        async for _ in going:
            if is_endless:
                break
    except grpc.aio.AioRpcError as error:
        waits = is_endless and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return grpc.StatusCode.OK if waits else error.code()
    finally:
        going.cancel()
    return grpc.StatusCode.OK
