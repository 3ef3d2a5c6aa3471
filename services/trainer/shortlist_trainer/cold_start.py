"""Evaluation where little is known: new users by their attributes alone and after a few events, new items.

New users are those without an event before the cut that models were fitted at; each is asked for as it would have been
served at that moment. What a new user chose in onboarding is made from the first events that it liked: the values of
item attributes that are most frequent among them. Nothing else of these events is known, and they are left out of what
is relevant as well as of all lists, so that what is evaluated does not come back in what was chosen. New items are
those without an event among the ones that retrieval was fitted on, in the whole catalogue, where they compete with
everything that is known. Those without an event before the cut are looked at among themselves too, as on a shelf of
what has just come in.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.expected import expected_metrics
from shortlist_evaluation.ranks import Ranks
from shortlist_trainer.actors import Moments, frozen_at, known_until
from shortlist_trainer.candidates import rolling
from shortlist_trainer.chosen_values import is_value
from shortlist_trainer.evaluate import (
    BASELINE,
    Pipeline,
    Values,
    held_out_places,
    list_values,
    met_first,
    relevant_after,
    rolling_values,
    sampled,
)
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.sequences import Sequences

KNOWN_EVENTS = (0, 1, 3, 5)
"""How many events of a new user are known in each slice."""

LIKED_EVENTS = 3
"""First liked events (values not below the mean of the training events) that tell what a new user chose."""

MOST_CHOSEN = 3
"""Values that a new user chooses at most."""

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
    """Yield the slices of the events from ``from_event`` on, all there are, that have anyone or anything in them.

    Of the events on new items up to ``most`` are looked at, a sample by ``seed`` where there are more.
    """
    prepared = pipeline.prepared
    for number in KNOWN_EVENTS:
        users = new_users(prepared.sequences, from_event, number)
        if len(users):
            known = f"the first {number} event{'s' * (number > 1)} known" if number else "attributes alone known"
            moments = after_first_events(prepared.sequences, users, number)
            yield Slice(f"new users, {known}", _list_values(pipeline, moments, recall_at, report), moments.users)
    yield from onboarding_slice(pipeline, from_event, recall_at, report)
    places = sampled(new_item_places(prepared, from_event), most, seed)
    if len(places):
        users = prepared.sequences.users[places]
        yield Slice("new items, rolling", rolling_values(pipeline, places, recall_at, report), users)
    yield from among_new_items(pipeline, from_event, recall_at, report)


def among_new_items(pipeline: Pipeline, from_event: int, recall_at: int, report: Report) -> Iterator[Slice]:
    """Yield the slice of the items of which nothing is known but what they are, where anybody meets one of them.

    Everybody is asked for at the cut, among the items without an event before ``from_event`` alone. Popularity says
    nothing of these: its figures are those of a random order, as an expectation.
    """
    prepared, sequences = pipeline.prepared, pipeline.prepared.sequences
    new = is_new_item(prepared, from_event)
    users, met = relevant_after(prepared, from_event, prepared.dataset.events)
    relevant = [rows[new[rows]] for rows in met]
    kept = np.array([len(rows) > 0 for rows in relevant], np.bool_)
    if not kept.any():
        return
    users, relevant = users[kept], [relevant[row] for row in np.flatnonzero(kept)]
    moments = frozen_at(sequences, users, from_event, float(prepared.dataset.times_s[from_event - 1]))
    lists = _lists(pipeline, moments, report, new)
    values = {name: list_values(rows, relevant, recall_at) for name, rows in lists.items()}
    values[BASELINE] = _by_chance([len(rows) for rows in relevant], int(new.sum()), recall_at)
    yield Slice("new items among themselves, nothing known but what they are", values, users)


def _by_chance(relevant: Sequence[int], n_items: int, recall_at: int) -> dict[str, NDArray[np.float64]]:
    """Return the expected metrics of random orders of ``n_items`` items, for users with so many relevant ones each."""
    indptr = np.concatenate([[0], np.cumsum(relevant)]).astype(np.int64)
    all_tied = Ranks(np.zeros(indptr[-1], np.int64), np.full(indptr[-1], n_items - 1, np.int64))
    at_10, wide = expected_metrics(all_tied, indptr, 10), expected_metrics(all_tied, indptr, recall_at)
    return {"ndcg@10": at_10.ndcg, "hit@10": at_10.hit, f"recall@{recall_at}": wide.recall}


def onboarding_slice(pipeline: Pipeline, from_event: int, recall_at: int, report: Report) -> Iterator[Slice]:
    """Yield the slice of new users whose onboarding choices alone are known, where there is anyone in it."""
    sequences = pipeline.prepared.sequences
    moments = after_first_events(sequences, new_users(sequences, from_event, 0), 0)
    chosen, told_by = onboarding_choices(pipeline.prepared, moments.users)
    relevant = [
        np.setdiff1d(met_first(sequences, user, sequences.start[user], sequences.start[user + 1]), rows)
        for user, rows in zip(moments.users, told_by, strict=True)
    ]
    kept = np.array([len(rows) >= LEAST_RELEVANT for rows in relevant], np.bool_) & chosen.any(axis=1)
    if not kept.any():
        return
    evaluated = np.flatnonzero(kept)
    moments = replace(moments, chosen=chosen).take(evaluated)
    left_out, wanted = [told_by[row] for row in evaluated], [relevant[row] for row in evaluated]
    lists = _lists(pipeline, moments, report)
    values = {name: list_values(without(rows, left_out), wanted, recall_at) for name, rows in lists.items()}
    yield Slice("new users, onboarding choices alone known", values, moments.users)


def onboarding_choices(
    prepared: Prepared, users: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], list[NDArray[np.int32]]]:
    """Return what ``users`` chose, as columns of the item features ``(u, f)``, and the items that tell it of each."""
    sequences = prepared.sequences
    liked_from = float(prepared.dataset.values[: prepared.split.train_end].mean(dtype=np.float64))
    values = is_value(prepared.item_columns)
    chosen = np.zeros((len(users), len(values)), np.bool_)
    told_by = []
    for row, user in enumerate(users.tolist()):
        places = np.arange(sequences.start[user], sequences.start[user + 1])
        items = sequences.items[places[sequences.values[places] >= liked_from][:LIKED_EVENTS]]
        told_by.append(items)
        # Among equally frequent values, those of the earlier items come first.
        weights = 1.0 - 0.001 * np.arange(len(items))
        counts = weights @ (prepared.item_features[items] * values)
        most = np.argsort(-counts, kind="stable")[:MOST_CHOSEN]
        chosen[row, most[counts[most] > 0.0]] = True
    return chosen, told_by


def without(lists: NDArray[np.int32], rows: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Return ``lists`` ``(u, k)`` without some rows of each, the others moved up; -1 pads."""
    kept = (lists >= 0) & ~np.array([np.isin(mine, left) for mine, left in zip(lists, rows, strict=True)], np.bool_)
    order = np.argsort(~kept, axis=1, kind="stable")
    moved = np.take_along_axis(np.where(kept, lists, -1), order, axis=1)
    return moved.astype(np.int32)


