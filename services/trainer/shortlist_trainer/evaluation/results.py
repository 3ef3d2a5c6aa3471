"""What an evaluation found, with what is needed to get it again."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shortlist_data.dataset import Dataset
from shortlist_evaluation.report import MetricTable

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Tables under one protocol."""

    title: str
    protocol: str
    """What was held out and what is ranked, in sentences."""

    dataset: Mapping[str, Any]
    """Name and size of the data, and of its parts."""

    tables: tuple[MetricTable, ...]
    settings: Mapping[str, Any]
    """Everything that was chosen, models' settings included."""

    notes: tuple[str, ...] = ()
    """What does not apply, and what to keep in mind."""

    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model, by part."""

    details: Mapping[str, Any] = field(default_factory=dict)
    """What only pages show: funnel, reliability bins, degraded answers."""

    def to_json(self) -> str:
        """Return the content of a result file."""
        content = {
            "format_version": FORMAT_VERSION,
            "title": self.title,
            "protocol": self.protocol,
            "dataset": dict(self.dataset),
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "tables": [json.loads(table.to_json()) for table in self.tables],
            "seconds": {name: {k: round(v, 3) for k, v in parts.items()} for name, parts in self.seconds.items()},
            "details": dict(self.details),
            "machine": {"processor": platform.machine(), "python": platform.python_version()},
            "versions": versions(),
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def write(evaluation: Evaluation, path: Path) -> None:
    """Write the result file; folders are made, an older file is replaced.

    Raises:
        OSError: It cannot be written.
    """
    write_text(evaluation.to_json(), path)


def write_text(content: str, path: Path) -> None:
    """Write a file; folders are made, an older file is replaced as a whole.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_text(content, encoding="utf-8")
    aside.replace(path)


def dataset_facts(dataset: Dataset, known: int, held_out: Mapping[str, int]) -> dict[str, Any]:
    """Return name and sizes of the data and its parts."""
    return {
        "name": dataset.name,
        "events": dataset.events,
        "users": len(dataset.user_ids),
        "items": len(dataset.item_ids),
        "known events": known,
        **held_out,
    }


def versions(names: Sequence[str] = ("numpy", "scipy", "polars", "torch", "onnxruntime", "implicit")) -> dict[str, str]:
    """Return the versions of the packages that figures depend on."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
