"""The page of a training run, from the files in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shortlist_data.errors import DataRefused
from shortlist_evaluation.report import MetricTable
from shortlist_trainer.pages import evaluation_page as parts
from shortlist_trainer.pages import figures
from shortlist_trainer.pages.html import flat, folded, page, pairs, paragraph, table
from shortlist_trainer.pages.tables import metric_table
from shortlist_trainer.publish import RUN_BUNDLE
from shortlist_trainer.train import EVALUATION

STAGES = "stages.json"
"""Result file of the run's bundle, evaluated stage by stage."""

REPORT = "report.html"
_COLD = ("new users", "new items")


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run left behind."""

    name: str
    """Name of the folder."""

    evaluation: Mapping[str, Any]
    stages: Mapping[str, Any] | None
    bundle_id: str
    """Empty where the run made none."""

    @property
    def tables(self) -> list[MetricTable]:
        """Tables of the run's own evaluation: frozen, rolling, slices."""
        return parts.tables_in(self.evaluation)


def read_run(folder: Path) -> RunFiles:
    """Return the files of a run.

    Raises:
        DataRefused: The folder is not that of a finished run, or a file is damaged.
    """
    try:
        evaluation = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
        stages = _read(folder / STAGES)
        bundle = _read(folder / RUN_BUNDLE) or {}
        run = RunFiles(folder.resolve().name, evaluation, stages, str(bundle.get("bundle_id", "")))
        _ = run.tables, evaluation["dataset"]["name"], evaluation["config"]
        return run
    except FileNotFoundError as error:
        raise DataRefused(f"{folder} is not the folder of a finished run; `shortlist train` makes one") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataRefused(
            f"{folder} is not the folder of a finished run ({error!r}); `shortlist train` makes one"
        ) from error


def run_page(run: RunFiles) -> str:
    """Return the page."""
    found, tables = run.evaluation, run.tables
    main = _main(tables)
    cold = [each for each in tables if each not in main]
    bundle = f", bundle {run.bundle_id}" if run.bundle_id else ""
    lead = paragraph(f"Training run {run.name}, seed {found['seed']}{bundle}. {headline(tables)}")
    lead += "" if figures.is_possible() else paragraph(figures.MISSING, "note")
    return page(
        f"{found['dataset']['name']}: training run",
        [
            ("accuracy", "Accuracy on test", _accuracy(main)),
            *_stages(run.stages),
            ("cold", "New users and new items", _cold(cold)),
            ("curves", "Training curves", _curves(found.get("curves", {}))),
            ("choices", "Choices made on validation", pairs("Validation", flat(found["validation"]))),
            ("facts", "Data, settings, versions", _facts(found)),
        ],
        lead,
        parts.foot(found),
    )


def _main(tables: Sequence[MetricTable]) -> list[MetricTable]:
    return [each for each in tables if not any(word in each.title for word in _COLD)]


def headline(tables: Sequence[MetricTable]) -> str:
    """Return a sentence on whether the pipeline is better than its baseline for all users and items, by protocol."""
    said = []
    for each in _main(tables):
        row = next((row for row in each.rows if row.name == "pipeline"), None)
        metric = next((name for name in each.metrics if name.startswith("ndcg@")), None)
        if row is None or metric is None or metric not in row.differences:
            continue
        difference = row.differences[metric]
        how = "better than" if difference.low > 0 else "worse than" if difference.high < 0 else "not told apart from"
        said.append(
            f"{each.title.rsplit(', ', 1)[-1]}: pipeline {metric} {row.metrics[metric].mean:.4f}, {how} {each.baseline}"
            f" (Δ {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}])"
        )
    return "; ".join(said) + "." if said else ""


def _accuracy(tables: Sequence[MetricTable]) -> str:
    content = ""
    for at, each in enumerate(tables):
        metric = next((name for name in each.metrics if name.startswith("ndcg@")), "")
        content += figures.intervals(f"accuracy{at}", each, metric) + metric_table(each)
    return content


def _stages(stages: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """Return the sections about the bundle, stage by stage."""
    if stages is None:
        return []
    tables, details = parts.tables_in(stages), stages.get("details", {})
    note = paragraph(f"{stages['title']}: {stages['protocol']}", "note")
    heads = [each for each in tables if each.title.endswith("rating head")]
    lists = [each for each in tables if each.title.endswith("lists")]
    return [
        ("funnel", "Funnel by stage", parts.funnel(tables) and note + parts.funnel(tables)),
        ("popularity", "By popularity of the relevant item", parts.slices(tables, "of the item", "popularity")),
        ("known", "By what is known of the user", parts.slices(tables, "of the user", "known")),
        ("calibration", "Calibration of the click head", parts.calibration(tables, details)),
        ("lists", "What lists are like, and ratings", "".join(metric_table(each) for each in (*lists, *heads))),
    ]


def _cold(tables: Sequence[MetricTable]) -> str:
    if not tables:
        return ""
    metric = next((name for name in tables[0].metrics if name.startswith("ndcg@")), tables[0].metrics[0])
    names = [row.name for row in tables[0].rows]
    rows = []
    for each in tables:
        means = {row.name: row.metrics[metric].mean for row in each.rows}
        label = each.title.split(", test, ", 1)[-1]
        rows.append((f"{label} ({each.evaluated:,})", [f"{means.get(name, float('nan')):.4f}" for name in names]))
    whole = "".join(metric_table(each) for each in tables)
    return table(f"{metric} where little is known", ("slice", *names), rows) + folded("Every slice in full", whole)


def _curves(curves: Mapping[str, Sequence[Sequence[float]]]) -> str:
    content = ""
    for part, points in curves.items():
        series = {"loss": ([step for step, _ in points], [loss for _, loss in points])}
        caption = f"Loss of {part} over its training steps, smoothed: from {points[0][1]:.4f} to {points[-1][1]:.4f}."
        name = "curve-" + "".join(letter if letter.isalnum() else "-" for letter in part)
        content += figures.lines(name, caption, series, ("step", "loss"), with_markers=False) or paragraph(caption)
    return content


def _facts(found: Mapping[str, Any]) -> str:
    machine = {**found["machine"], "peak memory in MB": found["peak_memory_mb"], **found["versions"]}
    return (
        pairs("Data", found["dataset"])
        + pairs("Seconds", found["seconds"])
        + folded("Settings", pairs("Settings", flat(found["config"])))
        + folded("Machine and versions", pairs("Machine and versions", machine))
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
