"""Chooses and fits the calibration of the click head on validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.errors import DataRefused
from shortlist_models.calibration import FITS, Calibration, expected_calibration_error, log_loss, sigmoid
from shortlist_trainer.config import CalibrationMethod

LEAST_POSITIVES = {"platt": 1, "isotonic": 20}
"""Positives that each method needs among those that it is fitted on: a free form has more to go wrong with."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration and how well it does on moments that it has not seen."""

    method: str
    calibration: Calibration
    ece_before: float
    """Expected calibration error where the logit itself is taken for the log odds."""

    ece: float
    """Expected calibration error of the calibrated probabilities."""

    log_loss: dict[str, float]
    """By method that was considered, on the moments that were to decide; where there was nothing to decide, on those
    that the errors are of."""


def calibrate(
    logits: NDArray[np.floating], labels: NDArray[np.bool_], moment: NDArray[np.int64], method: CalibrationMethod
) -> Calibrated:
    """Return the calibration of ``logits``.

    It is fitted on every other moment. ``best`` is the method with the lower log loss on the second of each four
    moments; Platt's where there are too few positives for another, or none among the moments that would decide. Errors
    are measured on the moments that neither fitted nor decided.

    Args:
        logits: Of every candidate shown, ``(n,)``. All equal, they give the prevalence as the probability of each.
        labels: Whether the candidate was the actor's next new item, ``(n,)``.
        moment: Number from 0 of the moment at which each was shown, ``(n,)``.
        method: ``platt``, ``isotonic`` or ``best``.

    Raises:
        DataRefused: Too few positives, no negative, or no moment to measure on.
    """
    fitting, deciding, measuring = moment % 2 == 0, moment % 4 == 1, moment % 2 == 1
    positives = int(np.count_nonzero(labels[fitting]))
    needed = LEAST_POSITIVES["platt" if method == "best" else method]
    if positives < needed:
        raise DataRefused(
            f"calibration by {method} is fitted on {positives} validation events that retrieval proposes, at least "
            f"{needed} are needed; bring more events, or raise fusion.candidates"
            + (", or use calibration.method=platt" if method == "isotonic" else "")
        )
    if labels[fitting].all():
        raise DataRefused("every candidate of the validation events is what was met next: there is nothing to rank")
    names = [name for name in FITS if positives >= LEAST_POSITIVES[name]] if method == "best" else [method]
    if len(names) > 1 and labels[deciding].any():
        fits = {name: FITS[name](logits[fitting], labels[fitting]) for name in names}
        losses = {name: log_loss(fit.probability(logits[deciding]), labels[deciding]) for name, fit in fits.items()}
        chosen, measuring = min(losses, key=losses.__getitem__), moment % 4 == 3
        fitted = fits[chosen]
    else:
        chosen, losses = names[0], {}
        fitted = FITS[chosen](logits[fitting], labels[fitting])
    if not measuring.any():
        raise DataRefused(
            f"{int(moment.max()) + 1} validation events are left; calibration is fitted on every other and measured on "
            "those between, so two are needed, four with calibration.method=best"
        )
    seen, truth = logits[measuring], labels[measuring]
    probability = fitted.probability(seen)
    return Calibrated(
        chosen,
        fitted,
        expected_calibration_error(sigmoid(seen.astype(np.float64)), truth),
        expected_calibration_error(probability, truth),
        losses or {chosen: log_loss(probability, truth)},
    )
