"""Which items may appear at all: rows that are excluded, and those that alone are allowed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from shortlist_gateway.actor import KnownActor
from shortlist_gateway.query import Query, Slate


def rows_of(slate: Slate, item_ids: Iterable[str]) -> array[int]:
    """Return the rows of the ids that the catalogue has, none twice; the others become missing ids."""
    rows: dict[int, None] = {}
    for item_id in item_ids:
        row = slate.catalogue.row(item_id)
        if row is None:
            slate.missing_ids[item_id] = None
        else:
            rows[row] = None
    return array("I", rows)


def selection(slate: Slate, query: Query, actor: KnownActor) -> tuple[set[int], set[int] | None]:
    """Return the rows that must not and, where there is an allow list, the rows that alone may appear."""
    excluded = set(rows_of(slate, query.exclude_item_ids))
    if query.is_seen_excluded:
        excluded |= actor.seen_rows
    return excluded, set(rows_of(slate, query.include_item_ids)) if query.include_item_ids else None
