"""One simulated world in the shapes that data sets come in: files and the schema that describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from shortlist_data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to write a world down."""

    write: Callable[[Path, Dataset], str]
    """Writes tables to a folder and returns the schema."""

    names: Callable[[str], str] = str
    """External id in the world to the one in the tables."""

    has_values: bool = True
    has_times: bool = True
    has_attributes: bool = True


def lines(path: Path, rows: Iterator[tuple[object, ...]], delimiter: str, encoding: str = "utf-8") -> None:
    path.write_bytes("".join(delimiter.join(map(str, row)) + "\n" for row in rows).encode(encoding))


def events(world: Dataset, name: Callable[[str], str] = str) -> Iterator[tuple[str, str, float, int]]:
    """Yield the events; out of the order of time, as most files are."""
    for user in np.unique(world.user_rows):
        for n in np.flatnonzero(world.user_rows == user):
            user_id, item_id = world.user_ids[user], world.item_ids[world.item_rows[n]]
            yield name(user_id), name(item_id), float(world.values[n]), int(world.times_s[n])


def digits(external: str) -> str:
    return str(int(external[1:]) + 1)


def accented(external: str) -> str:
    return f"Zoë/{external} 語"


def ml_1m(folder: Path, world: Dataset) -> str:
    """``::`` between fields, no header lines, Latin 1, endings that tell nothing."""
    lines(folder / "ratings.dat", ((u, i, int(v), t) for u, i, v, t in events(world, digits)), "::")
    people = ((digits(u), t, r) for u, t, r in world.users.iter_rows())
    lines(folder / "users.dat", people, "::")
    items = ((digits(i), f"Café {i}, the film", "|".join(g), int(y)) for i, _, g, y in world.items.iter_rows())
    lines(folder / "movies.dat", items, "::", "latin-1")
    return """
name: like-ml-1m
interactions:
  {path: ratings.dat, format: csv, delimiter: "::", columns: [user, item, rating, at], user: user, item: item,
   value: rating, time: at}
users:
  {path: users.dat, format: csv, delimiter: "::", columns: [user, taste, region], id: user,
   attributes: {taste: categorical, region: categorical}}
items:
  {path: movies.dat, format: csv, delimiter: "::", encoding: latin-1, columns: [item, title, genres, released],
   id: item, title: title, attributes: {genre: {kind: multi, column: genres}, year: {kind: number, column: released}}}
"""


def ml_100k(folder: Path, world: Dataset) -> str:
    """Tabs without a header for events; ``|`` for users, and semicolons with quotes for items."""
    lines(folder / "u.data", ((u, i, int(v), t) for u, i, v, t in events(world, digits)), "\t")
    lines(folder / "u.user", ((digits(u), t, r) for u, t, r in world.users.iter_rows()), "|")
    items = ((digits(i), f'"One; two ""{i}"""', "/".join(g), int(y)) for i, _, g, y in world.items.iter_rows())
    head = iter([("movie id", "title", "genres", "year")])
    lines(folder / "items.csv", (row for rows in (head, items) for row in rows), ";")
    return """
name: like-ml-100k
interactions:
  {path: u.data, format: csv, delimiter: "\\t", columns: [who, what, stars, at], user: who, item: what, value: stars,
   time: {column: at, format: seconds}}
users:
  {path: u.user, format: csv, delimiter: "|", columns: [id, taste, region], id: id,
   attributes: {taste: categorical, region: categorical}}
items:
  {path: items.csv, delimiter: ";", id: movie id, title: title,
   attributes: {genre: {kind: multi, separator: "/", column: genres}, year: number}}
"""


def ncf(folder: Path, world: Dataset) -> str:
    """Interactions alone, tabs, no header, users from 1 on."""
    lines(folder / "train.rating", events(world, digits), "\t")
    return """
name: like-ncf
interactions:
  {path: train.rating, format: csv, delimiter: "\\t", columns: [user, item, rating, time], user: user, item: item,
   value: rating, time: time}
"""


def parquet(folder: Path, world: Dataset) -> str:
    """Parquet with its own types, ids with blanks, slashes and other scripts, genres as lists, times with a zone."""
    rows = [(u, i, v, datetime.fromtimestamp(t, UTC)) for u, i, v, t in events(world, accented)]
    pl.DataFrame(rows, schema=["kunde", "artikel", "note", "am"], orient="row").write_parquet(folder / "e.parquet")
    renamed = world.users.with_columns(pl.col("user_id").map_elements(accented, pl.String))
    renamed.write_parquet(folder / "u.parquet")
    world.items.with_columns(pl.col("item_id").map_elements(accented, pl.String)).write_parquet(folder / "i.parquet")
    return """
name: like-parquet
interactions: {path: e.parquet, user: kunde, item: artikel, value: note, time: am}
users: {path: u.parquet, id: user_id, attributes: {taste: categorical, region: categorical}}
items: {path: i.parquet, id: item_id, title: title, attributes: {genre: multi, year: number}}
"""


def implicit(folder: Path, world: Dataset) -> str:
    """Clicks: no values, times as text."""
    rows = ((u, i, datetime.fromtimestamp(t, UTC).isoformat()) for u, i, _, t in events(world))
    lines(folder / "clicks.csv", (row for part in (iter([("user", "item", "when")]), rows) for row in part), ",")
    return """
name: clicks
interactions: {path: clicks.csv, user: user, item: item, time: {column: when, format: iso8601}}
"""


def untimed(folder: Path, world: Dataset) -> str:
    """Neither values nor times: the order of the rows is all that is known."""
    columns = zip(world.user_rows, world.item_rows, strict=True)
    rows = ((world.user_ids[u], world.item_ids[i]) for u, i in columns)
    lines(folder / "pairs.csv", (row for part in (iter([("user", "item")]), rows) for row in part), ",")
    return "name: pairs\ninteractions: {path: pairs.csv, user: user, item: item, time: {order: rows}}\n"


SHAPES = {
    "ml-1m": Shape(ml_1m, digits),
    "ml-100k": Shape(ml_100k, digits),
    "ncf": Shape(ncf, digits, has_attributes=False),
    "parquet": Shape(parquet, accented),
    "implicit": Shape(implicit, has_values=False, has_attributes=False),
    "untimed": Shape(untimed, has_values=False, has_times=False, has_attributes=False),
}
