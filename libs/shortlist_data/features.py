"""Point-in-time features: what :mod:`shortlist_domain.features` would have said before each event, for all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.content import ContentKind
from shortlist_data.content_features import content_columns
from shortlist_data.dataset import Dataset
from shortlist_data.item_columns import ItemEncoder
from shortlist_domain.features import FEATURE_BY_NAME

Mapped = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Sequence[Any]]
"""Applies a function to each tuple of arguments, somewhere, and returns the results in their order."""


def in_process(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the results of ``function``, one after the other, in this process."""
    return [function(*each) for each in arguments]


@dataclass(frozen=True, slots=True)
class PointInTime:
    """Features of each event, float32, shape ``(m,)``, named as in :data:`shortlist_domain.features.FEATURES`.

    They cover events strictly before the event's own moment: events of the same moment do not see each other.
    """

    user_count: NDArray[np.float32]
    user_mean: NDArray[np.float32]
    user_deviation: NDArray[np.float32]
    item_count: NDArray[np.float32]
    item_mean: NDArray[np.float32]
    hour_of_day: NDArray[np.float32]
    day_of_week: NDArray[np.float32]
    is_weekend: NDArray[np.float32]

    def column(self, name: str) -> NDArray[np.float32]:
        """Return the feature ``name``.

        Raises:
            KeyError: There is no such feature here.
        """
        if name not in self.__dataclass_fields__:
            raise KeyError(f"{name!r} is not one of {', '.join(self.__dataclass_fields__)}")
        column: NDArray[np.float32] = getattr(self, name)
        return column


def point_in_time(dataset: Dataset, mapped: Mapped = in_process, partitions: int = 1) -> PointInTime:
    """Return the features of every event of ``dataset``; linear in the number of events but for one sort.

    Statistics of users are pure functions of a partition of the users, those of items of one of the items: where they
    are computed, and in how many parts, changes no digit.

    Args:
        dataset: Its events.
        mapped: Where the partitions are worked on.
        partitions: How many of users, and of items; at least 1.
    """
    user_count, user_mean, user_deviation = _by_partition(dataset, dataset.user_rows, mapped, partitions)
    item_count, item_mean, _ = _by_partition(dataset, dataset.item_rows, mapped, partitions)
    hour, day = _clock(dataset.times_s)
    return PointInTime(
        user_count=_filled("user_count", user_count, user_count),
        user_mean=_filled("user_mean", user_mean, user_count),
        user_deviation=_filled("user_deviation", user_deviation, user_count),
        item_count=_filled("item_count", item_count, item_count),
        item_mean=_filled("item_mean", item_mean, item_count),
        hour_of_day=hour.astype(np.float32),
        day_of_week=day.astype(np.float32),
        is_weekend=(day >= 5).astype(np.float32),
    )


def visible_events(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each event how many events lie strictly before its moment: it may know ``events[:visible]``."""
    return np.searchsorted(times_s, times_s, side="left").astype(np.int64)


def item_totals(dataset: Dataset, until_event: int) -> NDArray[np.float64]:
    """Return count and sum of values of each item over the first ``until_event`` events, float64, shape ``(n, 2)``."""
    if not 0 <= until_event <= dataset.events:
        raise ValueError(f"until_event {until_event} is not in [0, {dataset.events}]")
    rows, n = dataset.item_rows[:until_event], len(dataset.item_ids)
    weights = dataset.values[:until_event].astype(np.float64)
    return np.stack([np.bincount(rows, minlength=n), np.bincount(rows, weights, minlength=n)], axis=1).astype(
        np.float64
    )


def item_static(
    dataset: Dataset, components: Mapping[ContentKind, int] | None = None
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the static features of all items, float32, shape ``(n, f)``, and the names of their columns.

    Attributes and numbers as :class:`shortlist_data.item_columns.ItemEncoder` encodes them, then content
    (:func:`shortlist_data.content_features.content_columns`). Columns depend on the items only, never on events.

    Args:
        dataset: Whose items.
        components: How many columns each kind of content may have; ``None``: none.
    """
    encoder = ItemEncoder.fitted(dataset.items, dataset.item_attributes, dataset.item_numbers)
    content, content_names = content_columns(dataset.content, components or {})
    columns = encoder.encode(dataset.items)
    if content_names:
        columns = np.concatenate([columns, content], axis=1)
    return columns, (*encoder.columns, *content_names)


def _by_partition(
    dataset: Dataset, rows: NDArray[np.int32], mapped: Mapped, partitions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return :func:`running` of all events, computed for the rows of each residue apart."""
    if partitions == 1:
        return running(rows, dataset.values, dataset.times_s)
    parts = [np.flatnonzero(rows % partitions == part) for part in range(partitions)]
    found = mapped(running, [(rows[part], dataset.values[part], dataset.times_s[part]) for part in parts])
    whole = np.empty((3, len(rows)))
    for part, columns in zip(parts, found, strict=True):
        whole[:, part] = columns
    return whole[0], whole[1], whole[2]


def running(
    rows: NDArray[np.int32], values: NDArray[np.float32], times_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return count, mean and population deviation over earlier events of the same row, in the order of events.

    Args:
        rows: Users or items, ``(m,)``, in order of time.
        values: ``(m,)``.
        times_s: ``(m,)``.
    """
    m = len(rows)
    if m == 0:
        empty = np.zeros(0)
        return empty, empty, empty
    order = np.argsort(rows, kind="stable")  # keeps time order inside a row
    group, time = rows[order], times_s[order]
    is_first = np.concatenate([[True], group[1:] != group[:-1]])
    is_moment = is_first | np.concatenate([[True], time[1:] != time[:-1]])
    start = np.maximum.accumulate(np.where(is_first, np.arange(m), 0))
    moment = np.maximum.accumulate(np.where(is_moment, np.arange(m), 0))
    count = (moment - start).astype(np.float64)
    # Sums are taken per row and of differences to the row's first value: equal values then deviate by exactly 0, and
    # neither other rows nor a large offset eat the digits.
    raw = values[order].astype(np.float64)
    offset = raw[start]
    shifted = pl.DataFrame({"group": group, "x": raw - offset}).select(
        s=pl.col("x").cum_sum().over("group"), q=(pl.col("x") ** 2).cum_sum().over("group")
    )
    before = moment - 1  # the last event strictly earlier; meaningless, and unused, where count is 0
    some = count > 0
    n = np.maximum(count, 1.0)
    s = np.where(some, shifted["s"].to_numpy()[before], 0.0)
    q = np.where(some, shifted["q"].to_numpy()[before], 0.0)
    variance = np.maximum(q / n - (s / n) ** 2, 0.0)
    result = np.empty((3, m))
    result[:, order] = np.stack([count, np.where(some, offset + s / n, 0.0), np.sqrt(variance)])
    return result[0], result[1], result[2]


def _filled(name: str, column: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.where(count > 0, column, FEATURE_BY_NAME[name].default).astype(np.float32)


def _clock(times_s: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return hour of day and day of week (Monday 0), UTC; rounded to microseconds as :class:`datetime` does."""
    microseconds = np.rint(times_s * 1e6).astype(np.int64)
    hours = microseconds // 3_600_000_000
    return hours % 24, (hours // 24 + 3) % 7  # 1970-01-01 was a Thursday
