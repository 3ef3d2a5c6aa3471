"""Evaluation on held-out time, over the whole catalogue, without seen items: each source, the fusion, the pipeline.

Two protocols:

* *frozen*: histories and counters stop at a cut; one list per user, against everything the user meets after it.
* *rolling*: each event after the cut is predicted from all that came before it, as it is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.combined_score import NO_PRIOR, PriorWeights, combined_score
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_totals
from shortlist_evaluation.metrics import list_metrics
from shortlist_evaluation.report import MetricTable, compared
from shortlist_models.inputs import USER_NUMBERS
from shortlist_trainer.actors import Moments, before_events, frozen_at
from shortlist_trainer.candidates import Candidates, Retrieval, moments_at_once, rolling
from shortlist_trainer.fit_ranker import Scorer
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.ranker_samples import ranker_inputs
from shortlist_trainer.sequences import Sequences

FUSION = "fusion"
PIPELINE = "pipeline"
BASELINE = "popular"

Values = dict[str, dict[str, NDArray[np.float64]]]
"""By list, by metric, one number per user or event."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Ranking score = click * click logit + rating * rating + what retrieval and popularity add."""

    click: float
    rating: float
    prior: PriorWeights = NO_PRIOR


class Pipeline:
    """Retrieval, fusion and ranking as they are served, for many moments."""

    def __init__(self, prepared: Prepared, retrieval: Retrieval, scorer: Scorer, weights: Weights) -> None:
        self.prepared = prepared
        self.retrieval = retrieval
        self.scorer = scorer
        self.weights = weights

    @property
    def names(self) -> tuple[str, ...]:
        """Lists that are evaluated, in the order of reports: the baseline, the other sources, fusion, pipeline."""
        return (BASELINE, *(s for s in self.retrieval.sources if s != BASELINE), FUSION, PIPELINE)

    def ranked(self, moments: Moments, candidates: Candidates) -> NDArray[np.int32]:
        """Return the candidates in the order of their ranking score, ``(q, c)``, padded with -1."""
        click, rating = self.scorer.scored(ranker_inputs(moments, candidates, candidates.fused))
        heads = self.weights.click * click + self.weights.rating * rating
        counts, events = counts_of(candidates), event_counts(moments)
        scores = combined_score(heads, candidates.fused_scores, counts, self.weights.prior, events, candidates.lifts)
        return ordered(candidates.fused, scores)

    def lists(self, moments: Moments, candidates: Candidates) -> dict[str, NDArray[np.int32]]:
        """Return what is evaluated, by name of :attr:`names`."""
        return {**candidates.lists, FUSION: candidates.fused, PIPELINE: self.ranked(moments, candidates)}


def event_counts(moments: Moments) -> NDArray[np.float32]:
    """Return how many events the actors have, ``(q,)``: the feature ``user_count``."""
    counts: NDArray[np.float32] = moments.numbers[:, USER_NUMBERS.index("user_count")]
    return counts


def counts_of(candidates: Candidates) -> NDArray[np.float64]:
    """Return the events on each candidate at its moment, ``(q, c)``."""
    query = np.arange(len(candidates.fused))[:, None] % len(candidates.counters)
    counts: NDArray[np.float64] = candidates.counters[query, np.maximum(candidates.fused, 0), 0]
    return counts


