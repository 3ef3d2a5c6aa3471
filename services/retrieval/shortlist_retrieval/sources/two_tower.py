"""Two-tower retrieval: items whose embeddings are nearest to the actor's."""

import numpy as np

from shortlist_domain.stages import Source
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.sources.base import Proposals, Query


class TwoTowerSource:
    """Searches the index with the user tower's output, or with the mean direction of the anchors."""

    name = Source.TWO_TOWER.value

    def __init__(self, bundle: LoadedBundle) -> None:
        self._bundle = bundle

    def propose(self, query: Query) -> Proposals:
        """Return the nearest allowed items; as many as are wanted, where there are as many.

        Raises:
            UpstreamFailed: The tower's output is not finite.
        """
        embedding = None
        if len(query.anchors):
            vectors = self._bundle.embeddings[query.anchors]
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            target = (vectors / np.maximum(lengths, 1e-12)).mean(axis=0).astype(np.float32)
        else:
            target = embedding = self._bundle.embed(query.actor)
        rows, scores = self._bundle.index.search(target, query.k, query.selection)
        return Proposals(rows, scores, actor_embedding=embedding)
