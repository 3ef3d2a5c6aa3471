"""What is known of an actor, in rows of the pinned bundle."""

from array import array
from dataclasses import dataclass

from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures, ActorState
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.query import Query

MAX_HISTORY = 1000
"""Most recent events that travel to retrieval and ranking; a bundle's models look at fewer."""


@dataclass(frozen=True, slots=True)
class KnownActor:
    """An actor as the stages see it."""

    features: ActorFeatures
    seen_rows: frozenset[int]
    """Every item the actor has an event on."""

    unknown_inline_ids: tuple[str, ...]
    """Items of inline events that the catalogue does not have."""


def known_actor(state: ActorState, query: Query, catalogue: Catalogue) -> KnownActor:
    """Return ``state`` with the query's own events and attributes on top.

    Events on items that the bundle does not have count in the actor's numbers and stand nowhere in the history.
    """
    item_ids = [*state.item_ids, *(event.item_id for event in query.events)]
    values = state.values + array("f", [event.value for event in query.events])
    times = state.times_s + array("d", [event.time_s for event in query.events])
    numbers = user_numbers(values)
    found = catalogue.rows(item_ids)
    unknown: list[str] = []
    if None in found:
        unknown = [item_ids[at] for at in range(len(state.item_ids), len(item_ids)) if found[at] is None]
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
    return KnownActor(features, frozenset(known), tuple(unknown))
