"""Content: items whose texts and images are like those of the actor's recent events."""

import numpy as np

from shortlist_bundle.ordering import best_first
from shortlist_domain.stages import Source
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.sources.base import Proposals, Query


class ContentSource:
    """Ranks by content similarity to the events that the models see, liked and late ones first, or to the anchors.

    Needs no event on an item that it proposes: what was added to the catalogue an hour ago is found by what it is.
    The scan is exact, over all items.
    """

    name = Source.CONTENT.value

    def __init__(self, bundle: LoadedBundle) -> None:
        self._bundle = bundle

    def propose(self, query: Query) -> Proposals:
        """Return items with a similarity above zero; none where the bundle, or the actor's events, have no content.

        The anchor of a candidate is the event that gave most to its score, the latest where several did.
        """
        table = self._bundle.content
        if table is None:
            return _nothing()
        if len(query.anchors):
            seeds, weights = query.anchors, np.ones(len(query.anchors))
            scores = table.like(seeds)
        else:
            length = self._bundle.features.history_length
            seeds = np.frombuffer(query.actor.history_rows, np.uint32)[-length:].astype(np.int64)
            values = np.frombuffer(query.actor.history_values, np.float32)[-length:]
            weights = table.weights.of(values)
            scores = table.scores(seeds, values)
        found = np.flatnonzero((scores > 0.0) & query.selection.mask & table.known)
        if not len(found):
            return _nothing()
        rows = best_first(scores[found], found, query.k)
        given = table.contributions(seeds, weights, rows)
        strongest = len(seeds) - 1 - given[:, ::-1].argmax(axis=1)
        return Proposals(rows.astype(np.int32), scores[rows], seeds[strongest].astype(np.uint32))


def _nothing() -> Proposals:
    return Proposals(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.uint32))
