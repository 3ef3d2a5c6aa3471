"""Newest items: what came last, whoever asks."""

import numpy as np

from shortlist_domain.stages import Source
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.sources.base import Proposals, Query


class NewestSource:
    """Ranks by the time at which items came; those of which it is not known are not proposed.

    Gives what nobody has met yet a place among the candidates. It says nothing of the actor, so it is asked by name
    alone.
    """

    name = Source.NEWEST.value

    def __init__(self, bundle: LoadedBundle) -> None:
        self._bundle = bundle

    def propose(self, query: Query) -> Proposals:
        """Return the newest items; nothing where anchors are given, since age says nothing of likeness."""
        order, days = self._bundle.newest
        if len(query.anchors) or not len(order):
            return Proposals(np.empty(0, np.int32), np.empty(0, np.float32))
        rows = query.selection.first(order, query.k)
        return Proposals(rows, days[rows])
