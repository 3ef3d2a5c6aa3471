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
    rows, values, times = array("I"), array("f"), array("d")
    for item_id, value, time_s in zip(state.item_ids, state.values, state.times_s, strict=True):
        row = catalogue.row(item_id)
        if row is not None:
            rows.append(row)
            values.append(value)
            times.append(time_s)
    unknown = []
    for event in query.events:
        row = catalogue.row(event.item_id)
        if row is None:
            unknown.append(event.item_id)
        else:
            rows.append(row)
            values.append(event.value)
            times.append(event.time_s)
    numbers = user_numbers([*state.values, *(event.value for event in query.events)])
    features = ActorFeatures(
        now_s=query.now_s,
        attributes={**state.attributes, **query.attributes},
        numbers=numbers,
        history_rows=rows[-MAX_HISTORY:],
        history_values=values[-MAX_HISTORY:],
        history_times_s=times[-MAX_HISTORY:],
    )
    return KnownActor(features, frozenset(rows), tuple(unknown))
