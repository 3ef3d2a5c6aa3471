"""MLflow, where it is installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shortlist_trainer.tracking import track

from .conftest import Run


def test_a_run_is_tracked_with_its_settings_and_metrics(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    place = (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert track(run.folder, "bundle-1", run.result)
    client = tracking.MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("shortlist")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.tags["bundle_id"] == "bundle-1"
    assert found.data.params["two_tower.epochs"] == str(run.config.two_tower.epochs)
    assert found.data.metrics["rolling/pipeline/ndcg_at_10"] == run.result.metrics["rolling/pipeline/ndcg@10"]


def test_without_mlflow_nothing_is_tracked_and_nothing_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    assert not track(run.folder, "bundle-1", run.result)
