"""The users and items of MovieLens in the three layouts they come in."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from shortlist_data import columns
from shortlist_data.delimited import read_delimited
from shortlist_data.entities import unique_rows
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import LINE, Rejects

_AGE_BANDS = (1, 18, 25, 35, 45, 50, 56)
_YEAR = r"\((\d{4})(?:[-/]\d{2,4})?\)\s*$"
_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""Order of the flags in ``u.item``, as ``u.genre`` has it."""


def user_table(file: str, content: bytes, rejects: Rejects) -> tuple[pl.DataFrame, int]:
    """Return ``user_id``, ``gender``, ``age`` (band), ``occupation``, ``zip_code``, and the rows found.

    MovieLens 100K has ages in years; they are kept in ``age_years``.
    """
    if file.endswith(".dat"):
        names = ("user_id", "gender", "age", "occupation", "zip_code")
        frame, found = read_delimited(content, file, "users", rejects, delimiter="::", names=names)
    else:
        names = ("user_id", "age", "gender", "occupation", "zip_code")
        if content.startswith(b"user_id:"):
            frame, found = typed_table(file, content, "users", names, rejects)
        else:
            frame, found = read_delimited(content, file, "users", rejects, delimiter="|", names=names)
        years, reasons = columns.numbers(frame["age"], "age")
        rejects.note("users", file, reasons, frame[LINE], lambda row: frame["age"][row], is_bad=False)
        frame = frame.with_columns(age_years=frame["age"], age=_band(years))
    return _unique(frame, "user_id", "users", file, rejects), found


def item_table(file: str, content: bytes, rejects: Rejects) -> tuple[pl.DataFrame, int]:
    """Return ``item_id``, ``title``, ``genres``, ``year``, and the rows found."""
    genres = pl.col("genres").str.split("|")
    if file.endswith(".dat"):
        names: Sequence[str] = ("item_id", "title", "genres")
        frame, found = read_delimited(
            content, file, "items", rejects, delimiter="::", names=names, encoding=_encoding(content)
        )
    elif content.startswith(b"item_id:"):
        names = ("item_id", "movie_title", "release_year", "class")
        frame, found = typed_table(file, content, "items", names, rejects)
        frame = frame.rename({"movie_title": "title", "class": "genres"})
        has_year = pl.col("release_year").str.contains(r"^\d{4}$")
        with_year = pl.format("{} ({})", "title", "release_year")
        frame = frame.with_columns(title=pl.when(has_year).then(with_year).otherwise("title"))
        genres = pl.col("genres").str.split(" ")  # no genre of this edition has a blank
    else:
        names = ("item_id", "title", "released", "video", "imdb", *_GENRES_100K)
        frame, found = read_delimited(
            content, file, "items", rejects, delimiter="|", names=names, encoding=_encoding(content)
        )
        flags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES_100K]
        frame = frame.with_columns(pl.concat_list(flags).list.drop_nulls().alias("genres"))
        genres = pl.col("genres")
    frame = frame.with_columns(
        genres.list.eval(pl.element().filter(pl.element() != "")).list.sort(),
        year=pl.col("title").str.extract(_YEAR).cast(pl.Float64),
    )
    kept = _unique(frame.select("item_id", "title", "genres", "year", LINE), "item_id", "items", file, rejects)
    return kept, found


def _encoding(content: bytes) -> str:
    """Return ``latin-1``, in which MovieLens is published, unless somebody already turned the file into UTF-8."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def typed_table(
    file: str, content: bytes, table: str, names: Sequence[str], rejects: Rejects
) -> tuple[pl.DataFrame, int]:
    """Return the columns ``names`` of a tab-separated file whose header gives types (``item_id:token``), and its rows.

    Raises:
        DataRefused: A column is not there.
    """
    frame, found = read_delimited(content, file, table, rejects, delimiter="\t")
    full = {name.partition(":")[0]: name for name in frame.columns}
    if missing := [name for name in names if name not in full]:
        raise DataRefused(f"{file} has no column {', '.join(missing)}; it is not the file it should be")
    return frame.select(LINE, **{name: pl.col(full[name]) for name in names}), found


def _band(years: pl.Series) -> pl.Series:
    value = pl.col("years")
    band = pl.lit(None, pl.String)
    for low in _AGE_BANDS:
        band = pl.when(value >= low).then(pl.lit(str(low))).otherwise(band)
    return years.alias("years").to_frame().select(band.alias("age")).to_series()


def _unique(frame: pl.DataFrame, key: str, table: str, file: str, rejects: Rejects) -> pl.DataFrame:
    reasons = columns.ids(frame[key], key.replace("_", " "))[1]
    return unique_rows(frame.with_columns(reasons.alias("reason")), key, table, file, rejects)
