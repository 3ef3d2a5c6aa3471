"""Ranks from scores. Ties have a definition: tied items are in random order, and ranks carry their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where targets stand among their competitors.

    If ``better`` competitors score higher and ``tied`` ones the same, the target's rank (from 1) is uniform on
    ``better + 1 .. better + tied + 1``.
    """

    better: NDArray[np.int64]
    """Competitors with a higher score, shape ``(m,)``; -1 where the target itself cannot be recommended."""

    tied: NDArray[np.int64]
    """Competitors with the same score, the target not counted, shape ``(m,)``."""

    @property
    def expected(self) -> NDArray[np.float64]:
        """Expected rank from 1, ties averaged, shape ``(m,)``; infinite where the target cannot be recommended."""
        return np.where(self.better < 0, np.inf, 1.0 + self.better + self.tied / 2.0)

    def __len__(self) -> int:
        return len(self.better)


def rank_of(
    scores: NDArray[np.floating], target: NDArray[np.integer], excluded: NDArray[np.bool_] | None = None
) -> Ranks:
    """Return where each row's target stands in the full ranking of that row.

    Args:
        scores: Shape ``(b, n)``, higher is better. NaN counts as minus infinity: never above anything.
        target: Column of the relevant item, shape ``(b,)``.
        excluded: True where an item may not be recommended (seen before, not available), shape ``(b, n)``. A target
            that is excluded itself is never found: its ``better`` is -1.

    Raises:
        ValueError: Shapes do not agree or a target is not a column.
    """
    b, n = scores.shape
    if target.shape != (b,) or (excluded is not None and excluded.shape != (b, n)):
        raise ValueError(f"scores {scores.shape}, target {target.shape} and excluded do not agree")
    if b and not (target.min() >= 0 and target.max() < n):
        raise ValueError(f"a target is not in [0, {n})")
    known = np.where(np.isnan(scores), -np.inf, scores)
    row = np.arange(b)
    own = known[row, target][:, None]
    competes = np.ones((b, n), bool) if excluded is None else ~excluded
    is_possible = competes[row, target]
    competes[row, target] = False
    better = ((known > own) & competes).sum(axis=1)
    tied = ((known == own) & competes).sum(axis=1)
    return Ranks(np.where(is_possible, better, -1).astype(np.int64), np.where(is_possible, tied, 0).astype(np.int64))


def concatenated(parts: list[Ranks]) -> Ranks:
    """Return the ranks of consecutive batches as one."""
    if not parts:
        return Ranks(np.zeros(0, np.int64), np.zeros(0, np.int64))
    return Ranks(np.concatenate([p.better for p in parts]), np.concatenate([p.tied for p in parts]))
