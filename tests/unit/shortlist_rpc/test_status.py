"""Errors as a client sees them, however much there is to say."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shortlist_domain.errors import BundleMismatch, InvalidRequest, NotFound, Overloaded, ShortlistError, Violation
from shortlist_rpc.status import STATUSES, abort, clipped

MANY = 1000
ERRORS: list[ShortlistError] = [
    InvalidRequest(*(Violation(f"item_ids[{n}]", f"is {'x' * n!r}") for n in range(MANY))),
    InvalidRequest(*(Violation("\u65e5" * 500, "\u672c" * 5000) for _ in range(MANY))),
    NotFound("\u00fc" * 100_000),
    BundleMismatch("b" * 100_000, ("c" * 100_000,)),
    Overloaded("q" * 100_000, 7.5),
]


async def seen(error: ShortlistError) -> grpc.aio.AioRpcError:
    """Return what a client sees of ``error``."""

    async def fail(request: bytes, context: grpc.aio.ServicerContext[object, object]) -> bytes:
        return await abort(context, error)

    handler: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Fail": grpc.unary_unary_rpc_method_handler(fail)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Failing", handler),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_retries", 0)]) as channel:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Failing/Fail")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"", timeout=5)
            return caught.value
    finally:
        await server.stop(None)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_no_error_is_too_long_for_a_clients_headers(error: ShortlistError) -> None:
    for _ in range(5):  # above the soft limit, a client refuses at random
        found = await seen(error)
        assert found.code() is STATUSES[type(error)], found.details()
    status: Any = rpc_status.from_call(found)
    assert status.message == found.details()
    assert (found.details() or "").endswith("...")


async def test_of_many_violations_the_first_are_said_and_how_many_more_there_are() -> None:
    status: Any = rpc_status.from_call(await seen(ERRORS[0]))
    bad = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(bad)
    *shown, last = bad.field_violations
    assert [violation.field for violation in shown] == [f"item_ids[{n}]" for n in range(len(shown))]
    assert len(shown) > 20
    assert (last.field, last.description) == ("(more)", f"and {MANY - len(shown)} more")


async def test_a_delay_of_seconds_is_said_in_full() -> None:
    status: Any = rpc_status.from_call(await seen(Overloaded("q", 7.5)))
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 == 7.5


def test_a_text_is_cut_by_what_it_takes_on_the_wire() -> None:
    assert clipped("abc", 3) == "abc"
    assert clipped("abcd", 3) == "abc..."
    assert clipped("\u00fc\u00fc", 6) == "\u00fc..."
