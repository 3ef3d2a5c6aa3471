"""Models whose score is a sum over the history: ``s = x B`` with item-item weights ``B``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shortlist_models.candidates.base import Histories, require_catalogue, require_events
from shortlist_models.item_neighbours import item_neighbours


class ItemItem:
    """Scores with weights ``(n, n)``; subclasses fit them.

    Args:
        is_weighted: A history's entries are the values of its events; else 1.
        half_life_s: Seconds before the latest event of a history at which another one counts half in scoring;
            ``None``: all count alike. Weights are fitted on whole histories either way.

    Raises:
        ValueError: ``half_life_s`` is not positive.
    """

    def __init__(self, *, is_weighted: bool = False, half_life_s: float | None = None) -> None:
        if half_life_s is not None and not half_life_s > 0.0:
            raise ValueError(f"half_life_s {half_life_s} must be positive")
        self.is_weighted, self.half_life_s = is_weighted, half_life_s
        self._weights: Any = None

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return ``x B`` for the users' rows ``x``."""
        require_catalogue(histories, 0 if self._weights is None else self._weights.shape[0])
        scores = histories.matrix(is_weighted=self.is_weighted, half_life_s=self.half_life_s) @ self._weights
        dense: NDArray[np.float32] = scores.toarray() if sparse.issparse(scores) else scores
        return np.asarray(dense, np.float32)

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return the weights as lists: ``rows`` int32 and ``scores`` float32, ``(n, m)``.

        Row ``i`` lists the items that an event on ``i`` speaks for or against, the strongest first; -1 and 0 pad.
        """
        weights = sparse.csr_matrix(self._weights)
        width = max(1, int(np.diff(weights.indptr).max(initial=0)))
        rows = np.full((weights.shape[0], width), -1, np.int32)
        scores = np.zeros((weights.shape[0], width), np.float32)
        for item in range(weights.shape[0]):
            mine = slice(weights.indptr[item], weights.indptr[item + 1])
            order = np.argsort(-np.abs(weights.data[mine]), kind="stable")
            rows[item, : len(order)] = weights.indices[mine][order]
            scores[item, : len(order)] = weights.data[mine][order]
        return {"rows": rows, "scores": scores}

    def strongest(self, most: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return for each item the ``most`` that an event on it speaks for, best first, the lower row among equals.

        Returns:
            Rows int32 and weights float32, ``(n, most)``; -1 and 0 where fewer have a weight above zero.
        """
        weights = self._weights.toarray() if sparse.issparse(self._weights) else self._weights
        most = max(1, min(most, weights.shape[1] - 1))
        order = np.argsort(-weights, axis=1, kind="stable")[:, :most]
        best = np.maximum(np.take_along_axis(weights, order, axis=1), 0.0)
        return np.where(best > 0.0, order, -1).astype(np.int32), best.astype(np.float32)


class ItemKnn(ItemItem):
    """Item neighbours by cosine, as :func:`shortlist_models.item_neighbours.item_neighbours`.

    Args:
        most: Neighbours kept per item.
        shrinkage: Takes weight from pairs that few users support.
        half_life_s: As of :class:`ItemItem`.
    """

    def __init__(self, most: int = 100, shrinkage: float = 10.0, *, half_life_s: float | None = None) -> None:
        super().__init__(half_life_s=half_life_s)
        self.most, self.shrinkage = most, shrinkage

    def fit(self, histories: Histories) -> None:
        """Compute the neighbours."""
        require_events(histories)
        owner = np.repeat(np.arange(len(histories)), np.diff(histories.indptr))
        n = histories.n_items
        rows, scores = item_neighbours(owner, histories.rows, len(histories), n, self.most, self.shrinkage)
        known = rows >= 0
        item = np.broadcast_to(np.arange(n)[:, None], rows.shape)
        # An item's list names those that are near to it; cosine is symmetric, lists are cut, so both ways differ.
        self._weights = sparse.csr_matrix((scores[known], (item[known], rows[known])), shape=(n, n))


class Ease(ItemItem):
    """EASE, a shallow linear autoencoder in closed form (Steck 2019, "Embarrassingly Shallow Autoencoders", eq. 8).

    ``B = I - P diag(1 / diag(P))`` with ``P = (X'X + lambda I)^-1``: the least-squares weights of predicting each item
    from the others. With ``dropout`` it is EDLAE (Steck 2020, "Autoencoders that don't overfit towards the Identity",
    eq. 13): items of the input are dropped with that probability in expectation, so that
    ``Lambda = p / (1 - p) diag(X'X) + lambda I``.

    Args:
        regularisation: ``lambda``, above 0.
        dropout: ``p`` in [0, 1).
        popularity_exponent: Scores of item ``j`` are divided by ``count_j ** exponent``; 0 leaves them.
        is_weighted: A history's entries are values instead of 1.
        half_life_s: As of :class:`ItemItem`.

    Raises:
        ValueError: A parameter is out of its range.
    """

    def __init__(
        self,
        regularisation: float = 200.0,
        dropout: float = 0.0,
        popularity_exponent: float = 0.0,
        *,
        is_weighted: bool = False,
        half_life_s: float | None = None,
    ) -> None:
        super().__init__(is_weighted=is_weighted, half_life_s=half_life_s)
        if not regularisation > 0.0 or not 0.0 <= dropout < 1.0:
            raise ValueError(f"regularisation {regularisation} must be above 0 and dropout {dropout} in [0, 1)")
        self.regularisation, self.dropout, self.popularity_exponent = regularisation, dropout, popularity_exponent

    def fit(self, histories: Histories) -> None:
        """Solve for the weights: one inverse of an ``(n, n)`` matrix."""
        require_events(histories)
        x = histories.matrix(is_weighted=self.is_weighted).astype(np.float64)
        gram = np.asarray((x.T @ x).todense())
        diagonal = np.diagonal(gram).copy()
        gram[np.diag_indices_from(gram)] += self.dropout / (1.0 - self.dropout) * diagonal + self.regularisation
        precision = np.linalg.inv(gram)
        weights = precision / -np.diagonal(precision)
        weights[np.diag_indices_from(weights)] = 0.0
        if self.popularity_exponent:
            weights /= np.maximum(diagonal, 1.0) ** self.popularity_exponent
        self._weights = weights.astype(np.float32)
