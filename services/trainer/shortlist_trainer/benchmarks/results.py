"""Results of benchmark tables as data files: a row per model and seed, written as soon as it is there."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from shortlist_evaluation.intervals import bootstrap
from shortlist_trainer.benchmarks.table import Entry, Run, Table, Values
from shortlist_trainer.devices import described

RESAMPLES = 2000
PACKAGES = ("torch", "numpy", "scipy", "implicit")


def row_of(
    name: str, entry: Entry, run: Run, values: Values, seconds: Mapping[str, float], part: str
) -> dict[str, Any]:
    """Return one result with everything that is needed to get it again."""
    metrics = {}
    for metric, numbers in values.items():
        interval = bootstrap(numbers, run.seed, RESAMPLES)
        metrics[metric] = {
            "mean": round(interval.mean, 5),
            "low": round(interval.low, 5),
            "high": round(interval.high, 5),
        }
    return {
        "model": name,
        "note": entry.note,
        "seed": run.seed,
        "part": part,
        "metrics": metrics,
        "evaluated": len(next(iter(values.values()))),
        "settings": dict(entry.settings),
        "seconds": {key: round(value, 1) for key, value in seconds.items()},
        "facts": {key: round(value, 3) for key, value in run.facts.items()},
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "device": described(run.device),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in PACKAGES},
    }


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows that ``path`` holds; none where it is not there."""
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows


def write(path: Path, table: Table[Any], rows: list[dict[str, Any]]) -> None:
    """Write the rows of ``table`` by model and seed; the old file stays until the new one is whole."""
    order = {name: at for at, name in enumerate(table.entries)}
    content = {
        "table": table.name,
        "title": table.title,
        "protocol": table.protocol,
        "command": f"shortlist benchmark {table.name}",
        "metrics": table.metrics,
        "published": [asdict(published) for published in table.published],
        "to_reach": dict(table.to_reach),
        "rows": sorted(rows, key=lambda row: (order.get(row["model"], len(order)), row["model"], row["seed"])),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(path)


def over_seeds(rows: list[dict[str, Any]], model: str, metric: str) -> tuple[float, float, float, int]:
    """Return mean, least and most of a metric over the seeds of ``model``, and how many there are."""
    means = np.array([row["metrics"][metric]["mean"] for row in rows if row["model"] == model])
    return float(means.mean()), float(means.min()), float(means.max()), len(means)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
