"""The choice of a calibration: what it is fitted, chosen and measured on, and what is too little."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_bundle.store import BundleStore
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.calibration import FITS, Platt
from shortlist_ranking.loading import LoadedRanker
from shortlist_trainer.calibrate import LEAST_POSITIVES, calibrate
from shortlist_trainer.config import CalibrationMethod
from shortlist_trainer.publish import add_bundle
from shortlist_trainer.train import train

from .conftest import flat_index, quick

Shown = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]


def shown(moments: int, form: str) -> Shown:
    """Return logits, labels and moments of ten candidates each, clicked by a sigmoid of the logit or by a step."""
    random = np.random.default_rng(3)
    logits = random.uniform(-4.0, 4.0, 10 * moments)
    sigmoid = 1.0 / (1.0 + np.exp(2.0 - 0.8 * logits))
    labels = random.random(len(logits)) < (sigmoid if form == "sigmoid" else np.where(logits < 1.0, 0.02, 0.2))
    return logits, labels, np.arange(len(logits)) // 10


def test_every_method_of_the_setting_can_be_fitted() -> None:
    assert {*get_args(CalibrationMethod)} == {*FITS, "best"}
    assert LEAST_POSITIVES.keys() == FITS.keys()


@pytest.mark.parametrize(("form", "method"), [("sigmoid", "platt"), ("step", "isotonic")])
def test_the_best_is_the_one_of_the_worlds_form(form: str, method: str) -> None:
    found = calibrate(*shown(1_000, form), "best")
    assert found.method == method
    assert found.log_loss[method] == min(found.log_loss.values())
    assert found.log_loss.keys() == FITS.keys()
    assert found.ece < 0.05 < 0.2 < found.ece_before


@pytest.mark.parametrize("method", get_args(CalibrationMethod))
def test_what_errors_are_measured_on_does_not_move_the_calibration(method: CalibrationMethod) -> None:
    logits, labels, moment = shown(500, "step")
    measured = moment % 4 == 3 if method == "best" else moment % 2 == 1
    first, second = (calibrate(logits, each, moment, method) for each in (labels, labels ^ measured))
    assert first.calibration == second.calibration
    assert first.ece != second.ece


def test_few_positives_are_platts_where_the_best_is_wanted_and_too_few_for_isotonic_regression() -> None:
    logits, _, moment = shown(20, "step")
    labels = np.zeros(200, np.bool_)
    labels[[5, 25, 45, 35]] = True
    found = calibrate(logits, labels, moment, "best")
    assert found.method == "platt"
    assert isinstance(found.calibration, Platt)
    with pytest.raises(
        DataRefused, match=r"isotonic is fitted on 3 .* at least 20 are needed.*calibration.method=platt"
    ):
        calibrate(logits, labels, moment, "isotonic")


@pytest.mark.parametrize("method", get_args(CalibrationMethod))
def test_one_class_alone_is_refused(method: CalibrationMethod) -> None:
    logits, labels, moment = shown(100, "step")
    with pytest.raises(DataRefused, match="fitted on 0 validation events"):
        calibrate(logits, np.zeros_like(labels), moment, method)
    with pytest.raises(DataRefused, match="nothing to rank"):
        calibrate(logits, np.ones_like(labels), moment, method)


def test_a_single_moment_leaves_nothing_to_measure_on() -> None:
    with pytest.raises(DataRefused, match="1 validation events are left"):
        calibrate(np.array([0.1, 0.2]), np.array([True, False]), np.zeros(2, np.int64), "platt")


def test_a_run_calibrated_by_isotonic_regression_makes_a_bundle_that_ranking_takes(
    world: Dataset, tmp_path: Path
) -> None:
    config = quick("calibration.method=isotonic", "evaluation.validation_events=500")
    result = train(world, config, tmp_path / "run", flat_index)
    assert result.models["calibration"] == "isotonic"
    assert result.metrics["calibration/ece"] < result.metrics["calibration/ece_before"]
    loaded = LoadedRanker(add_bundle(BundleStore(tmp_path / "store"), world, result))
    probabilities = loaded.calibration.probabilities(np.linspace(-20.0, 20.0, 500, dtype=np.float32))
    assert (np.diff(probabilities) >= 0.0).all()
    assert probabilities[0] < probabilities[-1]
