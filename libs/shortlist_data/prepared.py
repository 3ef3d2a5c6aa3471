"""Prepared data sets on disk: Parquet and one JSON file, written aside and renamed into place.

``interactions.parquet`` has ``user_id``, ``item_id`` (String), ``value`` (Float32), ``time_s`` (Float64), in order of
time; ``users.parquet`` and ``items.parquet`` are the tables of :class:`Dataset`. Whatever reads Parquet can use them.
Where items have content, its vectors lie beside them (:mod:`shortlist_data.content`); getting or importing the data set
anew writes one without.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl

from shortlist_data.assemble import rows_of
from shortlist_data.content import content_files, read_content, write_content
from shortlist_data.dataset import Dataset, ReadReport, Skipped
from shortlist_data.errors import DataRefused
from shortlist_data.parquet import read_parquet

FORMAT_VERSION = 1
DESCRIPTION = "dataset.json"
INTERACTIONS = "interactions.parquet"
USERS = "users.parquet"
ITEMS = "items.parquet"


def save(dataset: Dataset, folder: Path) -> None:
    """Write ``dataset`` to ``folder``, replacing a prepared data set that is there.

    A reader sees the old data set or the new one; between two renames, for an instant, none.

    Raises:
        DataRefused: ``folder`` exists and is something else than a prepared data set.
    """
    if folder.exists() and not (folder / DESCRIPTION).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataRefused(f"{folder} exists and is not a prepared data set; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    aside.mkdir()
    replaced = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        events = {
            "user_id": dataset.users["user_id"].gather(dataset.user_rows),
            "item_id": dataset.items["item_id"].gather(dataset.item_rows),
            "value": dataset.values,
            "time_s": dataset.times_s,
        }
        pl.DataFrame(events).write_parquet(aside / INTERACTIONS)
        dataset.users.write_parquet(aside / USERS)
        dataset.items.write_parquet(aside / ITEMS)
        description: dict[str, object] = {
            "format_version": FORMAT_VERSION,
            "name": dataset.name,
            "user_attributes": dataset.user_attributes,
            "item_attributes": dataset.item_attributes,
            "item_numbers": dataset.item_numbers,
            "report": asdict(dataset.report),
        }
        if dataset.content:
            description["content"] = write_content(dataset.content, aside)
        names = (INTERACTIONS, USERS, ITEMS, *content_files(dataset.content))
        description["sha256"] = {name: _digest(aside / name) for name in names}
        (aside / DESCRIPTION).write_text(json.dumps(description, indent=1, ensure_ascii=False), encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            folder.rename(replaced)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if replaced.exists() and not folder.exists():  # the second rename failed: the old data set stays
            replaced.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)


def load(folder: Path) -> Dataset:
    """Read the data set that :func:`save` wrote to ``folder``.

    Raises:
        DataRefused: Not a prepared data set, of another version, or damaged.
    """
    if not (folder / DESCRIPTION).is_file():
        raise DataRefused(f"{folder} is not a prepared data set (no {DESCRIPTION}); `shortlist data get` makes one")
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        version = description["format_version"]
        if version != FORMAT_VERSION:
            raise DataRefused(f"{folder} has format version {version}; {FORMAT_VERSION} is read; get it anew")
        for name, digest in description["sha256"].items():
            if _digest(folder / name) != digest:
                raise DataRefused(
                    f"{folder} is damaged: {name} is not the file that was written; get the data set anew"
                )
        events, users, items = (read_parquet(folder / name) for name in (INTERACTIONS, USERS, ITEMS))
        report = description["report"]
        dataset = Dataset(
            name=str(description["name"]),
            user_ids=tuple(users["user_id"].to_list()),
            item_ids=tuple(items["item_id"].to_list()),
            users=users,
            items=items,
            user_rows=rows_of(events["user_id"], users["user_id"]),
            item_rows=rows_of(events["item_id"], items["item_id"]),
            values=events["value"].to_numpy().astype(np.float32),
            times_s=events["time_s"].to_numpy().astype(np.float64),
            user_attributes=tuple(description["user_attributes"]),
            item_attributes=tuple(description["item_attributes"]),
            item_numbers=tuple(description["item_numbers"]),
            report=ReadReport(
                report["source"],
                dict(report["rows"]),
                tuple(Skipped(**{**s, "samples": tuple(s["samples"])}) for s in report["skipped"]),
            ),
            content=read_content(description.get("content", {}), folder, len(items)),
        )
    except KeyError as error:
        raise DataRefused(f"{folder} is damaged: {DESCRIPTION} lacks {error}; get the data set anew") from error
    except (OSError, ValueError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
        raise DataRefused(f"{folder} is damaged: {error!r}; get the data set anew") from error
    _check(dataset, folder)
    return dataset


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(dataset: Dataset, folder: Path) -> None:
    """Refuse what :func:`save` does not write, so that nothing downstream has to look."""
    missing = {*dataset.user_attributes} - {*dataset.users.columns}
    missing |= {"title", *dataset.item_attributes, *dataset.item_numbers} - {*dataset.items.columns}
    faults = {
        f"it lacks the columns {', '.join(sorted(missing))}": bool(missing),
        "events are out of time order": bool(np.any(np.diff(dataset.times_s) < 0)),
        "a value or time is not finite": not (np.isfinite(dataset.values).all() and np.isfinite(dataset.times_s).all()),
        "ids are out of order or there twice": any(
            np.any(np.array(ids[1:], object) <= np.array(ids[:-1], object))
            for ids in (dataset.user_ids, dataset.item_ids)
        ),
    }
    if found := [fault for fault, is_there in faults.items() if is_there]:
        raise DataRefused(f"{folder} is damaged: {'; '.join(found)}; get the data set anew")
