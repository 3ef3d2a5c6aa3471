"""What is known of an actor, in rows of the pinned bundle."""

import math
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

from shortlist_domain.features import user_numbers
from shortlist_domain.stages import IMPRESSION, ActorFeatures, ActorState
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Query, SeenEvents

ANY_EVENT = (SeenEvents(),)
"""Whatever the actor did, whenever, makes an item a seen one."""

MAX_HISTORY = 1000
"""Most recent events that travel to retrieval and ranking; a bundle's models look at fewer."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events in columns of equal length, oldest first."""

    rows: Sequence[int | None] = ()
    """``None`` where the catalogue does not have the item."""

    types: Sequence[str] = ()
    times_s: Sequence[float] = ()

    def rows_of(self, event_types: Collection[str], since_s: float) -> frozenset[int]:
        """Return the rows of the events of one of ``event_types`` (empty: any but impressions) from ``since_s`` on."""
        return frozenset(
            row
            for row, event_type, time_s in zip(self.rows, self.types, self.times_s, strict=True)
            if row is not None
            and time_s >= since_s
            and (event_type in event_types if event_types else event_type != IMPRESSION)
        )


@dataclass(frozen=True, slots=True)
class KnownActor:
    """An actor as the stages see it."""

    features: ActorFeatures
    seen_rows: frozenset[int]
    """Items that count as seen by the query's rule: without one, every item the actor has an event on."""

    unknown_inline_ids: tuple[str, ...]
    """Items of inline events that the catalogue does not have."""

    shown_at: Mapping[int, float] = field(default_factory=dict)
    """When an item was last shown to the actor, by row, seconds since 1970 UTC."""

    events: Events = field(default_factory=Events)
    """Everything that is read of the actor; impressions only where the query needs them."""

    truth: ActorFeatures | None = None
    """What is true of the actor, where a what-if has the stages see something else."""

    @property
    def features_in_truth(self) -> ActorFeatures:
        """What conditions read of the actor."""
        return self.features if self.truth is None else self.truth

    def seen(self, event_types: Collection[str], lookback_s: float | None) -> frozenset[int]:
        """Return the rows with an event of one of ``event_types`` in the last ``lookback_s`` seconds.

        No type is every type but impressions; ``None`` is for ever.
        """
        since_s = -math.inf if lookback_s is None else self.features.now_s - lookback_s
        return self.events.rows_of(event_types, since_s)


def known_actor(state: ActorState, query: Query, catalogue: Catalogue) -> KnownActor:
    """Return ``state`` with the query's own events and attributes on top.

    Events on items that the bundle does not have count in the actor's numbers and stand nowhere in the history;
    impressions tell what the actor was shown, and no more.
    """
    item_ids = [*state.item_ids, *(event.item_id for event in query.events)]
    values = state.values + array("f", [event.value for event in query.events])
    times = state.times_s + array("d", [event.time_s for event in query.events])
    types = [*state.event_types, *(event.event_type for event in query.events)] if query.events else state.event_types
    found = catalogue.rows(item_ids)
    events = Events(found, types, times)
    unknown: list[str] = []
    if None in found:
        unknown = [item_ids[at] for at in range(len(state.item_ids), len(item_ids)) if found[at] is None]
    has_rule = query.seen_by != ANY_EVENT or query.needs_impressions
    seen = _seen(events, query.seen_by) if has_rule else None
    shown_at: dict[int, float] = {}
    if query.needs_impressions:
        for row, event_type, time_s in zip(found, types, times, strict=True):
            if event_type == IMPRESSION and row is not None:
                shown_at[row] = max(time_s, shown_at.get(row, time_s))
        is_done = [event_type != IMPRESSION for event_type in types]
        found = list(compress(found, is_done))
        values = array("f", compress(values, is_done))
        times = array("d", compress(times, is_done))
    numbers = user_numbers(values)
    if None in found:
        values = array("f", [value for value, row in zip(values, found, strict=True) if row is not None])
        times = array("d", [time_s for time_s, row in zip(times, found, strict=True) if row is not None])
    known = [row for row in found if row is not None]
    rows = array("I", known)
    features = ActorFeatures(
        now_s=query.now_s,
        attributes={**state.attributes, **query.attributes},
        numbers=numbers,
        history_rows=rows[-MAX_HISTORY:],
        history_values=values[-MAX_HISTORY:],
        history_times_s=times[-MAX_HISTORY:],
        chosen=query.chosen,
    )
    return KnownActor(features, frozenset(known) if seen is None else seen, tuple(unknown), shown_at, events)


def _seen(events: Events, seen_by: Sequence[SeenEvents]) -> frozenset[int]:
    return frozenset(row for one in seen_by for row in events.rows_of(one.event_types, one.since_s))


def state_until(state: ActorState, moment_s: float) -> ActorState:
    """Return ``state`` without the events after ``moment_s``."""
    kept = [at for at, time_s in enumerate(state.times_s) if time_s <= moment_s]
    return replace(
        state,
        item_ids=[state.item_ids[at] for at in kept],
        event_types=[state.event_types[at] for at in kept],
        values=array("f", (state.values[at] for at in kept)),
        times_s=array("d", (state.times_s[at] for at in kept)),
    )
