"""``shortlist train --ray local``: the same run with its data prepared and its two towers fitted by two workers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shortlist_bundle import layout
from shortlist_bundle.store import BundleStore
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: shortlist[ray]"),
    pytest.mark.timeout(600),
]

SETTINGS = (
    "two_tower.epochs=6",
    "ranker.queries=300",
    "ranker.epochs=1",
    "evaluation.test_events=300",
    "evaluation.validation_events=100",
    "evaluation.resamples=20",
)


def trained(data: Path, folder: Path, *arguments: str) -> tuple[dict[str, float], str]:
    """Return the metrics of a run in a process of its own, and what it printed."""
    changes = [part for change in SETTINGS for part in ("--set", change)]
    command = [sys.executable, "-m", "shortlist_cli.main", "train", str(data), "--out", str(folder / "run")]
    done = subprocess.run(
        [*command, "--store", str(folder / "bundles"), *changes, *arguments],
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
        # A cluster that is set, or was left behind, is not what `local` asks for.
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    release = BundleStore(folder / "bundles").current()
    assert release is not None
    bundle = BundleStore(folder / "bundles").open(release)
    bundle.verify()
    assert set(layout.REQUIRED) <= set(bundle.manifest.files)
    return dict(bundle.manifest.metrics), done.stdout + done.stderr


def test_two_workers_on_ray_make_a_bundle_as_good_as_that_of_one_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    save(simulate(users=400, items=80, events=10_000, seed=3), data)
    alone, _ = trained(data, tmp_path / "alone")
    on_ray = ("--ray", "local", "--ray-workers", "2", "--set", "refit=true")
    together, told = trained(data, tmp_path / "together", *on_ray)
    for metric in ("rolling/two_tower/recall@50", "rolling/fusion/recall@50"):
        assert together[metric] == pytest.approx(alone[metric], abs=0.05), metric
    assert together["rolling/two_tower/ndcg@10"] > together["rolling/popular/ndcg@10"]
    assert together["rolling/popular/ndcg@10"] == alone["rolling/popular/ndcg@10"]
    assert "usage" not in told.lower()
    assert "warning" not in told.lower()
    for part in ("two_tower.pt", "refit/two_tower.pt"):
        kept = torch.load(tmp_path / "together" / "run" / "checkpoints" / part, weights_only=True)
        assert kept["epochs"] == 6
    assert json.loads((tmp_path / "together" / "run" / "evaluation.json").read_text())["seconds"]["two_tower"] > 0


def test_an_address_without_ray_is_one_line(tmp_path: Path) -> None:
    save(simulate(users=100, items=40, events=2_000, seed=3), tmp_path / "data")
    command = [sys.executable, "-m", "shortlist_cli.main", "train", str(tmp_path / "data"), "--ray", "nonsense"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert "train: there is no Ray at nonsense" in done.stderr
    assert "Traceback" not in done.stderr
