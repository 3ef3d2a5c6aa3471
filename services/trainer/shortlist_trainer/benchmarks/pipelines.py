"""The whole pipeline as an entry of a table: retrieval, fusion and ranking, fitted as `shortlist train` fits them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_models.candidates import Histories
from shortlist_trainer.actors import before_events, known_until
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.candidates import Retrieval, moments_at_once, rolling
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.config import CalibrationConfig, FusionConfig, RankerConfig, TrainConfig
from shortlist_trainer.evaluate import Pipeline
from shortlist_trainer.fit import Clock, Fitted, fingerprint, fit, refit
from shortlist_trainer.presets import load_config, preset_for
from shortlist_trainer.sequences import sequences_of

if TYPE_CHECKING:
    from shortlist_trainer.benchmarks.rankers import LaterEvents

_SPLIT = {"split.train": 0.92, "split.validation": 0.07}
"""Of the known events: all but the last hundredth, which no part of a run may lack, serve fitting and choosing."""


def pipeline(note: str, settings: Mapping[str, Any]) -> Entry:
    """Return the entry of a pipeline.

    Retrieval, ranker and choices learn from consecutive parts of the known events, like those of a published bundle.

    Args:
        note: What it is, in words.
        settings: Such as ``two_tower.epochs``, where they are not those of the preset.
    """
    all_settings = {**_SPLIT, **settings}

    def fit_whole(known: Dataset, run: Run) -> Predictor:
        config = _config(known, all_settings, run)
        checkpoints = Checkpoints(run.folder, fingerprint(known, config), resume=True)
        fitted = fit(known, config, checkpoints, run.report, Clock(), run.device)
        if config.refit:
            again = Checkpoints(run.folder / "refit", fingerprint(known, config), resume=True)
            fitted = refit(fitted, config, again, run.report, Clock(), run.device)
        return _Predictor(fitted.pipeline)

    return Entry(note, all_settings, fit_whole)


def rolling_pipeline(note: str, settings: Mapping[str, Any], *, ranks: bool = True) -> Entry:
    """Return the entry of a pipeline that is asked about :class:`shortlist_trainer.benchmarks.rankers.LaterEvents`.

    Entries whose settings differ in the ranker alone share their two towers, which the first of them fits.

    Args:
        note: What it is, in words.
        settings: Such as ``ranker.model``, where they are not those of the preset.
        ranks: Whether candidates are ranked, or left in the order of retrieval.
    """
    all_settings = {**_SPLIT, **settings}

    def fit_whole(known: Dataset, run: Run) -> Predictor:
        config = _config(known, all_settings, run)
        of_retrieval = config.model_copy(update={"ranker": RankerConfig(), "calibration": CalibrationConfig()})
        folder = run.folder.parent / f"retrieval-{run.seed}"
        shared = Checkpoints(folder, fingerprint(known, of_retrieval), resume=True)
        checkpoints = _SharedRetrieval(run.folder, fingerprint(known, config), shared)
        fitted = fit(known, config, checkpoints, run.report, Clock(), run.device)
        return _RollingPredictor(fitted, config.fusion, ranks)

    return Entry(note, all_settings, fit_whole)


def _config(known: Dataset, settings: Mapping[str, Any], run: Run) -> TrainConfig:
    overrides = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
    return load_config(preset_for(known.events), None, overrides, run.seed)


class _SharedRetrieval(Checkpoints):
    """Checkpoints of a ranker, with those of its retrieval kept where others find them."""

    def __init__(self, folder: Path, fingerprint: str, shared: Checkpoints) -> None:
        super().__init__(folder, fingerprint, resume=True)
        self._shared = shared

    def restore(self, part: str, state: Mapping[str, Stateful]) -> int:
        """Load the newest state of ``part`` into ``state`` and return how many epochs it has seen."""
        return self._shared.restore(part, state) if part == "two_tower" else super().restore(part, state)

    def save(self, part: str, epochs: int, state: Mapping[str, Stateful]) -> None:
        """Replace the state of ``part``."""
        if part == "two_tower":
            self._shared.save(part, epochs, state)
        else:
            super().save(part, epochs, state)


class _Predictor:
    """Scores that say in which order the pipeline ranks its candidates."""

    def __init__(self, fitted: Pipeline) -> None:
        self._pipeline = fitted

    def __call__(self, histories: Histories) -> NDArray[np.float32]:
        """Return ``(b, n)``: the ranked candidates from 0 downwards, whatever is no candidate below all of them."""
        prepared = self._pipeline.prepared
        known = prepared.dataset.events
        ends = prepared.sequences.ends(known)[histories.users]
        moments = known_until(prepared.sequences, histories.users, ends, histories.now_s)
        totals = item_totals(prepared.dataset, known)[None]
        scores = np.full((len(histories), histories.n_items), -float(histories.n_items), np.float32)
        batch = moments_at_once(prepared.n_items)
        for begin in range(0, len(histories), batch):
            here = moments.take(slice(begin, begin + batch))
            ranked = self._pipeline.ranked(here, self._pipeline.retrieval.candidates(here, totals))
            owner, position = np.nonzero(ranked >= 0)
            scores[begin + owner, ranked[owner, position]] = -position
        return scores


class _RollingPredictor:
    """Scores that say in which order the pipeline ranks its candidates, before each of many events."""

    def __init__(self, fitted: Fitted, fusion: FusionConfig, ranks: bool) -> None:
        self._fitted, self._fusion, self._ranks = fitted, fusion, ranks

    def __call__(self, later: LaterEvents) -> NDArray[np.float32]:
        """Return ``(q, n)``: the candidates from 0 downwards, whatever is no candidate below all of them."""
        fitted, whole = self._fitted, later.whole
        # What was learnt stays, what is known goes on with time.
        prepared = replace(fitted.prepared, dataset=whole, sequences=sequences_of(whole))
        lifts = fitted.pipeline.retrieval.lifts
        retrieval = Retrieval(prepared, fitted.towers, fitted.neighbours, fitted.popular, self._fusion, lifts=lifts)
        pipeline = Pipeline(prepared, retrieval, fitted.pipeline.scorer, fitted.pipeline.weights)
        place = np.empty(whole.events, np.int64)
        place[prepared.sequences.event] = np.arange(whole.events)
        moments = before_events(prepared.sequences, place[later.events])
        scores = np.full((len(moments), prepared.n_items), -float(prepared.n_items), np.float32)
        for part, here, candidates in rolling(prepared, retrieval, moments):
            ranked = pipeline.ranked(here, candidates) if self._ranks else candidates.fused
            owner, position = np.nonzero(ranked >= 0)
            scores[part.start + owner, ranked[owner, position]] = -position
        return scores
