"""Files out of an archive or a folder, read into memory by name: nothing is ever unpacked to disk."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from shortlist_data.errors import DataRefused

MAX_MEMBER_BYTES = 1 << 30
"""Largest file taken out of an archive; the published data sets that are read this way stay far below."""


def read_members(path: Path, choices: Sequence[Sequence[str]], what: str) -> dict[str, bytes]:
    """Return the content of the files of the first choice that ``path`` has whole, by name.

    Files may lie in any folder inside, all in the same one.

    Args:
        path: Zip archive (a wheel is one) or folder.
        choices: Alternative sets of file names.
        what: What it should be, for messages.

    Raises:
        DataRefused: Absent, neither archive nor folder, damaged, cut short, or without the files.
    """
    if path.is_dir():
        return _from_folder(path, choices, what)
    if not path.is_file():
        raise DataRefused(f"{path} does not exist; give the {what} archive or the folder it was unpacked to")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.filename.endswith("/")]
            chosen = _chosen(names, choices)
            if chosen is None:
                raise DataRefused(f"{path} is not {what}: {_lack(names, choices)}")
            return {PurePosixPath(name).name: _member(archive, name, path) for name in chosen}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise DataRefused(f"{path} is not a whole zip archive ({error}); get {what} again") from error


def _from_folder(path: Path, choices: Sequence[Sequence[str]], what: str) -> dict[str, bytes]:
    files = [p for pattern in ("*", "*/*") for p in sorted(path.glob(pattern)) if p.is_file()]
    names = [p.relative_to(path).as_posix() for p in files]
    chosen = _chosen(names, choices)
    if chosen is None:
        raise DataRefused(f"{path} does not hold {what}: {_lack(names, choices)}")
    try:
        return {PurePosixPath(name).name: (path / name).read_bytes() for name in chosen}
    except OSError as error:
        raise DataRefused(f"{path}: {error.strerror}: {error.filename}") from error


def _chosen(names: Sequence[str], choices: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the full names of the first choice that one folder holds; of several folders, the shortest name."""
    here = {str(PurePosixPath(name)): name for name in names}  # "./ratings.dat" is ratings.dat
    folders = sorted({str(PurePosixPath(name).parent) for name in names}, key=lambda f: (len(f), f))
    for wanted in choices:
        for folder in folders:
            full = [str(PurePosixPath(folder) / name) for name in wanted]
            if here.keys() >= set(full):
                return [here[name] for name in full]
    return None


def _lack(names: Sequence[str], choices: Sequence[Sequence[str]]) -> str:
    wanted = " or ".join("{" + ", ".join(choice) + "}" for choice in choices)
    held = ", ".join(repr(name) for name in sorted(names)[:5]) + (", …" if len(names) > 5 else "")
    return f"it should hold {wanted} and holds {held or 'no file'}"


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    with archive.open(name) as member:
        content = member.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise DataRefused(f"{path}: {name} is larger than {MAX_MEMBER_BYTES >> 20} MiB")
    return content
