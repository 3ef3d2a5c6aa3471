"""Clean columns of ids, values and times to a :class:`Dataset`: rows are numbered, events sorted, tables completed."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset, ReadReport


def assemble(
    name: str,
    events: pl.DataFrame,
    users: pl.DataFrame,
    items: pl.DataFrame,
    *,
    user_attributes: tuple[str, ...] = (),
    item_attributes: tuple[str, ...] = (),
    item_numbers: tuple[str, ...] = (),
    report: ReadReport,
) -> Dataset:
    """Return the data set made of checked columns.

    Args:
        name: Name of the data set.
        events: ``user_id``, ``item_id`` (String), ``value``, ``time_s`` (floats, finite), in the order of the file.
        users: ``user_id`` (unique) and attribute columns; users it lacks are added with nulls.
        items: ``item_id`` (unique), ``title`` and attribute columns; items it lacks are added with nulls.
        user_attributes: See :class:`Dataset`; as are the following.
        item_attributes: Categorical and multi-valued columns of ``items``.
        item_numbers: Numeric columns of ``items``.
        report: What reading left out.
    """
    users = _completed(users, "user_id", events["user_id"])
    items = _completed(items, "item_id", events["item_id"])
    times = events["time_s"].cast(pl.Float64).to_numpy()
    order = np.argsort(times, kind="stable")
    return Dataset(
        name=name,
        user_ids=tuple(users["user_id"].to_list()),
        item_ids=tuple(items["item_id"].to_list()),
        users=users,
        items=items,
        user_rows=rows_of(events["user_id"], users["user_id"])[order],
        item_rows=rows_of(events["item_id"], items["item_id"])[order],
        values=events["value"].cast(pl.Float32).to_numpy()[order],
        times_s=times[order],
        user_attributes=user_attributes,
        item_attributes=item_attributes,
        item_numbers=item_numbers,
        report=report,
    )


def _completed(table: pl.DataFrame, key: str, seen: pl.Series) -> pl.DataFrame:
    """Return ``table`` with a row for every id in ``seen``, sorted by id in byte order."""
    ids = pl.concat([table[key], seen]).unique().sort().to_frame(key)  # polars sorts text by its UTF-8 bytes
    return ids.join(table, on=key, how="left", maintain_order="left")


def rows_of(ids: pl.Series, table: pl.Series) -> NDArray[np.int32]:
    """Return the position in ``table`` (unique ids) of each of ``ids``.

    Raises:
        ValueError: An id is not in the table.
    """
    lookup = pl.DataFrame({"id": table, "row": np.arange(len(table), dtype=np.int32)})
    rows = ids.alias("id").to_frame().join(lookup, on="id", how="left", maintain_order="left")["row"]
    if rows.null_count():
        raise ValueError(f"{rows.null_count()} ids are not in the table")
    return rows.to_numpy().astype(np.int32)
