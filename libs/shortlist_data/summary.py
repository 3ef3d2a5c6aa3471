"""What a data set holds, as tables for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from shortlist_data.dataset import Dataset, ReadReport

if TYPE_CHECKING:
    from rich.table import Table


OUTLYING = 1000.0
"""How many times the 99th percentile a value must be to be pointed out."""


def summary_table(dataset: Dataset, title: str) -> Table:
    """Return counts, time span, values and attributes of ``dataset``."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", show_header=False)
    for name, value in _facts(dataset):
        table.add_row(name, escape(value))
    return table


def skipped_table(report: ReadReport) -> Table:
    """Return what was left out, by table and reason, with samples."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="left out", title_justify="left")
    for heading in ("table", "rows", "reason", "first of them"):
        table.add_column(heading, justify="right" if heading == "rows" else "left", overflow="fold")
    for skipped in sorted(report.skipped, key=lambda s: (s.table, -s.count)):
        table.add_row(skipped.table, f"{skipped.count:,}", skipped.reason, escape("\n".join(skipped.samples)))
    return table


def warnings(dataset: Dataset) -> list[str]:
    """Return what a person should know before training on ``dataset``, one sentence each."""
    moments = len(np.unique(dataset.times_s))
    found = []
    if moments < 3:
        found.append(f"The events have {moments} distinct times: they cannot be split by time, nor be trained on.")
    if len(dataset.values) and np.ptp(dataset.values) == 0:
        found.append(f"Every event has the value {dataset.values[0]:g}: predicted ratings will say nothing.")
    elif len(dataset.values):
        usual, largest = np.quantile(np.abs(dataset.values), 0.99), np.abs(dataset.values).max()
        if largest > OUTLYING * max(usual, 1e-6):
            found.append(
                f"99% of the values are within {usual:g}, the largest is {largest:g}: it outweighs all others in "
                "predicted ratings and in what models see of values."
            )
    for name in dataset.user_attributes + dataset.item_attributes + dataset.item_numbers:
        column = (dataset.users if name in dataset.user_attributes else dataset.items)[name]
        if column.null_count() == len(column):
            found.append(f"The attribute {name} has no value anywhere: models learn nothing from it.")
    return found


def _facts(dataset: Dataset) -> list[tuple[str, str]]:
    users, items = len(np.unique(dataset.user_rows)), len(np.unique(dataset.item_rows))
    facts = [
        ("source", dataset.report.source),
        ("interactions", f"{dataset.events:,}"),
        ("users", f"{len(dataset.user_ids):,}, {users:,} of them with interactions"),
        ("items", f"{len(dataset.item_ids):,}, {items:,} of them with interactions"),
    ]
    if dataset.events:
        density = dataset.events / (users * items)
        facts += [
            ("density", f"{density:.2%} of users x items, {dataset.events / users:,.1f} interactions a user"),
            ("time", f"{_moment(dataset.times_s[0])} to {_moment(dataset.times_s[-1])}"),
            ("values", f"{dataset.values.min():g} to {dataset.values.max():g}, mean {dataset.values.mean():.4g}"),
        ]
    facts += [
        ("user attributes", _shares(dataset, dataset.user_attributes, of_users=True)),
        ("item attributes", _shares(dataset, dataset.item_attributes + dataset.item_numbers, of_users=False)),
        *(
            [("for filters alone", _shares(dataset, unlearnt, of_users=False))]
            if (unlearnt := _unlearnt(dataset))
            else []
        ),
        *(
            (
                f"item {kind.value}",
                f"{of_kind.known.mean():.0%} of the items, {of_kind.vectors.shape[1]} dimensions of {of_kind.encoder}",
            )
            for kind, of_kind in sorted(dataset.content.items())
        ),
    ]
    return facts


def _unlearnt(dataset: Dataset) -> tuple[str, ...]:
    """Return the columns of items that no model reads: flags and times."""
    others = {"item_id", "title", *dataset.item_attributes, *dataset.item_numbers}
    return tuple(name for name in dataset.items.columns if name not in others)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _shares(dataset: Dataset, names: tuple[str, ...], *, of_users: bool) -> str:
    table = dataset.users if of_users else dataset.items
    told = [f"{name} ({1 - table[name].null_count() / max(len(table), 1):.0%} known)" for name in names]
    return ", ".join(told) or "none"
