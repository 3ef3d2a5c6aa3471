"""Several workers fit one model: they share the batches, pool gradients, and end where one worker would."""

from __future__ import annotations

import multiprocessing
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shortlist_data.dataset import Dataset
from shortlist_data.features import in_process, point_in_time
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.chunks import Chunks, Targets
from shortlist_trainer.config import SplitConfig, TwoTowerConfig
from shortlist_trainer.fit_towers import Towers, fit_towers
from shortlist_trainer.prepare import Prepared, prepare
from shortlist_trainer.ray_cluster import RayUnavailable, ray_cluster
from shortlist_trainer.workers import Pooled

from .conftest import quick

CONFIG = quick("two_tower.epochs=6").two_tower


@pytest.fixture(scope="module")
def prepared(world: Dataset) -> Prepared:
    return prepare(world, SplitConfig())


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_the_number_of_partitions_changes_no_digit(world: Dataset, partitions: int) -> None:
    seen: list[int] = []

    def mapped(function: Callable[..., Any], arguments: Any) -> list[Any]:
        seen.append(len(arguments))
        return in_process(function, arguments)

    whole, parts = point_in_time(world), point_in_time(world, mapped, partitions)
    for name in whole.__dataclass_fields__:
        assert np.array_equal(whole.column(name), parts.column(name)), name
    assert seen == ([] if partitions == 1 else [partitions, partitions])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_take_every_target_of_an_epoch_once(prepared: Prepared, workers: int) -> None:
    chunks = Chunks(prepared.sequences, prepared.fit_end, 20)
    targets = Targets(1.0, 0.25, 0.0, 1)

    def epoch(rank: int, count: int) -> list[tuple[int, float]]:
        made = chunks.batches(64, targets, np.random.default_rng([1, 2]), rank, count)
        return [(int(t), float(age)) for batch in made for t, age in zip(batch.target, batch.age_s, strict=True)]

    alone = epoch(0, 1)
    together = [epoch(rank, workers) for rank in range(workers)]
    assert sorted(each for mine in together for each in mine) == sorted(alone)
    sizes = [len(mine) for mine in together]
    assert max(sizes) - min(sizes) < 0.3 * len(alone)


def in_group(work: Callable[[int], Any]) -> list[Any]:
    """Return what two processes of a gloo group return, by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    def run(rank: int) -> None:
        torch.set_num_threads(1)
        where = f"tcp://127.0.0.1:{port}"
        torch.distributed.init_process_group("gloo", init_method=where, rank=rank, world_size=2)
        found = work(rank)
        torch.distributed.barrier()
        results.put((rank, found))

    processes = [context.Process(target=run, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=90) for _ in processes)
    for process in processes:
        process.join(timeout=30)
        assert process.exitcode == 0
    return [found[rank] for rank in range(2)]


def test_the_pooled_gradient_is_that_of_all_queries_together() -> None:
    x = torch.arange(10.0).reshape(5, 2)
    parts = [x[:4], x[4:]]

    def mean_loss(weight: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return ((rows @ weight) ** 2).mean()

    def work(rank: int) -> Any:
        workers = Pooled()
        weight = torch.tensor([0.5, -1.0], requires_grad=True)
        unused = torch.zeros(3, requires_grad=True)
        mean_loss(weight, parts[rank]).backward()  # type: ignore[no-untyped-call]
        queries = workers.pool([unused, weight], len(parts[rank]))
        first = (weight.grad.tolist(), unused.grad.tolist(), queries)  # type: ignore[union-attr]
        weight.grad = None
        if rank == 0:
            mean_loss(weight, parts[0]).backward()  # type: ignore[no-untyped-call]
        left = workers.pool([unused, weight], 4 if rank == 0 else 0)
        assert weight.grad is not None
        return (*first, weight.grad.tolist(), left, workers.pool([weight], 0))

    whole = torch.tensor([0.5, -1.0], requires_grad=True)
    mean_loss(whole, x).backward()  # type: ignore[no-untyped-call]
    one = torch.tensor([0.5, -1.0], requires_grad=True)
    mean_loss(one, parts[0]).backward()  # type: ignore[no-untyped-call]
    assert whole.grad is not None
    assert one.grad is not None
    for gradient, unused, queries, after, left, over in in_group(work):
        assert gradient == pytest.approx(whole.grad.tolist())
        assert unused == [0.0, 0.0, 0.0]
        assert after == pytest.approx(one.grad.tolist()), "a worker without a batch adds nothing"
        assert (queries, left, over) == (5, 4, 0)


def fitted(prepared: Prepared, config: TwoTowerConfig, **options: Any) -> Towers:
    return fit_towers(prepared, config, 1, Checkpoints(None, "", resume=False), lambda *_: None, **options)


def hits(prepared: Prepared, towers: Towers) -> float:
    """Return how often the events after the fitting are among the 20 best of 80 items, seen ones included."""
    from shortlist_trainer.actors import before_events, history_inputs

    places = prepared.sequences.places_between(prepared.fit_end, prepared.dataset.events)
    moments = before_events(prepared.sequences, places)
    with torch.no_grad():
        rows, values, ages = history_inputs(prepared.sequences, moments, towers.users.history_length)
        columns = (rows, values, ages, prepared.categories.index[moments.users], moments.numbers, moments.context)
        embedded = towers.users.embed(towers.table[:, :-1], *map(torch.from_numpy, columns)).numpy()
    scores = embedded @ towers.table.numpy().T
    rank = (scores > scores[np.arange(len(places)), prepared.sequences.items[places]][:, None]).sum(axis=1)
    return float((rank < 20).mean())


def test_two_workers_end_with_one_model_as_good_as_that_of_one(prepared: Prepared) -> None:
    def work(rank: int) -> Any:
        towers = fitted(prepared, CONFIG, workers=Pooled())
        return towers.table.numpy(), hits(prepared, towers)

    (table, quality), (other, _) = in_group(work)
    assert np.array_equal(table, other)
    assert quality == pytest.approx(hits(prepared, fitted(prepared, CONFIG)), abs=0.04)


def test_without_ray_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    told = r"--ray needs Ray .*: pip install 'shortlist\[ray\]'"
    with pytest.raises(RayUnavailable, match=told), ray_cluster("local", 2, tmp_path):
        pass
