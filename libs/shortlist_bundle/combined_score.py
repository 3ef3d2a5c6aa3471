"""The score that slates are ordered by: the ranker's heads and retrieval's word, for training and serving alike."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.errors import BundleInvalid


@dataclass(frozen=True, slots=True)
class RetrievalWeight:
    """What retrieval's score weighs beside the heads, by how much is known of the actor.

    A ranker learns from actors with histories. Of one who has just come it knows little, and what it adds to
    retrieval's order is variance: here that order counts more, the less the actor did.
    """

    known: float = 0.0
    """For an actor with a long history, at least 0."""

    newcomer: float = 0.0
    """For one without events, at least 0."""

    half_life_events: float = 5.0
    """Events after which half of the difference is left, above 0."""

    def __post_init__(self) -> None:
        values = (self.known, self.newcomer, self.half_life_events)
        if not all(math.isfinite(value) and value >= 0.0 for value in values) or not self.half_life_events > 0.0:
            raise BundleInvalid(f"{self}: weights are finite and at least 0, the half-life is above 0")

    def of(self, events: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Return the weight for actors with so many events, of the shape of ``events``."""
        left = np.exp2(np.asarray(events, np.float64) / -self.half_life_events)
        weight: NDArray[np.float64] = self.known + (self.newcomer - self.known) * left
        return weight


NO_RETRIEVAL_WEIGHT = RetrievalWeight()
"""The heads alone decide."""


def combined_score(
    heads: NDArray[np.floating],
    retrieval_scores: NDArray[np.floating],
    weight: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return ``heads + weight * log(retrieval_scores)``.

    With a weight that outgrows the heads the order is retrieval's. The logarithm makes it a matter of ranks: fused
    scores fall like ``1 / (60 + rank)``.

    Args:
        heads: The weighted sum of the heads, ``(.., c)``.
        retrieval_scores: What fusion gave to each candidate, above 0, ``(.., c)``.
        weight: That of :class:`RetrievalWeight`, ``(..,)``.
    """
    word = np.log(np.asarray(retrieval_scores, np.float64))
    return (heads + weight[..., None] * word).astype(np.float32)
