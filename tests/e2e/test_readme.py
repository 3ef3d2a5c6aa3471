"""Every command and snippet of README.md, run as a reader would, in an empty folder; then the demo on what is there.

Training is cut short by ``--set``; everything else is as written.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortlist_cli.bench.server import wait_ready
from shortlist_testing.processes import free_port

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
BY_MAKE = {"make demo", "make test"}
"""Run by a person or by CI; the demo's own steps are below."""

QUICK = (
    "two_tower.epochs=1",
    "two_tower.share=0.3",
    "ranker.queries=1000",
    "ranker.epochs=1",
    "evaluation.validation_events=400",
    "evaluation.test_events=400",
)


def commands() -> list[str]:
    """Return the commands of README.md, one a line, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def run(command: str, folder: Path, within_s: float = 300.0) -> str:
    """Run a command line in ``folder`` with our tools first on the path; it must succeed."""
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "COLUMNS": "160", **_inherited()},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def _inherited() -> dict[str, str]:
    import os

    return {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k in ("HOME", "SSL_CERT_FILE", "LANG")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first steps of README.md were taken."""
    folder = tmp_path_factory.mktemp("reader")
    cached = ROOT / "var/data/downloads"
    if cached.is_dir():
        shutil.copytree(cached, folder / "var/data/downloads")
    try:
        run("shortlist data get ml-100k", folder)
    except AssertionError as error:
        pytest.skip(f"ml-100k cannot be had here: {error}")
    quick = " ".join(f"--set {change}" for change in QUICK)
    out = run(f"shortlist train var/data/ml-100k {quick}", folder)
    assert "published as generation 1" in " ".join(out.split())
    assert "943 users" in run("shortlist load var/data/ml-100k", folder)
    return folder


@pytest.fixture(scope="class")
def served(trained: Path) -> Iterator[tuple[Path, str]]:
    """Serve what was trained, as README.md does, on a free port."""
    port = free_port()
    command = [str(BIN / "shortlist"), "serve", "--port", str(port), "--log-level", "WARNING"]
    process = subprocess.Popen(command, cwd=trained)
    try:
        wait_ready(f"127.0.0.1:{port}", process)
        yield trained, f"127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0


STEPS = (
    "shortlist data get ml-100k",
    "shortlist train var/data/ml-100k",
    "shortlist load var/data/ml-100k",
    "shortlist serve",
)


def test_the_steps_are_those_that_the_fixtures_take() -> None:
    assert [c for c in commands() if c in STEPS] == list(STEPS)
    assert set(commands()) >= BY_MAKE


class TestWhileItServes:
    """One server for these; it ends with the class, since a work folder has one server."""

    @pytest.mark.parametrize("command", [c for c in commands() if c not in {*STEPS, *BY_MAKE}])
    def test_the_command_works_as_written(self, served: tuple[Path, str], command: str) -> None:
        folder, address = served
        if command.startswith("shortlist recommend"):
            command += f" --address {address}"
        assert run(command.replace("127.0.0.1:50051", address), folder).strip()

    def test_the_python_call_works_as_written(self, served: tuple[Path, str]) -> None:
        folder, address = served
        (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        (folder / "snippet.py").write_text(snippet.replace("127.0.0.1:50051", address))
        assert len(run("python snippet.py", folder).splitlines()) == 5

    def test_a_second_server_on_the_folder_ends_at_once_and_says_why(self, served: tuple[Path, str]) -> None:
        command = [str(BIN / "shortlist"), "serve", "--port", "0", "--log-level", "ERROR"]
        done = subprocess.run(command, cwd=served[0], capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 1
        assert "var/valkey" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_demo_shows_a_list_change_and_ends_by_itself(trained: Path) -> None:
    out = run("shortlist demo --once --port 0", trained)
    assert re.search(r"\d+ of 8 items are new on the list", out)
    assert "degradation NONE" in out
    calls = [
        line for line in out.splitlines() if line.startswith(("grpcurl ", "ghz ")) or " -c 'from shortlist" in line
    ]
    assert len(calls) == 3


def test_the_bench_prints_percentiles(trained: Path) -> None:
    out = run("shortlist bench --rps 20 --duration-s 3 --warm-up-s 1 --json bench.json", trained)
    assert "latency p99" in out
    assert '"failed": 0' in (trained / "bench.json").read_text()
