"""Many actors at many moments as model inputs: what :mod:`shortlist_bundle.actor_inputs` builds for one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_domain.features import context_numbers, user_numbers
from shortlist_models.inputs import CONTEXT_NUMBERS, USER_NUMBERS
from shortlist_trainer.sequences import Sequences


@dataclass(frozen=True, slots=True)
class Moments:
    """Actors at moments: who, what was known, and when it is asked for. All of shape ``(q,)`` or ``(q, columns)``."""

    users: NDArray[np.int32]
    known: NDArray[np.int64]
    """Place after the last known event of the user."""

    now_s: NDArray[np.float64]
    numbers: NDArray[np.float32]
    context: NDArray[np.float32]
    chosen: NDArray[np.bool_] | None = None
    """Columns of the item features that the actors chose, ``(q, f)``; ``None``: nobody chose anything."""

    def __len__(self) -> int:
        return len(self.users)

    def take(self, index: NDArray[np.integer] | slice) -> Moments:
        """Return a selection."""
        return Moments(
            self.users[index],
            self.known[index],
            self.now_s[index],
            self.numbers[index],
            self.context[index],
            None if self.chosen is None else self.chosen[index],
        )


def before_events(sequences: Sequences, places: NDArray[np.int64]) -> Moments:
    """Return the moment of each event in ``places``, with what was known strictly before it."""
    return Moments(
        sequences.users[places],
        sequences.moment[places],
        sequences.times_s[places],
        sequences.numbers[places],
        sequences.context[places],
    )


def frozen_at(sequences: Sequences, users: NDArray[np.integer], until_event: int, now_s: float) -> Moments:
    """Return ``users`` as they stand after the first ``until_event`` events of the data set, asked at ``now_s``."""
    return known_until(sequences, users, sequences.ends(until_event)[users], np.full(len(users), now_s))


def known_until(
    sequences: Sequences, users: NDArray[np.integer], known: NDArray[np.int64], now_s: NDArray[np.float64]
) -> Moments:
    """Return ``users`` as they stand after their events before the places ``known``, each asked at its ``now_s``."""
    numbers = np.zeros((len(users), len(USER_NUMBERS)), np.float32)
    for row, (user, end) in enumerate(zip(users, known, strict=True)):
        features = user_numbers(sequences.values[sequences.start[user] : end].tolist())
        numbers[row] = [features[name] for name in USER_NUMBERS]
    return Moments(np.asarray(users, np.int32), known, now_s, numbers, contexts_at(now_s))


def contexts_at(now_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the context features of moments, ``(q, 3)``, raw."""
    contexts = np.zeros((len(now_s), len(CONTEXT_NUMBERS)), np.float32)
    for row, now in enumerate(now_s.tolist()):
        features = context_numbers(now)
        contexts[row] = [features[name] for name in CONTEXT_NUMBERS]
    return contexts


@dataclass(frozen=True, slots=True)
class Categories:
    """Categorical attributes of users as indexes into their vocabularies."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """Known values of each attribute, ascending; the index in the model is the position plus one."""

    index: NDArray[np.int64]
    """``(users, attributes)``; 0 is unknown."""


def categories_of(dataset: Dataset, most: int = 1000) -> Categories:
    """Return the user attributes of ``dataset``, each with its ``most`` frequent values."""
    known: list[tuple[str, ...]] = []
    columns: list[NDArray[np.int64]] = []
    for name in dataset.user_attributes:
        column = dataset.users[name].to_list()
        counts: dict[str, int] = {}
        for value in column:
            if value is not None:
                counts[value] = counts.get(value, 0) + 1
        values = tuple(sorted(sorted(counts, key=lambda v: (-counts[v], v))[:most]))
        index = {value: position + 1 for position, value in enumerate(values)}
        known.append(values)
        columns.append(np.array([index.get(value, 0) for value in column], np.int64))
    n = len(dataset.user_ids)
    table = np.stack(columns, axis=1) if columns else np.zeros((n, 0), np.int64)
    return Categories(dataset.user_attributes, tuple(known), table)


def history_inputs(
    sequences: Sequences, moments: Moments, length: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return rows, values and ages of the ``length`` latest known events, each ``(q, length)``, padded on the left."""
    places = moments.known[:, None] + np.arange(-length, 0)
    valid = places >= sequences.start[moments.users][:, None]
    places = np.where(valid, places, 0)
    rows = np.where(valid, sequences.items[places], -1).astype(np.int64)
    values = np.where(valid, sequences.values[places], np.float32(0.0))
    ages = np.where(valid, np.maximum(moments.now_s[:, None] - sequences.times_s[places], 0.0), 0.0)
    return rows, values.astype(np.float32), ages.astype(np.float32)
