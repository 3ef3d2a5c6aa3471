"""Lifts of items among segments of users, made once for training and for the bundle."""

from __future__ import annotations

import numpy as np

from shortlist_bundle.segment_lifts import SegmentLifts
from shortlist_trainer.config import PopularConfig
from shortlist_trainer.prepare import Prepared

_LARGEST = 10.0
"""Bound of a logarithm, which float16 holds; a lift of e^10 is no estimate."""


def segment_lifts(prepared: Prepared, config: PopularConfig) -> SegmentLifts | None:
    """Return the lifts over the events of the training window; ``None`` where users have no attributes.

    A segment's share of an item is ``(events + m * share of all events) / (events of the segment + m)`` with ``m =
    lift_prior_events``: the fewer events a segment has, the nearer it is to everybody. Every event has its share of all
    events raised by one, so that items without events have one, too.
    """
    dataset, categories = prepared.dataset, prepared.categories
    if not categories.names:
        return None
    end = prepared.split.train_end
    users, items = dataset.user_rows[:end], dataset.item_rows[:end]
    share = np.bincount(items, minlength=prepared.n_items) + 1.0
    share /= share.sum()
    sizes = [len(values) for values in categories.values]
    tables = []
    for attribute, size in enumerate(sizes):
        index = categories.index[users, attribute].astype(np.int64)
        cell = index * prepared.n_items + items
        counts = np.bincount(cell, minlength=(size + 1) * prepared.n_items).reshape(size + 1, -1)[1:]
        prior = config.lift_prior_events
        of_segment = (counts + prior * share) / (counts.sum(axis=1, keepdims=True) + prior)
        tables.append(np.clip(np.log(of_segment / share), -_LARGEST, _LARGEST).astype(np.float16))
    return SegmentLifts(np.concatenate(tables), sizes)
