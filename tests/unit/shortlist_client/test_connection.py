"""How both clients reach a server: deadlines, retries and their budget, turns, TLS, tokens. Real sockets throughout."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.serving_config_service_pb2 import ServingConfig
from shortlist_client import AsyncClient, Client, Retries, rating, retry_after_s, tls, violations
from shortlist_domain.errors import Overloaded
from shortlist_rpc.policy import POLICIES
from shortlist_rpc.status import abort
from shortlist_testing.certificates import Certificate, self_made
from shortlist_testing.platform import running_platform

README = Path(__file__).parents[3] / "libs/shortlist_client/README.md"
RECOMMEND = "/shortlist.gateway.v1.RecommendationService/Recommend"

Clients = type[Client] | type[AsyncClient]
both = pytest.mark.parametrize("clients", [Client, AsyncClient])


class Recorder(grpc.GenericRpcHandler):
    """Answers every method with an empty message, after ``failures`` answers of ``code``; notes what it was asked."""

    def __init__(self, failures: int = 0, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.failures = failures
        self.code = code
        self.methods: list[str] = []
        self.remaining_s: list[float] = []
        self.tokens: list[str] = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            self.methods.append(details.method)
            self.remaining_s.append(context.time_remaining())
            metadata = dict(context.invocation_metadata() or ())
            self.tokens.append(str(metadata.get("authorization", "")))
            if len(self.methods) <= self.failures:
                await context.abort(self.code, "as the test wants it")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.asynccontextmanager
async def listening(
    recorder: Recorder, certificate: Certificate | None = None, client: Certificate | None = None
) -> AsyncIterator[str]:
    """Serve ``recorder`` on loopback, with TLS where there is a certificate; yields its address."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((recorder,))
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (certificate.key.read_bytes(), certificate.certificate.read_bytes())
        ca = client.certificate.read_bytes() if client else None
        credentials = grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def ask(
    clients: Clients, address: str, times: int = 1, **options: Any
) -> list[pb.RecommendResponse | grpc.StatusCode]:
    """Recommend ``times`` times with one client, and return answers, or statuses where there are none."""
    timeout_s = {"timeout_s": options.pop("timeout_s")} if "timeout_s" in options else {}
    if clients is AsyncClient:
        async with AsyncClient(address, **options) as client:
            return [await _outcome(client, timeout_s) for _ in range(times)]

    def call() -> list[pb.RecommendResponse | grpc.StatusCode]:
        found: list[pb.RecommendResponse | grpc.StatusCode] = []
        with Client(address, **options) as client:
            for _ in range(times):
                try:
                    found.append(client.recommend("ann", **timeout_s))
                except grpc.RpcError as error:
                    found.append(error.code())
        return found

    return await asyncio.to_thread(call)


async def _outcome(client: AsyncClient, timeout_s: dict[str, float]) -> pb.RecommendResponse | grpc.StatusCode:
    try:
        return await client.recommend("ann", **timeout_s)  # type: ignore[arg-type]
    except grpc.aio.AioRpcError as error:
        return error.code()


@both
async def test_a_server_that_fails_twice_is_asked_a_third_time(clients: Clients) -> None:
    recorder = Recorder(failures=2)
    async with listening(recorder) as address:
        answers = await ask(clients, address, retries=Retries(attempts=3))
    assert answers == [pb.RecommendResponse()]
    assert recorder.methods == [RECOMMEND] * 3


@both
@pytest.mark.parametrize(("retries", "attempts"), [(Retries(), 2), (Retries(attempts=1), 1)])
async def test_a_call_is_repeated_as_often_as_allowed(clients: Clients, retries: Retries, attempts: int) -> None:
    recorder = Recorder(failures=99)
    async with listening(recorder) as address:
        answers = await ask(clients, address, retries=retries)
    assert answers == [grpc.StatusCode.UNAVAILABLE]
    assert len(recorder.methods) == attempts


@both
async def test_when_the_budget_is_spent_nothing_is_repeated(clients: Clients) -> None:
    recorder = Recorder(failures=99)
    async with listening(recorder) as address:
        answers = await ask(clients, address, times=10, retries=Retries(attempts=3, budget=4))
    assert answers == [grpc.StatusCode.UNAVAILABLE] * 10
    # The first call takes one of four, is repeated, and takes another: half is left, and every later call is sent once.
    assert len(recorder.methods) == 2 + 9


