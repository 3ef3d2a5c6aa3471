"""Data sets as the histories that candidate models read, and lists out of scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.candidates import Histories
from shortlist_trainer.actors import categories_of

_SCORES_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What some users did afterwards."""

    users: NDArray[np.int32]
    """Users that are evaluated, ``(u,)``."""

    now_s: NDArray[np.float64]
    """When each is asked about, ``(u,)``."""

    indptr: NDArray[np.int64]
    """Relevant items of user ``i`` are ``rows[indptr[i]:indptr[i + 1]]``."""

    rows: NDArray[np.int32]


def only(dataset: Dataset, kept: NDArray[np.bool_]) -> Dataset:
    """Return ``dataset`` with the events in ``kept`` alone; users and items stay."""
    return replace(
        dataset,
        user_rows=dataset.user_rows[kept],
        item_rows=dataset.item_rows[kept],
        values=dataset.values[kept],
        times_s=dataset.times_s[kept],
    )


def held_out_of(dataset: Dataset, held: NDArray[np.bool_], users: NDArray[np.int32]) -> HeldOut:
    """Return the events ``held`` of ``users``, each user asked about at the time of the first of them.

    Raises:
        DataRefused: There are none, so nothing could be measured.
    """
    owner, rows, times = dataset.user_rows[held], dataset.item_rows[held], dataset.times_s[held]
    wanted = np.isin(owner, users)
    owner, rows, times = owner[wanted], rows[wanted], times[wanted]
    if not len(owner):
        raise DataRefused(
            f"{dataset.name}: of its {dataset.events:,} events by {len(np.unique(dataset.user_rows)):,} users, the "
            f"protocol holds out {int(np.count_nonzero(held)):,}, none of them of the {len(users):,} users that it "
            "evaluates; bring users with more events"
        )
    order = np.argsort(owner, kind="stable")
    owner, rows, times = owner[order], rows[order], times[order]
    present, first, counts = np.unique(owner, return_index=True, return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return HeldOut(present.astype(np.int32), times[first], indptr, rows)


def apart(dataset: Dataset, held: NDArray[np.bool_]) -> tuple[Dataset, HeldOut]:
    """Return the events that are not ``held``, and of those that are the ones of users and items among the others.

    Raises:
        DataRefused: There are none of these.
    """
    users = np.unique(dataset.user_rows[~held])
    met = np.zeros(len(dataset.item_ids), np.bool_)
    met[dataset.item_rows[~held]] = True
    return only(dataset, ~held), held_out_of(dataset, held & met[dataset.item_rows], users)


def histories_of(
    dataset: Dataset, users: NDArray[np.integer] | None = None, now_s: NDArray[np.float64] | None = None
) -> Histories:
    """Return the histories of ``users``, or of everybody with an event, with the users' attributes.

    Args:
        dataset: Events; the order of time is theirs, ties as in the file.
        users: User rows, each once.
        now_s: When each is asked about; left out: when the last event of the data set happened.
    """
    order = np.argsort(dataset.user_rows, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(dataset.user_rows, minlength=len(dataset.user_ids)))])
    if users is None:
        users = np.flatnonzero(np.diff(start))
    counts = np.diff(start)[users]
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    within = np.arange(indptr[-1]) - np.repeat(indptr[:-1], counts) + np.repeat(start[users], counts)
    events = order[within]
    latest = float(dataset.times_s[-1]) if dataset.events else 0.0
    return Histories(
        users.astype(np.int32),
        np.full(len(users), latest) if now_s is None else now_s,
        indptr,
        dataset.item_rows[events],
        dataset.values[events],
        dataset.times_s[events],
        len(dataset.item_ids),
        categories_of(dataset).index[users],
    )


def scored(
    known: Dataset, held_out: HeldOut, predictor: Callable[[Histories], NDArray[np.float32]]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield scores of the whole catalogue for the users held out, minus infinity for what they have seen."""
    histories = histories_of(known, held_out.users, held_out.now_s)
    block = max(1, _SCORES_AT_ONCE // histories.n_items)
    for begin in range(0, len(histories), block):
        part = histories.take(begin, begin + block)
        scores = predictor(part).astype(np.float32, copy=True)
        scores[np.repeat(np.arange(len(part)), np.diff(part.indptr)), part.rows] = -np.inf
        yield slice(begin, begin + len(part)), scores
