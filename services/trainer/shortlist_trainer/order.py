"""What decides the order of candidates, chosen on validation: weights of heads, retrieval's score and popularity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.combined_score import PriorWeights, combined_score
from shortlist_trainer.actors import Moments, before_events, frozen_at
from shortlist_trainer.candidates import rolling
from shortlist_trainer.cold_start import KNOWN_EVENTS, after_first_events, met_later, new_users
from shortlist_trainer.config import OrderConfig
from shortlist_trainer.evaluate import (
    Pipeline,
    Weights,
    counts_of,
    event_counts,
    list_values,
    ordered,
    relevant_after,
)
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.ranker_samples import ranker_inputs

RATING_WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Weights of the rating head that are tried beside a click weight of 1."""

RETRIEVAL_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Weights of retrieval's score that are tried beside it."""

NEWCOMER_RETRIEVAL_WEIGHTS = (*RETRIEVAL_WEIGHTS, 16.0, 32.0)
"""The same for newcomers, where the heads may count for little."""

POPULARITY_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Weights of popularity that are tried for newcomers beside that."""

SEGMENT_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights within popularity of the lifts of the actor's segments."""

_ROUNDS = 3
"""How often each weight of newcomers is chosen given the others."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Candidates at ``q`` moments with what the stages gave to each, and what turned out to be relevant."""

    rows: NDArray[np.int32]
    """``(q, c)``, -1 is padding, as are the following."""

    click: NDArray[np.float32]
    rating: NDArray[np.float32]
    retrieval: NDArray[np.float32]
    counts: NDArray[np.float64]
    """Events on each candidate at the moment."""

    lifts: NDArray[np.float32]
    """Of the actors' segments, 0 where there are none."""

    events: NDArray[np.float32]
    """Events of each actor, ``(q,)``."""

    relevant: Sequence[NDArray[np.int32]]

    @classmethod
    def together(cls, parts: Sequence[Judged]) -> Judged:
        """Return the moments of all ``parts``."""
        names = [name for name in cls.__dataclass_fields__ if name != "relevant"]
        columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(**columns, relevant=[rows for part in parts for rows in part.relevant])

    def ndcg(self, weights: Weights) -> float:
        """Return the mean NDCG@10 of the order that ``weights`` give."""
        heads = weights.click * self.click + weights.rating * self.rating
        scores = combined_score(heads, self.retrieval, self.counts, weights.prior, self.events, self.lifts)
        return float(list_values(ordered(self.rows, scores)[:, :10], self.relevant, 10)["ndcg@10"].mean())


@dataclass(frozen=True, slots=True)
class Order:
    """Chosen weights, and NDCG@10 on validation by what was tried."""

    weights: Weights
    by_rating: dict[str, float]
    by_retrieval: dict[str, float]
    by_newcomer_retrieval: dict[str, float]
    """Mean over users without an event before validation, after their first 0, 1, 3 and 5 events; empty where there are
    too few of them."""

    by_newcomer_popularity: dict[str, float]
    """The same."""

    by_newcomer_segment: dict[str, float]
    """The same."""


def judged(
    pipeline: Pipeline, moments: Moments, relevant: Sequence[NDArray[np.int32]], report: Report, part: str
) -> Judged:
    """Return what the pipeline has to order at ``moments``, which are in order of time."""
    columns: list[tuple[NDArray[Any], ...]] = []
    for span, here, candidates in rolling(pipeline.prepared, pipeline.retrieval, moments):
        click, rating = pipeline.scorer.scored(ranker_inputs(here, candidates, candidates.fused))
        lifts = np.zeros_like(candidates.fused_scores) if candidates.lifts is None else candidates.lifts
        columns.append((candidates.fused, click, rating, candidates.fused_scores, counts_of(candidates), lifts))
        report(part, span.stop, len(moments), 0.0)
    rows, click, rating, retrieval, counts, lifts = (np.concatenate(each) for each in zip(*columns, strict=True))
    return Judged(rows, click, rating, retrieval, counts, lifts, event_counts(moments), relevant)


