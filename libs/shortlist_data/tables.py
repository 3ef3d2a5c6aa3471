"""Anybody's tables, as a schema file describes them, to a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset
from shortlist_data.delimited import read_delimited
from shortlist_data.enough import Limits, require_enough
from shortlist_data.entities import entity_table
from shortlist_data.errors import DataRefused
from shortlist_data.interactions import checked_events
from shortlist_data.parquet import read_parquet
from shortlist_data.rejects import LINE, Rejects, shortened
from shortlist_data.schema import (
    FORMAT_BY_SUFFIX,
    AttributeKind,
    Entities,
    Items,
    Schema,
    Table,
    TableFormat,
    read_schema,
)


def read_tables(path: Path) -> Dataset:
    """Read the tables that the schema file ``path`` describes.

    Raises:
        DataRefused: The schema or a table cannot be used, or too little is left; one line says what and where.
    """
    schema = read_schema(path)
    rejects = Rejects()
    rows: dict[str, int] = {}
    users = _entities(schema.users, "users", "user_id", path.parent, rejects, rows)
    items = _entities(schema.items, "items", "item_id", path.parent, rejects, rows)
    events, rows["interactions"] = _events(schema, path.parent, rejects, users, items)
    if "title" not in items.columns:
        items = items.with_columns(title=pl.lit(None, pl.String))
    dataset = assemble(
        schema.name,
        events,
        users,
        items,
        user_attributes=_names(schema.users, AttributeKind.CATEGORICAL),
        item_attributes=_names(schema.items, AttributeKind.CATEGORICAL, AttributeKind.MULTI),
        item_numbers=_names(schema.items, AttributeKind.NUMBER),
        report=rejects.report(path.name, rows),
    )
    return require_enough(dataset, Limits(**schema.limits.model_dump()))


def _events(
    schema: Schema, folder: Path, rejects: Rejects, users: pl.DataFrame, items: pl.DataFrame
) -> tuple[pl.DataFrame, int]:
    table = schema.interactions
    wanted = {"user": table.user, "item": table.item}
    if table.time.column is not None:
        wanted["time.column"] = table.time.column
    if table.value is not None:
        wanted["value"] = table.value
    frame, found = read_table(table, "interactions", wanted, folder, rejects)
    events = checked_events(
        frame,
        table.path,
        rejects,
        user=table.user,
        item=table.item,
        time=table.time.column,
        value=table.value,
        time_format=table.time.format,
        known_users=users["user_id"] if schema.users and schema.users.strict else None,
        known_items=items["item_id"] if schema.items and schema.items.strict else None,
    )
    for section, key, known in ((schema.users, "user_id", users), (schema.items, "item_id", items)):
        if section is not None:
            _require_overlap(events[key], known[key], table.path, section.path)
    return events, found


def _require_overlap(ids: pl.Series, known: pl.Series, where: str, table: str) -> None:
    """Check that a table speaks of the same things as the interactions: an id may be missing there, not all of them.

    Raises:
        DataRefused: No id of the interactions is in the table.
    """
    if len(ids) and len(known) and not ids.is_in(known.implode()).any():
        raise DataRefused(
            f"{table} has none of the {ids.n_unique():,} {ids.name.replace('_', ' ')}s of {where}: they read "
            f"{shortened(ids[0])} there and {shortened(known[0])} here; write ids alike in both"
        )


def _entities(
    section: Entities | None, name: str, key: str, folder: Path, rejects: Rejects, rows: dict[str, int]
) -> pl.DataFrame:
    """Return the table of users or items with its columns under their own names; empty where there is none."""
    if section is None:
        return pl.DataFrame(schema={key: pl.String})
    wanted = {"id": section.id}
    wanted |= {f"attributes.{n}": attribute.column or n for n, attribute in section.attributes.items()}
    title = section.title if isinstance(section, Items) else None
    if title is not None:
        wanted["title"] = title
    frame, rows[name] = read_table(section, name, wanted, folder, rejects)
    return entity_table(frame, section, key, title, name, rejects)


def read_table(
    table: Table, name: str, wanted: Mapping[str, str], folder: Path, rejects: Rejects
) -> tuple[pl.DataFrame, int]:
    """Return the columns of a file and :data:`LINE`, and the rows found.

    Args:
        table: Which file, and how to read it.
        name: Section of the schema.
        wanted: By key of the section, the column that must be there.
        folder: Folder that paths start from.
        rejects: The account.
    """
    path = folder / table.path
    form = table.format or FORMAT_BY_SUFFIX[path.suffix.lower()]
    if form is TableFormat.PARQUET:
        frame = read_parquet(path)
        found = len(frame)
        frame = frame.with_columns(pl.int_range(1, found + 1, dtype=pl.Int64).alias(LINE))  # rows count from 1
    else:
        delimiter = table.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataRefused(f"{path}: {error.strerror}") from error
        frame, found = read_delimited(
            content,
            table.path,
            name,
            rejects,
            delimiter=delimiter,
            encoding=table.encoding,
            names=table.columns,
        )
    for key, column in wanted.items():
        if column not in frame.columns:
            held = ", ".join(f"{c!r:.40}" for c in frame.columns[:12] if c != LINE)
            hint = "; is `delimiter` right?" if form is TableFormat.CSV and len(frame.columns) == 2 else ""
            raise DataRefused(f"{path} has no column {column!r} ({name}.{key}); it has {held}{hint}")
    return frame, found


def _names(section: Entities | None, *kinds: AttributeKind) -> tuple[str, ...]:
    return tuple(name for name, attribute in section.attributes.items() if attribute.kind in kinds) if section else ()