async def test_what_is_not_harmless_is_sent_once() -> None:
    recorder = Recorder(failures=99)
    calls: dict[str, int] = {}
    async with (
        listening(recorder) as address,
        AsyncClient(address, retries=Retries(attempts=3, budget=1000)) as client,
    ):
        configs = client.serving_configs
        name = "home"
        for call in (
            configs.list(),
            configs.get(),
            configs.versions(name),
            configs.put(ServingConfig(name=name)),
            configs.delete(name, expected_version=3),
            configs.rollback(name),
        ):
            recorder.methods.clear()
            with pytest.raises(grpc.aio.AioRpcError, match="as the test wants it"):
                await call
            calls[recorder.methods[0]] = len(recorder.methods)
    assert calls == {method: 3 if POLICIES[method].is_idempotent else 1 for method in calls}
    assert sorted(calls.values()) == [1, 1, 1, 3, 3, 3]


@both
@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED],
)
async def test_only_unavailable_is_repeated(clients: Clients, code: grpc.StatusCode) -> None:
    recorder = Recorder(failures=1, code=code)
    async with listening(recorder) as address:
        assert await ask(clients, address) == [code]
    assert len(recorder.methods) == 1


@both
async def test_a_call_without_a_deadline_gets_one(clients: Clients) -> None:
    recorder = Recorder()
    async with listening(recorder) as address:
        await ask(clients, address)
        await ask(clients, address, timeout_s=30.0)
    # On the wire, a deadline has few digits and is rounded up.
    assert 0.1 < recorder.remaining_s[0] <= 1.1
    assert 20.0 < recorder.remaining_s[1] <= 31.0


async def test_no_method_goes_out_without_a_deadline_or_without_its_token(tmp_path: Path) -> None:
    certificate, recorder = self_made(tmp_path, "server"), Recorder()
    arguments: dict[str, Any] = {"item_ids": ["a"], "actors": ["a"], "events": [rating("a", 1.0)], "config": None}
    called: list[str] = []
    async with (
        listening(recorder, certificate) as address,
        AsyncClient(address, credentials=tls(certificate.certificate), token=numbered()) as client,
    ):
        of_configs = inspect.getmembers(client.serving_configs, inspect.ismethod)
        for name, method in (*inspect.getmembers(client, inspect.ismethod), *of_configs):
            if name.startswith("_") or name == "close":
                continue
            wanted = inspect.signature(method).parameters.values()
            call = method(*(arguments.get(p.name, "x") for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD))
            if inspect.isasyncgen(call):
                _ = [answer async for answer in call]
            else:
                await call
            called.append(name)
    assert {"recommend", "write_events", "batch_recommend", "rollback"} <= set(called)
    own = len(called) - sum(not name.startswith("_") for name, _ in of_configs)
    assert [m.rsplit("/")[-1].lower() for m in recorder.methods[:own]] == [n.replace("_", "") for n in called[:own]]
    assert len(set(recorder.methods)) == len(called)
    assert all(0.0 < remaining_s <= 3600.0 for remaining_s in recorder.remaining_s)
    assert recorder.tokens == [f"Bearer token-{n}" for n in range(len(called))]


async def test_a_stream_of_the_ordinary_client_carries_its_token_and_a_deadline(tmp_path: Path) -> None:
    certificate, recorder = self_made(tmp_path, "server"), Recorder()

    def call(address: str) -> None:
        with Client(address, credentials=tls(certificate.certificate), token=numbered()) as client:
            list(client.batch_recommend(["ann"]))

    async with listening(recorder, certificate) as address:
        await asyncio.to_thread(call, address)
    assert recorder.tokens == ["Bearer token-0"]
    assert 0.0 < recorder.remaining_s[0] <= 3600.0


@both
async def test_calls_take_turns_among_the_addresses(clients: Clients) -> None:
    recorders = (Recorder(), Recorder())
    async with listening(recorders[0]) as one, listening(recorders[1]) as two:
        await ask(clients, f"ipv4:{one},{two}", times=20)
    assert sum(len(recorder.methods) for recorder in recorders) == 20
    assert all(len(recorder.methods) >= 5 for recorder in recorders)


@both
async def test_tls_with_a_certificate_of_our_own(clients: Clients, tmp_path: Path) -> None:
    certificate, other = self_made(tmp_path, "server"), self_made(tmp_path, "other")
    recorder = Recorder()
    async with listening(recorder, certificate) as address:
        assert await ask(clients, address, credentials=tls(certificate.certificate)) == [pb.RecommendResponse()]
        for wrong in (tls(other.certificate), tls(), None):
            assert await ask(clients, address, credentials=wrong) == [grpc.StatusCode.UNAVAILABLE]
    assert len(recorder.methods) == 1


