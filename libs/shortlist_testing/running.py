"""Runs a service on a real socket for the length of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
from prometheus_client import CollectorRegistry

from shortlist_rpc.server import RunningServer, Service, serving
from shortlist_rpc.settings import ServerSettings
from shortlist_telemetry.catalogue import Metrics

READY_WITHIN_S = 20.0


def own_metrics() -> Metrics:
    """Return instruments of a registry of their own, so that tests do not meet in the global one."""
    return Metrics(CollectorRegistry())


@contextlib.asynccontextmanager
async def running(
    service: Service, settings: ServerSettings | None = None, *, wait_ready: bool = True
) -> AsyncIterator[RunningServer]:
    """Serve ``service`` on a free loopback port.

    Raises:
        TimeoutError: It does not become ready.
    """
    chosen = settings or ServerSettings(port=0, drain_grace_s=1.0)
    async with serving(service, chosen, own_metrics()) as server:
        if wait_ready:
            async with asyncio.timeout(READY_WITHIN_S):
                while not service.is_ready():  # noqa: ASYNC110 - services are asked, they do not tell
                    await asyncio.sleep(0.01)
        yield server


@contextlib.asynccontextmanager
async def channel_to(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    """Open a plain channel to ``server``, without retries."""
    async with grpc.aio.insecure_channel(server.address, options=[("grpc.enable_retries", 0)]) as channel:
        yield channel
