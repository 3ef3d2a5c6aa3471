"""Item neighbours: cosine similarity of the sets of users that met two items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_BLOCK = 2_000_000
"""Entries of the similarity matrix that are dense at a time."""


def item_neighbours(
    user_rows: NDArray[np.integer],
    item_rows: NDArray[np.integer],
    n_users: int,
    n_items: int,
    most: int,
    shrinkage: float = 0.0,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the ``most`` similar items of each item, best first, the lower row first where two are equal.

    ``similarity(i, j) = |U_i and U_j| / (sqrt(|U_i| |U_j|) + shrinkage)``, with ``U_i`` the users with an event on
    ``i``. Shrinkage takes weight from pairs that few users support.

    Args:
        user_rows: User of each event, ``(m,)``; repeats of a pair count once.
        item_rows: Item of each event, ``(m,)``.
        n_users: Number of users.
        n_items: Number of items n.
        most: Neighbours kept per item.
        shrinkage: At least 0.

    Returns:
        Rows int32 ``(n, most)``, -1 where there are fewer, and similarities float32 ``(n, most)``, 0 there.
    """
    most = max(1, min(most, n_items - 1))
    seen = sparse.csr_matrix((np.ones(len(user_rows), np.float32), (user_rows, item_rows)), shape=(n_users, n_items))
    seen.data[:] = 1.0
    by_item = seen.T.tocsr()
    size = np.sqrt(np.asarray(seen.sum(axis=0), np.float64).ravel())
    rows = np.full((n_items, most), -1, np.int32)
    scores = np.zeros((n_items, most), np.float32)
    block = max(1, _BLOCK // n_items)
    for begin in range(0, n_items, block):
        end = min(begin + block, n_items)
        together = np.asarray((by_item[begin:end] @ seen).todense(), np.float64)
        together[np.arange(end - begin), np.arange(begin, end)] = 0.0
        similarity = together / np.maximum(size[begin:end, None] * size[None, :] + shrinkage, 1e-12)
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :most]
        best = np.take_along_axis(similarity, order, axis=1)
        rows[begin:end] = np.where(best > 0.0, order, -1)
        scores[begin:end] = best
    return rows, scores
