"""A Ray cluster, or Ray on this machine: preparation in tasks, the two towers data-parallel by Ray Train.

The only module that imports Ray. Workers import Shortlist from their own environment.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from shortlist_domain.errors import ShortlistError
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.config import TwoTowerConfig
from shortlist_trainer.fit_towers import Report, Towers, fit_towers
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.workers import Pooled

LOCAL = "local"
"""Address of a cluster of this machine's own, that lasts as long as the run."""

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing leaves the machine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the behaviour to come; without it Ray warns of it
    "RAY_worker_niceness": "0",  # its own 15 starves workers on a busy machine; read where this run starts Ray
}

_POLL_S = 0.2
_REPORT_EVERY = 10
"""Steps between two reports of a worker."""


class RayUnavailable(ShortlistError):
    """Ray is not installed, cannot be reached, or gave up."""


class RayCluster:
    """Implements :class:`shortlist_trainer.cluster.Cluster`."""

    def __init__(self, ray: Any, workers: int, folder: Path) -> None:
        self._ray = ray
        self.workers = workers
        self._folder = folder

    def mapped(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the results of ``function``, each from a task of its own."""
        task = self._ray.remote(num_cpus=1)(function)
        found: list[Any] = self._ray.get([task.remote(*each) for each in arguments])
        return found

    def fit_towers(
        self, prepared: Prepared, config: TwoTowerConfig, seed: int, checkpoints: Checkpoints, report: Report
    ) -> Towers:
        """Fit by Ray Train: every worker takes its share of each epoch's batches, gradients are pooled by gloo.

        Raises:
            RayUnavailable: The workers failed; says what they said.
            CheckpointRefused: A checkpoint to resume from is damaged or of another run.
        """
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        mail = self._ray.remote(num_cpus=0)(_Mail).remote()
        job = {
            "prepared": self._ray.put(prepared),
            "config": config,
            "seed": seed,
            "found": self._ray.put(checkpoints.content("two_tower")),
            "mail": mail,
        }
        trainer = TorchTrainer(
            _work,
            train_loop_config=job,
            scaling_config=ScalingConfig(num_workers=self.workers, use_gpu=False),
            torch_config=TorchConfig(backend="gloo"),
            run_config=RunConfig(name="two_tower", storage_path=str(self._folder.resolve())),
        )
        towers: list[Towers] = []
        is_over = threading.Event()

        def read() -> None:
            while True:
                last = is_over.wait(_POLL_S)
                for kind, content in self._ray.get(mail.taken.remote()):
                    if kind == "report":
                        report(*content)
                    elif kind == "epoch":
                        checkpoints.keep("two_tower", *content)
                    else:
                        towers.append(content)
                if last:
                    return

        reader = threading.Thread(target=read, name="mail", daemon=True)
        reader.start()
        try:
            trainer.fit()
        except Exception as error:  # Ray raises its own kinds, which wrap whatever a worker raised
            raise RayUnavailable(f"the workers on Ray failed: {_last_line(error)}") from error
        finally:
            is_over.set()
            reader.join()
        if not towers:
            raise RayUnavailable("the workers on Ray ended without a model")
        return towers[0]


class _Mail:
    """What workers tell the run, in order; an actor."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Any]] = []

    def post(self, kind: str, content: Any) -> None:
        """Keep a message."""
        self._kept.append((kind, content))

    def taken(self) -> list[tuple[str, Any]]:
        """Return the messages since the last call."""
        kept, self._kept = self._kept, []
        return kept


class _Posted(Checkpoints):
    """Checkpoints of a worker: it starts from what the run found, and the first worker posts what it has."""

    def __init__(self, found: dict[str, Any] | None, post: Callable[[str, Any], None] | None) -> None:
        super().__init__(None, "", resume=False)
        self._found = found
        self._post = post

    def content(self, part: str) -> dict[str, Any] | None:
        """Return what the run found."""
        return self._found

    def save(self, part: str, epochs: int, state: Mapping[str, Stateful]) -> None:
        """Post it."""
        if self._post is not None:
            self._post("epoch", (epochs, {name: holder.state_dict() for name, holder in state.items()}))


def _work(job: dict[str, Any]) -> None:
    """Do what one worker of Ray Train does."""
    import ray

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    workers = Pooled()

    def post(kind: str, content: Any) -> None:
        ray.get(job["mail"].post.remote(kind, content))

    def report(part: str, done: int, total: int, loss: float) -> None:
        if workers.rank == 0 and (done % _REPORT_EVERY == 0 or done == total):
            job["mail"].post.remote("report", (part, done, total, loss))

    checkpoints = _Posted(ray.get(job["found"]), post if workers.rank == 0 else None)
    prepared = ray.get(job["prepared"])
    towers = fit_towers(prepared, job["config"], job["seed"], checkpoints, report, workers=workers)
    if workers.rank == 0:
        post("towers", towers)


@contextlib.contextmanager
def ray_cluster(address: str, workers: int, folder: Path) -> Iterator[RayCluster]:
    """Connect to Ray for the time of a run.

    Args:
        address: ``host:port`` of a head node, or :data:`LOCAL`.
        workers: How many, at least 1; each takes a processor.
        folder: For what Ray Train writes; on several machines they all have to see it.

    Raises:
        RayUnavailable: Ray is not installed, or there is none at ``address``.
    """
    os.environ.update(_SETTINGS)
    try:
        import ray
        import ray.train.torch
    except ImportError as error:
        raise RayUnavailable(
            f"--ray needs Ray with its training part ({error}): pip install 'shortlist[ray]'"
        ) from error
    is_local = address == LOCAL
    # Ray's own "local" is a new one, also where RAY_ADDRESS names another or one was left behind.
    where: dict[str, Any] = {"address": "local" if is_local else address}
    if is_local:
        where |= {"num_cpus": workers + 1, "include_dashboard": False}
    if is_local or address.rpartition(":")[0] in ("127.0.0.1", "localhost"):
        where["_node_ip_address"] = "127.0.0.1"
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # a refused connection comes as any of several kinds
        raise RayUnavailable(f"there is no Ray at {address}: {_last_line(error)}") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield RayCluster(ray, workers, folder)
    finally:
        ray.shutdown()


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else repr(error)
