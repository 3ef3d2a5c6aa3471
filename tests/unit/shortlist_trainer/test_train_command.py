"""``shortlist train``: one clear line for what is wrong, a published bundle for what is right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from shortlist_bundle.store import BundleStore
from shortlist_cli.train_commands import train
from shortlist_data.errors import DataRefused
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate

QUICK = [
    "two_tower.epochs=1",
    "two_tower.width=8",
    "ranker.queries=200",
    "ranker.epochs=1",
    "evaluation.test_events=60",
    "evaluation.validation_events=60",
    "evaluation.resamples=20",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "simulated"
    save(simulate(users=200, items=60, events=4_000, seed=1), folder)
    return folder


def invoke(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(train)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_a_run_publishes_a_bundle_and_says_so(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store, out = tmp_path / "bundles", tmp_path / "runs" / "one"
    changes = [part for change in QUICK for part in ("--set", change)]
    code, output = invoke(data, "--device", "cpu", "--out", out, "--store", store, *changes)
    assert code == 0, output
    release = BundleStore(store).current()
    assert release is not None
    assert f"bundle {release.bundle_id}" in output
    assert "published as generation 1" in output
    assert re.search(r"rolling: pipeline ndcg@10 [\d.]+, (better|worse|not told apart) .*popular \(Δ", output)
    for part in ("two_tower", "ranker"):  # a log is told how far it is, too
        assert re.search(rf"^train: {part} \d+/\d+", output, re.MULTILINE)
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert written["config"]["two_tower"]["epochs"] == 1
    assert written["machine"]["device"] == "cpu"
    assert set(written["utilisation"]) == {"two_tower", "ranker"}
    for model, share in written["utilisation"].items():
        assert 0.0 <= share <= 1.0
        assert f"{model}: the model waited for batches {1.0 - share:.1%} of the time" in output


def test_a_bundle_whose_stages_cannot_be_evaluated_is_published_all_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise DataRefused("1 user with held-out items can be evaluated, 2 are needed")

    monkeypatch.setattr("shortlist_cli.evaluate.bundles.evaluate_bundle", refused)
    changes = [part for change in QUICK for part in ("--set", change)]
    code, output = invoke(data, "--resume", "--out", tmp_path / "out", "--store", tmp_path / "store", *changes)
    assert code == 0, output
    assert f"train: {tmp_path / 'out'} has no checkpoints; the run begins anew" in output
    assert "stages of the bundle are not evaluated: 1 user" in output
    assert "published as generation 1" in output
    assert (tmp_path / "out" / "report.html").is_file()
    assert not (tmp_path / "out" / "stages.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "two_tower.epochs=0"], "train: two_tower.epochs=0: Input should be greater than or equal to 1"),
        (["--set", "nothing.here=1"], "train: nothing is not a setting; there are seed"),
        (["--config", "absent.yaml"], "train: absent.yaml cannot be read"),
        (["--set", "newest.attribute=addded"], "newest.attribute=addded is no column of times"),
        (["--seed", "-1"], "train: seed=-1: Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_argument_is_one_line_and_no_traceback(
    data: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, output = invoke(data, "--out", tmp_path / "out", "--store", tmp_path / "store", *arguments)
    assert code == 1
    assert message in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_trained(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, output = invoke(data, "--device", "cuda", "--out", tmp_path / "out")
    assert code == 1
    assert "train: device=cuda, but torch sees no GPU" in output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("named", "is_there", "used"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_models_are_fitted_on_the_device_that_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, is_there: bool, used: str
) -> None:
    fitted_on: list[str] = []

    def spy(*_: object, device: torch.device, **__: object) -> None:
        fitted_on.append(device.type)
        raise DataRefused("seen enough")

    monkeypatch.setattr("torch.cuda.is_available", lambda: is_there)
    monkeypatch.setattr("shortlist_trainer.train.train", spy)
    code, output = invoke(data, "--device", named, "--out", tmp_path / "out")
    assert (code, fitted_on) == (1, [used]), output


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    code, output = invoke(tmp_path)
    assert code == 1
    assert "is not a prepared data set" in output


def test_ctrl_c_says_how_to_continue(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shortlist_trainer.train.train", stopped)
    code, output = invoke(data, "--out", tmp_path / "out", "--store", tmp_path / "store")
    assert code == 130
    assert "with --resume continues" in output


def test_the_help_has_examples() -> None:
    code, output = invoke("--help")
    assert code == 0
    assert "shortlist train var/data/ml-100k" in output