def ordered(rows: NDArray[np.int32], scores: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return ``rows`` by descending score; padding stays last, the earlier comes first where scores are equal."""
    keys = np.where(rows >= 0, -scores, np.inf)
    return np.take_along_axis(rows, np.argsort(keys, axis=1, kind="stable"), axis=1)


def held_out_places(prepared: Prepared, from_event: int, until_event: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return the places of up to ``most`` events of a part, in order of time: a seeded sample where there are more.

    Events on items that the user already met are left out: what was seen is never recommended.

    Raises:
        DataRefused: That leaves none.
    """
    sequences = prepared.sequences
    places = sequences.places_between(from_event, until_event)
    pair = sequences.users.astype(np.int64) * prepared.n_items + sequences.items
    first = np.zeros(len(pair), np.bool_)
    first[np.unique(pair, return_index=True)[1]] = True
    places = places[first[places]]
    if not len(places):
        raise DataRefused(
            f"{prepared.dataset.name}: none of the {until_event - from_event} events held out is on an item that is "
            "new to its user; nothing can be evaluated, since what was seen is never recommended"
        )
    return sampled(places, most, seed)


def sampled(places: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Return up to ``most`` of ``places``, in their order: a seeded sample where there are more."""
    if len(places) <= most:
        return places
    return places[np.sort(np.random.default_rng([seed, 21]).choice(len(places), most, replace=False))]


def rolling_values(pipeline: Pipeline, places: NDArray[np.int64], recall_at: int, report: Report) -> Values:
    """Return the rolling metrics of each event in ``places`` (in order of time)."""
    prepared = pipeline.prepared
    moments = before_events(prepared.sequences, places)
    targets = prepared.sequences.items[places]
    ranks: dict[str, list[NDArray[np.int64]]] = {name: [] for name in pipeline.names}
    for part, here, candidates in rolling(prepared, pipeline.retrieval, moments):
        for name, rows in pipeline.lists(here, candidates).items():
            ranks[name].append(rank_in(rows, targets[part]))
        report("rolling evaluation", part.stop, len(moments), 0.0)
    return {name: rank_metrics(np.concatenate(ranks[name]), recall_at) for name in pipeline.names}


def rank_in(rows: NDArray[np.int32], targets: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the position from 0 of each target in its row, a very large one where it is absent."""
    found = rows == np.asarray(targets)[:, None]
    return np.where(found.any(axis=1), found.argmax(axis=1), np.iinfo(np.int32).max).astype(np.int64)


def rank_metrics(rank: NDArray[np.int64], recall_at: int) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of one relevant item at position ``rank`` from 0."""
    return {
        "ndcg@10": np.where(rank < 10, 1.0 / np.log2(rank + 2.0), 0.0),
        "hit@10": (rank < 10).astype(np.float64),
        f"recall@{recall_at}": (rank < recall_at).astype(np.float64),
    }


def frozen_values(
    pipeline: Pipeline, cut: int, until_event: int, recall_at: int, report: Report
) -> tuple[Values, NDArray[np.int32], int]:
    """Return the frozen metrics of each user with something relevant, those users, and how many have nothing."""
    prepared, sequences = pipeline.prepared, pipeline.prepared.sequences
    users, relevant = relevant_after(prepared, cut, until_event)
    evaluated = np.array([len(r) > 0 for r in relevant], np.bool_)
    moments = frozen_at(sequences, users, cut, float(prepared.dataset.times_s[cut - 1]))
    totals = item_totals(prepared.dataset, cut)[None]
    lists: dict[str, list[NDArray[np.int32]]] = {name: [] for name in pipeline.names}
    batch = moments_at_once(prepared.n_items)
    for begin in range(0, len(users), batch):
        here = moments.take(slice(begin, begin + batch))
        for name, rows in pipeline.lists(here, pipeline.retrieval.candidates(here, totals)).items():
            lists[name].append(rows)
        report("frozen evaluation", min(begin + batch, len(users)), len(users), 0.0)
    values = {name: list_values(np.concatenate(lists[name]), relevant, recall_at) for name in pipeline.names}
    return values, users[evaluated], int((~evaluated).sum())


def list_values(
    lists: NDArray[np.int32], relevant: Sequence[NDArray[np.int32]], recall_at: int
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of one list per user, ``(u, c)``, of the users to whom something is relevant."""
    indptr = np.concatenate([[0], np.cumsum([len(rows) for rows in relevant])]).astype(np.int64)
    rows = np.concatenate(relevant).astype(np.int64)
    at_10, wide = list_metrics(lists, indptr, rows, 10), list_metrics(lists, indptr, rows, recall_at)
    return {"ndcg@10": at_10.ndcg, "hit@10": at_10.hit, f"recall@{recall_at}": wide.recall}


def relevant_after(prepared: Prepared, cut: int, until_event: int) -> tuple[NDArray[np.int32], list[NDArray[np.int32]]]:
    """Return the users with events in ``[cut, until_event)`` and, for each, the items met there and not before."""
    sequences = prepared.sequences
    places = sequences.places_between(cut, until_event)
    ends = sequences.ends(cut)
    users = np.unique(sequences.users[places])
    upto = sequences.ends(until_event)
    return users, [met_first(sequences, u, ends[u], upto[u]) for u in users]


def met_first(sequences: Sequences, user: int, place: int, until: int) -> NDArray[np.int32]:
    """Return the items that ``user`` meets at the places ``[place, until)`` and did not meet before."""
    return np.setdiff1d(sequences.items[place:until], sequences.items[sequences.start[user] : place])


def table_of(
    title: str,
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    groups: NDArray[np.integer],
    seed: int,
    resamples: int,
    left_out: int,
    notes: tuple[str, ...],
) -> MetricTable:
    """Return the table of ``values``: intervals and paired differences to popularity, resampled by user."""
    return compared(
        title,
        BASELINE,
        {name: dict(of_list) for name, of_list in values.items()},
        seed=seed,
        groups=groups,
        resamples=resamples,
        left_out=left_out,
        notes=notes,
    )
