"""The page of one ``shortlist evaluate``, from its result file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist_evaluation.report import MetricTable
from shortlist_trainer.pages import figures
from shortlist_trainer.pages.html import flat, folded, page, pairs, paragraph
from shortlist_trainer.pages.tables import metric_table

Content = Mapping[str, Any]


def evaluation_page(content: Content) -> str:
    """Return the page of what ``Evaluation.to_json`` wrote."""
    tables = tables_in(content)
    warning = paragraph(content["protocol"], "warn") if "SAMPLED" in content["protocol"] else ""
    lead = warning or paragraph(content["protocol"])
    lead += "" if figures.is_possible() else paragraph(figures.MISSING, "note")
    return page(content["title"], sections_of(content, tables), lead, foot(content))


def sections_of(content: Content, tables: Sequence[MetricTable]) -> list[tuple[str, str, str]]:
    """Return anchor, heading and HTML of each part of an evaluation."""
    accuracy, *others = tables
    metric = next((name for name in accuracy.metrics if "ndcg" in name), next(iter(accuracy.metrics), ""))
    rest = [table for table in others if not table.title.endswith(("funnel", "item", "user", "click head"))]
    details = content.get("details", {})
    return [
        ("accuracy", "Accuracy", figures.intervals("accuracy", accuracy, metric) + metric_table(accuracy)),
        ("funnel", "Funnel by stage", funnel(others)),
        ("popularity", "By popularity of the relevant item", slices(others, "of the item", "popularity")),
        ("known", "By what is known of the user", slices(others, "of the user", "known")),
        ("calibration", "Calibration", calibration(others, details)),
        ("more", "Lists and ratings", "".join(metric_table(table) for table in rest)),
        ("served", "As served", served(details)),
        ("notes", "Notes", "".join(paragraph(note) for note in content.get("notes", ()))),
        ("facts", "Data, settings, versions", facts(content)),
    ]


def funnel(tables: Sequence[MetricTable]) -> str:
    """Return recall by stage and depth; empty where there are no stages."""
    found = next((table for table in tables if table.title.endswith("funnel")), None)
    if found is None:
        return ""
    series = {
        row.name: (
            [float(metric.rsplit("@", 1)[1]) for metric in row.metrics],
            [interval.mean for interval in row.metrics.values()],
        )
        for row in found.rows
    }
    caption = "Recall of relevant items by stage, at growing depths of its list."
    return figures.lines("funnel", caption, series, ("items of the list", "recall"), is_log=True) + metric_table(found)


def slices(tables: Sequence[MetricTable], ending: str, name: str) -> str:
    """Return one metric over its slices; empty where it is not there."""
    found = next((table for table in tables if table.title.endswith(ending)), None)
    if found is None or not found.metrics:
        return ""
    labels = list(found.metrics)
    series = {
        row.name: (
            [float(at) for at, label in enumerate(labels) if label in row.metrics],
            [row.metrics[label].mean for label in labels if label in row.metrics],
        )
        for row in found.rows
    }
    what = found.title.rpartition(": ")[2]
    drawn = figures.lines(name, f"{what}.", series, ("", "mean"), ticks=labels)
    return drawn + metric_table(found)


def calibration(tables: Sequence[MetricTable], details: Mapping[str, Any]) -> str:
    """Return the reliability diagram and the figures of the click head."""
    heads = [table for table in tables if table.title.endswith("click head")]
    drawn = figures.reliability("reliability", details.get("reliability", ()))
    return drawn + "".join(metric_table(table) for table in heads)


def served(details: Mapping[str, Any]) -> str:
    """Return how a gateway answered; empty where none was asked."""
    if "served" not in details:
        return ""
    said = flat(details["served"])
    return pairs("Answers", said) + paragraph("Answers that were not in full count as they came.", "note")


def facts(content: Content) -> str:
    """Return what is needed to get the figures again."""
    seconds = {f"{name}, {part}": value for name, parts in content["seconds"].items() for part, value in parts.items()}
    return (
        pairs("Data", content["dataset"])
        + folded("Settings", pairs("Settings", flat(content["settings"])))
        + folded("Seconds", pairs("Seconds", seconds))
        + folded("Machine and versions", pairs("Machine and versions", {**content["machine"], **content["versions"]}))
    )


def tables_in(content: Content) -> list[MetricTable]:
    """Return the tables of a result file."""
    return [MetricTable.from_json(json.dumps(table)) for table in content["tables"]]


def foot(content: Content) -> str:
    """Return what stands at the end of a page."""
    versions = ", ".join(f"{name} {number}" for name, number in content.get("versions", {}).items())
    return f"shortlist; {versions}"
