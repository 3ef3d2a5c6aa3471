"""Popularity: the same for everybody, whole or fading with time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_models.candidates.base import Histories, require_catalogue, require_events


class Popularity:
    """Score of an item = sum over its events of ``0.5 ** (age / half-life)``, ages counted from the newest event.

    Args:
        half_life_s: Seconds after which an event counts half; ``None``: every event counts 1.

    Raises:
        ValueError: ``half_life_s`` is not positive.
    """

    def __init__(self, half_life_s: float | None = None) -> None:
        if half_life_s is not None and not half_life_s > 0.0:
            raise ValueError(f"half_life_s {half_life_s} must be positive")
        self.half_life_s = half_life_s
        self._scores: NDArray[np.float32] = np.zeros(0, np.float32)

    def fit(self, histories: Histories) -> None:
        """Count."""
        require_events(histories)
        weights = None
        if self.half_life_s is not None:
            weights = np.exp2((histories.times_s - histories.times_s.max()) / self.half_life_s)
        self._scores = np.bincount(histories.rows, weights, histories.n_items).astype(np.float32)

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return the same scores for everybody."""
        require_catalogue(histories, len(self._scores))
        return np.repeat(self._scores[None], len(histories), axis=0)

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return ``scores`` float32 ``(n,)``."""
        return {"scores": self._scores}
