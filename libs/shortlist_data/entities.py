"""Users and items: ids checked and unique, attributes in the types that :class:`shortlist_data.Dataset` promises."""

from __future__ import annotations

import polars as pl

from shortlist_data import columns
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import LINE, Rejects
from shortlist_data.schema import Attribute, AttributeKind, Entities, Users
from shortlist_domain.ids import MAX_ATTRIBUTE_BYTES


def entity_table(
    frame: pl.DataFrame, section: Entities, key: str, title: str | None, table: str, rejects: Rejects
) -> pl.DataFrame:
    """Return ``key`` and the attributes of ``section`` (and ``title``) of the rows with a good id, the first of each.

    A number, flag or time that cannot be read is left out of its row and counted, as is an attribute of a user that is
    too long to be stored; the row stays.

    Args:
        frame: Columns as they stand in the file, and :data:`LINE`.
        section: Which columns are wanted, as what.
        key: Name that the id column gets.
        title: Column of titles, where there is one.
        table: ``users`` or ``items``, for the account.
        rejects: The account.

    Raises:
        DataRefused: A column has a type that its kind cannot have.
    """
    ids, reasons = columns.ids(frame[section.id], f"{key[:4]} id")
    found = {key: ids}
    if title is not None:
        found["title"] = _text(frame[title], f"{section.path}: column {title!r} (title)")
    for name, attribute in section.attributes.items():
        column = frame[attribute.column or name]
        where = f"{section.path}: column {column.name!r} ({table}.attributes.{name})"
        if attribute.kind in (AttributeKind.NUMBER, AttributeKind.FLAG, AttributeKind.TIME):
            found[name], reasons_of = _single(column, attribute, name)
            _note(column, reasons_of, frame[LINE], table, section.path, rejects)
        else:
            found[name] = _attribute(column, attribute, where)
            if isinstance(section, Users):
                found[name] = _storable(found[name], name, frame[LINE], section.path, rejects)
    result = pl.DataFrame({**found, LINE: frame[LINE]})
    return unique_rows(result.with_columns(reasons.alias("reason")), key, table, section.path, rejects)


def unique_rows(frame: pl.DataFrame, key: str, table: str, where: str, rejects: Rejects) -> pl.DataFrame:
    """Return the rows of ``frame`` without a ``reason`` against them, the first of each id, without :data:`LINE`."""
    good = rejects.note(table, where, frame["reason"], frame[LINE], lambda row: frame[key][row])
    kept = frame.filter(good)
    is_repeated = ~pl.col(key).is_first_distinct()
    repeated = kept.select(pl.when(is_repeated).then(pl.lit("repeats the id of an earlier row"))).to_series()
    is_new = rejects.note(table, where, repeated, kept[LINE], lambda row: kept[key][row])
    return kept.filter(is_new).drop("reason", LINE)


def _attribute(column: pl.Series, attribute: Attribute, where: str) -> pl.Series:
    if attribute.kind is AttributeKind.CATEGORICAL:
        return _text(column, where)
    if isinstance(column.dtype, pl.List):
        values = column.cast(pl.List(pl.String))
    else:
        values = _text(column, where).str.split(attribute.separator)
    element = pl.element().str.strip_chars()
    return values.list.eval(element.filter(element != "")).list.unique().list.sort()


def _storable(texts: pl.Series, name: str, lines: pl.Series, where: str, rejects: Rejects) -> pl.Series:
    """Return ``texts`` of users without those that a feature store would refuse, which are counted."""
    is_long = (texts.str.len_bytes() > MAX_ATTRIBUTE_BYTES).fill_null(value=False)
    told = pl.select(pl.when(is_long).then(pl.lit(f"{name} is longer than {MAX_ATTRIBUTE_BYTES} bytes"))).to_series()
    rejects.note("users", where, told, lines, lambda row: texts[row], is_bad=False)
    return pl.select(pl.when(~is_long).then(texts)).to_series()


def _single(column: pl.Series, attribute: Attribute, name: str) -> tuple[pl.Series, pl.Series]:
    """Return the numbers (Float64), flags (Boolean) or times (Datetime, UTC) of ``column``, and why others are none."""
    if attribute.kind is AttributeKind.FLAG:
        return columns.flags(column, name)
    if attribute.kind is AttributeKind.NUMBER:
        values, reasons = columns.numbers(column, name)
        return pl.select(pl.when(reasons.is_null()).then(values)).to_series(), reasons
    seconds, reasons = columns.times(column, attribute.format, first_s=columns.FIRST_S, beyond_s=columns.BEYOND_S)
    moments = (seconds * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    told = reasons.str.replace("^time ", f"{name} ")
    return pl.select(pl.when(reasons.is_null()).then(moments)).to_series(), told


def _text(column: pl.Series, where: str) -> pl.Series:
    """Return ``column`` as text, null where it is empty.

    Raises:
        DataRefused: It holds lists, structures or bytes.
    """
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise DataRefused(f"{where} is {column.dtype}; text, numbers or booleans are read there")
    text = column.cast(pl.String).alias("text").to_frame()
    return text.select(pl.when(pl.col("text") != "").then("text")).to_series()


def _note(column: pl.Series, reasons: pl.Series, lines: pl.Series, table: str, where: str, rejects: Rejects) -> None:
    told = pl.select(pl.when(~reasons.str.ends_with(" is missing")).then(reasons)).to_series()
    rejects.note(table, where, told, lines, lambda row: columns.shown(column, row), is_bad=False)
