"""Serving configs from files: they win, they are said, and broken ones leave what stood there before."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_testing.redis import running_valkey
from shortlist_testing.tiny_bundle import tiny_bundle

from .config_platform import becomes, platform_on
from .questions import ask, refused

BOMB = "\n".join(
    [
        "filters:",
        '  - {name: f0, expression: "year:*", ast: &f0 {history: {}}}',
        *(
            f"  - {{name: f{n}, ast: &f{n} {{all: {{nodes: [{', '.join([f'*f{n - 1}'] * 10)}]}}}}}}"
            for n in range(1, 9)
        ),
    ]
)
"""Two kB of YAML that stand for a hundred million values."""


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, "utf-8")
    return path


async def test_configs_in_files_win_and_are_not_changed_by_calls(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "bundles")
    folder = tmp_path / "configs"
    folder.mkdir()
    yaml_text = (
        "slateSize: 3\nsources:\n  - source: popular\n    weight: 2\nconstraints:\n  excludeItemIds: [item-001]\n"
    )
    home = write(folder, "home.yaml", yaml_text)
    write(folder, "json.json", json.dumps({"name": "json", "slate_size": 4, "fallback_config": "home"}))
    write(folder, "README.md", "passed over")
    write(folder, ".hidden.yaml", "{")
    with running_valkey() as valkey:
        async with platform_on(tmp_path / "bundles", valkey, config_folder=folder) as (_, configs, stub):
            listed = await configs.all()
            assert set(listed) == {"default", "home", "json"}
            record = listed["home"]
            assert (record.origin, record.file) == (pb.SERVING_CONFIG_ORIGIN_FILE, str(home))
            assert record.version > 0
            answer = await stub.Recommend(ask("u1", serving_config="home"))
            assert (len(answer.results), answer.meta.serving_config_version) == (3, record.version)
            assert len((await stub.Recommend(ask("u1", serving_config="json"))).results) == 4
            for call in (
                configs.put("home"),
                configs.delete("home"),
                configs.rollback("home"),
                configs.put("home", validate_only=True),
            ):
                said = await refused(call, grpc.StatusCode.FAILED_PRECONDITION)
                assert said == f"serving config 'home' stands in {home}; change it there"

            write(folder, "home.yaml", yaml_text.replace("3", "5"))
            await becomes(lambda: _has_size(stub, "home", 5))
            assert (await configs.get("home")).version != record.version
            write(folder, "home.yaml", yaml_text)
            await becomes(lambda: _has_size(stub, "home", 3))
            assert (await configs.get("home")).version == record.version, "the content decides"


async def _has_size(stub: Any, name: str, size: int) -> bool:
    return len((await stub.Recommend(ask("u1", serving_config=name))).results) == size


async def test_a_file_hides_a_stored_config_loudly_and_gives_it_back(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "bundles")
    folder = tmp_path / "configs"
    folder.mkdir()
    with running_valkey() as valkey:
        async with platform_on(tmp_path / "bundles", valkey, config_folder=folder) as (_, configs, stub):
            stored = await configs.put("home", slate_size=7)
            path = write(folder, "home.json", '{"slateSize": 2}')
            await becomes(lambda: _has_size(stub, "home", 2))
            assert list((await configs.get("home")).problems) == [f"hides stored version {stored.version}"]
            path.unlink()
            await becomes(lambda: _has_size(stub, "home", 7))
            assert await configs.get("home") == stored


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "home.yaml"),
        ("- a list", "a mapping of fields is needed"),
        ("slate_sise: 3", "slate_sise"),
        ("slate_size: 1001", "config.slate_size: is 1001"),
        ("slate_size: 2024-01-01", "slate_size"),
        ("name: other", "the config in it is named 'other'"),
        ("a: &a [*a]", "home.yaml"),
        ("x" * 300_000, "has more than 262144 bytes"),
        (BOMB, "has more than 20000 values"),
    ],
)
async def test_a_broken_file_is_said_and_what_stood_there_before_goes_on(
    tmp_path: Path, content: str, said: str
) -> None:
    tiny_bundle(tmp_path / "bundles")
    folder = tmp_path / "configs"
    folder.mkdir()
    write(folder, "home.yaml", "slate_size: 3")
    with running_valkey() as valkey:
        async with platform_on(tmp_path / "bundles", valkey, config_folder=folder) as (_, configs, stub):
            write(folder, "home.yaml", content)
            write(folder, "new.yaml", content)

            async def is_said() -> bool:
                return bool((await configs.get("home")).problems) and "new" in await configs.all()

            await becomes(is_said)
            (problem,) = (await configs.get("home")).problems
            assert said in problem
            assert "what stood there before goes on" in problem
            assert await _has_size(stub, "home", 3)
            refusal = await refused(stub.Recommend(ask("u1", serving_config="new")), grpc.StatusCode.UNAVAILABLE)
            assert "'new' cannot be used here" in refusal
            assert await _has_size(stub, "", 10)


async def test_what_is_no_file_is_said_and_what_stood_there_before_goes_on(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "bundles")
    folder = tmp_path / "configs"
    folder.mkdir()
    path = write(folder, "home.yaml", "slate_size: 3")
    aside = tmp_path / "aside.yaml"
    aside.write_text("slate_size: 4")
    not_utf8 = os.open(os.fsencode(folder) + b"/caf\xe9.yaml", os.O_CREAT)
    os.close(not_utf8)
    with running_valkey() as valkey:
        async with platform_on(tmp_path / "bundles", valkey, config_folder=folder) as (_, configs, stub):

            async def problem() -> str:
                return "; ".join((await configs.get("home")).problems)

            async def says(words: str) -> bool:
                return words in await problem()

            async def is_well() -> bool:
                return not await problem()

            troubles: list[tuple[str, Callable[[], object]]] = [
                ("No such file", lambda: path.symlink_to(folder / "nowhere")),
                ("Too many levels", lambda: path.symlink_to(path)),
                ("is no file", path.mkdir),
                ("is no file", lambda: os.mkfifo(path)),
                ("is no file", lambda: path.symlink_to("/dev/zero")),
            ]
            for words, replace in troubles:
                path.unlink()
                replace()
                await becomes(partial(says, words))
                assert "what stood there before goes on" in await problem()
                assert await _has_size(stub, "home", 3)
                path.rmdir() if path.is_dir() else path.unlink()
                write(folder, "home.yaml", "slate_size: 3")
                await becomes(is_well)
            path.unlink()
            path.symlink_to(aside)
            await becomes(lambda: _has_size(stub, "home", 4))
            assert await is_well()
            (odd,) = (record for name, record in (await configs.all()).items() if name.startswith("caf"))
            assert "cannot name a config" in odd.problems[0]


async def test_one_config_in_two_files_and_a_folder_that_is_gone_are_said(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "bundles")
    folder = tmp_path / "configs"
    folder.mkdir()
    write(folder, "home.yaml", "slate_size: 3")
    with running_valkey() as valkey:
        async with platform_on(tmp_path / "bundles", valkey, config_folder=folder) as (_, configs, stub):
            other = write(folder, "home.json", '{"slateSize": 4}')

            async def is_said() -> bool:
                return bool((await configs.get("home")).problems)

            await becomes(is_said)
            assert "stands in two files" in (await configs.get("home")).problems[0]
            assert await _has_size(stub, "home", 3)
            other.unlink()
            (folder / "home.yaml").unlink()
            folder.rmdir()
            await asyncio.sleep(0.3)
            assert await _has_size(stub, "home", 3), "a folder that cannot be read takes nothing away"
