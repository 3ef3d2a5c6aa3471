"""The commands as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from shortlist_cli.data_commands import app

SCHEMA = "name: shop\ninteractions: {path: events.csv, user: who, item: what, time: at}\n"


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    rows = "".join(f"{i % 12:03d},i{(i + i // 12) % 12},{1000 + i}\n" for i in range(144))
    (tmp_path / "events.csv").write_text("who,what,at\n" + rows + ",i1,1\n")
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    return tmp_path / "schema.yaml"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_import_then_check_shows_counts_time_span_and_rows_left_out(schema: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "shop"
    code, shown, _ = run("import", schema, "--out", out)
    assert code == 0
    for arguments in (("check", out), ("check", schema)):
        code, shown, _ = run(*arguments)
        assert code == 0
        for part in ("144", "12 of them", "1970-01-01 00:16:40", "user id is missing", "events.csv:146"):
            assert part in shown
        assert "Every event has the value 1" in shown


def test_what_no_model_reads_is_counted_as_well(schema: Path, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("id,new,out\ni1,yes,\ni2,,2024-01-31\ni3,no,\n")
    items = "items: {path: items.csv, id: id, attributes: {new: flag, out: time}}\n"
    schema.write_text(SCHEMA + items)
    code, shown, _ = run("check", schema)
    assert code == 0
    assert "for filters alone" in shown
    assert "new (17% known), out (8% known)" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "nowhere.yaml", "--out", "x"),
        ("check", "nowhere"),
        ("check", "."),
        ("get", "ml-1m", "--archive", "nowhere.zip"),
        ("get", "ml-1m", "--source", "wheel"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_status(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, shown, told = run(*arguments)
    assert code == 1
    assert shown == ""
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_somebody_elses_is_left_alone(schema: Path, tmp_path: Path) -> None:
    code, _, told = run("import", schema, "--out", tmp_path)
    assert code == 1
    assert "choose another folder" in told


@pytest.mark.parametrize("arguments", [("--help",), ("get", "--help"), ("import", "--help"), ("check", "--help")])
def test_help_has_examples(arguments: tuple[str, ...]) -> None:
    code, shown, _ = run(*arguments)
    assert code == 0
    assert "shortlist data" in shown or "interactions:" in shown


def test_the_schema_in_the_help_is_one_that_can_be_read(tmp_path: Path) -> None:
    import re

    from shortlist_cli.data_commands import SCHEMA_EXAMPLE
    from shortlist_data.schema import read_schema

    block = SCHEMA_EXAMPLE.split("\b\n")[1].split("\n\n")[0]
    (tmp_path / "schema.yaml").write_text(re.sub(r"\s+\(.*\)$", "", block, flags=re.MULTILINE))
    assert read_schema(tmp_path / "schema.yaml").name == "bookshop"


def test_the_schema_in_the_module_is_one_that_can_be_read(tmp_path: Path) -> None:
    from shortlist_data import schema

    (tmp_path / "schema.yaml").write_text((schema.__doc__ or "").split("::\n")[1].split("\nKeys of")[0])
    assert schema.read_schema(tmp_path / "schema.yaml").interactions.value == "stars"
