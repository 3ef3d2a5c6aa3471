"""Serving configs as files, for those who keep them under version control: one config a file, JSON or YAML."""

from __future__ import annotations

import hashlib
import json
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
        self._known: dict[Path, tuple[tuple[int, int, int], FileConfig]] = {}
        """What was read, and when the file was written, how long it is, and which one: what has not changed is kept."""

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
            if path.suffix not in SUFFIXES or path.name.startswith(".") or not path.is_file():
                continue
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            before = known.get(path)
            one = before[1] if before is not None and before[0] == stamp else read_file(path)
            self._known[path] = (stamp, one)
            other = found.get(one.name)
            if other is not None:
                said = f"stands in two files, {other.path} and {one.path}; keep one of them"
                one = FileConfig(one.name, other.path, None, said)
            found[one.name] = one
        return found


def read_file(path: Path) -> FileConfig:
    """Return what stands in a file; what is wrong with it is said, not raised."""
    name = path.stem
    try:
        if not is_name(name):
            raise ValueError(f"{name!r} cannot name a config")
        message = read_message(path)
        if message.name != name:
            raise ValueError(f"the config in it is named {message.name!r}; file and config have one name")
        return FileConfig(name, str(path), read_config(message, version_of(message)))
    except (OSError, ValueError, TypeError, ParseError, InvalidRequest, RecursionError) as error:
        return FileConfig(name, str(path), None, f"{path}: {error}")


def read_message(path: Path) -> pb.ServingConfig:
    """Return the config that stands in a file, unchecked; one that has no name is named like the file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no JSON or YAML, or too large.
        TypeError: It is not a mapping of fields.
        ParseError: The fields are not those of a config.
    """
    content = _parsed(path)
    if not isinstance(content, dict):
        raise TypeError("a mapping of fields is needed")
    return ParseDict({"name": path.stem, **content}, pb.ServingConfig())


def version_of(message: pb.ServingConfig) -> int:
    """Return the version of a config that stands in a file: it follows from the content, the same everywhere."""
    return int.from_bytes(hashlib.sha256(message.SerializeToString(deterministic=True)).digest()[:6], "big")


def _parsed(path: Path) -> Any:
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError(f"has more than {_MOST_BYTES} bytes")
    text = raw.decode("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from error
