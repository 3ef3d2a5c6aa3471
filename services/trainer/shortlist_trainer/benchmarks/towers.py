"""The two-tower model as an entry of a table: fitted on all that is known, asked as it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.features import item_static
from shortlist_data.split import TimeSplit
from shortlist_models.candidates import Histories
from shortlist_trainer.actors import Categories, categories_of, contexts_at
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import TwoTowerConfig
from shortlist_trainer.fit_towers import Towers, fit_towers
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.sequences import Sequences, sequences_of

_AT_ONCE = 256


def two_tower(note: str, settings: Mapping[str, Any], *, is_ordered: bool = False) -> Entry:
    """Return the entry of a two-tower model.

    Args:
        note: What it is, in words.
        settings: Of :class:`shortlist_trainer.config.TwoTowerConfig`, where they are not the defaults.
        is_ordered: Whether events of the same second know each other in the order of the file, as publications on
            sequences have it; else they do not, as in serving.
    """
    config = TwoTowerConfig(**settings)

    def fit(known: Dataset, run: Run) -> Predictor:
        prepared = prepared_whole(known, is_ordered=is_ordered)
        checkpoints = Checkpoints(run.folder, f"{known.name} {known.events} {run.seed} {config}", resume=True)
        towers = fit_towers(prepared, config, run.seed, checkpoints, run.report, run.device)
        run.facts["utilisation"] = towers.utilisation
        return _Predictor(towers, prepared.categories)

    return Entry(note, dict(settings), fit)


def prepared_whole(known: Dataset, *, is_ordered: bool = False) -> Prepared:
    """Return all of ``known`` as the part that retrieval is fitted on."""
    features, columns = item_static(known)
    sequences: Sequences = sequences_of(known)
    if is_ordered:
        sequences = replace(sequences, moment=np.arange(len(sequences.event)))
    end = known.events
    return Prepared(known, sequences, categories_of(known), features, columns, TimeSplit(end, end), end)


class _Predictor:
    """Scores of fitted towers for histories."""

    def __init__(self, towers: Towers, categories: Categories) -> None:
        self._towers = towers
        self._categories = torch.from_numpy(categories.index)

    def __call__(self, histories: Histories) -> NDArray[np.float32]:
        """Return inner products, biases included, ``(b, n)``."""
        parts = [
            self._embedded(histories.take(begin, begin + _AT_ONCE)) for begin in range(0, len(histories), _AT_ONCE)
        ]
        scores: NDArray[np.float32] = np.concatenate(parts) @ self._towers.table.numpy().T
        return scores

    def _embedded(self, part: Histories) -> NDArray[np.float32]:
        rows, values, ages = recent(part, self._towers.users.history_length)
        with torch.no_grad():
            embedded: NDArray[np.float32] = self._towers.users.embed(
                self._towers.table[:, :-1],
                torch.from_numpy(rows),
                torch.from_numpy(values),
                torch.from_numpy(ages),
                self._categories[torch.from_numpy(part.users).long()],
                torch.from_numpy(numbers_of(part)),
                torch.from_numpy(contexts_at(part.now_s)),
            ).numpy()
        return embedded


def recent(part: Histories, length: int) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return rows, values and ages of the ``length`` latest events, each ``(b, length)``, padded on the left."""
    places = part.indptr[1:, None] + np.arange(-length, 0)
    valid = places >= part.indptr[:-1, None]
    places = np.where(valid, places, 0)
    rows = np.where(valid, part.rows[places], -1).astype(np.int64)
    values = np.where(valid, part.values[places], np.float32(0.0)).astype(np.float32)
    ages = np.where(valid, np.maximum(part.now_s[:, None] - part.times_s[places], 0.0), 0.0).astype(np.float32)
    return rows, values, ages


def numbers_of(part: Histories) -> NDArray[np.float32]:
    """Return count, mean and deviation of the values of each history, ``(b, 3)``; 0 without events."""
    counts = np.diff(part.indptr)
    owner = np.repeat(np.arange(len(part)), counts)
    n = np.maximum(counts, 1)
    mean = np.bincount(owner, part.values, len(part)) / n
    deviation = np.sqrt(np.bincount(owner, (part.values - mean[owner]) ** 2, len(part)) / n)
    return np.stack([counts, mean, deviation], axis=1).astype(np.float32)
