"""What a write changes: which events are new, and what that adds to the items' counters."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from shortlist_domain.stages import Event, ItemDelta
from shortlist_feature_store.records import Row, below_floor, is_copy, split_row


def fresh_events(
    events: Sequence[Event], taken: Collection[str], floor: bytes | None
) -> tuple[list[bool], list[Event]]:
    """Return for each of ``events`` whether it is to be added, and those that are.

    Args:
        events: Checked events; where several share an id, the first counts.
        taken: Ids that are stored.
        floor: The newest event cut from the history, packed; what comes at or before it would be cut again.
    """
    seen = set(taken)
    added = []
    fresh = []
    for event in events:
        is_new = event.event_id not in seen and not below_floor(event, floor)
        seen.add(event.event_id)
        added.append(is_new)
        if is_new:
            fresh.append(event)
    return added, fresh


def known_ids(events: Sequence[Event], added: Sequence[bool]) -> set[str]:
    """Return the ids of those of ``events`` that had been there before, whichever of a repeated id was added."""
    new = {event.event_id for event, is_new in zip(events, added, strict=True) if is_new}
    return {event.event_id for event in events} - new


def additions_of(events: Iterable[Event]) -> list[ItemDelta]:
    """Return what ``events`` add to each item."""
    return _totals((event.item_id, event.value) for event in events)


def subtractions_of(rows: Iterable[Row]) -> list[ItemDelta]:
    """Return what erasing the stored events takes from each item: negative numbers. Copies were never counted."""
    totals = _totals((split_row(row)[1], row[2]) for row in rows if not is_copy(row))
    return [ItemDelta(total.item_id, -total.count, -total.value_sum) for total in totals]


def _totals(pairs: Iterable[tuple[str, float]]) -> list[ItemDelta]:
    values: defaultdict[str, list[float]] = defaultdict(list)
    for item_id, value in pairs:
        values[item_id].append(value)
    return [ItemDelta(item_id, float(len(some)), math.fsum(some)) for item_id, some in values.items()]
