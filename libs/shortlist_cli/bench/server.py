"""The server under load: one that is already there, or a child of ours."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import NotReady

READY_WITHIN_S = 60.0


def users_of(var: Path) -> list[str]:
    """Return the users of the data set that the current bundle in ``var`` was trained on.

    Raises:
        NotReady: There is no bundle, or its data is not in ``var`` any more.
    """
    import polars

    store = BundleStore(var / "bundles")
    release = store.current()
    if release is None:
        raise NotReady(f"{store.root} holds no bundle; `shortlist train` publishes one")
    name = store.open(release).manifest.data_window.dataset
    path = var / "data" / name / "users.parquet"
    if not path.is_file():
        raise NotReady(
            f"{path} is not there: the users of the bundle are drawn from it; import the data set to that folder"
        )
    return [str(user) for user in polars.read_parquet(path, columns=["user_id"])["user_id"]]


@contextlib.contextmanager
def served(var: Path, address: str) -> Iterator[tuple[str, int | None]]:
    """Yield an address that answers, and the process behind it where it is ours; ends it afterwards."""
    if address:
        yield address, None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "shortlist_cli.main", "serve", "--var", str(var), "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "WARNING"])  # noqa: S603 - ourselves
    try:
        target = f"127.0.0.1:{port}"
        wait_ready(target, process)
        yield target, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def wait_ready(address: str, process: subprocess.Popen[bytes] | None = None, within_s: float = READY_WITHIN_S) -> None:
    """Wait until the server at ``address`` says that it is ready.

    Raises:
        NotReady: It ends, or is not ready in time.
    """
    until = time.monotonic() + within_s
    with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while time.monotonic() < until:
            if process is not None and process.poll() is not None:
                raise NotReady(f"the server ended with status {process.returncode}; its messages are above")
            with contextlib.suppress(grpc.RpcError):
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            time.sleep(0.1)
    raise NotReady(f"{address} was not ready within {within_s:g} s")
