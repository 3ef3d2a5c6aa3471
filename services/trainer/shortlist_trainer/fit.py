"""Fits everything that a bundle holds, and decides on validation what is to be decided."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_trainer.candidates import Neighbours, Retrieval
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.choose import Choices, choose
from shortlist_trainer.cluster import Cluster
from shortlist_trainer.config import TrainConfig
from shortlist_trainer.devices import CPU
from shortlist_trainer.evaluate import Pipeline, Weights, held_out_places
from shortlist_trainer.fit_neighbours import fit_neighbours
from shortlist_trainer.fit_ranker import RankerFit, Scorer, fit_ranker
from shortlist_trainer.fit_towers import Report, Towers, fit_towers
from shortlist_trainer.popular_lists import PopularLists, popular_lists
from shortlist_trainer.prefetch import Utilisation
from shortlist_trainer.prepare import Prepared, all_for_training, fingerprint_of, prepare
from shortlist_trainer.ranker_samples import draw_samples
from shortlist_trainer.segment_lifts import segment_lifts


@dataclass(frozen=True, slots=True)
class Fitted:
    """The models of a run and what they were fitted on."""

    prepared: Prepared
    towers: Towers
    neighbours: Neighbours
    popular: PopularLists
    pipeline: Pipeline
    """Retrieval, fusion and ranking over these models."""

    choices: Choices
    utilisation: dict[str, float]
    """Share of the fitting, by model, in which it did not wait for batches."""


class Clock:
    """Takes the time of the parts of a run."""

    def __init__(self) -> None:
        self._begin = self._last = time.monotonic()
        self._laps: dict[str, float] = {}

    def lap(self, part: str) -> None:
        """End ``part``, which began when the one before ended."""
        now = time.monotonic()
        self._laps[part] = now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each part, and ``total``."""
        return {**self._laps, "total": time.monotonic() - self._begin}


def fit(
    dataset: Dataset,
    config: TrainConfig,
    checkpoints: Checkpoints,
    report: Report,
    clock: Clock,
    device: torch.device = CPU,
    cluster: Cluster | None = None,
) -> Fitted:
    """Fit all models, the neural ones on ``device``; a ``cluster`` prepares the data and fits the two towers.

    Raises:
        DataRefused: Too few events for a part of it.
        CheckpointRefused: A checkpoint to resume from is damaged or of another run.
    """
    if cluster is None:
        prepared = prepare(dataset, config.split, config.content)
    else:
        prepared = prepare(dataset, config.split, config.content, cluster.mapped, cluster.workers)
    clock.lap("prepare")
    models = _fit_models(prepared, config, checkpoints, report, clock, device, cluster)
    pipeline = models.pipeline(Weights(1.0, 0.0))
    places = _validation_places(prepared, config)
    choices = choose(pipeline, places, report, config.calibration.method, config.order)
    pipeline.weights = choices.order.weights
    clock.lap("choices")
    return models.fitted(pipeline, choices)


def refit(
    fitted: Fitted,
    config: TrainConfig,
    checkpoints: Checkpoints,
    report: Report,
    clock: Clock,
    device: torch.device = CPU,
    cluster: Cluster | None = None,
) -> Fitted:
    """Fit all models of ``fitted`` once more, on all events there are, and keep what was chosen.

    Nothing may be measured by them on the same data.

    Args:
        fitted: What :func:`fit` gave.
        config: The same settings.
        checkpoints: Others than those of the first fit.
        report: Told of the progress, under the name of each part and ``on all events``.
        clock: Takes the time of the whole of it.
        device: Where neural models are fitted.
        cluster: Fits the two towers, where there is one.
    """

    def told(part: str, done: int, total: int, loss: float) -> None:
        report(f"{part} on all events", done, total, loss)

    prepared = all_for_training(fitted.prepared, config.split, config.content)
    models = _fit_models(prepared, config, checkpoints, told, Clock(), device, cluster)
    clock.lap("refit")
    return models.fitted(models.pipeline(fitted.pipeline.weights), fitted.choices)


@dataclass(frozen=True, slots=True)
class _Models:
    """What is fitted on the training events of ``prepared``."""

    prepared: Prepared
    towers: Towers
    neighbours: Neighbours
    popular: PopularLists
    retrieval: Retrieval
    scorer: Scorer
    utilisation: dict[str, float]

    def pipeline(self, weights: Weights) -> Pipeline:
        return Pipeline(self.prepared, self.retrieval, self.scorer, weights)

    def fitted(self, pipeline: Pipeline, choices: Choices) -> Fitted:
        return Fitted(self.prepared, self.towers, self.neighbours, self.popular, pipeline, choices, self.utilisation)


def _fit_models(
    prepared: Prepared,
    config: TrainConfig,
    checkpoints: Checkpoints,
    report: Report,
    clock: Clock,
    device: torch.device,
    cluster: Cluster | None,
) -> _Models:
    neighbours = fit_neighbours(prepared, config.neighbours)
    popular, lifts = popular_lists(prepared, config.popular), segment_lifts(prepared, config.popular)
    clock.lap("neighbours")
    if cluster is None:
        towers = fit_towers(prepared, config.two_tower, config.seed, checkpoints, report, device)
    else:
        towers = cluster.fit_towers(prepared, config.two_tower, config.seed, checkpoints, report)
    clock.lap("two_tower")
    retrieval = Retrieval(prepared, towers, neighbours, popular, config.fusion, config.onboarding, lifts)
    samples = draw_samples(prepared, retrieval, config.ranker, config.seed, report)
    clock.lap("ranker samples")
    fed = Utilisation()
    scorer = fit_ranker(
        RankerFit(prepared, retrieval.table, samples, config.ranker, config.seed, checkpoints, report, device, fed)
    )
    clock.lap("ranker")
    if config.neighbours.refit:
        neighbours = fit_neighbours(prepared, config.neighbours, prepared.split.train_end)
        retrieval = Retrieval(prepared, towers, neighbours, popular, config.fusion, config.onboarding, lifts)
    utilisation = {"two_tower": towers.utilisation, "ranker": fed.share}
    return _Models(prepared, towers, neighbours, popular, retrieval, scorer, utilisation)


def fingerprint(dataset: Dataset, config: TrainConfig) -> str:
    """Return what tells one run's data and settings from another's, but for what no model is fitted by."""
    return f"{fingerprint_of(dataset)} {config.model_dump_json(exclude={'evaluation', 'users'})}"


def _validation_places(prepared: Prepared, config: TrainConfig) -> NDArray[np.int64]:
    split = prepared.split
    return held_out_places(
        prepared, split.train_end, split.validation_end, config.evaluation.validation_events, config.seed
    )
