"""Popular lists of a bundle, overall and by segment of users."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_trainer.actors import Categories
from shortlist_trainer.config import PopularConfig
from shortlist_trainer.prepare import Prepared


@dataclass(frozen=True, slots=True)
class PopularLists:
    """Content of ``popular.json``: rows, best first."""

    overall: list[int]
    segment_order: list[str]
    """Attributes; an actor's segment is of the first one that has a list for the actor's value."""

    segments: dict[str, list[int]]
    """By ``attribute=value``."""

    def to_json(self) -> bytes:
        """Return the content of ``popular.json``."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode()

    def segment_of(self, categories: Categories, user: int) -> list[int] | None:
        """Return the list of the user's segment, ``None`` where there is none."""
        for name in self.segment_order:
            column = categories.names.index(name)
            index = int(categories.index[user, column])
            if index and (rows := self.segments.get(f"{name}={categories.values[column][index - 1]}")) is not None:
                return rows
        return None


def popular_lists(prepared: Prepared, config: PopularConfig) -> PopularLists:
    """Return the popular lists over the events of the training window.

    Segments are the values of single user attributes, ``gender=F``; those with fewer users than the setting asks for
    are left out. The attribute comes first whose segments differ most from the overall list.
    """
    dataset = prepared.dataset
    users, items = dataset.user_rows[: prepared.split.train_end], dataset.item_rows[: prepared.split.train_end]
    overall = np.bincount(items, minlength=prepared.n_items)
    share = overall / overall.sum()
    segments: dict[str, list[int]] = {}
    distance: dict[str, list[float]] = {}
    for column, name in enumerate(prepared.categories.names):
        index = prepared.categories.index[:, column]
        for position, value in enumerate(prepared.categories.values[column], start=1):
            members = index == position
            counts = np.bincount(items[members[users]], minlength=prepared.n_items)
            if np.count_nonzero(members) < config.segment_users or not counts.any():
                continue
            segments[f"{name}={value}"] = _top(counts, config.per_segment)
            distance.setdefault(name, []).append(float(np.abs(counts / counts.sum() - share).sum()))
    order = sorted(distance, key=lambda name: (-float(np.mean(distance[name])), name))
    return PopularLists(_top(overall, config.overall), order, segments)


def _top(counts: NDArray[np.int64], most: int) -> list[int]:
    """Return the rows of the highest counts above zero, the lower row first where they are equal."""
    order = np.argsort(-counts, kind="stable")[:most]
    return [int(row) for row in order if counts[row] > 0]