def new_users(sequences: Sequences, from_event: int, known: int, until_event: int = sys.maxsize) -> NDArray[np.int32]:
    """Return the users without an event before ``from_event`` who, after their ``known`` first, meet enough items.

    What they do from ``until_event`` on is not looked at.
    """
    first = np.full(sequences.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, sequences.users, sequences.event)
    ends = sequences.ends(until_event)
    candidates = np.flatnonzero((first >= from_event) & (ends - sequences.start[:-1] >= known + LEAST_RELEVANT))
    enough = [
        len(met_first(sequences, user, sequences.start[user] + known, ends[user])) >= LEAST_RELEVANT
        for user in candidates.tolist()
    ]
    return candidates[np.array(enough, np.bool_)].astype(np.int32)


def is_new_item(prepared: Prepared, until_event: int) -> NDArray[np.bool_]:
    """Return which items have no event among the first ``until_event``, ``(n,)``."""
    events = prepared.dataset.item_rows[:until_event]
    new: NDArray[np.bool_] = np.bincount(events, minlength=prepared.n_items) == 0
    return new


def new_item_places(prepared: Prepared, from_event: int) -> NDArray[np.int64]:
    """Return the places of the events from ``from_event`` on, on items that retrieval was not fitted on."""
    dataset, is_new = prepared.dataset, is_new_item(prepared, prepared.fit_end)
    places = held_out_places(prepared, from_event, dataset.events, dataset.events, seed=0)
    chosen: NDArray[np.int64] = places[is_new[prepared.sequences.items[places]]]
    return chosen


def after_first_events(sequences: Sequences, users: NDArray[np.int32], known: int) -> Moments:
    """Return ``users`` with their first ``known`` events, asked for at the time of the next one, in order of time."""
    places = sequences.start[users] + known
    order = np.argsort(sequences.times_s[places], kind="stable")
    return known_until(sequences, users[order], places[order], sequences.times_s[places[order]])


def met_later(sequences: Sequences, moments: Moments, until_event: int = sys.maxsize) -> list[NDArray[np.int32]]:
    """Return for each moment what its user meets first after it, and before the event ``until_event``."""
    ends = sequences.ends(until_event)
    return [
        met_first(sequences, user, place, ends[user]) for user, place in zip(moments.users, moments.known, strict=True)
    ]


def _list_values(pipeline: Pipeline, moments: Moments, recall_at: int, report: Report) -> Values:
    """Return the metrics of one list a moment; relevant is all that its user meets later."""
    relevant = met_later(pipeline.prepared.sequences, moments)
    lists = _lists(pipeline, moments, report)
    return {name: list_values(rows, relevant, recall_at) for name, rows in lists.items()}


def _lists(
    pipeline: Pipeline, moments: Moments, report: Report, allowed: NDArray[np.bool_] | None = None
) -> dict[str, NDArray[np.int32]]:
    """Return one list a moment, ``(q, k)``, by name."""
    lists: dict[str, list[NDArray[np.int32]]] = {name: [] for name in pipeline.names}
    for part, here, candidates in rolling(pipeline.prepared, pipeline.retrieval, moments, allowed):
        for name, rows in pipeline.lists(here, candidates).items():
            lists[name].append(rows)
        report("new users", part.stop, len(moments), 0.0)
    return {name: np.concatenate(rows) for name, rows in lists.items()}
