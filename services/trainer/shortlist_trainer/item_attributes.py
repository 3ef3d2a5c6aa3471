"""The items table as columns that filters compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from shortlist_bundle.item_attributes import item_attributes_file
from shortlist_domain.filters import ACTOR_PREFIX, ID, AttributeKind


def attributes_file(items: pl.DataFrame) -> bytes:
    """Return the content of ``item_attributes.blobs`` for a table of items, one row an item in row order.

    Every column but ``item_id`` that is of a kind: text, lists of text, numbers, booleans, dates and times (UTC where
    they have no zone). Left out are names that filters read otherwise: ``id`` is the external id, ``actor.`` begins the
    actor's attributes.
    """
    columns: dict[str, tuple[AttributeKind, Sequence[Any]]] = {}
    for column in items.drop("item_id").iter_columns():
        if column.name == ID or column.name.startswith(ACTOR_PREFIX):
            continue
        found = _of_kind(column)
        if found is not None:
            columns[column.name] = found
    return item_attributes_file(len(items), columns)


def _of_kind(column: pl.Series) -> tuple[AttributeKind, list[Any]] | None:
    dtype = column.dtype
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return AttributeKind.TEXT, column.cast(pl.String).to_list()
    if dtype == pl.List(pl.String):
        texts = [None if values is None else [v for v in values if v is not None] for values in column.to_list()]
        return AttributeKind.TEXTS, texts
    if dtype == pl.Boolean:
        return AttributeKind.FLAG, column.to_list()
    if isinstance(dtype, pl.Datetime | pl.Date):
        moments = column.cast(pl.Datetime("us")).dt.epoch("us")
        return AttributeKind.TIME, [None if us is None else us / 1e6 for us in moments.to_list()]
    if dtype.is_numeric():
        numbers = column.cast(pl.Float64)
        return AttributeKind.NUMBER, numbers.set(~numbers.is_finite().fill_null(value=False), None).to_list()
    return None
