"""The whole catalogue ranked for many users at once: where relevant items stand, and who is on top.

Scores become integers that order alike, so that one sort a user and one binary search for all pairs is the whole work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_evaluation.ranks import Ranks

_SIGN = np.uint32(0x80000000)
_LOWEST = np.uint32(0x007FFFFF)
"""The key of minus infinity."""


@dataclass(frozen=True, slots=True)
class Standings:
    """What a full ranking says of ``u`` users with ``m`` relevant items together."""

    ranks: Ranks
    """Of each relevant item among the items that can be recommended to its user, ``(m,)``."""

    lists: NDArray[np.int32]
    """Item rows of each user, best first, lower row first where scores are equal, ``(u, most)``, padded with -1."""

    candidates: NDArray[np.int64]
    """Items that can be recommended to each user, ``(u,)``."""


def standings(
    scores: NDArray[np.float32], indptr: NDArray[np.integer], relevant: NDArray[np.integer], most: int
) -> Standings:
    """Return where ``relevant`` items stand in the full ranking of each user, and the best ``most`` of each user.

    Args:
        scores: ``(u, n)``, higher is better. Minus infinity or NaN: cannot be recommended (seen before, unavailable).
        indptr: ``relevant[indptr[i]:indptr[i + 1]]`` are the relevant items of user ``i``, ``(u + 1,)``.
        relevant: Item rows, none twice for one user, ``(m,)``.
        most: Length of the lists, in [1, n].

    Raises:
        ValueError: Shapes do not agree, or ``most`` is out of range.
    """
    u, n = scores.shape
    if len(indptr) != u + 1 or not 1 <= most <= n:
        raise ValueError(f"scores {scores.shape} and indptr of {len(indptr)} do not agree, or most={most}")
    keys = _ordered_keys(scores)
    ascending = np.sort(keys, axis=1)
    owner = np.repeat(np.arange(u), np.diff(indptr))
    rows = np.asarray(relevant[indptr[0] : indptr[-1]], np.int64)
    return Standings(_ranks(keys, ascending, owner, rows), _best(keys, ascending, most), _above_lowest(ascending))


def joined(parts: list[Standings]) -> Standings:
    """Return the standings of consecutive users as one.

    Raises:
        ValueError: There are none.
    """
    if not parts:
        raise ValueError("there are no standings to join")
    ranks = Ranks(np.concatenate([p.ranks.better for p in parts]), np.concatenate([p.ranks.tied for p in parts]))
    return Standings(ranks, np.concatenate([p.lists for p in parts]), np.concatenate([p.candidates for p in parts]))


def _ordered_keys(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return unsigned integers in the order of the scores; NaN like minus infinity, -0 like 0."""
    known = np.asarray(scores, np.float32) + np.float32(0.0)  # -0 becomes 0, and the array is our own
    known[np.isnan(known)] = -np.inf
    bits = known.view(np.uint32)
    # Positive numbers get their sign bit set, negative ones are turned over.
    flip = (bits.view(np.int32) >> 31).view(np.uint32)
    flip |= _SIGN
    bits ^= flip
    return bits


def _ranks(
    keys: NDArray[np.uint32], ascending: NDArray[np.uint32], owner: NDArray[np.int64], rows: NDArray[np.int64]
) -> Ranks:
    n = keys.shape[1]
    # With the user above the key, all rows together are one ascending array.
    base = np.arange(len(keys), dtype=np.uint64) << np.uint64(32)
    everything = (ascending | base[:, None]).ravel()
    own = keys[owner, rows]
    wanted = own | base[owner]
    start = owner * n
    left = np.searchsorted(everything, wanted, side="left") - start
    right = np.searchsorted(everything, wanted, side="right") - start
    is_possible = own > _LOWEST
    better = np.where(is_possible, n - right, -1)
    return Ranks(better.astype(np.int64), np.where(is_possible, right - left - 1, 0).astype(np.int64))


def _best(keys: NDArray[np.uint32], ascending: NDArray[np.uint32], most: int) -> NDArray[np.int32]:
    u, n = keys.shape
    least = np.maximum(ascending[:, n - most], _LOWEST + np.uint32(1))
    user, row = np.nonzero(keys >= least[:, None])
    order = np.lexsort((row, ~keys[user, row], user))
    user, row = user[order], row[order]
    counts = np.bincount(user, minlength=u)
    place = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    fits = place < most
    lists = np.full((u, most), -1, np.int32)
    lists[user[fits], place[fits]] = row[fits]
    return lists


def _above_lowest(ascending: NDArray[np.uint32]) -> NDArray[np.int64]:
    above: NDArray[np.int64] = np.count_nonzero(ascending > _LOWEST, axis=1).astype(np.int64)
    return above
