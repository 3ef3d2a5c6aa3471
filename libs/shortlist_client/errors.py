"""What an error says beyond its status, for code that does more than print it."""

from __future__ import annotations

from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from shortlist_domain.errors import Violation
from shortlist_rpc.status import DETAILS_KEY

M = TypeVar("M", bound=Message)


def violations(error: grpc.RpcError) -> list[Violation]:
    """Return every field of the request that was wrong, by its path; none where the request was right."""
    found = _detail(error, error_details_pb2.BadRequest())
    return [Violation(each.field, each.description) for each in found.field_violations] if found else []


def retry_after_s(error: grpc.RpcError) -> float | None:
    """Return the seconds to wait before another try, as a server that is over its limits asks for; else ``None``."""
    found = _detail(error, error_details_pb2.RetryInfo())
    return found.retry_delay.seconds + found.retry_delay.nanos / 1e9 if found else None


def _detail(error: grpc.RpcError, wanted: M) -> M | None:
    """Return the detail of the type of ``wanted`` that ``error`` carries."""
    metadata = error.trailing_metadata() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    for key, value in metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(wanted):
                    return wanted
    return None
