"""Ids, numbers and times out of columns of any type."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_data import columns
from shortlist_data.columns import TimeFormat
from shortlist_domain.ids import id_violation


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.just("é" * 129), max_size=6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_an_id_is_refused_exactly_where_the_platform_refuses_it(values: list[str]) -> None:
    ids, reasons = columns.ids(pl.Series("id", values, dtype=pl.String), "user id")
    assert ids.to_list() == values
    assert [reason is not None for reason in reasons] == [id_violation("user_id", v) is not None for v in values]


def test_reasons_tell_what_is_wrong_with_an_id() -> None:
    _, reasons = columns.ids(pl.Series(["007", "", None, "a\tb", "x" * 257, "é" * 128]), "user id")
    assert reasons.to_list() == [
        None,
        "user id is missing",
        "user id is missing",
        "user id has a control character",
        "user id is longer than 256 bytes",
        None,
    ]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([7, None, -1], dtype=pl.Int64), ["7", None, "-1"]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), ["18446744073709551615"]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        (pl.Series(["a"], dtype=pl.Enum(["a", "b"])), ["a"]),
    ],
)
def test_whole_numbers_and_categories_become_text_exactly(column: pl.Series, expected: list[str | None]) -> None:
    assert columns.ids(column, "id")[0].to_list() == expected


@pytest.mark.parametrize("column", [pl.Series([7.0, 8.5]), pl.Series([True, False]), pl.Series([[1], [2]])])
def test_ids_of_other_types_are_refused_row_by_row(column: pl.Series) -> None:
    ids, reasons = columns.ids(column, "item id")
    assert ids.to_list() == [None, None]
    assert all("not text or a whole number" in reason for reason in reasons)


def test_numbers_in_text_are_read_and_everything_else_has_a_reason() -> None:
    texts = [
        "4",
        "-0.5",
        " 3 ",
        "+1e2",
        ".5",
        "4,5",
        "abc",
        "1_000",
        "٣",
        "",
        "  ",
        None,
        "nan",
        "-inf",
        "1e400",
        "1e31",
    ]
    values, reasons = columns.numbers(pl.Series(texts), "value")
    assert values.to_list()[:5] == [4, -0.5, 3, 100, 0.5]
    assert reasons.to_list() == [
        *[None] * 5,
        *["value is not a number"] * 4,
        *["value is missing"] * 3,
        *["value is NaN or infinite"] * 3,
        "value is beyond 1e+12",
    ]


def test_typed_numbers_need_no_parsing() -> None:
    values, reasons = columns.numbers(pl.Series([1.5, float("nan"), None, float("inf")]), "value")
    assert values.to_list()[0] == 1.5
    assert reasons.to_list() == [None, "value is NaN or infinite", "value is missing", "value is NaN or infinite"]
    assert columns.numbers(pl.Series([True, False]), "value")[0].to_list() == [1.0, 0.0]
    assert columns.numbers(pl.Series([[1.0]]), "value")[1].to_list() == ["value is not a number"]


def test_seconds_and_milliseconds() -> None:
    seconds, reasons = columns.times(pl.Series(["978300760", "978300760.25", "", "soon"]), TimeFormat.SECONDS)
    assert seconds.to_list()[:2] == [978300760.0, 978300760.25]
    assert reasons.to_list() == [None, None, "time is missing", "time is not in the format seconds"]
    milliseconds, _ = columns.times(pl.Series([978300760123]), TimeFormat.MILLISECONDS)
    assert milliseconds.to_list() == [978300760.123]


def test_the_wrong_unit_is_noticed() -> None:
    _, reasons = columns.times(pl.Series([978300760123]), TimeFormat.SECONDS)
    assert reasons.to_list() == ["time is not between 1900 and 2200 when read as seconds"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2000-12-31T22:12:40Z", datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)),
        ("2000-12-31 22:12:40", datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)),
        ("2000-12-31", datetime(2000, 12, 31, tzinfo=UTC)),
        ("2000-12-31T22:12:40.5+02:00", datetime(2000, 12, 31, 20, 12, 40, 500_000, tzinfo=UTC)),
        ("20001231T221240Z", datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)),
        ("1969-07-20T20:17:00Z", datetime(1969, 7, 20, 20, 17, tzinfo=UTC)),
    ],
)
def test_iso_8601_without_a_zone_is_utc(text: str, moment: datetime) -> None:
    seconds, reasons = columns.times(pl.Series([text]), TimeFormat.ISO8601)
    assert (seconds.to_list(), reasons.to_list()) == ([moment.timestamp()], [None])


@pytest.mark.parametrize("text", ["31.12.2000", "2000-13-01", "2000-02-30T00:00:00", "978300760", "0000-00-00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    seconds, reasons = columns.times(pl.Series([text]), TimeFormat.ISO8601)
    assert seconds.to_list() == [None]
    assert reasons.to_list() == ["time is not in the format iso8601"]


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_times_of_parquet_are_read_in_any_unit(unit: str) -> None:
    moment = datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC)
    for zone in (None, "UTC", "Europe/Berlin"):
        column = pl.Series([moment.replace(tzinfo=None)]).cast(pl.Datetime(unit))  # type: ignore[arg-type]
        zoned = column if zone is None else column.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        assert columns.times(zoned, TimeFormat.SECONDS)[0].to_list() == [moment.timestamp()]


def test_dates_are_midnight_utc_and_nulls_are_missing() -> None:
    seconds, reasons = columns.times(pl.Series([date(2000, 12, 31), None]), TimeFormat.SECONDS)
    assert seconds.to_list() == [datetime(2000, 12, 31, tzinfo=UTC).timestamp(), None]
    assert reasons.to_list() == [None, "time is missing"]


def test_an_offset_beyond_the_calendar_does_not_break_reading() -> None:
    text = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))).isoformat()
    _, reasons = columns.times(pl.Series([text]), TimeFormat.ISO8601)
    assert reasons.to_list() == ["time is not between 1900 and 2200 when read as iso8601"]
