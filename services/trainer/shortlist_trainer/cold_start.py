"""Evaluation where little is known: new users by their attributes alone and after a few events, new items.

New users are those without an event before the cut that models were fitted at; each is asked for as it would have been
served at that moment. New items are those without an event among the ones that retrieval was fitted on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_trainer.actors import Moments, known_until
from shortlist_trainer.candidates import rolling
from shortlist_trainer.evaluate import (
    Pipeline,
    Values,
    held_out_places,
    list_values,
    met_first,
    rolling_values,
    sampled,
)
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.sequences import Sequences

KNOWN_EVENTS = (0, 1, 3, 5)
"""How many events of a new user are known in each slice."""

LEAST_RELEVANT = 5
"""Items that a new user must meet afterwards to be evaluated."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Metrics of a part of the users or events."""

    title: str
    values: Values
    groups: NDArray[np.int32]
    """User of each value."""


def cold_slices(
    pipeline: Pipeline, from_event: int, recall_at: int, most: int, seed: int, report: Report
) -> Iterator[Slice]:
    """Yield the slices of the events from ``from_event`` on that have anyone or anything in them.

    Of the events on new items up to ``most`` are looked at, a sample by ``seed`` where there are more.
    """
    prepared = pipeline.prepared
    for number in KNOWN_EVENTS:
        users = new_users(prepared.sequences, from_event, number)
        if len(users):
            known = f"the first {number} event{'s' * (number > 1)} known" if number else "attributes alone known"
            moments = after_first_events(prepared.sequences, users, number)
            yield Slice(f"new users, {known}", _list_values(pipeline, moments, recall_at, report), moments.users)
    places = sampled(new_item_places(prepared, from_event), most, seed)
    if len(places):
        values = rolling_values(pipeline, places, recall_at, report)
        yield Slice("new items, rolling", values, prepared.sequences.users[places])


def new_users(sequences: Sequences, from_event: int, known: int) -> NDArray[np.int32]:
    """Return the users without an event before ``from_event`` who, after their ``known`` first, meet enough items."""
    first = np.full(sequences.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, sequences.users, sequences.event)
    candidates = np.flatnonzero((first >= from_event) & (np.diff(sequences.start) >= known + LEAST_RELEVANT))
    enough = [
        len(met_first(sequences, user, sequences.start[user] + known, sequences.start[user + 1])) >= LEAST_RELEVANT
        for user in candidates.tolist()
    ]
    return candidates[np.array(enough, np.bool_)].astype(np.int32)


def new_item_places(prepared: Prepared, from_event: int) -> NDArray[np.int64]:
    """Return the places of the events from ``from_event`` on, on items that retrieval was not fitted on."""
    dataset = prepared.dataset
    is_new = np.bincount(dataset.item_rows[: prepared.fit_end], minlength=prepared.n_items) == 0
    places = held_out_places(prepared, from_event, dataset.events, dataset.events, seed=0)
    chosen: NDArray[np.int64] = places[is_new[prepared.sequences.items[places]]]
    return chosen


def after_first_events(sequences: Sequences, users: NDArray[np.int32], known: int) -> Moments:
    """Return ``users`` with their first ``known`` events, asked for at the time of the next one, in order of time."""
    places = sequences.start[users] + known
    order = np.argsort(sequences.times_s[places], kind="stable")
    return known_until(sequences, users[order], places[order], sequences.times_s[places[order]])


def _list_values(pipeline: Pipeline, moments: Moments, recall_at: int, report: Report) -> Values:
    """Return the metrics of one list a moment; relevant is all that its user meets later."""
    sequences = pipeline.prepared.sequences
    lists: dict[str, list[NDArray[np.int32]]] = {name: [] for name in pipeline.names}
    for part, here, candidates in rolling(pipeline.prepared, pipeline.retrieval, moments):
        for name, rows in pipeline.lists(here, candidates).items():
            lists[name].append(rows)
        report("new users", part.stop, len(moments), 0.0)
    relevant = [
        met_first(sequences, user, place, sequences.start[user + 1])
        for user, place in zip(moments.users, moments.known, strict=True)
    ]
    return {name: list_values(np.concatenate(rows), relevant, recall_at) for name, rows in lists.items()}
