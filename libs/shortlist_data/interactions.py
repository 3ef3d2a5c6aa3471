"""Interactions: from columns as they stand in a file to checked events, with an account of those left out."""

from __future__ import annotations

import polars as pl

from shortlist_data import columns
from shortlist_data.columns import TimeFormat
from shortlist_data.rejects import LINE, Rejects

TABLE = "interactions"
DEFAULT_VALUE = 1.0


def checked_events(
    frame: pl.DataFrame,
    where: str,
    rejects: Rejects,
    *,
    user: str,
    item: str,
    time: str,
    value: str | None,
    time_format: TimeFormat = TimeFormat.SECONDS,
) -> pl.DataFrame:
    """Return ``user_id``, ``item_id``, ``value``, ``time_s`` and :data:`LINE` of the good rows, in the file's order.

    A row is left out for its first fault. Events that equal an earlier one in all four columns are kept once.

    Args:
        frame: Columns of any type, and :data:`LINE`.
        where: File, for the account.
        rejects: The account.
        user: Column of user ids.
        item: Column of item ids.
        time: Column of times.
        value: Column of values; ``None``: every event counts 1.
        time_format: How ``time`` tells time, where its type does not.
    """
    user_id, no_user = columns.ids(frame[user], "user id")
    item_id, no_item = columns.ids(frame[item], "item id")
    time_s, no_time = columns.times(frame[time], time_format)
    if value is None:
        values, no_value = (
            pl.repeat(DEFAULT_VALUE, len(frame), eager=True),
            pl.Series([None] * len(frame), dtype=pl.String),
        )
    else:
        values, no_value = columns.numbers(frame[value], "value")
    events = pl.DataFrame(
        {"user_id": user_id, "item_id": item_id, "value": values, "time_s": time_s, LINE: frame[LINE]}
    )
    named = [name for name in (user, item, value, time) if name is not None]

    def shown(row: int) -> str:
        return ", ".join(str(frame[name][row]) for name in named)

    reasons = pl.DataFrame([no_user.alias("u"), no_item.alias("i"), no_value.alias("v"), no_time.alias("t")])
    events = events.with_columns(reason=reasons.select(pl.coalesce("u", "i", "v", "t")).to_series())
    events = events.with_columns(
        repeated=pl.when(
            pl.col("reason").is_null() & ~pl.struct("user_id", "item_id", "value", "time_s").is_first_distinct()
        ).then(pl.lit("repeats an earlier event"))
    )
    is_good = rejects.note(TABLE, where, events["reason"], events[LINE], shown)
    is_new = rejects.note(TABLE, where, events["repeated"], events[LINE], shown, is_bad=False)
    return events.filter(is_good & is_new).drop("reason", "repeated")
