"""``shortlist report``: a page where it belongs, and one line where there is none."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner

from shortlist_cli.evaluate_command import evaluate
from shortlist_cli.report_command import report
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate


def invoke(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(report)
    app.command()(evaluate)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_results_are_shown_as_a_page_and_side_by_side(tmp_path: Path) -> None:
    save(simulate(users=60, items=80, events=900, seed=1), tmp_path / "data")
    quick = ("--resamples", "20", "--protocol", "leave-one-out")
    for name in ("popularity", "item_knn"):
        code, output = invoke(
            "evaluate", tmp_path / "data", "--model", name, *quick, "--json", tmp_path / f"{name}.json"
        )
        assert code == 0, output
    page = tmp_path / "page.html"
    assert invoke("evaluate", tmp_path / "data", *quick, "--html", page)[0] == 0
    assert "<svg" in page.read_text(encoding="utf-8")
    code, output = invoke("report", tmp_path / "item_knn.json")
    assert code == 0
    assert str(tmp_path / "item_knn.html") in output.replace("\n", "")
    both = tmp_path / "both.html"
    code, _ = invoke("report", tmp_path / "popularity.json", tmp_path / "item_knn.json", "--out", both)
    assert code == 0
    assert "Comparison of popularity.json, item_knn.json" in both.read_text(encoding="utf-8")


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    code, output = invoke("report", tmp_path)
    assert code == 1
    assert "report: " in output
    assert "is not the folder of a finished run" in output
    assert "Traceback" not in output
