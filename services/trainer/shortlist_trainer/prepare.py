"""A data set as every part of a run sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_static
from shortlist_data.split import TimeSplit, global_time_split
from shortlist_trainer.actors import Categories, categories_of
from shortlist_trainer.config import SplitConfig
from shortlist_trainer.sequences import Sequences, sequences_of

NO_ATTRIBUTES = "no_attributes"
"""Name of the one static column of items that have no attributes."""

LEAST_EVENTS = 50
"""Events that the part for retrieval and the one for ranking must have at least."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What training and evaluation start from."""

    dataset: Dataset
    sequences: Sequences
    categories: Categories
    item_features: NDArray[np.float32]
    """Static columns ``(n, f)``."""

    item_columns: tuple[str, ...]
    split: TimeSplit
    fit_end: int
    """Retrieval models are fitted on the events before this one, the ranker on those from here to ``train_end``."""

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.dataset.item_ids)


def prepare(dataset: Dataset, config: SplitConfig) -> Prepared:
    """Cut ``dataset`` in time and compute what was known before each event.

    Raises:
        DataRefused: Too little is left for one of the parts.
    """
    split = global_time_split(dataset, config.train, config.validation)
    # The cut between retrieval's and the ranker's events must not divide a moment either.
    wanted = int(split.train_end * config.fit)
    fit_end = int(np.searchsorted(dataset.times_s, dataset.times_s[wanted], side="left"))
    parts = {
        "retrieval": fit_end,
        "ranking": split.train_end - fit_end,
        "validation": split.validation_end - split.train_end,
        "test": dataset.events - split.validation_end,
    }
    for part, events in parts.items():
        if events < LEAST_EVENTS:
            raise DataRefused(
                f"{dataset.name}: {events} events are left for {part}, {LEAST_EVENTS} are needed; "
                "bring more events, or events spread over more moments"
            )
    return _prepared(dataset, split, fit_end)


def prepare_whole(dataset: Dataset) -> Prepared:
    """Return all events of ``dataset`` as the part that retrieval is fitted on; nothing is left for the others."""
    return _prepared(dataset, TimeSplit(dataset.events, dataset.events), dataset.events)


def fingerprint_of(dataset: Dataset) -> str:
    """Return what tells the events of one data set from those of another."""
    content = float(dataset.times_s.sum()) + float(dataset.item_rows.astype(np.float64) @ dataset.values)
    return f"{dataset.name} {dataset.events} {content!r}"


def _prepared(dataset: Dataset, split: TimeSplit, fit_end: int) -> Prepared:
    features, columns = item_static(dataset)
    if not columns:
        # Models take at least one static column; where items have no attributes it is the same for all of them.
        features, columns = np.ones((len(dataset.item_ids), 1), np.float32), (NO_ATTRIBUTES,)
    return Prepared(dataset, sequences_of(dataset), categories_of(dataset), features, columns, split, fit_end)
