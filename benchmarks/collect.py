"""Writes ``quality/<name>.json`` from runs of ``shortlist train``, one folder per seed.

    python benchmarks/collect.py var/runs/ml-1m-1 var/runs/ml-1m-2 var/runs/ml-1m-3
    python benchmarks/collect.py --name ml-1m-60-20-20 var/runs/half-1 var/runs/half-2 var/runs/half-3

Every figure is taken from the runs' ``evaluation.json``; runs must be of one data set with equal settings but the seed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from shortlist_trainer.presets import load_config, preset_for

QUALITY = Path(__file__).parent / "quality"
SUMMARY = (
    ("frozen", 0, "pipeline", "ndcg@10"),
    ("frozen", 0, "two_tower", "recall@200"),
    ("frozen", 0, "pipeline", "hit@10"),
    ("rolling", 1, "pipeline", "ndcg@10"),
    ("rolling", 1, "two_tower", "recall@200"),
    ("rolling", 1, "pipeline", "hit@10"),
)
OF_A_RUN = ("seed", "tables", "validation", "seconds", "peak_memory_mb")


def main() -> int:
    """Collect the runs whose folders are named, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of the runs")
    parser.add_argument("--name", help="of the file; left out: that of the data set")
    parser.add_argument("--after", help="command that has to be run before", metavar="COMMAND")
    parser.add_argument(
        "--resumed", action="store_true", help="the runs went on from checkpoints: their time says nothing"
    )
    asked = parser.parse_args()
    runs = [json.loads((folder / "evaluation.json").read_text()) for folder in asked.folders]
    names = {run["dataset"]["name"] for run in runs}
    settings = {json.dumps({k: v for k, v in run["config"].items() if k != "seed"}, sort_keys=True) for run in runs}
    if len(names) > 1 or len(settings) > 1 or len({run["seed"] for run in runs}) < len(runs):
        sys.stderr.write("the runs are of several data sets or settings, or of one seed twice\n")
        return 2
    (name,) = names
    said = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)  # noqa: S607
    commit = said.stdout.strip()
    content = {
        "dataset": runs[0]["dataset"],
        "command": (f"{asked.after} && " if asked.after else "")
        + " ".join((f"shortlist train var/data/{name} --seed <seed>", *_settings(runs[0]))),
        "commit": commit,
        "machine": {"cores": os.cpu_count(), **runs[0]["machine"]},
        "versions": runs[0]["versions"],
        "summary": {
            f"{protocol}/{row}/{metric}": _over(runs, at, row, metric) for protocol, at, row, metric in SUMMARY
        },
        "slices": [_slice(runs, at) for at in range(2, len(runs[0]["tables"]))],
        "runs": [_rounded({key: run[key] for key in OF_A_RUN}) for run in runs],
        "resumed": asked.resumed,
        "config": json.loads(settings.pop()),
    }
    (QUALITY / f"{asked.name or name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return 0


def _settings(run: dict[str, Any]) -> list[str]:
    """Return the settings that are not those of the preset, as the command takes them."""
    usual = load_config(preset_for(run["dataset"]["events"]), seed=run["seed"]).model_dump(mode="json")
    found = []
    for section, values in run["config"].items():
        if isinstance(values, dict):
            changed = {name: value for name, value in values.items() if value != usual[section][name]}
            found += [f"--set {section}.{name}={json.dumps(value)}" for name, value in changed.items()]
        elif section != "seed" and values != usual[section]:
            found.append(f"--set {section}={json.dumps(values)}")
    return found


def _slice(runs: list[dict[str, Any]], table: int) -> dict[str, Any]:
    """Return one slice over all runs: each list's mean, and the lowest bound of its difference to popularity."""
    first = runs[0]["tables"][table]
    metrics = list(first["rows"][0]["metrics"])
    names = [row["name"] for row in first["rows"] if row["name"] != first["baseline"]]
    return {
        "title": first["title"].split(", test, ", 1)[1],
        "evaluated": first["evaluated"],
        "lists": {name: {metric: _over(runs, table, name, metric) for metric in metrics} for name in names},
    }


def _over(runs: list[dict[str, Any]], table: int, name: str, metric: str) -> dict[str, float]:
    rows = [{row["name"]: row for row in run["tables"][table]["rows"]} for run in runs]
    means = [row[name]["metrics"][metric]["mean"] for row in rows]
    return {
        "mean": round(fmean(means), 4),
        "least": round(min(means), 4),
        "most": round(max(means), 4),
        "popular": round(fmean(row["popular"]["metrics"][metric]["mean"] for row in rows), 4),
        "least_lower_bound_of_difference": round(min(row[name]["differences"][metric]["low"] for row in rows), 4),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
