"""The table of rankers: later events stay unknown, each is asked about as it comes, retrieval is fitted once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_data.dataset import Dataset
from shortlist_models.rankers import RANKERS
from shortlist_trainer.benchmarks.pipelines import rolling_pipeline
from shortlist_trainer.benchmarks.rankers import TABLE, LaterEvents
from shortlist_trainer.benchmarks.run import run_table
from shortlist_trainer.benchmarks.table import Run

QUICK = {
    "two_tower.epochs": 2,
    "two_tower.width": 8,
    "ranker.queries": 300,
    "ranker.epochs": 1,
    "evaluation.validation_events": 100,
}


def held_out(world: Dataset) -> tuple[Dataset, LaterEvents]:
    known, sealed = TABLE.cut(world, 1)
    sealed.unseal()
    return known, sealed.read()


def test_every_ranker_is_in_the_table() -> None:
    models = {entry.settings.get("ranker.model", "dcn_low_rank") for entry in TABLE.entries.values()}
    assert models == RANKERS.keys()


def test_nothing_known_is_as_late_as_what_is_to_be_predicted(world: Dataset) -> None:
    known, later = held_out(world)
    assert known.times_s.max() < world.times_s[later.events].min()
    assert known.events == pytest.approx(0.9 * world.events, abs=10)
    met = set()
    for event, pair in enumerate(zip(world.user_rows.tolist(), world.item_rows.tolist(), strict=True)):
        assert (event in later.events) == (event >= known.events and pair not in met)
        met.add(pair)


def test_an_event_is_predicted_from_what_came_before_it(world: Dataset, tmp_path: Path) -> None:
    known, later = held_out(world)
    predictor = rolling_pipeline("quick", QUICK).fit(known, Run(1, tmp_path / "a-1", lambda *_: None))
    before = predictor(later)
    half = int(later.events[len(later.events) // 2])
    items = world.item_rows.copy()
    items[half:] = items[half:][::-1]
    # The events to predict stay those that they were; what happens from the middle on is other events.
    after = predictor(LaterEvents(replace(world, item_rows=items), later.events))
    is_earlier = world.times_s[later.events] <= world.times_s[half]
    np.testing.assert_array_equal(before[is_earlier], after[is_earlier])
    assert not np.array_equal(before[~is_earlier], after[~is_earlier])
    seen = world.item_rows[: later.events[-1]][world.user_rows[: later.events[-1]] == world.user_rows[later.events[-1]]]
    assert set(before[-1, seen].tolist()) == {-float(len(world.item_ids))}


def test_rankers_share_a_retrieval_that_is_fitted_once(world: Dataset, tmp_path: Path) -> None:
    entries = {
        "no_ranker": rolling_pipeline("order of retrieval", QUICK, ranks=False),
        "gmf": rolling_pipeline("GMF", {**QUICK, "ranker.model": "gmf"}),
    }
    fitted: list[str] = []

    def report(part: str, done: int, total: int, loss: float) -> None:
        if done == total:
            fitted.append(part)

    rows = list(run_table(replace(TABLE, entries=entries), world, (), (1,), tmp_path, report))
    assert "two_tower" not in fitted[fitted.index("ranker") :]
    assert fitted.count("ranker") == 2
    recall = [row["metrics"]["recall@200"]["mean"] for row in rows]
    # The candidates are the same, their order is not.
    assert recall[0] == recall[1]
    assert rows[0]["metrics"]["ndcg@10"] != rows[1]["metrics"]["ndcg@10"]
