"""Runs the models of a table: fit on what is known, unseal, measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from shortlist_domain.errors import ShortlistError
from shortlist_trainer.benchmarks import results
from shortlist_trainer.benchmarks.table import Report, Run, Table
from shortlist_trainer.devices import CPU

TEST = "test"
VALIDATION = "validation"


class UnknownModel(ShortlistError):
    """A table has no model of that name."""


def run_table(
    table: Table[Any],
    whole: Any,
    models: Sequence[str],
    seeds: Sequence[int],
    work: Path,
    report: Report,
    *,
    device: torch.device = CPU,
    validate: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield a result for each model and seed.

    Args:
        table: What is run.
        whole: What its ``load`` gave.
        models: Names of entries; none is all.
        seeds: One run each; a model for which they make no difference is run with the first.
        work: Folder of checkpoints.
        report: Told of the progress.
        device: Where neural models are fitted.
        validate: Cut the known part once more and measure on that: the test part is not touched. For choices.

    Raises:
        UnknownModel: A name is none of the table's.
    """
    for name in models:
        if name not in table.entries:
            raise UnknownModel(f"{table.name} has no model {name!r}; there are {', '.join(table.entries)}")
    for name in models or table.entries:
        entry = table.entries[name]
        for seed in seeds if entry.is_random or table.is_cut_random else seeds[:1]:
            known, held_out = table.cut(whole, seed)
            if validate:
                known, held_out = table.cut(known, seed)
            part = VALIDATION if validate else TEST
            started = time.perf_counter()
            with _one_thread():
                run = Run(seed, work / table.name / part / f"{name}-{seed}", report, device)
                predictor = entry.fit(known, run)
            fitted = time.perf_counter()
            held_out.unseal()
            values = table.measure(known, held_out.read(), predictor)
            seconds = {"fit": fitted - started, "evaluate": time.perf_counter() - fitted}
            yield results.row_of(name, entry, run, values, seconds, part)


def remember(path: Path, table: Table[Any], done: Callable[[], list[dict[str, Any]]], row: dict[str, Any]) -> None:
    """Put ``row`` in the place of an earlier one of the same model and seed."""
    kept = [r for r in done() if (r["model"], r["seed"]) != (row["model"], row["seed"])]
    results.write(path, table, [*kept, row])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch on one thread, so that times compare and sums repeat."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
