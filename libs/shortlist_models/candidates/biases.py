"""Ratings explained by the user's and the item's mean alone: the yardstick for whatever predicts ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_models.candidates.base import Histories, require_catalogue, require_events


class Biases:
    """``rating = mean + b_item + b_user``, both drawn towards 0 (Koren 2010, "Factor in the neighbors", section 2.1).

    ``b_item = sum(value - mean) / (events + item_damping)`` over the item's events, then
    ``b_user = sum(value - mean - b_item) / (events + user_damping)`` over the events of the history that is asked with,
    so that unknown users are served.

    Args:
        item_damping: Above 0.
        user_damping: Above 0.

    Raises:
        ValueError: A damping is not above 0.
    """

    def __init__(self, item_damping: float = 25.0, user_damping: float = 10.0) -> None:
        if not (item_damping > 0.0 and user_damping > 0.0):
            raise ValueError(f"item_damping {item_damping} and user_damping {user_damping} must be above 0")
        self.item_damping, self.user_damping = item_damping, user_damping
        self._mean = 0.0
        self._items: NDArray[np.float64] = np.zeros(0)

    def fit(self, histories: Histories) -> None:
        """Take the means."""
        require_events(histories)
        values = histories.values.astype(np.float64)
        self._mean = float(values.mean())
        sums = np.bincount(histories.rows, values - self._mean, histories.n_items)
        self._items = sums / (histories.counts + self.item_damping)

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return the predicted ratings: an order by the items' means, the same for everybody."""
        return self.ratings(histories)

    def ratings(self, histories: Histories) -> NDArray[np.float32]:
        """Return the predicted rating of every item, ``(b, n)``, not kept within the scale."""
        require_catalogue(histories, len(self._items))
        events = np.diff(histories.indptr)
        owner = np.repeat(np.arange(len(histories)), events)
        rest = histories.values - self._mean - self._items[histories.rows]
        users = np.bincount(owner, rest, len(histories)) / (events + self.user_damping)
        return (self._mean + users[:, None] + self._items[None]).astype(np.float32)

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return ``item_biases`` float64 ``(n,)`` and ``parameters``: the mean, and the damping of users."""
        return {"item_biases": self._items, "parameters": np.array([self._mean, self.user_damping])}
