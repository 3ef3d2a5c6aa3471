"""How every service starts and stops.

Start: listen with health NOT_SERVING, load, then SERVING. Stop, on SIGTERM or SIGINT: NOT_SERVING, wait for balancers,
refuse new calls, let running ones finish, close. ``grpc.aio`` alone would answer calls that it had already taken with
CANCELLED, which no retry policy repeats; the drain here answers them.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import start_http_server

from shortlist_rpc.interceptor import Door
from shortlist_rpc.reflection import add_reflection
from shortlist_rpc.settings import ServerSettings
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

LIVENESS = "liveness"
"""Health name that is SERVING while the loop turns, whatever is loaded."""

_POLL_S = 0.1


class Service(Protocol):
    """A deployable: one or more gRPC services with what they need."""

    @property
    def rpc_names(self) -> Sequence[str]:
        """Full names of its gRPC services; health answers by them."""
        ...

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the servicers."""
        ...

    async def start(self) -> None:
        """Begin to load and connect; waits for neither where it could be long. What it raises ends the process."""
        ...

    def is_ready(self) -> bool:
        """Return whether it can answer now; asked often."""
        ...

    async def close(self) -> None:
        """Let go of everything; called once, after the last answer."""
        ...


class RunningServer:
    """A server that listens."""

    def __init__(self, server: grpc.aio.Server, door: Door, host: str, port: int) -> None:
        self._server = server
        self.door = door
        self.host = host
        self.port = port

    @property
    def address(self) -> str:
        """Where it listens, ``host:port``."""
        return f"{self.host}:{self.port}"

    async def drain(self, wait_s: float, grace_s: float) -> None:
        """Refuse new calls and wait for running ones."""
        await asyncio.sleep(wait_s)
        self.door.is_draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self.door.in_flight:  # noqa: ASYNC110 - a counter, and the only waiter
                    await asyncio.sleep(0.005)
        await self._server.stop(0.2)


@contextlib.asynccontextmanager
async def serving(service: Service, settings: ServerSettings, metrics: Metrics) -> AsyncIterator[RunningServer]:
    """Serve ``service`` while the context lasts, then drain.

    Raises:
        OSError: The port is taken.
    """
    log = get_log("server")
    door = Door(metrics, settings.max_in_flight)
    age_ms = int(settings.max_connection_age_s * 1000)
    server = grpc.aio.server(
        interceptors=[door],
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", 16 << 20),
            ("grpc.max_connection_age_ms", age_ms),
            ("grpc.max_connection_age_grace_ms", 10_000),
            ("grpc.max_concurrent_streams", 1024),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ],
    )
    service.add_to(server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    if settings.is_reflective:
        add_reflection((*service.rpc_names, health.SERVICE_NAME), server)
    try:
        port = server.add_insecure_port(f"{settings.host}:{settings.port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen on {settings.host}:{settings.port}: is the port taken?") from error
    for name in ("", *service.rpc_names):
        await health_servicer.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
    await health_servicer.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    log.info(LogEvent.LISTENING, address=f"{settings.host}:{port}", services=list(service.rpc_names))
    running = RunningServer(server, door, settings.host, port)
    watcher: asyncio.Task[None] | None = None
    try:
        await service.start()
        watcher = asyncio.create_task(_publish_health(service, health_servicer), name="health")
        yield running
    finally:
        if watcher:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        log.info(LogEvent.DRAINING, in_flight=door.in_flight)
        for name in ("", *service.rpc_names):
            await health_servicer.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        await running.drain(settings.drain_wait_s, settings.drain_grace_s)
        await service.close()
        log.info(LogEvent.STOPPED)


async def run(service: Service, settings: ServerSettings, metrics: Metrics) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.host)
    async with serving(service, settings, metrics):
        await stop.wait()


async def _publish_health(service: Service, servicer: health.aio.HealthServicer) -> None:
    log = get_log("server")
    was_ready = False
    while True:
        is_ready = service.is_ready()
        if is_ready != was_ready:
            log.info(LogEvent.READY if is_ready else LogEvent.NOT_READY)
            state = health_pb2.HealthCheckResponse
            for name in ("", *service.rpc_names):
                await servicer.set(name, state.SERVING if is_ready else state.NOT_SERVING)
            was_ready = is_ready
        await asyncio.sleep(_POLL_S)
