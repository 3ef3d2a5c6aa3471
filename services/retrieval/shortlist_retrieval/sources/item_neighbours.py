"""Item neighbours: items that are like the ones of the most recent events."""

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.neighbours import neighbour_scores_of, recent_events
from shortlist_bundle.ordering import best_first
from shortlist_domain.stages import Source
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.sources.base import Proposals, Query


class ItemNeighboursSource:
    """Ranks by the feature ``neighbour_score`` over the events that the models see, or over the anchors."""

    name = Source.ITEM_NEIGHBOURS.value

    def __init__(self, bundle: LoadedBundle) -> None:
        self._bundle = bundle

    def propose(self, query: Query) -> Proposals:
        """Return items with a score above zero; none for an actor without events.

        The anchor of a candidate is the event whose item contributed most to its score, the latest where several did.
        """
        anchored = len(query.anchors) > 0
        if anchored:
            seeds, weights = query.anchors, None
        else:
            seeds, weights = recent_events(self._bundle.model_rows.of(query.actor), self._bundle.features)
        if not len(seeds):
            return Proposals(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.uint32))
        lists, similarities = self._bundle.neighbour_rows, self._bundle.neighbour_scores
        scores = neighbour_scores_of(seeds, lists, similarities, self._bundle.n_items, weights)
        scores[~query.selection.mask] = 0.0
        found = np.flatnonzero(scores > 0.0)
        rows = best_first(scores[found], found, query.k)
        return Proposals(
            rows.astype(np.int32), scores[rows], seeds[self._strongest(seeds, weights)[rows]].astype(np.uint32)
        )

    def _strongest(self, seeds: NDArray[np.int64], weights: NDArray[np.float64] | None) -> NDArray[np.int64]:
        """Return for every row of the catalogue the position in ``seeds`` that gives it most."""
        given = np.maximum(self._bundle.neighbour_scores.take(seeds, axis=0), 0.0)
        if weights is not None:
            given = (given * weights[:, None]).astype(np.float32)
        # The bits of a float32 that is not negative sort like the float: similarity above position, one pass for both.
        similarities = given.view(np.uint32).astype(np.uint64)
        keys = (similarities << np.uint64(32)) | np.arange(len(seeds), dtype=np.uint64)[:, None]
        rows = self._bundle.neighbour_rows.take(seeds, axis=0).ravel()
        best = np.zeros(self._bundle.n_items + 1, np.uint64)
        np.maximum.at(best, rows, keys.ravel())  # padding, -1, falls on the place past the end
        return (best & np.uint64(0xFFFFFFFF)).astype(np.int64)
