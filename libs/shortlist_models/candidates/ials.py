"""iALS: matrix factorisation of implicit feedback; users are folded in, so that unknown ones are served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shortlist_models.candidates.base import Histories, require_catalogue, require_events


class Ials:
    """Weighted least squares on all pairs (Hu, Koren and Volinsky 2008), by the library ``implicit``.

    Minimises ``sum over all pairs of c (p - w_u . h_i)^2 + regularisation (|W|^2 + |H|^2)``. For a pair with an event
    ``p`` is 1 and ``c`` is ``weight``; for one without they are 0 and 1. The vector of a user is always the solution
    given the items' (fold-in), in scoring as in fitting.

    Args:
        factors: Size d of the vectors.
        weight: ``c`` of a pair with an event, above 0.
        regularisation: At least 0.
        sweeps: Alternations.
        seed: Of the initial vectors.
    """

    def __init__(
        self,
        factors: int = 64,
        weight: float = 10.0,
        regularisation: float = 10.0,
        sweeps: int = 15,
        seed: int = 1,
    ) -> None:
        self.factors, self.weight, self.regularisation = factors, weight, regularisation
        self.sweeps, self.seed = sweeps, seed
        self._items: NDArray[np.float32] = np.zeros((0, factors), np.float32)

    def fit(self, histories: Histories) -> None:
        """Alternate."""
        require_events(histories)
        with threadpool_limits(1, "blas"):  # the library's own advice: its solves are too small to share out
            model = self._model()
            model.fit(histories.matrix(), show_progress=False)
        self._items = np.asarray(model.item_factors, np.float32)

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return inner products with the folded-in users; a user without events scores 0 everywhere."""
        require_catalogue(histories, len(self._items))
        return self._folded_in(histories) @ self._items.T

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return ``item_vectors`` float32 ``(n, d)`` and ``parameters`` of the fold-in: weight, regularisation.

        ``w_u = (H'H + regularisation I + (weight - 1) H_u'H_u)^-1 weight sum of H_u``, with ``H_u`` the vectors of the
        items the user met.
        """
        return {"item_vectors": self._items, "parameters": np.array([self.weight, self.regularisation])}

    def _model(self) -> Any:
        return AlternatingLeastSquares(
            factors=self.factors,
            alpha=self.weight,
            regularization=self.regularisation,
            iterations=self.sweeps,
            random_state=self.seed,
            num_threads=1,
            dtype=np.float32,
            use_cg=False,
            use_native=True,
        )

    def _folded_in(self, histories: Histories) -> NDArray[np.float32]:
        with threadpool_limits(1, "blas"):
            model = self._model()
            model.item_factors = self._items
            model.user_factors = np.zeros((len(histories), self.factors), np.float32)
            vectors = model.recalculate_user(np.arange(len(histories)), histories.matrix())
        return np.asarray(vectors, np.float32)
