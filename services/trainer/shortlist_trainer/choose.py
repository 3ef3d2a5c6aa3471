"""Choices made on validation: the calibration of the click head and the weights of the heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.errors import DataRefused
from shortlist_trainer.actors import before_events
from shortlist_trainer.calibrate import Calibrated, calibrate
from shortlist_trainer.candidates import rolling
from shortlist_trainer.config import CalibrationMethod
from shortlist_trainer.evaluate import Pipeline, Weights, ordered, rank_in, rank_metrics
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.ranker_samples import ranker_inputs

RATING_WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Weights of the rating head that are tried beside a click weight of 1."""

CALIBRATION_MEANING = (
    "Probability that a candidate is the actor's next new item, among the candidates that retrieval proposes at that "
    "moment (negatives: all other candidates; prevalence as given)."
)


@dataclass(frozen=True, slots=True)
class Choices:
    """What validation decided."""

    weights: Weights
    ndcg_by_rating_weight: dict[str, float]
    calibrated: Calibrated
    prevalence: float


def choose(
    pipeline: Pipeline, places: NDArray[np.int64], report: Report, method: CalibrationMethod = "platt"
) -> Choices:
    """Return the choices made on the validation events at ``places``, which are in order of time.

    The head weights are those with the best NDCG@10 over all of them. The calibration is that of
    :func:`shortlist_trainer.calibrate.calibrate`.

    Raises:
        DataRefused: Retrieval proposes none or too few of the events.
    """
    sequences = pipeline.prepared.sequences
    moments = before_events(sequences, places)
    targets = sequences.items[places]
    ndcg: dict[float, list[NDArray[np.float64]]] = {w: [] for w in RATING_WEIGHTS}
    logits: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.bool_]] = []
    owner: list[NDArray[np.int64]] = []
    for part, here, candidates in rolling(pipeline.prepared, pipeline.retrieval, moments):
        fused = candidates.fused
        click, rating = pipeline.scorer.scored(ranker_inputs(here, candidates, fused))
        for weight in RATING_WEIGHTS:
            rank = rank_in(ordered(fused, click + weight * rating), targets[part])
            ndcg[weight].append(rank_metrics(rank, 10)["ndcg@10"])
        shown = fused >= 0
        logits.append(click[shown])
        labels.append((fused == targets[part][:, None])[shown])
        owner.append(np.broadcast_to(np.arange(part.start, part.stop)[:, None], fused.shape)[shown])
        report("calibration", part.stop, len(moments), 0.0)
    means = {weight: float(np.concatenate(each).mean()) for weight, each in ndcg.items()}
    best = max(RATING_WEIGHTS, key=lambda weight: means[weight])
    logit, label = np.concatenate(logits), np.concatenate(labels)
    try:
        calibrated = calibrate(logit, label, np.concatenate(owner), method)
    except DataRefused as error:
        raise DataRefused(f"{pipeline.prepared.dataset.name}: {error}") from error
    return Choices(
        Weights(1.0, best),
        {f"{weight:g}": means[weight] for weight in RATING_WEIGHTS},
        calibrated,
        float(label.mean()),
    )
