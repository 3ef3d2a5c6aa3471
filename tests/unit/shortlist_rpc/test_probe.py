"""The health probe of the images, against servers on real sockets and where there is none."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Sequence

import grpc

from shortlist_rpc.probe import main, why_not_serving
from shortlist_rpc.server import LIVENESS, RunningServer
from shortlist_testing.running import running


class Switch:
    """A service without RPCs that is ready when it is told to be."""

    rpc_names: Sequence[str] = ("shortlist.test.v1.Switch",)

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on

    def add_to(self, server: grpc.aio.Server) -> None:
        """Nothing to register."""

    async def start(self) -> None:
        """Nothing to start."""

    def is_ready(self) -> bool:
        return self._is_on

    async def close(self) -> None:
        """Nothing to close."""


async def probe(server: RunningServer, name: str = "") -> str:
    return await asyncio.to_thread(why_not_serving, server.address, name)


async def test_a_server_that_is_ready_passes_by_every_name() -> None:
    async with running(Switch(True)) as server:
        async with asyncio.timeout(5.0):
            while await probe(server):  # health follows readiness within a tenth of a second
                await asyncio.sleep(0.02)
        assert [await probe(server, name) for name in ("", Switch.rpc_names[0], LIVENESS)] == ["", "", ""]


async def test_a_server_that_is_not_ready_is_alive_and_fails_readiness() -> None:
    async with running(Switch(False), wait_ready=False) as server:
        assert await probe(server, LIVENESS) == ""
        assert "NOT_SERVING" in await probe(server)
        assert "NOT_SERVING" in await probe(server, Switch.rpc_names[0])


async def test_a_name_that_is_not_served_is_said_to_be_unknown() -> None:
    async with running(Switch(True)) as server:
        assert "has no service 'another'" in await probe(server, "another")


def test_a_port_that_nobody_listens_on_fails_within_the_timeout() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take it
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert "no answer within 0.3 s" in why_not_serving(address, timeout_s=0.3)


def test_wrong_arguments_are_not_taken_for_ill_health() -> None:
    assert main([]) == 2


async def test_as_a_command_it_exits_with_0_or_1_and_a_reason() -> None:
    async with running(Switch(False), wait_ready=False) as server:
        for name, status, reason in ((LIVENESS, 0, b""), (Switch.rpc_names[0], 1, b"NOT_SERVING")):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "shortlist_rpc.probe", server.address, name),
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": os.environ["PATH"]},
            )
            _, stderr = await child.communicate()
            assert child.returncode == status
            assert reason in stderr
