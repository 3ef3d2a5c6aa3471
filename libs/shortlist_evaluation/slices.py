"""One metric by slices of users, or of the relevant items."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.intervals import Interval, bootstrap_columns
from shortlist_evaluation.report import MetricRow, MetricTable

GROUPS = 10
"""Popularity groups."""

COLD = 0
"""Group of the items without a known event."""

LEAST_USERS = 10
"""Users that a slice needs for an interval: one drawn from fewer would look surer than it is."""


def popularity_groups(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the decile of each item by its known events, ``(n,)``: 1 the least popular tenth, 10 the most popular.

    Tenths are of the items that have an event, as equal in number as can be, and ties go by row. Items without one are
    in group :data:`COLD`. With fewer than ten items with events, the upper groups are empty.
    """
    known = np.flatnonzero(counts > 0)
    order = known[np.argsort(counts[known], kind="stable")]
    groups = np.full(len(counts), COLD, np.int64)
    for number, part in enumerate(np.array_split(order, GROUPS), start=1):
        groups[part] = number
    return groups


def sliced(
    title: str,
    baseline: str,
    values: Mapping[str, NDArray[np.floating]],
    slices: Mapping[str, NDArray[np.bool_]],
    *,
    seed: int,
    groups: NDArray[np.generic],
    resamples: int = 2000,
    notes: tuple[str, ...] = (),
) -> MetricTable:
    """Return one metric of several lists in every slice that has anything in it; the columns are the slices.

    Slices of fewer than :data:`LEAST_USERS` users have means without intervals.

    Args:
        title: Which metric, and what the slices are.
        baseline: Key of ``values`` that the others are compared with.
        values: By name of the list, one number per user or event, ``(m,)``.
        slices: By label, what belongs to it, ``(m,)``. The number is added to the label.
        seed: Of the resampling.
        groups: User of each number, ``(m,)``.
        resamples: Bootstrap resamples.
        notes: Sentences to print below.

    Raises:
        ValueError: There is no such baseline, or a slice is of another length.
    """
    if baseline not in values or any(mask.shape != groups.shape for mask in slices.values()):
        raise ValueError(f"baseline {baseline!r} is not one of {', '.join(values)}, or a slice has another length")
    rows = {name: MetricRow(name, {}, {}) for name in values}
    others = [name for name in values if name != baseline]
    for label, mask in slices.items():
        if not mask.any():
            continue
        inside = {name: np.asarray(each, np.float64)[mask] for name, each in values.items()}
        columns = [*inside.values(), *(inside[name] - inside[baseline] for name in others)]
        if len(np.unique(groups[mask])) < LEAST_USERS:
            found = [Interval(float(column.mean()), float("nan"), float("nan")) for column in columns]
        else:
            found = bootstrap_columns(np.stack(columns, axis=1), seed, resamples, groups[mask])
        heading = f"{label} ({int(mask.sum()):,})"
        for at, name in enumerate(values):
            difference = {heading: found[len(values) + others.index(name)]} if name in others else {}
            row = rows[name]
            rows[name] = MetricRow(name, {**row.metrics, heading: found[at]}, {**row.differences, **difference})
    return MetricTable(title, baseline, tuple(rows.values()), len(groups), 0, notes)
