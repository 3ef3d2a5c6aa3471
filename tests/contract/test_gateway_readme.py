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


async def test_the_calls_of_the_readme_run_as_pasted(tmp_path: Path) -> None:
    assert CALLS
    async with running_platform(tmp_path, users=True) as platform:
        for call in CALLS:
            assert "127.0.0.1:50051" in call
            code = call.replace("127.0.0.1:50051", platform.address)
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, f"{call}\n{done.stderr}"
            assert done.stdout.strip(), f"prints nothing:\n{call}"
