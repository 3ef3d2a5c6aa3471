"""Puts the result of a run into a bundle store."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.manifest import DataWindow, Manifest
from shortlist_bundle.store import BundleStore, Release
from shortlist_data.dataset import Dataset
from shortlist_trainer.train import TrainResult

RUN_BUNDLE = "bundle.json"
"""File of a run folder that names its bundle."""


def add_bundle(store: BundleStore, dataset: Dataset, result: TrainResult) -> Bundle:
    """Write the bundle without making it current. Its id is made of the data set's name and of its content."""
    manifest = Manifest(
        bundle_id=_folder_name(dataset.name),
        generation=0,
        parent="",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        git_commit=_git_commit(),
        data_window=DataWindow(
            dataset=dataset.name,
            from_s=float(dataset.times_s[0]),
            until_s=float(dataset.times_s[-1]),
            interactions=dataset.events,
            users=len(dataset.user_ids),
            items=len(dataset.item_ids),
            fitted_until_s=float(dataset.times_s[result.fitted_events - 1]),
        ),
        models=result.models,
        metrics=result.metrics,
    )
    return store.add(result.files, manifest)


def publish_bundle(store: BundleStore, bundle: Bundle) -> Release:
    """Make ``bundle`` current.

    Raises:
        PublishConflict: Somebody else published meanwhile; the bundle stays in the store.
    """
    current = store.current()
    return store.publish(bundle.bundle_id, current.generation if current else 0)


def remember_bundle(folder: Path, store: Path, bundle: Bundle) -> None:
    """Write into the folder of a run which bundle it made, and where that is, for ``shortlist evaluate --run``."""
    content = {"bundle_id": bundle.bundle_id, "store": str(store.resolve())}
    (folder / RUN_BUNDLE).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _folder_name(name: str) -> str:
    kept = "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789.-" else "-" for c in name.lower()).strip(".-")
    return kept[:64] or "bundle"


def _git_commit() -> str:
    try:
        found = subprocess.run(
            ("git", "rev-parse", "HEAD"),  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()
