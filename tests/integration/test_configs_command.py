"""``shortlist configs`` against a running platform."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from typer.testing import CliRunner, Result

from shortlist_cli.main import app
from shortlist_testing.platform import Platform, running_platform

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform")) as platform:
        yield platform


async def run(platform: Platform, *words: str, code: int = 0) -> str:
    runner = CliRunner(env={"COLUMNS": "200"})
    arguments = ["configs", *words, "--address", platform.address]
    result: Result = await asyncio.to_thread(runner.invoke, app, arguments)
    assert result.exit_code == code, result.output
    return result.output


async def test_a_config_goes_round_by_files(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    file.write_text("description: the home page\nslate_size: 5\nconstraints: {exclude_seen: {lookback: 60s}}\n")
    assert "home is valid; nothing was written" in await run(platform, "put", str(file), "--validate-only")
    assert "NOT_FOUND" in await run(platform, "get", "home", code=1)
    said = await run(platform, "put", str(file), "--expected-version", "0")
    first = int(said.split("version ")[1])
    listed = await run(platform, "list")
    assert "the home page" in listed
    assert "built in" in listed
    printed = await run(platform, "get", "home")
    assert yaml.safe_load(printed) == {
        "name": "home",
        "description": "the home page",
        "slate_size": 5,
        "constraints": {"exclude_seen": {"lookback": "60s"}},
    }
    again = tmp_path / "again.json"
    content = json.loads(await run(platform, "get", "home", "--format", "json"))
    again.write_text(json.dumps(content | {"slate_size": 7}))
    assert "ABORTED" in await run(platform, "put", str(again), "--expected-version", "0", code=1)
    await run(platform, "put", str(again), "--expected-version", str(first))
    assert "slate_size: 7" in await run(platform, "get", "home")
    assert "slate_size: 5" in await run(platform, "get", "home", "--version", str(first))
    assert "home is valid" in await run(platform, "rollback", "home", "--validate-only")
    await run(platform, "rollback", "home")
    assert "slate_size: 5" in await run(platform, "get", "home")
    await run(platform, "rollback", "home", "--version", str(first))
    assert "home is deleted" in await run(platform, "delete", "home")
    history = await run(platform, "history", "home")
    assert "deleted" in history
    assert str(first) in history
    await run(platform, "rollback", "home")
    assert "slate_size: 5" in await run(platform, "get", "home")
    arguments = ["recommend", "ann", "-k", "6", "--config", "home", "--address", platform.address]
    result = await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, arguments)
    assert "slate_size: is 6; serving config 'home' allows at most 5" in result.output


async def test_what_is_wrong_with_a_file_or_a_config_is_said(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    for content, said in (
        ("slate_size: 1001", "INVALID_ARGUMENT: config.slate_size: is 1001; it must be in [1, 1000]"),
        ("slate_sise: 3", "slate_sise"),
        ("[", "home.yaml"),
        ("- a", "a mapping of fields is needed"),
    ):
        file.write_text(content)
        assert said in await run(platform, "put", str(file), code=1)
    assert "No such file" in await run(platform, "put", str(tmp_path / "none.yaml"), code=1)
    for words in (("get", "none"), ("delete", "none"), ("history", "none"), ("rollback", "none")):
        assert "NOT_FOUND: there is no serving config 'none'" in await run(platform, *words, code=1)
    assert "slate_size" not in await run(platform, "get")
