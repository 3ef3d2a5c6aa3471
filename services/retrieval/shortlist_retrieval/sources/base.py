"""What a candidate source is."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.stages import ActorFeatures
from shortlist_retrieval.selection import Selection


@dataclass(frozen=True, slots=True)
class Query:
    """What every source is asked."""

    actor: ActorFeatures
    anchors: NDArray[np.int64]
    """Items to find the like of, ``(a,)``; empty where the actor is what counts."""

    selection: Selection
    k: int
    """Most candidates wanted of each source; at most ``selection.count``."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """Candidates of one source, best first."""

    rows: NDArray[np.int32]
    """Shape ``(m,)``, ``m <= k``, allowed ones only, no duplicates, no padding."""

    scores: NDArray[np.float32]
    """On the source's own scale, ``(m,)``, finite, non-increasing."""

    anchors: NDArray[np.uint32] | None = None
    """Row of the event that led to each, ``(m,)``; ``None`` where the source does not work that way."""

    actor_embedding: NDArray[np.float32] | None = None
    """The actor's embedding ``(d,)``, where the source computed it."""

    shown_as: str = ""
    """Source that provenance names; empty: the source itself."""


class CandidateSource(Protocol):
    """Proposes rows of one bundle. Holds no state of a request; called from several threads at once."""

    name: str

    def propose(self, query: Query) -> Proposals:
        """Return at most ``query.k`` candidates. Fewer is a normal answer, and so is none."""
        ...
