"""Which items may appear at all: rows that are excluded, and those that alone are allowed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from shortlist_domain.errors import NotFound
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


def anchors_of(slate: Slate, item_ids: Sequence[str]) -> array[int]:
    """Return the rows of items that something is looked for by, at least one.

    Raises:
        NotFound: The catalogue has none of them.
    """
    rows = rows_of(slate, item_ids)
    if not rows:
        raise NotFound(f"none of the items is in bundle {slate.catalogue.bundle_id}: {', '.join(item_ids)}")
    return rows


def look_up(slate: Slate, query: Query) -> None:
    """Note which of the items that the request or its config names the catalogue lacks, as an answer would."""
    in_events = (event.item_id for event in query.events)
    pinned = (pin.item_id for pin in query.rules.pins)
    rows_of(slate, (*query.item_ids, *in_events, *query.exclude_item_ids, *query.include_item_ids, *pinned))


def selection(slate: Slate, query: Query, actor: KnownActor) -> tuple[set[int], set[int] | None]:
    """Return the rows that must not and, where there is an allow list, the rows that alone may appear."""
    excluded = set(rows_of(slate, query.exclude_item_ids))
    if query.is_seen_excluded:
        excluded |= actor.seen_rows
    return excluded, set(rows_of(slate, query.include_item_ids)) if query.include_item_ids else None
