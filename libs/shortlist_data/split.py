"""The global time split: what was known before a moment, and what came after it."""

from dataclasses import dataclass

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Two positions in the time-sorted events.

    Training is ``[0, train_end)``, validation ``[train_end, validation_end)``, test the rest. No moment lies on both
    sides of a cut.
    """

    train_end: int
    validation_end: int


def global_time_split(dataset: Dataset, train: float = 0.8, validation: float = 0.1) -> TimeSplit:
    """Cut ``dataset`` at two moments so that about the given shares of events lie before and between them.

    A cut that would separate events of the same moment moves to that moment's nearer end that leaves no part empty.

    Args:
        dataset: Data set to cut.
        train: Share of events for training, in (0, 1).
        validation: Share for validation, in (0, 1 - train).

    Raises:
        ValueError: The shares are out of range.
        DataRefused: The events have fewer than three moments, so one of the parts would be empty.
    """
    if not 0 < train < 1 or not 0 < validation < 1 - train:
        raise ValueError(f"shares train={train} and validation={validation} must be positive and leave some for test")
    starts = np.flatnonzero(np.diff(dataset.times_s, prepend=-np.inf) > 0)
    if len(starts) < 3:
        raise DataRefused(
            f"{dataset.name}: its events have {len(starts)} distinct times; a split by time into training, validation "
            "and test needs 3 or more"
        )
    first = _nearest(starts, train * dataset.events, 1, len(starts) - 2)
    second = _nearest(starts, (train + validation) * dataset.events, first + 1, len(starts) - 1)
    return TimeSplit(int(starts[first]), int(starts[second]))


def _nearest(starts: "np.typing.NDArray[np.intp]", wanted: float, low: int, high: int) -> int:
    """Return the index in [low, high] of the moment whose first event lies nearest to position ``wanted``."""
    return low + int(np.argmin(np.abs(starts[low : high + 1] - wanted)))
