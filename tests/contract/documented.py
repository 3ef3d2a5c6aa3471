"""What the contract says of statuses: in its README, and in the comments of the protos."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import grpc
from google.protobuf.descriptor import MethodDescriptor

PROTOS = Path(__file__).parents[2] / "protos"

Codes = frozenset[grpc.StatusCode]

ANY_CALLS: Codes = frozenset(
    (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
    )
)
"""What every call may end with."""


def named_in(text: str) -> Codes:
    """Return the statuses that ``text`` names."""
    return frozenset(code for code in grpc.StatusCode if re.search(rf"\b{code.name}\b", text))


def statuses_of_calls() -> Mapping[str, Codes]:
    """Return what each call may end with beyond that, by the name of the RPC, as ``protos/README.md`` has it."""
    section = (PROTOS / "README.md").read_text().split("\n## Statuses\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \|(.*)\|$", section, re.MULTILINE)
    named = [(name, named_in(said)) for calls, said in rows for name in re.findall(r"`(\w+)`", calls)]
    assert len(dict(named)) == len(named), "a call stands in two rows"
    return dict(named)


def comments_of(method: MethodDescriptor) -> tuple[str, str]:
    """Return what the proto says of ``method`` in its own comment, and in those of its service and its request."""
    text = (PROTOS / method.containing_service.file.name).read_text()
    before, _, inside = text.partition(f"\nservice {method.containing_service.name} {{\n")
    own = inside.split(f"\n  rpc {method.name}(")[0].rsplit(";\n", 1)[-1]
    request = text.split(f"\nmessage {method.input_type.name} {{")[1].split("\n}")[0]
    return own, before.rsplit("\n\n", 1)[-1] + request
