"""MLflow, where it is installed."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_evaluation.report import compared
from shortlist_trainer.evaluation.results import Evaluation, write_text
from shortlist_trainer.pages.run_page import REPORT, read_run, run_page
from shortlist_trainer.tracking import metrics_of, track

from .conftest import Run


def test_a_run_is_tracked_with_its_settings_and_metrics(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    place = (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    write_text(run_page(read_run(run.folder)), run.folder / REPORT)
    assert track(run.folder, "bundle-1", run.result)
    client = tracking.MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("shortlist")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.tags["bundle_id"] == "bundle-1"
    assert found.data.params["two_tower.epochs"] == str(run.config.two_tower.epochs)
    assert found.data.metrics["rolling/pipeline/ndcg_at_10"] == run.result.metrics["rolling/pipeline/ndcg@10"]
    artifacts = {artifact.path for artifact in client.list_artifacts(found.info.run_id)}
    assert {"evaluation.json", "config.json", "report.html"} <= artifacts
    losses = client.get_metric_history(found.info.run_id, "loss/two_tower")
    assert [each.step for each in losses] == [step for step, _ in run.result.curves["two_tower"]]


def test_without_mlflow_nothing_is_tracked_and_nothing_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    assert not track(run.folder, "bundle-1", run.result)


def test_every_list_of_every_protocol_and_stage_has_a_name_that_mlflow_takes(run: Run) -> None:
    table = compared("x, bundle y: funnel", "popular", {"popular": {"recall@50": np.array([0.5, 0.7])}}, seed=1)
    stages = Evaluation("x, bundle y", "", {}, (table,), {})
    cold = compared(
        "x, test, new users, the first 1 event known", "popular", {"popular": {"ndcg@10": np.ones(2)}}, seed=1
    )
    named = metrics_of(replace(run.result, tables=(*run.result.tables, cold)), stages)
    assert named["new users the first 1 event known/popular/ndcg_at_10"] == 1.0
    assert named["stages/funnel/popular/recall_at_50"] == pytest.approx(0.6)
    assert named["frozen/pipeline/ndcg_at_10"] == run.result.metrics["frozen/pipeline/ndcg@10"]
    assert all(re.fullmatch(r"[A-Za-z0-9_./ -]+", name) for name in named)
