"""The whole pipeline as an entry of a table: retrieval, fusion and ranking, fitted as `shortlist train` fits them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_models.candidates import Histories
from shortlist_trainer.actors import known_until
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.candidates import moments_at_once
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.evaluate import Pipeline
from shortlist_trainer.fit import Clock, fingerprint, fit
from shortlist_trainer.presets import load_config, preset_for

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
    overrides = [f"{name}={json.dumps(value)}" for name, value in all_settings.items()]

    def fit_whole(known: Dataset, run: Run) -> Predictor:
        config = load_config(preset_for(known.events), None, overrides, run.seed)
        checkpoints = Checkpoints(run.folder, fingerprint(known, config), resume=True)
        fitted = fit(known, config, checkpoints, run.report, Clock(), run.device)
        return _Predictor(fitted.pipeline)

    return Entry(note, all_settings, fit_whole)


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
