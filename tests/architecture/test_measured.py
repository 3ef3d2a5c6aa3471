"""README.md shows what was measured."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_figures_of_filtered_search_are_those_of_their_file() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/filters.py"), "--show", str(ROOT / "benchmarks/filters.json")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    assert len(shown.splitlines()) == 16
    assert shown in (ROOT / "services/retrieval/README.md").read_text()


def test_the_figures_in_the_readme_are_those_of_the_data_files() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/render.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
