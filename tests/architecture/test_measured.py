"""README.md shows what was measured."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "lines"), [("filters.json", 16), ("filter_rules.json", 18)])
def test_the_figures_of_filtered_search_are_those_of_their_file(name: str, lines: int) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/filters.py"), "--show", str(ROOT / "benchmarks" / name)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    assert len(shown.splitlines()) == lines
    assert shown in (ROOT / "services/retrieval/README.md").read_text()


def test_the_figures_in_the_readme_are_those_of_the_data_files() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/render.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
