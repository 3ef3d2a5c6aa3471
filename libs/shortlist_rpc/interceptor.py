"""The one interceptor that every call passes: admission, decoding, deadline, errors, metrics.

Health and reflection pass it by, so that a probe is answered however busy the server is.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, InvalidRequest, NotReady, Overloaded, ShortlistError, Violation
from shortlist_rpc.policy import DEADLINE_FLOOR_S, POLICIES, deadline_for
from shortlist_rpc.status import STATUSES, abort
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

Context = grpc.aio.ServicerContext[Any, Any]

_deadline: ContextVar[Deadline] = ContextVar("shortlist_deadline")


def current_deadline() -> Deadline:
    """Return the deadline of the call being served. Only inside a servicer."""
    return _deadline.get()


class Undecodable:
    """Stands in for a request whose bytes are not a message."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Door(grpc.aio.ServerInterceptor):
    """Wraps every handler of the platform's own RPCs."""

    def __init__(self, metrics: Metrics, max_in_flight: int) -> None:
        """Make a door.

        Args:
            metrics: Instruments of the process.
            max_in_flight: Unary calls worked on at once; more are refused with RESOURCE_EXHAUSTED before any work.
        """
        self._metrics = metrics
        self._max_in_flight = max_in_flight
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._log = get_log("rpc")
        self.in_flight = 0
        self.is_draining = False

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler with everything around it; handlers are static, so each is wrapped once."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if method not in POLICIES or handler is None:
                return handler
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        decode = _guarded(handler.request_deserializer)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(method, handler.unary_unary), decode, handler.response_serializer
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, handler.unary_stream), decode, handler.response_serializer
            )
        return handler

    def _unary(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        seconds = self._metrics.request_seconds.labels(method)
        succeeded = self._metrics.requests.labels(method, "OK")

        async def call(request: Any, context: Context) -> Any:
            started = time.perf_counter()
            self.in_flight += 1
            self._metrics.in_flight.set(self.in_flight)
            try:
                self._admit(method, request, context)
                response = await behaviour(request, context)
                succeeded.inc()
                return response
            except ShortlistError as error:
                self._metrics.requests.labels(method, STATUSES[type(error)].name).inc()
                await abort(context, error)
            except grpc.aio.AbortError:
                raise
            except Exception:  # noqa: BLE001 - the one place that catches everything
                await self._fail(method, context)
            finally:
                self.in_flight -= 1
                self._metrics.in_flight.set(self.in_flight)
                seconds.observe(time.perf_counter() - started)

        return call

    def _stream(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                _check_decoded(request)
                if self.is_draining:
                    raise NotReady("this replica is draining")
                async for response in behaviour(request, context):
                    if self.is_draining:  # said before the end comes, which callers would read as CANCELLED
                        raise NotReady("this replica is draining; go on with another")
                    yield response
                self._metrics.requests.labels(method, "OK").inc()
            except ShortlistError as error:
                self._metrics.requests.labels(method, STATUSES[type(error)].name).inc()
                await abort(context, error)
            except grpc.aio.AbortError:
                raise
            except Exception:  # noqa: BLE001 - the one place that catches everything
                await self._fail(method, context)

        return call

    def _admit(self, method: str, request: object, context: Context) -> None:
        if self.is_draining:
            raise NotReady("this replica is draining")
        if self.in_flight > self._max_in_flight:
            raise Overloaded(f"{self._max_in_flight} calls in flight", 0.05)
        _check_decoded(request)
        deadline = deadline_for(method, context.time_remaining())
        if deadline.remaining_s() < DEADLINE_FLOOR_S:
            raise BudgetExceeded(f"the deadline leaves less than {DEADLINE_FLOOR_S * 1000:g} ms")
        _deadline.set(deadline)

    async def _fail(self, method: str, context: Context) -> None:
        # The caller learns nothing of our insides, the log learns it all.
        self._log.exception(LogEvent.INTERNAL_ERROR, method=method)
        self._metrics.requests.labels(method, "INTERNAL").inc()
        await context.abort(grpc.StatusCode.INTERNAL, "internal error; the server's log has the cause")


def _guarded(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def guarded(raw: bytes) -> Any:
        try:
            return decode(raw) if decode else raw
        except (DecodeError, UnicodeDecodeError) as error:
            return Undecodable(str(error))

    return guarded


def _check_decoded(request: object) -> None:
    if isinstance(request, Undecodable):
        # grpcio itself would answer INTERNAL, which reads like our fault and may be retried.
        raise InvalidRequest(
            Violation("(body)", f"is not the message of this RPC, or holds text that is not UTF-8: {request.reason}")
        )
