"""Fitting on fields: it learns, keeps the best epoch, resumes; the table's parts do not overlap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shortlist_data.dataset import Dataset
from shortlist_evaluation.probabilities import placements
from shortlist_trainer.benchmarks import TABLES
from shortlist_trainer.benchmarks.ctr import Rows, cut, field_dcn, fields_of
from shortlist_trainer.benchmarks.run import run_table
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit_fields import Fields, FieldsConfig, fit_fields, probabilities

CONFIG = FieldsConfig(width=8, hidden=(16,), dropout=0.0, epochs=6, learning_rate=0.01, events_per_batch=64)


def quiet(part: str, done: int, total: int, loss: float) -> None:
    """Report to nobody."""


def crossed(m: int, seed: int) -> Fields:
    """Return events that are liked where two fields agree: no field says anything alone."""
    random = np.random.default_rng(seed)
    fields = random.integers(1, 5, size=(m, 2))
    labels = (fields[:, 0] == fields[:, 1]).astype(np.float32)
    return Fields(fields, (5, 5), np.zeros(m, np.int64), np.zeros((1, 0), np.float32), labels)


@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("is_stacked", [False, True])
def test_it_learns_what_only_a_cross_can_tell(tmp_path: Path, rank: int | None, is_stacked: bool) -> None:
    config = replace(CONFIG, rank=rank, is_stacked=is_stacked)
    checkpoints = Checkpoints(tmp_path, "x", resume=False)
    model = fit_fields(crossed(3000, 1), crossed(500, 2), config, 1, checkpoints, quiet)
    other = crossed(500, 3)
    assert placements(probabilities(model, other), other.labels.astype(int)).mean() > 0.95


def test_it_ends_and_returns_the_best_epoch_once_an_epoch_brings_nothing(tmp_path: Path) -> None:
    noise = crossed(300, 1)
    labels = np.random.default_rng(5).integers(2, size=300).astype(np.float32)
    watched = replace(crossed(300, 2), labels=np.random.default_rng(6).integers(2, size=300).astype(np.float32))
    steps: list[int] = []
    config = replace(CONFIG, epochs=60, learning_rate=0.05)
    fit_fields(
        replace(noise, labels=labels),
        watched,
        config,
        1,
        Checkpoints(tmp_path, "x", resume=False),
        lambda part, done, total, loss: steps.append(done),
    )
    assert max(steps) < 60 * 5


def test_a_run_that_resumes_ends_like_one_that_never_stopped(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(part: str, done: int, total: int, loss: float) -> None:
        if done > total // 2:
            raise Stopped

    known, watched = crossed(1000, 1), crossed(300, 2)

    def checkpoints(name: str) -> Checkpoints:
        return Checkpoints(tmp_path / name, "x", resume=True)

    config = replace(CONFIG, learning_rate=0.001)  # slow enough that every epoch is the best so far
    whole = fit_fields(known, watched, config, 1, checkpoints("a"), quiet)
    with pytest.raises(Stopped):
        fit_fields(known, watched, config, 1, checkpoints("b"), stop)
    resumed = fit_fields(known, watched, config, 1, checkpoints("b"), quiet)
    for (name, left), right in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0, msg=name)


def test_parts_of_the_table_do_not_overlap(world: Dataset) -> None:
    events = fields_of(world)
    assert len(events) == int((world.values != 3).sum())
    assert events.fields.min() >= 0
    assert (events.fields < np.array(events.sizes)).all()
    numbered = Rows(replace(events, owner=np.arange(len(events))), len(events) // 10)
    known, sealed = cut(numbered, 1)
    sealed.unseal()
    held = set(sealed.read().owner.tolist())
    assert len(held) == len(events) // 10
    assert held | set(known.events.owner.tolist()) == set(range(len(events)))
    assert not held & set(known.events.owner.tolist())


def test_it_runs_as_a_table(world: Dataset, tmp_path: Path) -> None:
    events = fields_of(world)
    table = TABLES["ml-1m-ctr"]
    entries = {"rates": table.entries["rates"], "dcn": field_dcn("small", replace(CONFIG, epochs=2))}
    rows = list(run_table(replace(table, entries=entries), Rows(events, len(events) // 10), (), (1,), tmp_path, quiet))
    for row in rows:
        assert 0.4 < row["metrics"]["auc"]["mean"] <= 1.0
        assert row["metrics"]["logloss"]["mean"] < 1.0
