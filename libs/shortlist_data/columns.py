"""Columns of any type to ids, numbers and times: a vectorised path, and an exact one for what that cannot read.

Each function returns two expressions' results as series of equal length: the values, and the reason why a value was
refused (null where it was not).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum

import polars as pl

from shortlist_domain.ids import MAX_ID_BYTES

EARLIEST_S = datetime(1900, 1, 1, tzinfo=UTC).timestamp()
LATEST_S = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
FIRST_S = datetime(1, 1, 2, tzinfo=UTC).timestamp()
BEYOND_S = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""Between these, and not only between the ones above, lie times that are attributes: a book may be from 1891."""

LARGEST_VALUE = 1e12
"""Largest magnitude of a value: sums of its square over any number of events stay finite in float32."""


class TimeFormat(StrEnum):
    """How a column tells time."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    ISO8601 = "iso8601"


def ids(column: pl.Series, what: str) -> tuple[pl.Series, pl.Series]:
    """Return external ids as text: text stays as it is, whole numbers become digits, anything else is refused.

    A float is refused even where it is whole: ``7.0`` is a sign of an export that has already damaged ids.
    """
    if column.dtype.is_integer() or isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    elif column.dtype != pl.String:
        is_null = column.is_null()
        reason = pl.select(
            pl.when(is_null)
            .then(pl.lit(f"{what} is missing"))
            .otherwise(pl.lit(f"{what} is a {column.dtype}, not text or a whole number"))
        ).to_series()
        return pl.Series(column.name, [None] * len(column), dtype=pl.String), reason
    frame = column.alias("id").to_frame()
    value = pl.col("id")
    return column, frame.select(
        pl.when(value.is_null() | (value == ""))
        .then(pl.lit(f"{what} is missing"))
        .when(value.str.len_bytes() > MAX_ID_BYTES)
        .then(pl.lit(f"{what} is longer than {MAX_ID_BYTES} bytes"))
        .when(value.str.contains(r"\p{Cc}"))
        .then(pl.lit(f"{what} has a control character"))
        .alias("reason")
    ).to_series()


def numbers(column: pl.Series, what: str) -> tuple[pl.Series, pl.Series]:
    """Return finite numbers, Float64."""
    if column.dtype == pl.String:
        read = _with_exact(column, column.cast(pl.Float64, strict=False), _exact_number)
    elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
        read = column.cast(pl.Float64)
    else:
        read = pl.Series(column.name, [None] * len(column), dtype=pl.Float64)
    value, raw = pl.col("value"), pl.col("raw_missing")
    frame = pl.DataFrame({"value": read, "raw_missing": _is_missing(column)})
    return read, frame.select(
        pl.when(raw)
        .then(pl.lit(f"{what} is missing"))
        .when(value.is_null())
        .then(pl.lit(f"{what} is not a number"))
        .when(~value.is_finite())
        .then(pl.lit(f"{what} is NaN or infinite"))
        .when(value.abs() > LARGEST_VALUE)
        .then(pl.lit(f"{what} is beyond {LARGEST_VALUE:g}"))
        .alias("reason")
    ).to_series()


def flags(column: pl.Series, what: str) -> tuple[pl.Series, pl.Series]:
    """Return booleans: of booleans, of the numbers 1 and 0, and of the words true, yes, false and no in any case."""
    said = pl.select(pl.lit(column).cast(pl.String).str.strip_chars().str.to_lowercase().alias("said"))
    value = pl.col("said")
    read = said.select(
        pl.when(value.is_in(["true", "yes", "1", "1.0"]))
        .then(pl.lit(True))
        .when(value.is_in(["false", "no", "0", "0.0"]))
        .then(pl.lit(False))
    ).to_series()
    frame = pl.DataFrame({"value": read, "missing": _is_missing(column)})
    return read, frame.select(
        pl.when(pl.col("missing"))
        .then(pl.lit(f"{what} is missing"))
        .when(pl.col("value").is_null())
        .then(pl.lit(f"{what} is neither true nor false"))
        .alias("reason")
    ).to_series()


def times(
    column: pl.Series, form: TimeFormat, *, first_s: float = EARLIEST_S, beyond_s: float = LATEST_S
) -> tuple[pl.Series, pl.Series]:
    """Return seconds since 1970 UTC, Float64.

    Dates and times of Parquet need no format; without a zone they are UTC. What is before ``first_s`` or not before
    ``beyond_s`` is refused: of events, that shows another unit than ``form``.
    """
    if isinstance(column.dtype, pl.Datetime | pl.Date):
        moment = column.cast(pl.Datetime("us")) if column.dtype == pl.Date else column
        read = moment.dt.epoch("us").cast(pl.Float64) / 1e6
        missing = column.is_null()
    elif form is TimeFormat.ISO8601 and column.dtype == pl.String:
        read = _with_exact(column, pl.Series([None] * len(column), dtype=pl.Float64), _exact_time)
        missing = _is_missing(column)
    elif form is TimeFormat.ISO8601:
        read = pl.Series([None] * len(column), dtype=pl.Float64)
        missing = column.is_null()
    else:
        read = numbers(column, "time")[0] / (1000.0 if form is TimeFormat.MILLISECONDS else 1.0)
        missing = _is_missing(column)
    value = pl.col("value")
    frame = pl.DataFrame({"value": read.alias("value"), "missing": missing})
    is_inside = value.is_between(first_s, beyond_s, closed="left")
    return read, frame.select(
        pl.when(pl.col("missing"))
        .then(pl.lit("time is missing"))
        .when(value.is_null() | ~value.is_finite())
        .then(pl.lit(f"time is not in the format {form.value}"))
        .when(~is_inside)
        .then(pl.lit(f"time is not between {_year(first_s)} and {_year(beyond_s)} when read as {form.value}"))
        .alias("reason")
    ).to_series()


def shown(column: pl.Series, row: int) -> object:
    """Return a value as a person reads it; a time outside of Python's calendar as the number that it is."""
    try:
        value = column[row]
    except (OverflowError, ValueError):
        return column.slice(row, 1).to_physical()[0]
    return value.isoformat() if isinstance(value, date) else value


def _year(seconds: float) -> int:
    return datetime.fromtimestamp(seconds, UTC).year


def _is_missing(column: pl.Series) -> pl.Series:
    """Return where a column has nothing: null, or text of blanks only."""
    missing = column.is_null()
    return (missing | (column.str.strip_chars() == "")).fill_null(value=True) if column.dtype == pl.String else missing


def _with_exact(column: pl.Series, read: pl.Series, exact: Callable[[str], float | None]) -> pl.Series:
    """Return ``read``, with what the fast path could not read (null) read by ``exact``, once per distinct text."""
    frame = pl.DataFrame({"text": column, "value": read})
    open_ = frame.filter(pl.col("value").is_null() & pl.col("text").is_not_null())["text"].unique().to_list()
    found = [(text, value) for text in open_ if (value := exact(text)) is not None]
    if not found:
        return read
    lookup = pl.DataFrame(found, schema={"text": pl.String, "exact": pl.Float64}, orient="row")
    joined = frame.join(lookup, on="text", how="left", maintain_order="left")
    return joined.select(pl.coalesce("value", "exact").alias(read.name)).to_series()


def _exact_number(text: str) -> float | None:
    text = text.strip()
    if "_" in text or not text.isascii():  # Python reads 1_000 and other scripts' digits; a data file means neither
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _exact_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return seconds if math.isfinite(seconds) else None
