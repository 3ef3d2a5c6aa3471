"""``shortlist evaluate``: one line for what is wrong, tables and files for what is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from shortlist_cli.evaluate_command import evaluate
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "simulated"
    save(simulate(users=200, items=120, events=3_000, seed=1), folder)
    return folder


def invoke(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_models_are_shown_side_by_side_and_written(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "results" / "found.json"
    code, output = invoke(
        data, "--model", "popularity", "--model", "item_knn", "-k", "5", "-k", "20", "--resamples", "50", "--json", out
    )
    assert code == 0, output
    for word in ("popularity", "item_knn", "ndcg@5", "recall@20", "auc", "diversity@5", "Δ to popularity", "tenth 10"):
        assert word in output
    assert "the latest 20% of all events is held out" in output
    content = json.loads(out.read_text(encoding="utf-8"))
    assert content["settings"]["options"]["ks"] == [5, 20]
    assert content["tables"][0]["rows"][1]["p_values"]["ndcg@5"] <= 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nothing"], "evaluate: there is no model 'nothing'; there are popularity"),
        (["-k", "500"], "evaluate: k=500 is not in [1, 120]"),
        (["--protocol", "backwards"], "evaluate: there is no protocol 'backwards'; there are leave-one-out"),
        (["--share", "0"], "evaluate: share 0 must be above 0 and below 1"),
        (["--positive-from", "7"], "no event is 7 or higher; the highest value is 5"),
        (["--liked-from", "3"], "evaluate: values are to be told apart and no model predicts any"),
        (["--model", "biases", "--liked-from", "0"], "evaluate: the auc of ratings is undefined"),
        (["--set", "two_tower.epochs=0"], "evaluate: two_tower.epochs=0: Input should be greater than or equal to 1"),
        (["--sampled-negatives", "119"], "sampled negatives are wanted and a user has only"),
        (["--against", "ease"], "evaluate: 'ease' is to be compared with and is not among popularity"),
    ],
)
def test_a_wrong_argument_is_one_line_and_no_traceback(data: Path, arguments: list[str], message: str) -> None:
    code, output = invoke(data, *arguments)
    assert code == 1
    assert message in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    code, output = invoke(tmp_path)
    assert code == 1
    assert "is not a prepared data set" in output


def test_a_sampled_ranking_says_so_everywhere(data: Path) -> None:
    sampled = ("--sampled-negatives", "5", "-k", "3")
    code, output = invoke(data, "--protocol", "leave-one-out", *sampled, "--resamples", "50")
    assert code == 0, output
    assert "SAMPLED" in output
    assert "sampled5 ndcg@3" in output


def test_the_help_has_examples() -> None:
    code, output = invoke("--help")
    assert code == 0
    assert "shortlist evaluate var/data/ml-100k" in output
