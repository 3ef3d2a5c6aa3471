"""Fits the lists of item neighbours that a bundle holds."""

from __future__ import annotations

import numpy as np

from shortlist_data.errors import DataRefused
from shortlist_models.candidates import Ease
from shortlist_models.item_neighbours import item_neighbours
from shortlist_trainer.candidates import Neighbours
from shortlist_trainer.config import NeighboursConfig
from shortlist_trainer.histories import histories_of, only
from shortlist_trainer.prepare import Prepared

MOST_ITEMS_OF_EASE = 20_000
"""EASE inverts a matrix of all pairs of items; of more items it would take over 3 GB for each copy."""


def fit_neighbours(prepared: Prepared, config: NeighboursConfig, until: int | None = None) -> Neighbours:
    """Return the neighbours of all items by the events before ``until``, or before ``prepared.fit_end``.

    Raises:
        DataRefused: EASE is asked for and there are too many items for it.
    """
    dataset, until = prepared.dataset, prepared.fit_end if until is None else until
    if config.model == "cosine":
        rows, scores = item_neighbours(
            dataset.user_rows[:until],
            dataset.item_rows[:until],
            len(dataset.user_ids),
            prepared.n_items,
            config.most,
            config.shrinkage,
        )
        return Neighbours(rows, scores, config.half_life_s)
    if prepared.n_items > MOST_ITEMS_OF_EASE:
        raise DataRefused(
            f"{dataset.name}: neighbours.model=ease takes up to {MOST_ITEMS_OF_EASE:,} items and there are "
            f"{prepared.n_items:,}; use neighbours.model=cosine"
        )
    model = Ease(config.regularisation)
    model.fit(histories_of(only(dataset, np.arange(dataset.events) < until)))
    return Neighbours(*model.strongest(config.most), config.half_life_s)
