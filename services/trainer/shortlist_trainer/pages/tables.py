"""Tables of metrics as HTML."""

from __future__ import annotations

import math
from html import escape

from shortlist_evaluation.intervals import Interval
from shortlist_evaluation.report import MetricRow, MetricTable
from shortlist_trainer.pages.html import paragraph, table


def metric_table(found: MetricTable) -> str:
    """Return a table with a row for each list: mean and interval, difference and p-value below."""
    rows = [(row.name, [_cell(row, metric) for metric in found.metrics]) for row in found.rows]
    left = f", {found.left_out:,} left out" if found.left_out else ""
    notes = f"{found.evaluated:,} evaluated{left}; mean and 95 % interval; Δ is to {found.baseline}."
    return table(found.title, ("list", *found.metrics), rows) + "".join(
        paragraph(note, "note") for note in (notes, *found.notes)
    )


def best_cells(values: list[float | None], *, is_lower_better: bool = False) -> list[str]:
    """Return cells, the best one marked unless all are the same; empty where there is no value."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    best = (min if is_lower_better else max)(known) if len(set(known)) > 1 else None
    return [
        "<td></td>"
        if value is None or math.isnan(value)
        else f'<td class="best">{value:.4f}</td>'
        if value == best
        else f"<td>{value:.4f}</td>"
        for value in values
    ]


def _cell(row: MetricRow, metric: str) -> str:
    interval = row.metrics.get(metric)
    if interval is None or math.isnan(interval.mean):
        return ""
    cell = f"{interval.mean:.4f}"
    if not math.isnan(interval.low):
        cell += f"<small>[{interval.low:.4f}, {interval.high:.4f}]</small>"
    difference = row.differences.get(metric)
    return cell + (_difference(difference, row.p_values.get(metric)) if difference is not None else "")


def _difference(difference: Interval, p: float | None) -> str:
    sure = "up" if difference.low > 0 else "down" if difference.high < 0 else ""
    said = f"Δ {difference.mean:+.4f}"
    if not math.isnan(difference.low):
        said += f" [{difference.low:+.4f}, {difference.high:+.4f}]"
    said += f", p {p:.4f}" if p is not None else ""
    return f'<small class="{sure}">{escape(said)}</small>'
