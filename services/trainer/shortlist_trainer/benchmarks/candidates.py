"""Candidate models as entries of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_models.candidates import CandidateModel, Histories
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.histories import histories_of


def candidate(
    note: str, make: Callable[..., CandidateModel], settings: Mapping[str, Any], *, is_random: bool = False
) -> Entry:
    """Return the entry of a candidate model.

    Args:
        note: What it is, in words.
        make: Makes it from ``settings`` and, where it is random, ``seed``.
        settings: Its parameters.
        is_random: Whether it takes a seed.
    """

    def fit(known: Dataset, run: Run) -> Predictor:
        model = make(**settings, seed=run.seed) if is_random else make(**settings)
        model.fit(histories_of(known))
        return model.score

    return Entry(note, dict(settings), fit, is_random)


def blend(note: str, weights: Mapping[str, float], entries: Mapping[str, Entry]) -> Entry:
    """Return an entry that adds up others, each standardised over the catalogue of one user.

    Args:
        note: What it is, in words.
        weights: By name of ``entries``.
        entries: Where the parts are from.
    """
    parts = {name: entries[name] for name in weights}

    def fit(known: Dataset, run: Run) -> Predictor:
        fitted = {name: part.fit(known, replace(run, folder=run.folder / name)) for name, part in parts.items()}

        def score(histories: Histories) -> NDArray[np.float32]:
            total = np.zeros((len(histories), histories.n_items), np.float32)
            for name, predictor in fitted.items():
                total += weights[name] * standardised(predictor(histories))
            return total

        return score

    settings = {"weights": dict(weights), **{name: dict(part.settings) for name, part in parts.items()}}
    return Entry(note, settings, fit, any(part.is_random for part in parts.values()))


def standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores ``(b, n)`` with mean 0 and deviation 1 over each row; a row of equal scores is 0."""
    spread = np.maximum(scores.std(axis=1, keepdims=True), 1e-12)
    out: NDArray[np.float32] = (scores - scores.mean(axis=1, keepdims=True)) / spread
    return out