@both
async def test_a_server_that_wants_a_certificate_gets_the_clients(clients: Clients, tmp_path: Path) -> None:
    server, client = self_made(tmp_path, "server"), self_made(tmp_path, "client")
    async with listening(Recorder(), server, client) as address:
        mutual = tls(server.certificate, client.certificate, client.key)
        assert await ask(clients, address, credentials=mutual) == [pb.RecommendResponse()]
        assert await ask(clients, address, credentials=tls(server.certificate)) == [grpc.StatusCode.UNAVAILABLE]


async def test_the_secure_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = [block for block in examples() if "token=token" in block]
    certificate, recorder = self_made(tmp_path, "ca"), Recorder()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHORTLIST_TOKEN", "secret")
    async with listening(recorder, certificate) as address:
        await asyncio.to_thread(exec, example.replace("gateway.example:50051", address), {})
    assert recorder.tokens == ["Bearer secret"]


async def test_the_plain_examples_of_the_readme_run(tmp_path: Path) -> None:
    plain = [block for block in examples() if "127.0.0.1:50051" in block]
    assert len(plain) == 3
    assert len([line for line in plain[0].splitlines() if line]) <= 10
    async with running_platform(tmp_path) as platform:
        for block in plain:
            program = block.replace("127.0.0.1:50051", platform.address)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            out, err = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 0, err.decode()
            assert out.decode().count("item-") == 5


def examples() -> list[str]:
    """Return the Python in the client's README, block by block."""
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def numbered() -> Callable[[], str]:
    numbers: Iterator[int] = iter(range(100))
    return lambda: f"token-{next(numbers)}"


@both
async def test_every_call_asks_for_its_token_and_carries_it(clients: Clients, tmp_path: Path) -> None:
    certificate, recorder = self_made(tmp_path, "server"), Recorder()
    async with listening(recorder, certificate) as address:
        await ask(clients, address, times=2, credentials=tls(certificate.certificate), token=numbered())
    assert recorder.tokens == ["Bearer token-0", "Bearer token-1"]


@both
async def test_a_token_that_cannot_be_had_fails_the_call_and_sends_nothing(clients: Clients, tmp_path: Path) -> None:
    def token() -> str:
        raise RuntimeError("the vault is closed")

    certificate, recorder = self_made(tmp_path, "server"), Recorder()
    async with listening(recorder, certificate) as address:
        with pytest.raises(RuntimeError, match="the vault is closed"):
            await ask(clients, address, credentials=tls(certificate.certificate), token=token)
    assert recorder.methods == []


@both
async def test_a_token_in_clear_is_refused(clients: Clients) -> None:
    with pytest.raises(ValueError, match="a token needs TLS"):
        clients("127.0.0.1:1", token=lambda: "secret")


@both
async def test_an_error_says_which_fields_were_wrong(clients: Clients, tmp_path: Path) -> None:
    async with running_platform(tmp_path) as platform:
        error = await failing(clients, platform.address, slate_size=1001, exclude_item_ids=["a", "b\x00"])
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert {wrong.field for wrong in violations(error)} == {"slate_size", "constraints.exclude_item_ids[1]"}
    assert retry_after_s(error) is None


@both
async def test_an_error_says_how_long_to_wait(clients: Clients) -> None:
    async def full(request: bytes, context: grpc.aio.ServicerContext[object, object]) -> bytes:
        return await abort(context, Overloaded("calls in flight", 0.25))

    server = grpc.aio.server()
    handler: dict[str, grpc.RpcMethodHandler[Any, Any]] = {"Recommend": grpc.unary_unary_rpc_method_handler(full)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(RECOMMEND.split("/")[1], handler),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    error = await failing(clients, f"127.0.0.1:{port}")
    await server.stop(None)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry_after_s(error) == 0.25
    assert violations(error) == []


def test_an_error_that_never_met_a_server_says_nothing_more() -> None:
    assert violations(grpc.RpcError()) == []
    assert retry_after_s(grpc.RpcError()) is None


async def failing(clients: Clients, address: str, **fields: Any) -> Any:
    """Recommend, and return the error that it ends with."""
    if clients is AsyncClient:
        async with AsyncClient(address) as client:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.recommend("ann", **fields)
            return caught.value

    def call() -> grpc.RpcError:
        with Client(address) as client, pytest.raises(grpc.RpcError) as caught:
            client.recommend("ann", **fields)
        return caught.value

    return await asyncio.to_thread(call)


def test_what_is_wrong_with_retries_and_certificates_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"attempts is 6; it must be in \[1, 5\]"):
        Retries(attempts=6)
    with pytest.raises(ValueError, match=r"budget is 0; it must be in \[1, 1000\]"):
        Retries(budget=0)
    with pytest.raises(ValueError, match="belong together"):
        tls(certificate=tmp_path / "a.pem")
    with pytest.raises(FileNotFoundError):
        tls(tmp_path / "nowhere.pem")
