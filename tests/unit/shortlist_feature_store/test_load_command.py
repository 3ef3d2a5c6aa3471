"""``shortlist load``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from shortlist_cli.load_commands import load
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate
from shortlist_testing.redis import RunningValkey, running_valkey

APP = typer.Typer()
APP.command()(load)


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


def test_it_loads_and_says_how_much_was_new(tmp_path: Path, valkey: RunningValkey) -> None:
    save(simulate(users=20, items=30, events=300, seed=1), tmp_path / "data")
    arguments = [str(tmp_path / "data"), "--redis-url", valkey.url, "--tenant", "shop"]
    first = CliRunner().invoke(APP, arguments)
    assert first.exit_code == 0, first.output
    assert "20 users, 300 events (300 of them new)" in first.output
    assert "300 events (0 of them new)" in CliRunner().invoke(APP, arguments).output


def test_it_loads_into_a_valkey_of_its_own(tmp_path: Path) -> None:
    save(simulate(users=20, items=30, events=300, seed=1), tmp_path / "data")
    done = CliRunner().invoke(APP, [str(tmp_path / "data"), "--valkey", str(tmp_path / "valkey")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "valkey" / "appendonlydir").is_dir()


def test_what_is_no_data_set_is_said_so(tmp_path: Path, valkey: RunningValkey) -> None:
    failed = CliRunner().invoke(APP, [str(tmp_path), "--redis-url", valkey.url])
    assert failed.exit_code == 1
    assert "is not a prepared data set" in failed.output


def test_a_redis_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    failed = CliRunner().invoke(APP, [str(tmp_path), "--redis-url", "redis://127.0.0.1:1"])
    assert failed.exit_code == 1
    assert "redis" in failed.output


def test_help_has_examples() -> None:
    assert "shortlist load var/data/ml-1m" in CliRunner().invoke(APP, ["--help"]).output
