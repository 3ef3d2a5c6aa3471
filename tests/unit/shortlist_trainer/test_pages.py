"""Report pages: whole, self-contained, escaped, with every part of a run; and curves, and comparisons."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_evaluation.report import compared
from shortlist_trainer.candidate_models import Setup
from shortlist_trainer.curves import MOST_POINTS, Curves
from shortlist_trainer.evaluation.models import Options, evaluate_models
from shortlist_trainer.evaluation.protocols import Rules
from shortlist_trainer.evaluation.results import Evaluation, write, write_text
from shortlist_trainer.pages import figures
from shortlist_trainer.pages.comparison_page import Side, comparison_page
from shortlist_trainer.pages.evaluation_page import evaluation_page
from shortlist_trainer.pages.run_page import REPORT, read_run, run_page
from shortlist_trainer.pages.sides import report_of
from shortlist_trainer.pages.tables import best_cells, metric_table

from .conftest import Run, quick

ONE_LIST = {"popular": {"ndcg@10": np.array([0.1, 0.3])}}
VOID = {"meta", "br", "path", "use", "rect", "circle", "img", "link", "hr", "input"}


@dataclass
class Read(HTMLParser):
    """What a browser would see of a page."""

    ids: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    left_open: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.left_open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("href", "xlink:href"):
                self.targets.append(str(value))
            if name in ("src", "srcset", "data", "action", "poster") or "//" in str(value):
                self.outside.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.left_open.pop() == tag


def read(page: str) -> Read:
    found = Read()
    found.feed(page)
    return found


def assert_stands_alone(page: str) -> Read:
    found = read(page)
    assert found.left_open == []
    assert found.outside == []
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert "@import" not in page
    assert set(re.findall(r"url\(([^#)][^)]*)\)", page)) == set()
    assert len(found.ids) == len(set(found.ids)), "an id is there twice"
    assert {each.removeprefix("#") for each in found.targets} <= set(found.ids)
    assert '<html lang="en">' in page
    assert 'name="viewport"' in page
    return found


@pytest.fixture(scope="module")
def found(wide: Dataset) -> Evaluation:
    return evaluate_models(
        wide,
        Rules("global-time"),
        Setup(wide, quick()),
        ("popularity", "biases"),
        Options(resamples=20, permutations=50),
        lambda part, done, total: None,
    )


class TestRunPage:
    def test_it_stands_alone_and_has_every_part_of_the_run(self, run: Run) -> None:
        files = read_run(run.folder)
        cold = compared("x, test, new users, attributes alone known", "popular", ONE_LIST, seed=1, resamples=10)
        tables = [*files.evaluation["tables"], json.loads(cold.to_json())]
        page = run_page(replace(files, evaluation={**files.evaluation, "tables": tables}))
        seen = assert_stands_alone(page)
        assert {"accuracy", "cold", "curves", "choices", "facts"} <= set(seen.ids)
        assert seen.tags.count("svg") >= 4, "frozen, rolling, and a curve of each model"
        for text in ("frozen at the cut", "rolling", "pipeline", "two_tower.epochs", "new users", "torch"):
            assert text in page
        assert f"{run.result.metrics['rolling/pipeline/ndcg@10']:.4f}" in page

    def test_curves_are_those_of_the_training(self, run: Run) -> None:
        written = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
        assert {"two_tower", "ranker"} <= set(written["curves"])
        steps = [step for step, _ in written["curves"]["two_tower"]]
        assert steps == sorted(set(steps))
        assert all(np.isfinite(loss) and loss > 0 for _, loss in written["curves"]["two_tower"])

    def test_a_bundle_evaluated_stage_by_stage_is_part_of_it(self, run: Run, found: Evaluation) -> None:
        funnel = compared(
            "x, bundle y: funnel",
            "popular",
            {"popular": {"recall@10": np.array([0.1, 0.3]), "recall@50": np.array([0.5, 0.5])}},
            seed=1,
            resamples=10,
        )
        bins = [{"predicted": 0.01, "observed": 0.02, "low": 0.01, "high": 0.04, "count": 50}]
        stages = json.loads(replace(found, tables=(*found.tables, funnel), details={"reliability": bins}).to_json())
        page = run_page(replace(read_run(run.folder), stages=stages))
        seen = assert_stands_alone(page)
        assert {"funnel", "popularity", "known", "calibration"} <= set(seen.ids)
        assert "Reliability of the click probability: 1 bins" in page

    @pytest.mark.parametrize("content", [None, "{", "[]", '{"tables": []}', '{"tables": [{"title": 1}]}'])
    def test_what_is_no_run_is_refused_in_one_line(self, tmp_path: Path, content: str | None) -> None:
        if content is not None:
            (tmp_path / "evaluation.json").write_text(content)
        with pytest.raises(DataRefused, match="is not the folder of a finished run") as refused:
            read_run(tmp_path)
        assert "\n" not in str(refused.value)


class TestEvaluationPage:
    def test_it_stands_alone_and_has_the_figures(self, found: Evaluation) -> None:
        page = evaluation_page(json.loads(found.to_json()))
        assert_stands_alone(page)
        row = found.tables[0].rows[1]
        assert f"{row.metrics['ndcg@10'].mean:.4f}" in page
        assert f"p {row.p_values['ndcg@10']:.4f}" in page
        assert "the latest 20% of all events" in page

    def test_names_are_text_whatever_they_hold(self, found: Evaluation) -> None:
        bad = '<script>alert("1")</script> & $x_1$'
        rows = tuple(replace(row, name=bad) for row in found.tables[0].rows[:1])
        table = replace(found.tables[0], title=f"{bad}: accuracy", rows=rows, notes=(bad,))
        page = evaluation_page(json.loads(replace(found, title=bad, tables=(table,), notes=(bad,)).to_json()))
        assert_stands_alone(page)
        assert "&lt;script&gt;" in page

    def test_a_sampled_ranking_is_warned_of_at_the_top(self, found: Evaluation) -> None:
        content = json.loads(replace(found, protocol="SAMPLED: among 9 items").to_json())
        assert re.search(r"<header>.*class='warn'>SAMPLED", evaluation_page(content), re.DOTALL)

    def test_without_matplotlib_the_tables_are_there_and_it_is_said(
        self, found: Evaluation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(figures, "is_possible", lambda: False)
        page = evaluation_page(json.loads(found.to_json()))
        assert "<svg" not in page
        assert "install shortlist[report]" in page
        assert "ndcg@10" in page

    def test_equal_results_give_equal_pages(self, found: Evaluation) -> None:
        content = json.loads(found.to_json())
        assert evaluation_page(content) == evaluation_page(content)


class TestComparison:
    def side(self, name: str, found: Evaluation, settings: Mapping[str, Any], ndcg: float) -> Side:
        first, *rest = found.tables
        rows = tuple(
            replace(row, metrics={"ndcg@10": replace(row.metrics["ndcg@10"], mean=ndcg)}) for row in first.rows
        )
        return Side(name, [replace(first, rows=rows), *rest], settings, found.dataset, found.seconds)

    def test_the_better_side_of_each_line_is_marked_and_settings_that_differ_are_listed(
        self, found: Evaluation
    ) -> None:
        sides = [
            self.side("one", found, {"epochs": 1, "width": 8}, 0.1),
            self.side("two", found, {"epochs": 2, "width": 8}, 0.2),
        ]
        page = comparison_page(sides)
        assert_stands_alone(page)
        assert '<td class="best">0.2000</td>' in page
        assert '<td class="best">0.1000</td>' not in page
        settings = page[page.index('id="settings"') : page.index('id="data"')]
        assert "epochs" in settings
        assert "width" not in settings

    def test_lower_errors_are_better_and_equal_ones_are_not_marked(self) -> None:
        assert ["best" in cell for cell in best_cells([0.2, 0.1, None], is_lower_better=True)] == [False, True, False]
        assert not any("best" in cell for cell in best_cells([0.1, 0.1]))

    def test_sides_about_other_data_are_warned_of(self, found: Evaluation) -> None:
        one = self.side("one", found, {}, 0.1)
        page = comparison_page([one, replace(one, name="two", dataset={"name": "other"})])
        assert "figures do not compare" in page

    def test_runs_and_result_files_go_side_by_side(self, run: Run, found: Evaluation, tmp_path: Path) -> None:
        write(found, tmp_path / "found.json")
        page = report_of([run.folder, tmp_path / "found.json"])
        assert "found.json" in page
        assert run.folder.name in page
        assert report_of([tmp_path / "found.json"]) == evaluation_page(json.loads(found.to_json()))
        with pytest.raises(DataRefused, match="more than once"):
            report_of([run.folder, run.folder])
        (tmp_path / "no.json").write_text("{}")
        with pytest.raises(DataRefused, match="is not a file that `shortlist evaluate --json` wrote"):
            report_of([tmp_path / "no.json"])


def test_a_figure_without_an_interval_shows_its_mean_alone() -> None:
    table = compared("t", "a", {"a": {"x": np.zeros(0)}}, seed=1)
    assert "nan" not in metric_table(table)


def test_files_are_replaced_as_a_whole_and_folders_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / REPORT
    write_text("one", path)
    write_text("two", path)
    assert path.read_text() == "two"
    assert [each.name for each in path.parent.iterdir()] == [REPORT]


def test_curves_are_thinned_out_and_passed_on() -> None:
    passed: list[int] = []
    curves = Curves(lambda part, done, total, loss: passed.append(done))
    for step in range(1, 5_001):
        curves("model", step, 5_000, 1.0 / step)
        curves("no loss", step, 5_000, 0.0)
    points = curves.to_json()["model"]
    assert len(passed) == 10_000
    assert MOST_POINTS <= len(points) <= MOST_POINTS + 1
    assert points[0] == [1, 1.0]
    assert list(curves.to_json()) == ["model"]
