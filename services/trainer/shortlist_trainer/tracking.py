"""Logs a run to MLflow where it is installed; silent where it is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

from shortlist_trainer.train import TrainResult


def track(folder: Path, bundle_id: str, result: TrainResult) -> bool:
    """Log settings and metrics of a run, and return whether there was an MLflow to log to.

    Runs go to ``MLFLOW_TRACKING_URI``, or into the folder ``mlruns`` beside the run's own.
    """
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        return False
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    place = os.environ.get("MLFLOW_TRACKING_URI") or (folder.parent / "mlruns").resolve().as_uri()
    client = MlflowClient(tracking_uri=place)
    found = client.get_experiment_by_name("shortlist")
    experiment = found.experiment_id if found else client.create_experiment("shortlist")
    run = client.create_run(experiment, run_name=bundle_id, tags={"bundle_id": bundle_id})
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for section, values in settings.items():
        for key, value in values.items() if isinstance(values, dict) else (("", values),):
            client.log_param(run.info.run_id, f"{section}.{key}".rstrip("."), value)
    for name, value in {**result.metrics, **{f"seconds/{k}": v for k, v in result.seconds.items()}}.items():
        client.log_metric(run.info.run_id, name.replace("@", "_at_"), value)
    client.set_terminated(run.info.run_id)
    return True
