"""Interactions: from columns as they stand in a file to checked events, with an account of those left out."""

from __future__ import annotations

import time as clock

import polars as pl

from shortlist_data import columns
from shortlist_data.columns import TimeFormat
from shortlist_data.errors import DataRefused
from shortlist_data.rejects import LINE, Rejects
from shortlist_domain.stages import CLOCK_SKEW_S

TABLE = "interactions"
DEFAULT_VALUE = 1.0
ROW_APART_S = 3600.0
"""Seconds between two rows of a file that tells their order and no time."""

ROWS_SPAN_S = 50 * 365 * 86_400.0
"""Longest time that such a file is spread over."""


def checked_events(
    frame: pl.DataFrame,
    where: str,
    rejects: Rejects,
    *,
    user: str,
    item: str,
    time: str | None,
    value: str | None,
    time_format: TimeFormat = TimeFormat.SECONDS,
    known_users: pl.Series | None = None,
    known_items: pl.Series | None = None,
) -> pl.DataFrame:
    """Return ``user_id``, ``item_id``, ``value``, ``time_s`` and :data:`LINE` of the good rows, in the file's order.

    A row is left out for its first fault. Events that equal an earlier one in all columns are kept once. What has not
    happened yet is no event: it would be the latest of all, and what its user does until then would not count as new.

    Args:
        frame: Columns of any type, and :data:`LINE`.
        where: File, for the account.
        rejects: The account.
        user: Column of user ids.
        item: Column of item ids.
        time: Column of times; ``None``: the rows are in order of time.
        value: Column of values; ``None``: every event counts 1.
        time_format: How ``time`` tells time, where its type does not.
        known_users: The only user ids to accept; ``None`` accepts any.
        known_items: The only item ids to accept.

    Raises:
        DataRefused: The rows are to be in order of time and are in another one.
    """
    user_id, no_user = columns.ids(frame[user], "user id")
    item_id, no_item = columns.ids(frame[item], "item id")
    time_s, no_time = (
        _past(*columns.times(frame[time], time_format))
        if time is not None
        else (row_times(user_id, item_id, where), _none(frame))
    )
    if value is None:
        values, no_value = pl.repeat(DEFAULT_VALUE, len(frame), eager=True), _none(frame)
    else:
        values, no_value = columns.numbers(frame[value], "value")
    events = pl.DataFrame(
        {"user_id": user_id, "item_id": item_id, "value": values, "time_s": time_s, LINE: frame[LINE]}
    )
    named = [name for name in (user, item, value, time) if name is not None]

    def shown(row: int) -> str:
        return ", ".join(str(columns.shown(frame[name], row)) for name in named)

    no_user = _unless_known(user_id, no_user, known_users, "user id is not in the users table")
    no_item = _unless_known(item_id, no_item, known_items, "item id is not in the items table")
    reasons = pl.DataFrame([no_user.alias("u"), no_item.alias("i"), no_value.alias("v"), no_time.alias("t")])
    events = events.with_columns(reason=reasons.select(pl.coalesce("u", "i", "v", "t")).to_series())
    told = ("user_id", "item_id", "value", *(("time_s",) if time is not None else ()))
    events = events.with_columns(
        repeated=pl.when(pl.col("reason").is_null() & ~pl.struct(*told).is_first_distinct()).then(
            pl.lit("repeats an earlier event")
        )
    )
    is_good = rejects.note(TABLE, where, events["reason"], events[LINE], shown)
    is_new = rejects.note(TABLE, where, events["repeated"], events[LINE], shown, is_bad=False)
    return events.filter(is_good & is_new).drop("reason", "repeated")


def _past(time_s: pl.Series, reasons: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return ``time_s``, and ``reasons`` with one for the good times that are yet to come."""
    is_ahead = reasons.is_null() & (time_s > clock.time() + CLOCK_SKEW_S).fill_null(value=False)
    return time_s, pl.select(pl.when(is_ahead).then(pl.lit("time is in the future")).otherwise(reasons)).to_series()


def row_times(user_id: pl.Series, item_id: pl.Series, where: str) -> pl.Series:
    """Return times, Float64, for rows of which only the order is known: from 1970 on, an hour apart.

    They are closer together where they would take longer than :data:`ROWS_SPAN_S`. Clocks and pauses mean nothing then;
    what came before what does.

    Raises:
        DataRefused: The rows are grouped by user or by item, which is no order of time.
    """
    for ids, name in ((user_id, "user"), (item_id, "item")):
        runs = int((ids != ids.shift()).sum()) + 1
        if 1 < ids.n_unique() < len(ids) and runs <= ids.n_unique():
            raise DataRefused(
                f"{where}: its rows are grouped by {name}, so they are not in order of time, as time: {{order: rows}} "
                "says; bring a column of times, or sort the rows"
            )
    apart = min(ROW_APART_S, ROWS_SPAN_S / max(1, len(user_id)))
    return pl.Series("time_s", [row * apart for row in range(len(user_id))], dtype=pl.Float64)


def _none(frame: pl.DataFrame) -> pl.Series:
    """Return no reason for every row."""
    return pl.Series([None] * len(frame), dtype=pl.String)


def _unless_known(ids: pl.Series, reasons: pl.Series, known: pl.Series | None, reason: str) -> pl.Series:
    """Return ``reasons`` with ``reason`` for the good ids that are not ``known``."""
    if known is None:
        return reasons
    is_stranger = reasons.is_null() & ~ids.is_in(known.implode()).fill_null(value=False)
    return pl.select(pl.when(is_stranger).then(pl.lit(reason)).otherwise(reasons)).to_series()
