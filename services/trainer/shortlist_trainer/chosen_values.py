"""Chosen values of item attributes as vectors among the items, made once for training and for the bundle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_trainer.config import OnboardingConfig
from shortlist_trainer.prepare import Prepared


def chosen_vectors(
    prepared: Prepared, table: NDArray[np.float32], config: OnboardingConfig
) -> NDArray[np.float32] | None:
    """Return what choosing a value adds to the embedding of an actor without events, ``(f, d)``; ``None``: no values.

    It is the way from the mean of all items to the mean of those that have the value, times ``chosen_weight``: a query
    moved so scores an item higher by how much it lies on the side of the chosen ones. The column of the bias is 0, so
    that popularity is left as it is. A column that is no value of an attribute has a row of zeros.

    Args:
        prepared: Whose items.
        table: Embeddings of all items with the bias last, ``(n, d)``.
        config: How far.
    """
    values = is_value(prepared.item_columns)
    if not values.any():
        return None
    has = prepared.item_features * values
    counts = has.sum(axis=0)[:, None]
    vectors = (has.T @ table) / np.maximum(counts, 1.0) - table.mean(axis=0)
    vectors = np.where(counts > 0.0, config.chosen_weight * vectors, 0.0)
    vectors[:, -1] = 0.0
    return np.ascontiguousarray(vectors, np.float32)


def is_value(columns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return which columns of the item features are values of attributes, ``(f,)``."""
    return np.array(["=" in name for name in columns], np.bool_)
