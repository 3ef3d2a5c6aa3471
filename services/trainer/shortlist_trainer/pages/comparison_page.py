"""Several runs, or several evaluations, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from shortlist_evaluation.report import MetricRow, MetricTable
from shortlist_trainer.pages import figures
from shortlist_trainer.pages.html import flat, page, paragraph, table
from shortlist_trainer.pages.tables import best_cells

_LOWER_IS_BETTER = ("rmse", "mae", "mse", "logloss", "ece", "gini")
_NEITHER = ("prevalence",)


@dataclass(frozen=True, slots=True)
class Side:
    """One column of a comparison."""

    name: str
    tables: Sequence[MetricTable]
    settings: Mapping[str, Any]
    dataset: Mapping[str, Any]
    seconds: Mapping[str, Any]


def comparison_page(sides: Sequence[Side]) -> str:
    """Return the page; sides have distinct names.

    What has the same table, list and metric in several sides stands in one line; titles are compared without the name
    of the data set or bundle, so that runs on several data sets can be told by their first table.
    """
    subjects: dict[str, dict[str, MetricTable]] = {}
    for side in sides:
        for each in side.tables:
            subjects.setdefault(_subject(each.title), {})[side.name] = each
    names = [side.name for side in sides]
    datasets = {tuple(sorted((k, str(v)) for k, v in side.dataset.items())) for side in sides}
    warning = ""
    if len(datasets) > 1:
        warning = paragraph("The sides are about different data or parts of it; their figures do not compare.", "warn")
    return page(
        f"Comparison of {', '.join(names)}",
        [
            ("metrics", "Metrics", "".join(_lines(subject, names, found) for subject, found in subjects.items())),
            ("settings", "Settings that differ", _differing("Settings", names, [flat(s.settings) for s in sides])),
            ("data", "Data", _all("Data", names, [flat(s.dataset) for s in sides])),
            ("seconds", "Seconds", _all("Seconds", names, [flat(s.seconds) for s in sides])),
        ],
        warning + paragraph("Means; the best of each line is bold, intervals are in each side's own report."),
        "shortlist",
    )


def _subject(title: str) -> str:
    """Return a title without what it is about: the data, the bundle, the server."""
    rest = title.partition(", ")[2] or title
    if rest.startswith(("bundle ", "served by ")):
        return rest.rpartition(": ")[2]
    return rest.removeprefix("test, ")


def _lines(subject: str, names: Sequence[str], found: Mapping[str, MetricTable]) -> str:
    rows: list[tuple[str, Sequence[str]]] = []
    first: dict[str, tuple[list[float], list[float]]] = {}
    lines = dict.fromkeys((row.name, metric) for each in found.values() for row in each.rows for metric in row.metrics)
    for name, metric in lines:
        values = [_mean(found.get(side), name, metric) for side in names]
        lower = metric.split("@", 1)[0] in _LOWER_IS_BETTER
        cells = best_cells(values, is_lower_better=lower) if metric not in _NEITHER else best_cells([None] * len(names))
        rows.append((f"{name}, {metric}", cells))
        if metric.startswith("ndcg@") and len(first) < len(figures.COLOURS) and name not in first:
            known = [(float(at), value) for at, value in enumerate(values) if value is not None]
            first[name] = ([at for at, _ in known], [value for _, value in known])
    plot = ""
    if first and len(names) > 1:
        key = "compare-" + "".join(letter if letter.isalnum() else "-" for letter in subject)[:40]
        plot = figures.lines(key, f"NDCG by list, {subject}.", first, ("", "ndcg"), ticks=list(names))
    return plot + table(subject, ("list, metric", *names), rows)


def _mean(each: MetricTable | None, name: str, metric: str) -> float | None:
    row: MetricRow | None = next((row for row in each.rows if row.name == name), None) if each else None
    return row.metrics[metric].mean if row is not None and metric in row.metrics else None


def _differing(caption: str, names: Sequence[str], settings: Sequence[Mapping[str, Any]]) -> str:
    keys = dict.fromkeys(key for each in settings for key in each)
    differing = [key for key in keys if len({str(each.get(key)) for each in settings}) > 1]
    if not differing:
        return paragraph("None.")
    return _rows(caption, names, settings, differing)


def _all(caption: str, names: Sequence[str], values: Sequence[Mapping[str, Any]]) -> str:
    return _rows(caption, names, values, list(dict.fromkeys(key for each in values for key in each)))


def _rows(caption: str, names: Sequence[str], values: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    rows = [(key, [escape(str(each.get(key, ""))) for each in values]) for key in keys]
    return table(caption, ("", *names), rows, is_text=True)
