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
        if column is None or not isinstance(column.dtype, pl.Datetime | pl.Date):
            there = [c.name for c in dataset.items.iter_columns() if isinstance(c.dtype, pl.Datetime | pl.Date)]
            raise DataRefused(
                f"{dataset.name}: newest.attribute={attribute} is no column of times of the items; there are"
                f" {', '.join(there) or 'none'}"
            )
        given = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
        times_s = np.where(np.isnan(given), times_s, given)
    known = ~np.isnan(times_s)
    return np.stack([known.astype(np.float64), np.where(known, times_s, 0.0)], axis=1)
