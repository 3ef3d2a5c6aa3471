"""The score that slates are ordered by: the ranker's heads and what is known before it, for training and serving."""

import math
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.errors import BundleInvalid


@dataclass(frozen=True, slots=True)
class PriorWeights:
    """What retrieval's score and popularity weigh beside the heads, by how much is known of the actor.

    A ranker learns from actors with histories. Of one who has just come it knows little, and what it adds to
    retrieval's order is variance: here that order and popularity count more, the less the actor did.
    """

    retrieval: float = 0.0
    """Of retrieval's score, for an actor with a long history, at least 0."""

    newcomer_retrieval: float = 0.0
    """The same for an actor without events, at least 0."""

    newcomer_popularity: float = 0.0
    """Of popularity, for an actor without events, at least 0; nothing for one with a long history."""

    half_life_events: float = 5.0
    """Events after which half of what is a newcomer's is left, above 0."""

    newcomer_segment: float = 0.0
    """Of the lifts of the actor's segments within popularity, at least 0: popularity is that among all users at 0, and
    comes nearer to that among users with the actor's attributes above it."""

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0.0 for value in astuple(self)) or not self.half_life_events > 0.0:
            raise BundleInvalid(f"{self}: weights are finite and at least 0, the half-life is above 0")

    def at(self, events: NDArray[np.floating] | float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the weights of retrieval and of popularity for actors with so many events, each of that shape."""
        left = np.exp2(np.asarray(events, np.float64) / -self.half_life_events)
        return self.retrieval + (self.newcomer_retrieval - self.retrieval) * left, self.newcomer_popularity * left


NO_PRIOR = PriorWeights()
"""The heads alone decide."""


def combined_score(
    heads: NDArray[np.floating],
    retrieval_scores: NDArray[np.floating] | None,
    counts: NDArray[np.floating],
    weights: PriorWeights,
    events: NDArray[np.floating] | float,
    lifts: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Return ``heads + w_retrieval log(retrieval_scores) + w_popularity (log(1 + counts) + w_segment lifts)``.

    With weights that outgrow the heads the order is retrieval's, or popularity's. The logarithm makes it a matter of
    ranks: fused scores fall like ``1 / (60 + rank)``.

    Args:
        heads: The weighted sum of the heads, ``(.., c)``.
        retrieval_scores: What fusion gave to each candidate, above 0, ``(.., c)``; ``None``: nobody retrieved them.
        counts: Events on each candidate so far, at least 0, ``(.., c)``.
        weights: As the bundle has them.
        events: Events of the actors, ``(..,)``.
        lifts: Of the actors' segments, :meth:`shortlist_bundle.segment_lifts.SegmentLifts.of`, ``(.., c)``; ``None``:
            there are none.
    """
    of_retrieval, of_popularity = weights.at(events)
    popularity = np.log1p(np.asarray(counts, np.float64))
    if lifts is not None:
        popularity = popularity + weights.newcomer_segment * lifts
    scores = heads + of_popularity[..., None] * popularity
    if retrieval_scores is not None:
        scores = scores + of_retrieval[..., None] * np.log(np.asarray(retrieval_scores, np.float64))
    return scores.astype(np.float32)
