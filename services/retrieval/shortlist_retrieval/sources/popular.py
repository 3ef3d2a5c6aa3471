"""Popular items: what most people take, right now."""

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.stages import POPULAR_SEGMENT, Source
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.sources.base import Proposals, Query

_FEW_SHARE = 0.01
"""Share of the rows below which the allowed ones are put in order themselves, instead of being looked for in the order
of all."""


class PopularSource:
    """Ranks by the live counters; an actor without events gets the list of its segment, where there is one."""

    name = Source.POPULAR.value

    def __init__(self, bundle: LoadedBundle) -> None:
        self._bundle = bundle

    def propose(self, query: Query) -> Proposals:
        """Return popular items; nothing where anchors are given, since popularity says nothing of likeness."""
        if len(query.anchors):
            return Proposals(np.empty(0, np.int32), np.empty(0, np.float32))
        if not len(query.actor.history_rows):
            segment = self._bundle.popular.segment_of(query.actor.attributes)
            if segment is not None:
                rows = query.selection.first(segment, query.k)
                scores = (1.0 / (1.0 + np.arange(len(rows)))).astype(np.float32)
                return Proposals(rows, scores, shown_as=POPULAR_SEGMENT)
        counts, order = self._bundle.live_order()
        if query.selection.count < _FEW_SHARE * len(order):
            allowed = query.selection.rows
            rows = allowed[np.argsort(-counts[allowed], kind="stable")[: query.k]].astype(np.int32)
        else:
            rows = query.selection.first(order, query.k)
        return Proposals(rows, _scores(counts, rows))


def _scores(counts: NDArray[np.float64], rows: NDArray[np.int32]) -> NDArray[np.float32]:
    return counts[rows].astype(np.float32)
