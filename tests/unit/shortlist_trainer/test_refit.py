"""Models that are fitted once more on everything: what they know, what stays, and that no figure is of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle import layout
from shortlist_bundle.store import BundleStore
from shortlist_data.dataset import Dataset
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit import Clock, Fitted, fit, refit
from shortlist_trainer.fit_neighbours import fit_neighbours
from shortlist_trainer.publish import add_bundle
from shortlist_trainer.train import TrainResult, train

from .conftest import flat_index, quick


def silent(*_: object) -> None:
    """Ignore the progress."""


@pytest.fixture(scope="module")
def once(world: Dataset) -> Fitted:
    return fit(world, quick(), Checkpoints(None, "", resume=False), silent, Clock())


@pytest.fixture(scope="module")
def again(once: Fitted) -> Fitted:
    return refit(once, quick(), Checkpoints(None, "", resume=False), silent, Clock())


def test_everything_is_training_then(world: Dataset, once: Fitted, again: Fitted) -> None:
    split = again.prepared.split
    assert (split.train_end, split.validation_end) == (world.events, world.events)
    assert once.prepared.split.train_end < again.prepared.fit_end < world.events
    expected = fit_neighbours(again.prepared, quick().neighbours, again.prepared.fit_end)
    np.testing.assert_array_equal(again.neighbours.scores, expected.scores)
    popular = np.bincount(world.item_rows, minlength=len(world.item_ids))
    assert popular[again.popular.overall].tolist() == sorted(popular[popular > 0].tolist(), reverse=True)
    assert not np.array_equal(again.towers.table, once.towers.table)


def test_choices_stay_those_of_validation(once: Fitted, again: Fitted) -> None:
    assert again.choices is once.choices
    assert again.pipeline.weights == once.pipeline.weights
    assert again.pipeline.prepared is again.prepared


@pytest.fixture(scope="module")
def results(world: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, TrainResult]:
    folder = tmp_path_factory.mktemp("runs")
    plain = train(world, quick(), folder / "plain", flat_index)
    return plain, train(world, quick("refit=true"), folder / "refit", flat_index)


def test_the_losses_of_the_two_fits_are_told_apart(results: tuple[TrainResult, TrainResult]) -> None:
    plain, refitted = results
    assert refitted.curves.keys() == {*plain.curves, "two_tower on all events", "ranker on all events"}
    assert refitted.curves["two_tower"] == plain.curves["two_tower"]


def test_figures_are_of_models_that_do_not_know_what_they_are_measured_on(
    results: tuple[TrainResult, TrainResult],
) -> None:
    plain, refitted = results
    assert refitted.tables == plain.tables
    assert refitted.metrics == plain.metrics
    for name in (layout.USER_TOWER, layout.ITEM_EMBEDDINGS, layout.RANKER, layout.NEIGHBOUR_SCORES, layout.POPULAR):
        assert refitted.files[name] != plain.files[name]


def test_a_bundle_says_until_when_its_models_know(
    world: Dataset, results: tuple[TrainResult, TrainResult], tmp_path: Path
) -> None:
    until = [
        add_bundle(BundleStore(tmp_path / str(n)), world, result).manifest.data_window.fitted_until_s
        for n, result in enumerate(results)
    ]
    assert until[1] == world.times_s[-1]
    assert until[0] is not None
    assert world.times_s[0] < until[0] < world.times_s[int(0.85 * world.events)]


class Stop(Exception):
    """Raised where a run is cut off."""


def test_a_run_that_stopped_in_the_second_fit_goes_on_there(
    world: Dataset, results: tuple[TrainResult, TrainResult], tmp_path: Path
) -> None:
    def stop_late(part: str, done: int, total: int, loss: float) -> None:
        if part == "ranker on all events":
            raise Stop

    with pytest.raises(Stop):
        train(world, quick("refit=true"), tmp_path, flat_index, stop_late)
    resumed = train(world, quick("refit=true"), tmp_path, flat_index, resume=True)
    assert resumed.files == results[1].files
