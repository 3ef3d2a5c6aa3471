"""Item neighbours of a bundle, by either model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.candidates import Ease
from shortlist_models.item_neighbours import item_neighbours
from shortlist_trainer import fit_neighbours as module
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import ContentConfig, NeighboursConfig, SplitConfig
from shortlist_trainer.fit import Clock, fit
from shortlist_trainer.fit_neighbours import fit_neighbours
from shortlist_trainer.histories import histories_of, only
from shortlist_trainer.prepare import Prepared, prepare

from .conftest import quick


@pytest.fixture(scope="module")
def prepared(world: Dataset) -> Prepared:
    return prepare(world, SplitConfig(), ContentConfig())


def test_weights_of_ease_are_fitted_on_the_events_of_retrieval_alone(prepared: Prepared) -> None:
    dataset = prepared.dataset
    found = fit_neighbours(prepared, NeighboursConfig(model="ease", most=7, regularisation=5.0, half_life_days=2.0))
    model = Ease(5.0)
    model.fit(histories_of(only(dataset, np.arange(dataset.events) < prepared.fit_end)))
    rows, weights = model.strongest(7)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.scores, weights)
    assert found.half_life_s == 172_800.0


def test_ease_is_refused_where_its_matrix_would_not_fit(prepared: Prepared) -> None:
    larger = replace(prepared, dataset=replace(prepared.dataset, item_ids=("i",) * (module.MOST_ITEMS_OF_EASE + 1)))
    with pytest.raises(DataRefused, match=r"takes up to 20,000 items .* 20,001; use neighbours\.model=cosine"):
        fit_neighbours(larger, NeighboursConfig(model="ease"))


def test_neighbours_that_are_fitted_again_know_all_training_events(prepared: Prepared, world: Dataset) -> None:
    found = fit_neighbours(prepared, NeighboursConfig(), prepared.split.train_end)
    until = prepared.split.train_end
    rows, scores = item_neighbours(
        world.user_rows[:until], world.item_rows[:until], len(world.user_ids), len(world.item_ids), 100, 10.0
    )
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.scores, scores)


@pytest.mark.parametrize("refit", [False, True])
def test_a_run_serves_them_where_the_setting_says_so(world: Dataset, tmp_path: Path, refit: bool) -> None:
    config = quick(f"neighbours.refit={str(refit).lower()}")
    fitted = fit(world, config, Checkpoints(tmp_path, "", resume=False), lambda *_: None, Clock())
    split = fitted.prepared.split
    until = split.train_end if refit else fitted.prepared.fit_end
    expected = fit_neighbours(fitted.prepared, config.neighbours, until)
    np.testing.assert_array_equal(fitted.neighbours.scores, expected.scores)
    assert fitted.prepared.fit_end < split.train_end
