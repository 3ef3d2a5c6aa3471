"""The calls in the gateway's README, as pasted, against the whole platform."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from shortlist_testing.platform import running_platform

README = Path(__file__).parents[2] / "services" / "gateway" / "README.md"
CALLS = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^(shortlist .*)$", README.read_text("utf-8"), re.MULTILINE)

SHORTLIST = f"{sys.executable} -m shortlist_cli.main"


async def test_the_calls_and_commands_of_the_readme_run_as_pasted(tmp_path: Path) -> None:
    assert CALLS
    async with running_platform(tmp_path, users=True, slate_log_share=1.0) as platform:
        for call in CALLS:
            assert "127.0.0.1:50051" in call
            code = call.replace("127.0.0.1:50051", platform.address)
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, f"{call}\n{done.stderr}"
            assert done.stdout.strip(), f"prints nothing:\n{call}"
        for command in COMMANDS:
            redis = command.replace("redis://cache:6379/0", platform.valkey.url)
            line = f"{redis} --address {platform.address}" if redis == command else redis
            line = re.sub(r"(> \S+) (--address \S+)", r"\2 \1", line.replace("shortlist", SHORTLIST, 1))
            done = await asyncio.to_thread(
                subprocess.run, line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "name: home" in (tmp_path / "home.yaml").read_text()
        assert list((tmp_path / "var/slates").glob("*.parquet")), "what was answered above was logged"
