"""Domain errors to gRPC statuses, and back: one table, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from shortlist_domain.errors import (
    BudgetExceeded,
    BundleInvalid,
    BundleLacks,
    BundleMismatch,
    Expired,
    Immutable,
    InvalidRequest,
    NotFound,
    NotReady,
    Overloaded,
    PublishConflict,
    ShortlistError,
    UpstreamFailed,
    VersionConflict,
    Violation,
)

DETAILS_KEY = "grpc-status-details-bin"
_DOMAIN = "shortlist"

STATUSES: dict[type[ShortlistError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    NotReady: grpc.StatusCode.UNAVAILABLE,
    BundleMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    BundleLacks: grpc.StatusCode.FAILED_PRECONDITION,
    Expired: grpc.StatusCode.FAILED_PRECONDITION,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    BudgetExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    UpstreamFailed: grpc.StatusCode.UNAVAILABLE,
    BundleInvalid: grpc.StatusCode.FAILED_PRECONDITION,
    PublishConflict: grpc.StatusCode.ABORTED,
    VersionConflict: grpc.StatusCode.ABORTED,
    Immutable: grpc.StatusCode.FAILED_PRECONDITION,
}
"""Status of every leaf of the error tree; a test holds the table against the tree."""


# An error travels in HTTP/2 headers, of which a client takes 8 kB by default; of more it sees RESOURCE_EXHAUSTED alone.
_MESSAGE_BYTES = 1500
_VIOLATIONS_BYTES = 2400
_FIELD_BYTES = 300
_DESCRIPTION_BYTES = 500
_BUNDLE_BYTES = 150


async def abort(context: grpc.aio.ServicerContext[object, object], error: ShortlistError) -> NoReturn:
    """End the RPC with the status of ``error`` and, where there is more to say, ``google.rpc`` details.

    Of many violations the first ones are said, and how many more there are; long texts are cut.
    """
    code = STATUSES[type(error)]
    text = clipped(str(error), _MESSAGE_BYTES)
    details: list[any_pb2.Any] = []
    if isinstance(error, InvalidRequest):
        violations = _first_violations(error.violations)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=violations)))
    if isinstance(error, Overloaded):
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    reason = type(error).__name__
    metadata: dict[str, str] = {}
    if isinstance(error, BundleMismatch):
        metadata = {
            "wanted": clipped(error.wanted, _BUNDLE_BYTES),
            "held": clipped(",".join(error.held), 2 * _BUNDLE_BYTES),
        }
    if isinstance(error, VersionConflict):
        metadata = {"name": error.name, "expected": str(error.expected), "current": str(error.current)}
    details.append(_packed(error_details_pb2.ErrorInfo(reason=reason, domain=_DOMAIN, metadata=metadata)))
    status = status_pb2.Status(code=_number(code), message=text, details=details)
    trailing: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if isinstance(error, Overloaded):
        trailing.append(("grpc-retry-pushback-ms", str(max(1, round(error.retry_after_s * 1000)))))
    await context.abort(code, text, tuple(trailing))


def clipped(text: str, most: int) -> str:
    """Return ``text``, cut where it would take more than ``most`` bytes of a header."""
    size = 0
    for position, character in enumerate(text):
        size += 1 if " " <= character <= "~" else 3 * len(character.encode())
        if size > most:
            return text[:position] + "..."
    return text


def _first_violations(violations: Sequence[Violation]) -> list[error_details_pb2.BadRequest.FieldViolation]:
    shown: list[error_details_pb2.BadRequest.FieldViolation] = []
    size = 0
    for number, violation in enumerate(violations):
        one = error_details_pb2.BadRequest.FieldViolation(
            field=clipped(violation.field, _FIELD_BYTES), description=clipped(violation.description, _DESCRIPTION_BYTES)
        )
        size += one.ByteSize()
        if size > _VIOLATIONS_BYTES:
            more = f"and {len(violations) - number} more"
            shown.append(error_details_pb2.BadRequest.FieldViolation(field="(more)", description=more))
            break
        shown.append(one)
    return shown


def to_domain(upstream: str, error: grpc.aio.AioRpcError) -> ShortlistError:
    """Return the domain error that ``error``, seen by a client of ``upstream``, stands for."""
    code, text = error.code(), error.details() or ""
    status = _status_of(error)
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    for detail in status.details if status else ():
        if not detail.Unpack(info):
            detail.Unpack(bad)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return BudgetExceeded(f"{upstream}: no answer in time")
    if code is grpc.StatusCode.FAILED_PRECONDITION and info.reason == BundleMismatch.__name__:
        held = tuple(h for h in info.metadata["held"].split(",") if h)
        return BundleMismatch(info.metadata["wanted"], held)
    if code is grpc.StatusCode.ABORTED and info.reason == VersionConflict.__name__:
        return VersionConflict(info.metadata["name"], int(info.metadata["expected"]), int(info.metadata["current"]))
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        found = tuple(Violation(v.field, v.description) for v in bad.field_violations)
        return InvalidRequest(*(found or (Violation(upstream, text),)))
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFound(text)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded(f"{upstream}: {text}", 0.1)
    return UpstreamFailed(upstream, f"{code.name}: {text}")


def _packed(message: object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed


def _number(code: grpc.StatusCode) -> int:
    return int(code_pb2.Code.Value(code.name))


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY:
            raw = value if isinstance(value, bytes) else value.encode("latin-1")
            return status_pb2.Status.FromString(raw)
    return None
