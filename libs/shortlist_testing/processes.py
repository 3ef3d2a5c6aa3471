"""Stages as real processes: started, killed, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

MODULES = {
    "gateway": "shortlist_gateway",
    "retrieval": "shortlist_retrieval",
    "ranking": "shortlist_ranking",
    "feature-store": "shortlist_feature_store",
}


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class StageProcess:
    """One service in a process of its own, on a fixed port, so that it comes back where it was."""

    def __init__(self, stage: str, settings: Mapping[str, str], log: Path) -> None:
        """Nothing is started yet.

        Args:
            stage: Service by its folder name.
            settings: Settings by field name, as in ``bundle_store``.
            log: File that its messages are added to.
        """
        self.stage = stage
        self.port = free_port()
        prefix = f"SHORTLIST_{stage.replace('-', '_').upper()}_"
        given = {"port": str(self.port), "drain_grace_s": "1", **settings}
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SHORTLIST_")},
            **{prefix + name.upper(): value for name, value in given.items()},
        }
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running service.

        Raises:
            RuntimeError: It does not run.
        """
        if self._process is None:
            raise RuntimeError(f"{self.stage} does not run")
        return self._process.pid

    def start(self, within_s: float = 30.0) -> None:
        """Start it and wait until it is ready.

        Raises:
            RuntimeError: It ends or is not ready in time; carries the end of its log.
        """
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", MODULES[self.stage]]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)  # noqa: S603
        until = time.monotonic() + within_s
        with grpc.insecure_channel(self.address, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < until and self._process.poll() is None:
                with contextlib.suppress(grpc.RpcError):
                    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=0.5)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                time.sleep(0.05)
        raise RuntimeError(f"{self.stage} is not ready:\n{self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait(10)

    def terminate(self) -> int:
        """End it as Kubernetes does; returns its exit status."""
        self._signal(signal.SIGTERM)
        return self._process.wait(20) if self._process else 0

    def pause(self) -> None:
        """Stop it without ending it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)


@contextlib.contextmanager
def stages(folder: Path, bundle_store: Path, redis_url: str) -> Iterator[dict[str, StageProcess]]:
    """Run all four services as processes; ends them afterwards.

    Args:
        folder: Where their logs go.
        bundle_store: Store with a published bundle.
        redis_url: Redis of the feature store.
    """
    running: dict[str, StageProcess] = {}

    def begin(stage: str, **settings: str) -> StageProcess:
        running[stage] = StageProcess(stage, settings, folder / f"{stage}.log")
        running[stage].start()
        return running[stage]

    try:
        store = begin("feature-store", redis_url=redis_url)
        common = {"bundle_store": str(bundle_store)}
        retrieval = begin("retrieval", feature_store_target=store.address, **common)
        ranking = begin("ranking", feature_store_target=store.address, **common)
        begin(
            "gateway",
            feature_store_target=store.address,
            retrieval_target=retrieval.address,
            ranking_target=ranking.address,
            **common,
        )
        yield running
    finally:
        for process in running.values():
            process.resume()
            process.kill()
