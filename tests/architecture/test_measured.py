"""README.md shows what was measured."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_figures_in_the_readme_are_those_of_the_data_files() -> None:
    command = [sys.executable, str(ROOT / "benchmarks/render.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
