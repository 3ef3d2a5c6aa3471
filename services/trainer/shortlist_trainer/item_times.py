"""When items came: what the source of the newest ones orders by."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused


def item_times(dataset: Dataset, attribute: str = "") -> NDArray[np.float64]:
    """Return whether it is known when each item came (1 or 0), and when, seconds since 1970 UTC, ``(n, 2)``.

    Args:
        dataset: Whose items. An item came with its first event; one without events, and without a value of
            ``attribute``, came at a time that is not known.
        attribute: Column of the items that says when they came, and wins; empty: none does.

    Raises:
        DataRefused: The items have no such column, or it holds no times.
    """
    times_s = np.full(len(dataset.item_ids), np.nan)
    # Events are in order of time, so that the last one written, going backwards, is the first.
    times_s[dataset.item_rows[::-1]] = dataset.times_s[::-1]
    if attribute:
        column = dataset.items.get_column(attribute, default=None)
        if column is None or not _is_of_times(column):
            there = [column.name for column in dataset.items.iter_columns() if _is_of_times(column)]
            raise DataRefused(
                f"{dataset.name}: newest.attribute={attribute} is no column of times of the items; there are"
                f" {', '.join(there) or 'none'}"
            )
        times_s = _given(column, times_s)
    known = ~np.isnan(times_s)
    return np.stack([known.astype(np.float64), np.where(known, times_s, 0.0)], axis=1)


def added_item_times(items: pl.DataFrame, attribute: str, now_s: float) -> NDArray[np.float64]:
    """Return of items that are added to a bundle what :func:`item_times` does: they come now, unless they say when."""
    times_s = np.full(len(items), now_s)
    column = items.get_column(attribute, default=None)
    if column is not None and _is_of_times(column):
        times_s = _given(column, times_s)
    return np.stack([np.ones(len(items)), times_s], axis=1)


def _is_of_times(column: pl.Series) -> bool:
    return isinstance(column.dtype, pl.Datetime | pl.Date)


def _given(column: pl.Series, otherwise_s: NDArray[np.float64]) -> NDArray[np.float64]:
    given_s = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    return np.where(np.isnan(given_s), otherwise_s, given_s)
