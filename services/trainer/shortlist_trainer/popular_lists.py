"""Popular lists of a bundle, overall and by segment of users."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_trainer.config import PopularConfig
from shortlist_trainer.prepare import Prepared


def popular_lists(prepared: Prepared, config: PopularConfig) -> dict[str, object]:
    """Return the content of ``popular.json``, from the events of the training window.

    Segments are the values of single user attributes, ``gender=F``; those with fewer users than the setting asks for
    are left out. ``segment_order`` puts the attribute first whose segments differ most from the overall list.
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
            if np.count_nonzero(members) < config.segment_users:
                continue
            counts = np.bincount(items[members[users]], minlength=prepared.n_items)
            if not counts.any():
                continue
            segments[f"{name}={value}"] = _top(counts, config.per_segment)
            distance.setdefault(name, []).append(float(np.abs(counts / counts.sum() - share).sum()))
    order = sorted(distance, key=lambda name: (-float(np.mean(distance[name])), name))
    return {"overall": _top(overall, config.overall), "segment_order": order, "segments": segments}


def _top(counts: NDArray[np.int64], most: int) -> list[int]:
    """Return the rows of the highest counts above zero, the lower row first where they are equal."""
    order = np.argsort(-counts, kind="stable")[:most]
    return [int(row) for row in order if counts[row] > 0]
