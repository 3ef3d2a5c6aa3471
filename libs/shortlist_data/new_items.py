"""Items that come after a training: a table like that of its items, read without leaving anything out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from shortlist_data.entities import entity_table
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import LINE, Rejects, shortened
from shortlist_data.schema import FORMAT_BY_SUFFIX, Attribute, AttributeKind, Items, read_schema
from shortlist_data.tables import read_table

_ID, _TITLE = "item_id", "title"
_NAMED = 5
"""Ids, or findings, that an error names."""

_HARMLESS = "empty line"


def read_new_items(path: Path, like: pl.DataFrame, schema: Path | None = None) -> pl.DataFrame:
    """Return the items of a CSV or Parquet file, with the columns of ``like``, in the order of the file.

    Args:
        path: The file. Without a schema its columns are named as those of ``like`` (``title`` may be left out where no
            item has one), several values of an attribute stand between ``|`` in text, times are ISO 8601.
        like: Items table that the training had; its types say of which kind each column is.
        schema: Schema file of the data set: what its section ``items`` says of columns and kinds holds for ``path``.

    Raises:
        DataRefused: The file cannot be read, lacks a column or has another one, or an entry is not what it should be:
            says which one, where and why. Nothing is left out.
    """
    if path.suffix.lower() not in FORMAT_BY_SUFFIX:
        raise DataRefused(f"{path}: the ending tells no format; items are read from {', '.join(FORMAT_BY_SUFFIX)}")
    section = _section_of(like, path) if schema is None else _section_in(schema, path)
    rejects = Rejects()
    frame, _ = read_table(section, "items", {"id": section.id}, path.parent, rejects)
    if schema is None and section.title not in frame.columns and not like[_TITLE].is_not_null().any():
        section = section.model_copy(update={"title": None})
    _check_columns(path, frame, section, like, is_exact=schema is None)
    items = entity_table(frame, section, _ID, section.title, "items", rejects)
    _check_whole(rejects)
    if not len(items):
        raise DataRefused(f"{path} has no items")
    if _TITLE not in items.columns:
        items = items.with_columns(pl.lit(None, pl.String).alias(_TITLE))
    return items.select([pl.col(name).cast(dtype) for name, dtype in like.schema.items()])


def not_known(items: pl.DataFrame, known: Collection[str], where: str, *, skips_known: bool) -> pl.DataFrame:
    """Return the rows of ``items`` whose ids are not ``known``.

    Raises:
        DataRefused: Some are and ``skips_known`` is false.
    """
    is_known = pl.Series([item_id in known for item_id in items[_ID]], dtype=pl.Boolean)
    if is_known.any() and not skips_known:
        named = _listed(items.filter(is_known)[_ID].to_list())
        raise DataRefused(
            f"{where}: the bundle has {int(is_known.sum()):,} of the {len(items):,} items already: {named}; leave them "
            "out, or pass over them with --skip-known (what is known of an item changes with the next training)"
        )
    return items.filter(~is_known)


def _section_of(like: pl.DataFrame, path: Path) -> Items:
    """Return how ``path`` is read where only the types of the items table are known."""
    attributes = {
        name: Attribute(kind=_kind(name, dtype)) for name, dtype in like.schema.items() if name not in (_ID, _TITLE)
    }
    return Items(path=path.name, id=_ID, title=_TITLE, attributes=attributes)


def _section_in(schema: Path, path: Path) -> Items:
    section = read_schema(schema).items
    if section is None:
        raise DataRefused(f"{schema} has no section items, and so says nothing of {path}")
    return section.model_copy(update={"path": path.name})


def _kind(name: str, dtype: pl.DataType) -> AttributeKind:
    if dtype == pl.String:
        return AttributeKind.CATEGORICAL
    if dtype == pl.List(pl.String):
        return AttributeKind.MULTI
    if dtype == pl.Boolean:
        return AttributeKind.FLAG
    if isinstance(dtype, pl.Datetime):
        return AttributeKind.TIME
    if dtype.is_numeric():
        return AttributeKind.NUMBER
    raise DataRefused(f"the bundle's items have a column {name!r} of the type {dtype}, which no table is read to")


def _check_columns(path: Path, frame: pl.DataFrame, section: Items, like: pl.DataFrame, *, is_exact: bool) -> None:
    """Refuse a file, or a schema, that does not say of its items what the bundle says of its own."""
    wanted = {attribute.column or name for name, attribute in section.attributes.items()}
    wanted |= {section.id} | ({section.title} if section.title else set())
    found = {name for name in frame.columns if name != LINE}
    faults = []
    if missing := sorted(wanted - found):
        faults.append(f"lacks the columns {_listed(missing)}")
    if is_exact and (unknown := sorted(found - wanted)):
        faults.append(f"has columns that the bundle's items have not: {_listed(unknown)}")
    if faults:
        raise DataRefused(f"{path} {' and '.join(faults)}; the columns are {', '.join(sorted(wanted))}")
    of_bundle = like.columns
    of_schema = [_ID, _TITLE, *section.attributes]
    if set(of_schema) != set(of_bundle):
        raise DataRefused(
            f"the schema says of items {', '.join(sorted(section.attributes))}; the bundle's have "
            f"{', '.join(sorted(set(of_bundle) - {_ID, _TITLE}))}; train with this schema first"
        )
    if differing := [name for name, a in section.attributes.items() if _kind(name, like.schema[name]) is not a.kind]:
        raise DataRefused(f"the schema has other kinds than the bundle's items for {_listed(differing)}")


def _check_whole(rejects: Rejects) -> None:
    """Refuse a file of which reading left anything out."""
    skipped = [s for s in rejects.report("items", {}).skipped if s.reason != _HARMLESS]
    if skipped:
        told = "; ".join(f"{s.count:,} x {s.reason} ({', '.join(s.samples)})" for s in skipped[:_NAMED])
        raise DataRefused(f"every item is added or none: {told}; mend or leave out these rows")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shortened(name) for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED:,} more" if len(names) > _NAMED else shown