def next_events(pipeline: Pipeline, places: NDArray[np.int64], report: Report) -> Judged:
    """Return the moments before the events at ``places``, each with its event as what is relevant."""
    sequences = pipeline.prepared.sequences
    relevant = [sequences.items[place : place + 1] for place in places.tolist()]
    return judged(pipeline, before_events(sequences, places), relevant, report, "next events")


def choose_order(pipeline: Pipeline, following: Judged, config: OrderConfig, report: Report) -> Order:
    """Return the weights with the best NDCG@10 on validation, one after the other, the lower of equal ones.

    Args:
        pipeline: What is to be ordered.
        following: :func:`next_events` of the validation.
        config: What a slate is for.
        report: Told of the progress.
    """
    known = following if config.aim == "next" else (_later(pipeline, report) or following)
    rated, by_rating = _best(known, RATING_WEIGHTS, lambda w: Weights(1.0, w))

    def changed(prior: PriorWeights, *names: str) -> Callable[[float], Weights]:
        return lambda weight: replace(rated, prior=replace(prior, **dict.fromkeys(names, weight)))

    plain = PriorWeights(half_life_events=config.newcomer_half_life)
    weights, by_retrieval = _best(known, RETRIEVAL_WEIGHTS, changed(plain, "retrieval", "newcomer_retrieval"))
    newcomers = _newcomers(pipeline, config, report)
    if newcomers is None:
        of_newcomers = max(weights.prior.retrieval, config.newcomer_weight)
        return Order(changed(weights.prior, "newcomer_retrieval")(of_newcomers), by_rating, by_retrieval, {}, {}, {})
    found: dict[str, dict[str, float]] = {}
    for _ in range(_ROUNDS):
        for name, tried in _OF_NEWCOMERS.items():
            weights, found[name] = _best(newcomers, tried, changed(weights.prior, name))
    return Order(weights, by_rating, by_retrieval, *(found[name] for name in _OF_NEWCOMERS))


_OF_NEWCOMERS = {
    "newcomer_retrieval": NEWCOMER_RETRIEVAL_WEIGHTS,
    "newcomer_popularity": POPULARITY_WEIGHTS,
    "newcomer_segment": SEGMENT_WEIGHTS,
}


def _best(on: Judged, tried: Sequence[float], make: Callable[[float], Weights]) -> tuple[Weights, dict[str, float]]:
    found = {weight: on.ndcg(make(weight)) for weight in tried}
    best = max(tried, key=lambda weight: found[weight])
    return make(best), {f"{weight:g}": value for weight, value in found.items()}


def _later(pipeline: Pipeline, report: Report) -> Judged | None:
    """Return the users as they stood when validation began, with all that they meet in it; ``None`` without any."""
    prepared, split = pipeline.prepared, pipeline.prepared.split
    users, relevant = relevant_after(prepared, split.train_end, split.validation_end)
    kept = np.array([len(rows) > 0 for rows in relevant], np.bool_)
    kept &= prepared.sequences.ends(split.train_end)[users] > prepared.sequences.start[users]
    if not kept.any():
        return None
    now_s = float(prepared.dataset.times_s[split.train_end - 1])
    moments = frozen_at(prepared.sequences, users[kept], split.train_end, now_s)
    return judged(pipeline, moments, [relevant[i] for i in np.flatnonzero(kept)], report, "later events")


def _newcomers(pipeline: Pipeline, config: OrderConfig, report: Report) -> Judged | None:
    """Return the new users of the validation after their first events, or ``None`` where they are too few."""
    sequences, split = pipeline.prepared.sequences, pipeline.prepared.split
    parts: list[Judged] = []
    for known in KNOWN_EVENTS:
        users = new_users(sequences, split.train_end, known, split.validation_end)
        if len(users) < config.least_newcomers:
            return None
        moments = after_first_events(sequences, users, known)
        parts.append(
            judged(pipeline, moments, met_later(sequences, moments, split.validation_end), report, "newcomers")
        )
    return Judged.together(parts)
