"""``shortlist slates export``, from a real Valkey."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pytest
from typer.testing import CliRunner

from shortlist.common.v1 import answer_pb2
from shortlist.common.v1.slate_record_pb2 import LoggedItem, SlateRecord
from shortlist_cli import slate_files
from shortlist_cli.main import app
from shortlist_cli.slate_commands import export_from
from shortlist_domain.deadline import Deadline
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import Limits, SlateEntry
from shortlist_testing.redis import RunningValkey, running_valkey

T = TypeVar("T")

KILLED_BETWEEN_WRITING_AND_CONFIRMING = """
import os, signal, sys
from shortlist_cli.main import app
from shortlist_feature_store.redis_store import RedisStore

async def dies(self, entry_ids, deadline):
    os.kill(os.getpid(), signal.SIGKILL)

RedisStore.confirm_slates = dies
app(["slates", "export", "--out", sys.argv[1], "--redis-url", sys.argv[2], "--rows", sys.argv[3]])
"""


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


class Log:
    """The log in an empty Valkey; each call is a store of its own, as each command is a process of its own."""

    def __init__(self, url: str, limits: Limits) -> None:
        self._url = url
        self._limits = limits

    def append(self, *records: SlateRecord | bytes) -> None:
        raw = [one if isinstance(one, bytes) else one.SerializeToString() for one in records]
        self._run(lambda store: store.append_slates(raw, Deadline.after(5.0)))

    def take(self) -> list[SlateEntry]:
        return list(self._run(lambda store: store.take_slates("export", 10, Deadline.after(5.0))))

    def export(self, out: Path) -> tuple[int, int]:
        return self._run(lambda store: export_from(store, out, 1_000, "export"))

    def _run(self, call: Callable[[RedisStore], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            store = RedisStore(RedisLink(self._url), self._limits)
            try:
                return await call(store)
            finally:
                await store.aclose()

        return asyncio.run(run())


@pytest.fixture
def log(valkey: RunningValkey) -> Log:
    valkey.command("FLUSHALL")
    return Log(valkey.url, Limits())


def record(slate_id: str, **more: object) -> SlateRecord:
    return SlateRecord(schema_version=1, slate_id=slate_id, **more)  # type: ignore[arg-type]


def slate_ids(folder: Path) -> list[str]:
    """Return the ids in all files, repetitions and all."""
    return [one for path in sorted(folder.glob("*.parquet")) for one in pl.read_parquet(path)["slate_id"]]


def export(out: Path, valkey: RunningValkey, *more: str) -> str:
    result = CliRunner().invoke(app, ["slates", "export", "--out", str(out), "--redis-url", valkey.url, *more])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_slate_is_a_row_with_everything_that_was_logged(tmp_path: Path, log: Log, valkey: RunningValkey) -> None:
    logged = record(
        "s",
        made_ms=1_700_000_000_123,
        request_id="r",
        tenant="shop",
        actor_id="u/1",
        rpc="Recommend",
        bundle_id="b",
        serving_config="default",
        serving_config_version=7,
        is_variant_forced=True,
        surface="home/top",
        session_id="s",
        variants=["blue"],
        candidate_digest=bytes(range(32)),
        candidate_count=500,
        items=[
            LoggedItem(item_id="x", position=10, score=0.5, propensity=0.25),
            LoggedItem(item_id="y", position=11, score=-1.0, propensity=1.0),
        ],
        degradation_level=answer_pb2.DEGRADATION_LEVEL_PARTIAL,
        degradation_causes=[answer_pb2.DEGRADATION_CAUSE_RANKING_PARTIAL],
        logged_share=0.1,
    )
    log.append(logged, record("empty", degradation_level=answer_pb2.DEGRADATION_LEVEL_NONE))
    assert "2 slates in" in export(tmp_path / "out", valkey)
    (path,) = (tmp_path / "out").glob("*.parquet")
    table = pl.read_parquet(path)
    assert dict(table.schema) == slate_files.COLUMNS
    assert table.row(0, named=True) == {
        "schema_version": 1,
        "slate_id": "s",
        "made_at": datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC),
        "request_id": "r",
        "tenant": "shop",
        "actor_id": "u/1",
        "rpc": "Recommend",
        "bundle_id": "b",
        "serving_config": "default",
        "variants": ["blue"],
        "candidate_digest": bytes(range(32)),
        "candidate_count": 500,
        "item_ids": ["x", "y"],
        "positions": [10, 11],
        "scores": [0.5, -1.0],
        "propensities": [0.25, 1.0],
        "degradation_level": "PARTIAL",
        "degradation_causes": ["RANKING_PARTIAL"],
        "logged_share": 0.1,
        "serving_config_version": 7,
        "is_variant_forced": True,
        "surface": "home/top",
        "session_id": "s",
    }
    assert table["item_ids"].to_list()[1] == []


def test_an_export_goes_on_where_the_last_one_ended(tmp_path: Path, log: Log, valkey: RunningValkey) -> None:
    assert "0 slates in" in export(tmp_path, valkey)
    log.append(*(record(f"{at}") for at in range(7)))
    assert "7 slates in" in export(tmp_path, valkey, "--rows", "3")
    assert len(list(tmp_path.glob("*.parquet"))) == 3
    log.append(record("7"))
    assert "1 slates in" in export(tmp_path, valkey)
    assert sorted(slate_ids(tmp_path)) == [f"{at}" for at in range(8)]


def test_an_export_that_is_killed_before_it_confirms_loses_and_repeats_nothing(
    tmp_path: Path, log: Log, valkey: RunningValkey
) -> None:
    log.append(*(record(f"{at}") for at in range(5)))
    script = [sys.executable, "-c", KILLED_BETWEEN_WRITING_AND_CONFIRMING, str(tmp_path), valkey.url, "3"]
    assert subprocess.run(script, check=False, timeout=60).returncode == -signal.SIGKILL
    assert slate_ids(tmp_path) == ["0", "1", "2"], "the file is there, and nobody was told"
    assert "2 slates in" in export(tmp_path, valkey, "--rows", "2"), "the file that is there is not written again"
    assert slate_ids(tmp_path) == ["0", "1", "2", "3", "4"]
    assert "0 slates in" in export(tmp_path, valkey)


def test_an_export_that_ended_before_its_file_was_whole_is_made_good(
    tmp_path: Path, log: Log, valkey: RunningValkey
) -> None:
    log.append(record("0"), record("1"))
    taken = log.take()
    part = tmp_path / f".slates-{taken[0].entry_id}-{taken[-1].entry_id}.parquet.part"
    part.write_bytes(b"PAR1 and no more")
    assert "2 slates in" in export(tmp_path, valkey)
    assert slate_ids(tmp_path) == ["0", "1"]
    assert not part.exists()


def test_a_slate_that_was_logged_twice_is_written_once(tmp_path: Path, log: Log, valkey: RunningValkey) -> None:
    log.append(record("0"), record("1"), record("0"))
    export(tmp_path, valkey)
    assert slate_ids(tmp_path) == ["0", "1"]


def test_what_left_the_log_between_taking_and_writing_is_counted(tmp_path: Path, valkey: RunningValkey) -> None:
    valkey.command("FLUSHALL")
    log = Log(valkey.url, Limits(slate_log_length=1))
    log.append(record("0"), record("1"))
    log.take()
    log.append(*(record(f"{at}") for at in range(2, 500)))
    written, lost = log.export(tmp_path)
    assert lost == 2
    assert slate_ids(tmp_path) == [f"{at}" for at in range(500 - written, 500)]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (SlateRecord(schema_version=2, slate_id="s").SerializeToString(), "schema version 2; up to 1 is known here"),
        (b"\xff\xff", "is no SlateRecord"),
    ],
)
def test_what_is_not_understood_is_refused_and_stays_in_the_log(
    tmp_path: Path, log: Log, valkey: RunningValkey, raw: bytes, why: str
) -> None:
    log.append(record("0"), raw)
    arguments = ["slates", "export", "--out", str(tmp_path), "--redis-url", valkey.url]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert why in " ".join(refused.output.split())
    assert slate_ids(tmp_path) == []
    kept = log.take()
    assert [entry.record for entry in kept] == [record("0").SerializeToString(), raw]


def test_what_a_later_release_names_is_kept_as_a_number(tmp_path: Path) -> None:
    raw = record("s", degradation_level=99, degradation_causes=[1, 98]).SerializeToString()
    assert slate_files.write_slates(tmp_path, [SlateEntry("1-1", raw)]) == (1, 0)
    row = pl.read_parquet(tmp_path / "slates-1-1-1-1.parquet").row(0, named=True)
    assert (row["degradation_level"], row["degradation_causes"]) == ("99", ["FEATURES_TIMEOUT", "98"])


def test_two_exports_of_one_name_do_not_run_at_once(tmp_path: Path, log: Log, valkey: RunningValkey) -> None:
    log.append(record("0"))
    arguments = ["slates", "export", "--out", str(tmp_path / "out"), "--redis-url", valkey.url]
    with slate_files.only_export(tmp_path / "out", "export"):
        refused = CliRunner().invoke(app, arguments)
        assert refused.exit_code == 1
        assert "another export of the name 'export'" in " ".join(refused.output.split())
        assert "1 slates in" in export(tmp_path / "out", valkey, "--consumer", "a/b")
    assert "0 slates in" in export(tmp_path / "out", valkey)


def test_a_redis_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    arguments = ["slates", "export", "--out", str(tmp_path), "--redis-url", "redis://127.0.0.1:1"]
    failed = CliRunner().invoke(app, arguments)
    assert failed.exit_code == 1
    assert "redis" in failed.output


def test_entries_that_are_all_gone_make_no_file(tmp_path: Path) -> None:
    assert slate_files.write_slates(tmp_path, [SlateEntry("1-1", None), SlateEntry("1-2", None)]) == (0, 2)
    assert list(tmp_path.iterdir()) == []
