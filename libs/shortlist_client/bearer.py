"""Bearer tokens, put on every call by an interceptor.

Not by gRPC's own call credentials: with them, three of eleven runs of the tests hung in calls under asyncio (grpcio
1.85.1), with the interpreter locked, so that not even a timeout could end them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import grpc

from shortlist_client.connection import Token

Metadata = Sequence[tuple[str, str | bytes]]


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Metadata | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _WithToken(_Details, grpc.ClientCallDetails):  # type: ignore[misc]  # the stub asks for a list
    """Details of a call that carries a token."""


class Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends ``authorization: Bearer <token>`` with the calls of a channel."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """See :class:`grpc.UnaryUnaryClientInterceptor`; raises what the caller's ``token`` raises."""
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        """See :class:`grpc.UnaryStreamClientInterceptor`; likewise."""
        return continuation(self._with_token(details), request)

    def _with_token(self, details: Any) -> grpc.ClientCallDetails:
        return _WithToken(
            details.method,
            details.timeout,
            (*(details.metadata or ()), _header(self._token)),
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


class _AsyncUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: Token) -> None:
        self._token = token

    async def intercept_unary_unary(
        self, continuation: Callable[..., Awaitable[Any]], details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_async_with_token(details, self._token), request)


class _AsyncStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, token: Token) -> None:
        self._token = token

    async def intercept_unary_stream(
        self, continuation: Callable[..., Awaitable[Any]], details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_async_with_token(details, self._token), request)


def async_bearer(token: Token) -> list[grpc.aio.ClientInterceptor]:
    """Return what a channel of :mod:`grpc.aio` needs to send ``authorization: Bearer <token>`` with its calls."""
    return [_AsyncUnary(token), _AsyncStream(token)]


def _async_with_token(details: grpc.aio.ClientCallDetails, token: Token) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()), _header(token))
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


def _header(token: Token) -> tuple[str, str]:
    return "authorization", f"Bearer {token()}"
