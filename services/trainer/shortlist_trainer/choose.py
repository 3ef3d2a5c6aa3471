"""Choices made on validation: the calibration of the click head and what decides the order of candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.errors import DataRefused
from shortlist_trainer.calibrate import Calibrated, calibrate
from shortlist_trainer.config import CalibrationMethod, OrderConfig
from shortlist_trainer.evaluate import Pipeline
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.order import Order, choose_order, next_events

CALIBRATION_MEANING = (
    "Probability that a candidate is the actor's next new item, among the candidates that retrieval proposes at that "
    "moment (negatives: all other candidates; prevalence as given)."
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What validation decided."""

    order: Order
    calibrated: Calibrated
    prevalence: float


def choose(
    pipeline: Pipeline,
    places: NDArray[np.int64],
    report: Report,
    method: CalibrationMethod = "platt",
    order: OrderConfig | None = None,
) -> Choices:
    """Return the choices made on the validation events at ``places``, which are in order of time.

    The weights are those of :func:`shortlist_trainer.order.choose_order`, the calibration is that of
    :func:`shortlist_trainer.calibrate.calibrate`.

    Raises:
        DataRefused: Retrieval proposes none or too few of the events.
    """
    following = next_events(pipeline, places, report)
    targets = pipeline.prepared.sequences.items[places]
    shown = following.rows >= 0
    label = (following.rows == targets[:, None])[shown]
    owner = np.broadcast_to(np.arange(len(places))[:, None], shown.shape)[shown]
    try:
        calibrated = calibrate(following.click[shown], label, owner, method)
    except DataRefused as error:
        raise DataRefused(f"{pipeline.prepared.dataset.name}: {error}") from error
    return Choices(choose_order(pipeline, following, order or OrderConfig(), report), calibrated, float(label.mean()))
