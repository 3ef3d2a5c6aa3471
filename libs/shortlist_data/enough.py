"""The minimum-data contract: below it no model means anything, and saying so early is kinder than training."""

from dataclasses import dataclass

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import refuse_above


@dataclass(frozen=True, slots=True)
class Limits:
    """What a data set must have."""

    bad_share: float = 0.05
    """Largest share of bad rows in any table."""

    users: int = 10
    """Fewest users with an event."""

    items: int = 10
    """Fewest items with an event."""

    interactions: int = 100
    """Fewest events."""


def require_enough(dataset: Dataset, limits: Limits) -> Dataset:
    """Return ``dataset`` if it meets ``limits``.

    Raises:
        DataRefused: Too many bad rows, or too little left; says what is missing and how much.
    """
    refuse_above(dataset.report, limits.bad_share)
    found = {
        "users with events": (len(np.unique(dataset.user_rows)), limits.users),
        "items with events": (len(np.unique(dataset.item_rows)), limits.items),
        "interactions": (dataset.events, limits.interactions),
    }
    short = [
        f"{have:,} {what} where {need:,} are needed ({need - have:,} more)"
        for what, (have, need) in found.items()
        if have < need
    ]
    if short:
        skipped = sum(s.count for s in dataset.report.skipped if s.table == "interactions")
        left_out = f"; {skipped:,} rows of interactions were left out" if skipped else ""
        raise DataRefused(f"{dataset.name} is too small: {'; '.join(short)}{left_out}")
    return dataset
