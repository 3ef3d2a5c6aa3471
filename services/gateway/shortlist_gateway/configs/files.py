"""Serving configs as files, for those who keep them under version control: one config a file, JSON or YAML."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict, ParseError

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_domain.errors import InvalidRequest
from shortlist_domain.ids import is_name
from shortlist_gateway.configs.config import ServingConfig
from shortlist_gateway.configs.reading import read_config

SUFFIXES = (".json", ".yaml", ".yml")
_MOST_BYTES = 262_144
_MOST_VALUES = 20_000
"""Twice what the largest config can hold. A few lines of YAML can stand for billions, by aliases of aliases."""


@dataclass(frozen=True, slots=True)
class FileConfig:
    """A file and the config in it."""

    name: str
    path: str
    config: ServingConfig | None
    """``None`` where it cannot be used."""

    problem: str = ""
    """Why not."""


class ConfigFolder:
    """A folder with a config a file. A file is named like its config; hidden ones are passed over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[bytes, FileConfig]] = {}
        """What was read, by a digest of the file's content: what has not changed is not parsed again."""

    def __str__(self) -> str:
        return str(self._folder)

    def read(self) -> dict[str, FileConfig]:
        """Return the configs by name.

        Raises:
            OSError: The folder cannot be read.
        """
        found: dict[str, FileConfig] = {}
        known, self._known = self._known, {}
        for path in sorted(self._folder.iterdir()):
            if path.suffix not in SUFFIXES or path.name.startswith("."):
                continue
            one = self._one(path, known.get(path))
            other = found.get(one.name)
            if other is not None:
                said = f"stands in two files, {other.path} and {one.path}; keep one of them"
                one = FileConfig(one.name, other.path, None, said)
            found[one.name] = one
        return found

    def _one(self, path: Path, before: tuple[bytes, FileConfig] | None) -> FileConfig:
        try:
            raw = _content(path)
        except (OSError, ValueError) as error:
            shown = _printable(path)
            return FileConfig(_printable(path.stem), shown, None, f"{shown}: {error}")
        digest = hashlib.sha256(raw).digest()
        one = before[1] if before is not None and before[0] == digest else _read(path, raw)
        self._known[path] = (digest, one)
        return one


def _read(path: Path, raw: bytes) -> FileConfig:
    """Return what stands in a file; what is wrong with it is said, not raised."""
    name, shown = _printable(path.stem), _printable(path)
    try:
        if not is_name(name):
            raise ValueError(f"{name!r} cannot name a config")
        message = _message(path, raw)
        if message.name != name:
            raise ValueError(f"the config in it is named {message.name!r}; file and config have one name")
        return FileConfig(name, shown, read_config(message, version_of(message)))
    except (ValueError, TypeError, ParseError, InvalidRequest, RecursionError) as error:
        return FileConfig(name, shown, None, f"{shown}: {error}")


def read_message(path: Path) -> pb.ServingConfig:
    """Return the config that stands in a file, unchecked; one that has no name is named like the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no file, no JSON or YAML, or too large.
        TypeError: It is not a mapping of fields.
        ParseError: The fields are not those of a config.
    """
    return _message(path, _content(path))


def version_of(message: pb.ServingConfig) -> int:
    """Return the version of a config that stands in a file: it follows from the content, the same everywhere."""
    return int.from_bytes(hashlib.sha256(message.SerializeToString(deterministic=True)).digest()[:6], "big")


def _content(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end, nor would a device
        raise ValueError("is no file")
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError(f"has more than {_MOST_BYTES} bytes")
    return raw


def _message(path: Path, raw: bytes) -> pb.ServingConfig:
    content = _parsed(path.suffix, raw)
    if not isinstance(content, dict):
        raise TypeError("a mapping of fields is needed")
    return ParseDict({"name": path.stem, **content}, pb.ServingConfig())


def _parsed(suffix: str, raw: bytes) -> Any:
    text = raw.decode("utf-8")
    if suffix == ".json":
        return json.loads(text)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from error
    left, n_values = [content], 0
    while left:
        value = left.pop()
        n_values += 1
        if n_values > _MOST_VALUES:
            raise ValueError(f"has more than {_MOST_VALUES} values")
        if isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)
    return content


def _printable(path: Path | str) -> str:
    """Return a path as text: names of files may be bytes that are none."""
    return str(path).encode("utf-8", "backslashreplace").decode()
