"""Served slates as Parquet: a file for each lot that was taken out of the log, named by its place in the log."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from google.protobuf.message import DecodeError

from shortlist.common.v1.answer_pb2 import DegradationCause, DegradationLevel
from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist_feature_store.store import SlateEntry

NEWEST_SCHEMA = 1
"""Newest ``SlateRecord.schema_version`` that is understood here."""

COLUMNS: dict[str, Any] = {
    "schema_version": pl.Int32,
    "slate_id": pl.String,
    "made_at": pl.Datetime("ms", "UTC"),
    "request_id": pl.String,
    "tenant": pl.String,
    "actor_id": pl.String,
    "rpc": pl.String,
    "bundle_id": pl.String,
    "serving_config": pl.String,
    "variants": pl.List(pl.String),
    "candidate_digest": pl.Binary,
    "candidate_count": pl.Int32,
    "item_ids": pl.List(pl.String),
    "positions": pl.List(pl.Int32),
    "scores": pl.List(pl.Float32),
    "propensities": pl.List(pl.Float32),
    "degradation_level": pl.String,
    "degradation_causes": pl.List(pl.String),
    "logged_share": pl.Float64,
    "serving_config_version": pl.Int64,
    "is_variant_forced": pl.Boolean,
    "surface": pl.String,
    "session_id": pl.String,
}
"""The columns of schema version 1; the four lists of a slate are as long as each other. See ``slate_record.proto``."""


class RecordRefused(ValueError):
    """The log has a record that is not understood here."""


class ExportRuns(Exception):
    """Another export writes into the folder under the same name."""


@contextlib.contextmanager
def only_export(folder: Path, consumer: str) -> Iterator[None]:
    """Make ``folder`` and hold it for ``consumer``: two exports of one name would write the same files at once.

    Raises:
        ExportRuns: Another process of this machine holds it.
        OSError: The folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{quote(consumer, safe='')}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportRuns(
                f"another export of the name {consumer!r} runs into {folder}; wait for it, or choose another --consumer"
            ) from error
        yield


def write_slates(folder: Path, entries: Sequence[SlateEntry]) -> tuple[int, int]:
    """Write the slates of ``entries`` into one file of ``folder``, whole or not at all.

    The file is named by the entries. Where it is there already it is whole, from a time before, and stays: that time
    may have had entries that the log has let go since. A slate that was logged twice is written once.

    Args:
        folder: Is there, and nobody else writes these entries into it (:func:`only_export`).
        entries: One at least, in the order of the log.

    Returns:
        Slates written, and entries that the log let go unwritten; neither where the file was there.

    Raises:
        RecordRefused: A record is of a schema that is not known here, or none; nothing was written.
        OSError: The file cannot be written.
    """
    path = folder / f"slates-{entries[0].entry_id}-{entries[-1].entry_id}.parquet"
    if path.exists():
        return 0, 0
    lost = sum(entry.record is None for entry in entries)
    records: dict[str, SlateRecord] = {}
    for entry in entries:
        if entry.record is not None:
            record = _record(entry.entry_id, entry.record)
            records.setdefault(record.slate_id, record)
    if not records:
        return 0, lost
    aside = folder / f".{path.name}.part"
    table = pl.DataFrame([_row(record) for record in records.values()], schema=COLUMNS, orient="row")
    with aside.open("wb") as file:
        table.write_parquet(file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)  # the name, too, before anybody is told that the slates are safe
    finally:
        os.close(place)
    return len(records), lost


def _record(entry_id: str, raw: bytes) -> SlateRecord:
    try:
        record = SlateRecord.FromString(raw)
    except DecodeError as error:
        raise RecordRefused(f"entry {entry_id} of the log is no SlateRecord: {error}") from error
    if not 1 <= record.schema_version <= NEWEST_SCHEMA:
        raise RecordRefused(
            f"entry {entry_id} of the log has schema version {record.schema_version}; up to {NEWEST_SCHEMA} is known "
            "here. Export it with the release that wrote it, or a later one"
        )
    return record


def _row(record: SlateRecord) -> tuple[object, ...]:
    return (
        record.schema_version,
        record.slate_id,
        record.made_ms,
        record.request_id,
        record.tenant,
        record.actor_id,
        record.rpc,
        record.bundle_id,
        record.serving_config,
        list(record.variants),
        record.candidate_digest,
        record.candidate_count,
        [item.item_id for item in record.items],
        [item.position for item in record.items],
        [item.score for item in record.items],
        [item.propensity for item in record.items],
        _name(DegradationLevel, record.degradation_level, "DEGRADATION_LEVEL_"),
        [_name(DegradationCause, cause, "DEGRADATION_CAUSE_") for cause in record.degradation_causes],
        record.logged_share,
        record.serving_config_version,
        record.is_variant_forced,
        record.surface,
        record.session_id,
    )


def _name(kinds: Any, number: int, prefix: str) -> str:
    """Return the name of an enum's value; a later release may have written one that has none here."""
    return str(kinds.Name(number)).removeprefix(prefix) if number in kinds.values() else str(number)
