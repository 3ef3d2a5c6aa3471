"""The users that a bundle has vectors of, searched by where an actor's taste points, or by whom items suit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.ordering import best_first
from shortlist_bundle.request_checks import actor_violations, row_violations
from shortlist_bundle.user_vectors import SHORTEST, load_user_scales, load_user_vectors
from shortlist_domain.errors import Violation
from shortlist_domain.user_search import UsersRequest
from shortlist_retrieval.index import VectorIndex
from shortlist_retrieval.selection import Selection

MAX_USERS = 1000
"""Most users of one request."""


class UserSpace:
    """Vectors of users, their scales, and the index over them. Nothing changes it."""

    def __init__(self, bundle: Bundle, vectors: NDArray[np.float32]) -> None:
        """Take vectors of length 1, ``(u, d)``.

        Raises:
            BundleInvalid: The bundle's index is not over them, or its scales are not of as many.
        """
        self.vectors = vectors
        self._scales = load_user_scales(bundle, len(vectors))
        self._index = VectorIndex(bundle.map(layout.USER_INDEX), vectors)

    def __len__(self) -> int:
        return len(self.vectors)

    def nearest(
        self, vector: NDArray[np.float32], k: int, exclude_rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return up to ``k`` users, most similar first, and the cosines; nobody where ``vector`` points nowhere.

        Args:
            vector: Shape ``(d,)``, at length 1 or all zeros.
            k: Users wanted.
            exclude_rows: Users that must not come back.
        """
        if not vector.any():
            return np.empty(0, np.int32), np.empty(0, np.float32)
        rows, cosines = self._index.search(vector, k, Selection(len(self), exclude_rows))
        return rows, np.clip(cosines, -1.0, 1.0).astype(np.float32)

    def likeliest(
        self, item: NDArray[np.float32], k: int, exclude_rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return up to ``k`` users whose next event is most expected on an item, and how many times the average's.

        Of several items, the mean of their embeddings gives the geometric mean of the probabilities. The average is of
        all users, those excluded among them. Every user is looked at: the index orders by direction alone.

        Args:
            item: Embedding without the bias, ``(d,)``; where it points nowhere, nobody comes back.
            k: Users wanted.
            exclude_rows: Users that must not come back.
        """
        if not np.linalg.norm(item) > SHORTEST:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        logs = self._scales.lengths * (self.vectors @ item) - self._scales.normalisers
        top = logs.max()
        average = top + np.log(np.exp(logs - top, dtype=np.float64).mean())
        allowed = Selection(len(self), exclude_rows).rows
        rows = best_first(logs[allowed], allowed, k)
        return rows.astype(np.int32), np.exp(logs[rows] - average).astype(np.float32)


def load_users(bundle: Bundle, dim: int) -> UserSpace | None:
    """Return the users of ``bundle``, whose embeddings have ``dim`` columns; ``None`` where it has none.

    Raises:
        BundleInvalid: As :func:`shortlist_bundle.user_vectors.load_user_vectors` and :class:`UserSpace`.
    """
    vectors = load_user_vectors(bundle, dim)
    return None if vectors is None else UserSpace(bundle, vectors)


def users_violations(request: UsersRequest, n_items: int, n_users: int) -> list[Violation]:
    """Return everything that is wrong with ``request`` for a bundle of so many items and users."""
    found = actor_violations(request.actor, n_items)
    if not 1 <= request.user_count <= MAX_USERS:
        found.append(Violation("user_count", f"is {request.user_count}; it must be in [1, {MAX_USERS}]"))
    found += row_violations("exclude_rows", request.exclude_rows, n_users)
    if request.user_row is not None and not request.user_row < n_users:
        found.append(Violation("user_row", f"is {request.user_row}; the bundle's users are below {n_users}"))
    found += row_violations("item_rows", request.item_rows, n_items)
    if request.item_rows and request.user_row is not None:
        found.append(Violation("item_rows", "are given beside user_row; one of the two at most may be"))
    return found
