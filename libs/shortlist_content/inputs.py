"""What is said and shown of items: texts out of columns and files, pictures out of archives and folders, by item id."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from shortlist_content.pictures import SUFFIXES
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused

_File = TypeVar("_File")

MAX_PICTURE_BYTES = 64 << 20
"""Largest file that is read as a picture."""


class Pictures(Protocol):
    """Pictures by item id, read one at a time."""

    name: str
    """Where they come from."""

    ids: Sequence[str]
    """Items that have one, in ascending order."""

    def read(self, item_id: str) -> bytes:
        """Return the content of the item's file; raises OSError or zipfile.BadZipFile where it cannot be read."""
        ...


def column_texts(dataset: Dataset, columns: Sequence[str]) -> dict[str, str]:
    """Return what the items table says of each item: its ``columns`` in their order, each ended by a full stop.

    Several values are joined by commas; what is missing is left out, and so are items of which nothing is left.

    Raises:
        DataRefused: The items table lacks a column.
    """
    if unknown := [name for name in columns if name not in dataset.items.columns or name == "item_id"]:
        there = ", ".join(name for name in dataset.items.columns if name != "item_id")
        raise DataRefused(f"items have no column {', '.join(unknown)}; there are {there}")
    texts: dict[str, str] = {}
    for row in dataset.items.select("item_id", *dict.fromkeys(columns)).iter_rows(named=True):
        parts = [_told(row[name]) for name in columns]
        if text := " ".join(part for part in parts if part):
            texts[row["item_id"]] = text
    return texts


def _told(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value if one is not None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value).strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def file_texts(path: Path) -> dict[str, str]:
    """Return the texts in a file: CSV with the columns ``item_id`` and ``text``, or one JSON object a line with both.

    An id may be text or a whole number. Blank texts are left out.

    Raises:
        DataRefused: It cannot be read, a line lacks an id or text, or an id is there twice.
    """
    if path.suffix not in {".csv", ".jsonl"}:
        raise DataRefused(f"{path} is neither .csv nor .jsonl")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataRefused(f"{path} cannot be read as UTF-8 text: {error}") from error
    rows = _csv_rows(content, path) if path.suffix == ".csv" else _json_rows(content, path)
    texts: dict[str, str] = {}
    for line, item_id, text in rows:
        if not isinstance(item_id, str | int) or isinstance(item_id, bool) or item_id == "":
            raise DataRefused(f"{path}:{line}: item_id is {item_id!r}, not text or a whole number")
        if text is not None and not isinstance(text, str):
            raise DataRefused(f"{path}:{line}: text is {text!r}, not text")
        if str(item_id) in texts:
            raise DataRefused(f"{path}:{line}: the item {item_id!r} is there a second time")
        texts[str(item_id)] = (text or "").strip()
    return {item_id: text for item_id, text in texts.items() if text}


def _csv_rows(content: str, path: Path) -> Iterator[tuple[int, object, object]]:
    reader = csv.DictReader(io.StringIO(content, newline=""))
    names = reader.fieldnames or []
    if missing := {"item_id", "text"} - set(names):
        raise DataRefused(f"{path} has no column {', '.join(sorted(missing))}; it has {', '.join(names) or 'none'}")
    try:
        for row in reader:
            yield reader.line_num, row["item_id"], row["text"]
    except csv.Error as error:
        raise DataRefused(f"{path}:{reader.line_num}: {error}") from error


def _json_rows(content: str, path: Path) -> Iterator[tuple[int, object, object]]:
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield number, row["item_id"], row["text"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataRefused(f"{path}:{number}: not an object with item_id and text: {error!r}") from error


def joined(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of both, ``first`` before ``second`` where an item has both."""
    ids: Iterable[str] = {**first, **second}
    return {i: " ".join(part for part in (first.get(i), second.get(i)) if part) for i in ids}


class PicturesInFolder:
    """Files of a folder, named ``<item id>.jpg`` or of another picture's suffix."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._files = _by_id({str(p.name): p for p in sorted(folder.iterdir()) if p.is_file()}, folder)
        self.ids: Sequence[str] = sorted(self._files)

    def read(self, item_id: str) -> bytes:
        """See :class:`Pictures`."""
        path = self._files[item_id]
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise OSError(f"{path.name} has more than {MAX_PICTURE_BYTES >> 20} MiB")
        return path.read_bytes()


class PicturesInZip:
    """Members of a zip archive, in whatever folder inside, named as in :class:`PicturesInFolder`."""

    def __init__(self, path: Path) -> None:
        """Open the archive ``path``.

        Raises:
            DataRefused: It is not a whole zip archive, or two members are of one item.
        """
        self.name = path.name
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataRefused(f"{path} is not a whole zip archive: {error}") from error
        members = {info.filename: info for info in self._archive.infolist() if not info.is_dir()}
        self._members = _by_id(members, path)
        self.ids: Sequence[str] = sorted(self._members)

    def read(self, item_id: str) -> bytes:
        """See :class:`Pictures`."""
        info = self._members[item_id]
        if info.file_size > MAX_PICTURE_BYTES:
            raise OSError(f"{info.filename} has more than {MAX_PICTURE_BYTES >> 20} MiB")
        try:
            return self._archive.read(info)
        except (zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise OSError(f"{info.filename}: {error}") from error


class RenamedPictures:
    """Pictures of items that go by other ids there."""

    def __init__(self, pictures: Pictures, theirs: Mapping[str, str]) -> None:
        """Take, for each item id, the id that ``pictures`` has for it."""
        self.name = pictures.name
        held = set(pictures.ids)
        self._pictures = pictures
        self._theirs = {ours: other for ours, other in theirs.items() if other in held}
        self.ids: Sequence[str] = sorted(self._theirs)

    def read(self, item_id: str) -> bytes:
        """See :class:`Pictures`."""
        return self._pictures.read(self._theirs[item_id])


def pictures_in(path: Path) -> Pictures:
    """Return the pictures of a folder or a zip archive.

    Raises:
        DataRefused: It is neither, or holds none.
    """
    if not path.exists():
        raise DataRefused(f"{path} does not exist; give a folder or a zip archive of pictures")
    pictures: Pictures = PicturesInFolder(path) if path.is_dir() else PicturesInZip(path)
    if not pictures.ids:
        raise DataRefused(f"{path} holds no picture ({', '.join(sorted(SUFFIXES))}); each is named by its item's id")
    return pictures


def _by_id(files: Mapping[str, _File], where: Path) -> dict[str, _File]:
    found: dict[str, _File] = {}
    for name, file in files.items():
        path = PurePosixPath(name)
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise DataRefused(f"{where} holds two pictures of the item {path.stem!r}")
        found[path.stem] = file
    return found
