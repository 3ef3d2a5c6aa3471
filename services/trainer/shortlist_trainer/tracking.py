"""Logs a run to MLflow where it is installed; silent where it is not."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shortlist_evaluation.report import MetricTable
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.pages.html import flat
from shortlist_trainer.train import TrainResult

ARTIFACTS = ("report.html", "evaluation.json", "stages.json", "config.json")
"""Files of the run's folder that go with it, where they are there."""

_AT_ONCE = 100
"""Parameters, and metrics, that one call to MLflow takes."""


def track(folder: Path, bundle_id: str, result: TrainResult, stages: Evaluation | None = None) -> bool:
    """Log settings, metrics and report of a run, and return whether there was an MLflow to log to.

    Every list under every protocol has its metrics, so that MLflow's own pages compare runs side by side. Runs go to
    ``MLFLOW_TRACKING_URI``, or into the folder ``mlruns`` beside the run's own.

    Args:
        folder: Of the run; settings and artifacts are read from it.
        bundle_id: Bundle that the run made; the name of the run in MLflow.
        result: What the run found.
        stages: Its bundle, evaluated stage by stage.
    """
    try:
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient
    except ImportError:
        return False
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    place = os.environ.get("MLFLOW_TRACKING_URI") or (folder.parent / "mlruns").resolve().as_uri()
    client = MlflowClient(tracking_uri=place)
    found = client.get_experiment_by_name("shortlist")
    experiment = found.experiment_id if found else client.create_experiment("shortlist")
    run = client.create_run(experiment, run_name=bundle_id, tags={"bundle_id": bundle_id, **result.models})
    settings = flat(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    params = [Param(name, str(value)) for name, value in settings.items()]
    now_ms = int(run.info.start_time)
    metrics = [Metric(name, value, now_ms, 0) for name, value in metrics_of(result, stages).items()]
    for at in range(0, len(params), _AT_ONCE):
        client.log_batch(run.info.run_id, params=params[at : at + _AT_ONCE])
    for at in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run.info.run_id, metrics=metrics[at : at + _AT_ONCE])
    for part, points in result.curves.items():
        curve = [Metric(_name(f"loss/{part}"), loss, now_ms, int(step)) for step, loss in points]
        for at in range(0, len(curve), _AT_ONCE):
            client.log_batch(run.info.run_id, metrics=curve[at : at + _AT_ONCE])
    for name in ARTIFACTS:
        if (folder / name).is_file():
            client.log_artifact(run.info.run_id, str(folder / name))
    client.set_terminated(run.info.run_id)
    return True


def metrics_of(result: TrainResult, stages: Evaluation | None) -> dict[str, float]:
    """Return every figure of a run by a name that MLflow takes, as in ``rolling/pipeline/ndcg_at_10``."""
    named: dict[str, float] = {**result.metrics, **{f"seconds/{k}": v for k, v in result.seconds.items()}}
    for table in result.tables[2:]:  # the first two are in the metrics under the names of their protocols
        named |= _means(table, table.title.split(", test, ", 1)[-1])
    for table in stages.tables if stages is not None else ():
        named |= _means(table, f"stages/{table.title.rsplit(': ', 1)[-1]}")
    return {_name(name): float(value) for name, value in named.items() if math.isfinite(value)}


def _means(table: MetricTable, prefix: str) -> Mapping[str, Any]:
    return {
        f"{prefix}/{row.name}/{metric}": interval.mean for row in table.rows for metric, interval in row.metrics.items()
    }


def _name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_./ -]", "", name.replace("@", "_at_"))
