"""What a case of a violation is, and values that many of them have."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

Fields = Mapping[str, Any]
"""A message in the JSON of protobuf, fields by their names in the proto."""

LONG = "x" * 257
TOO_LONG = "is 257 bytes long; at most 256 are allowed"
NAN = "NaN"
UNHONOURED = "is not honoured by this release; leave it unset"


class Case(NamedTuple):
    """A request with one thing wrong."""

    changes: Fields | Message
    """Fields that differ from the usual request of the RPC, which is right."""

    path: str
    """Where ``BadRequest`` says that it is wrong; of another status, the field that leads to it."""

    permitted: str
    """What the description says would be right."""

    code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT


class Rpc(NamedTuple):
    """What is asked of one RPC."""

    usual: Fields
    """A request that is right. ``BUNDLE`` stands for the id of the bundle that serves."""

    cases: Sequence[Case]


def packed(code: str, *values: float) -> str:
    """Return a column as bytes fields have it in JSON: little-endian, by its code in :mod:`struct`."""
    return base64.b64encode(struct.pack(f"<{len(values)}{code}", *values)).decode()
