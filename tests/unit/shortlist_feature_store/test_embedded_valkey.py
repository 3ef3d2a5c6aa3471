"""The Valkey of our own: keeps data, comes back, and ends with us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.stages import Event
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.valkey import EmbeddedValkey, FolderInUse
from shortlist_feature_store.wiring import open_store
from shortlist_testing.feature_store_contract import KEY, soon

EVENT = Event("a", 3.0, 1_700_000_000.0)


def settings_for(folder: Path) -> FeatureStoreSettings:
    return FeatureStoreSettings(valkey_folder=folder)


async def test_what_was_written_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    async with open_store(settings_for(tmp_path / "a b")) as store:
        await store.append_events(KEY, [EVENT], soon())
    async with open_store(settings_for(tmp_path / "a b")) as store:
        assert list((await store.read_actor(KEY, 0, soon())).item_ids) == ["a"]


async def test_a_killed_server_is_started_again_and_has_lost_nothing(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path)
    await valkey.start()
    try:
        async with open_store(FeatureStoreSettings(redis_url=SecretStr(valkey.url))) as store:
            await store.append_events(KEY, [EVENT], soon())
            first = valkey.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            began = time.monotonic()
            while True:
                try:
                    state = await store.read_actor(KEY, 0, soon())
                    break
                except UpstreamFailed:
                    await asyncio.sleep(0.01)
            assert time.monotonic() - began < 2.0
            assert list(state.item_ids) == ["a"]
            assert valkey.pid not in (None, first)
    finally:
        await valkey.stop()


async def test_two_on_one_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist_feature_store.valkey._LOCK_S", 0.1)
    async with open_store(settings_for(tmp_path)):
        with pytest.raises(FolderInUse, match="another process runs a Valkey"):
            async with open_store(settings_for(tmp_path)):
                pass


async def test_a_folder_too_deep_for_a_socket_gets_a_port_with_a_password(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    valkey = EmbeddedValkey(folder)
    await valkey.start()
    try:
        assert valkey.url.startswith("redis://:")
        async with open_store(FeatureStoreSettings(redis_url=SecretStr(valkey.url))) as store:
            await store.ping(soon())
        port = valkey.url.rpartition(":")[2]
        async with open_store(FeatureStoreSettings(redis_url=SecretStr(f"redis://127.0.0.1:{port}"))) as stranger:
            with pytest.raises(UpstreamFailed, match=r"Authentication|NOAUTH"):
                await stranger.ping(soon())
    finally:
        await valkey.stop()


async def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path)
    await valkey.start()
    pid = valkey.pid
    assert pid is not None
    await valkey.stop()
    await valkey.stop()
    assert not is_alive(pid)


def test_it_ends_with_its_parent_even_where_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from shortlist_feature_store.valkey import EmbeddedValkey\n"
        "async def main():\n"
        "    valkey = EmbeddedValkey(pathlib.Path(sys.argv[1]))\n"
        "    await valkey.start()\n"
        "    print(valkey.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        for line in parent.stdout:
            if line.strip().isdigit():
                break
        pid = int(line)
        assert is_alive(pid)
        parent.kill()
    until = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(pid)


async def test_where_no_server_can_start_memory_stands_in_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    async with open_store(settings_for(tmp_path / "file")) as store:
        await store.append_events(KEY, [EVENT], soon())
        assert (await store.read_actor(KEY, 0, soon())).known
    out = "".join(capfd.readouterr())
    assert out.count("FEATURES ARE KEPT IN MEMORY ONLY") == 1


async def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path, binary=Path("/bin/false"))
    with pytest.raises(UpstreamFailed, match=r"valkey\.log"):
        await valkey.start()


async def test_who_needs_a_server_is_refused_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UpstreamFailed, match="cannot be started"):
        async with open_store(settings_for(tmp_path / "file"), may_be_memory=False):
            pass


def is_alive(pid: int) -> bool:
    """Whether ``pid`` runs; one that has ended and waits to be collected does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
