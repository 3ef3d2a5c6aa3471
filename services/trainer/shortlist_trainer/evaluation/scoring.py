"""Fitted models asked about the held-out part: full rankings, the best of each user, ratings, and the time it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_evaluation.full_ranking import Standings, joined, standings
from shortlist_models.candidates import CandidateModel, Histories, RatingModel
from shortlist_trainer.evaluation.protocols import Test
from shortlist_trainer.histories import HeldOut, histories_of

_SCORES_AT_ONCE = 4_000_000

Progress = Callable[[str, int, int], None]
"""Called with the part's name, what is done, and what there is in all."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of the held-out part."""

    standings: Standings
    ratings: NDArray[np.float32] | None
    """Predicted for each held-out pair, ``(m,)``; ``None`` where the model predicts none."""

    scoring_s: float
    """Seconds of the model."""

    ranking_s: float
    """Seconds of everything else here."""


@dataclass(frozen=True, slots=True)
class Negatives:
    """Items drawn for each evaluated user, to rank its relevant items among: only to reproduce a publication."""

    rows: NDArray[np.int32]
    """``(u, number)``, none seen or relevant, none twice."""


def sampled_negatives(known: Dataset, held_out: HeldOut, number: int, seed: int) -> Negatives:
    """Return ``number`` items for each user, drawn uniformly from those neither met nor held out.

    Raises:
        DataRefused: A user has fewer than ``number`` of them, or ``number`` is below 1.
    """
    n_items, u = len(known.item_ids), len(held_out.users)
    if number < 1:
        raise DataRefused(f"sampled negatives must be 1 or more, not {number}")
    random = np.random.default_rng([seed, 51])
    histories = histories_of(known, held_out.users, held_out.now_s)
    rows = np.empty((u, number), np.int32)
    block = max(1, _SCORES_AT_ONCE // n_items)
    for begin in range(0, u, block):
        end = min(begin + block, u)
        part = histories.take(begin, end)
        keys = random.random((end - begin, n_items), np.float32)
        keys[_owners(part.indptr), part.rows] = 2.0
        relevant = slice(held_out.indptr[begin], held_out.indptr[end])
        keys[_owners(held_out.indptr[begin : end + 1]), held_out.rows[relevant]] = 2.0
        free = int((keys < 2.0).sum(axis=1).min())
        if free < number:
            raise DataRefused(
                f"{number} sampled negatives are wanted and a user has only {free} items that are neither met nor held "
                "out; ask for fewer, or rank the full catalogue"
            )
        rows[begin:end] = np.argpartition(keys, number - 1, axis=1)[:, :number]
    return Negatives(rows)


def scored(
    name: str,
    model: CandidateModel,
    known: Dataset,
    test: Test,
    most: int,
    progress: Progress,
    negatives: Negatives | None = None,
) -> Scored:
    """Rank the catalogue without what each user has seen, and the best ``most`` of each.

    Raises:
        DataRefused: A score is not a finite number.
    """
    held_out = test.held_out
    histories = histories_of(known, held_out.users, held_out.now_s)
    block = max(1, _SCORES_AT_ONCE // histories.n_items)
    parts: list[Standings] = []
    ratings: list[NDArray[np.float32]] = []
    scoring_s = ranking_s = 0.0
    for begin in range(0, len(histories), block):
        end = min(begin + block, len(histories))
        part = histories.take(begin, end)
        indptr = held_out.indptr[begin : end + 1] - held_out.indptr[begin]
        relevant = held_out.rows[held_out.indptr[begin] : held_out.indptr[end]]
        started = time.perf_counter()
        scores = model.score(part).astype(np.float32, copy=True)
        if isinstance(model, RatingModel):
            ratings.append(model.ratings(part)[_owners(indptr), relevant])
        scoring_s += time.perf_counter() - started
        started = time.perf_counter()
        if not np.isfinite(scores).all():
            raise DataRefused(f"{name} gives a score that is not a finite number")
        scores[_owners(part.indptr), part.rows] = -np.inf
        if negatives is not None:
            scores = _among(scores, indptr, relevant, negatives.rows[begin:end])
        parts.append(standings(scores, indptr, relevant, most))
        ranking_s += time.perf_counter() - started
        progress(f"{name}: rank", end, len(histories))
    return Scored(joined(parts), np.concatenate(ratings) if ratings else None, scoring_s, ranking_s)


def known_counts(known: Dataset) -> NDArray[np.int64]:
    """Return the known events of each item, ``(n,)``."""
    return np.bincount(known.item_rows, minlength=len(known.item_ids)).astype(np.int64)


def ordered_histories(known: Dataset) -> Histories:
    """Return what models are fitted on: everybody with a known event."""
    return histories_of(known)


def without_users(test: Test, kept: NDArray[np.bool_]) -> Test:
    """Return ``test`` with the evaluated users in ``kept`` alone; the others' pairs are counted as sure."""
    held_out = test.held_out
    counts = np.diff(held_out.indptr)
    pairs = np.repeat(kept, counts)
    indptr = np.concatenate([[0], np.cumsum(counts[kept])]).astype(np.int64)
    fewer = HeldOut(held_out.users[kept], held_out.now_s[kept], indptr, held_out.rows[pairs])
    left_out = replace(test.left_out, sure=int((~pairs).sum()))
    return replace(test, held_out=fewer, values=test.values[pairs], left_out=left_out)


def _among(
    scores: NDArray[np.float32],
    indptr: NDArray[np.int64],
    relevant: NDArray[np.int32],
    negatives: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return ``scores`` with minus infinity for all that is neither relevant nor drawn."""
    kept = np.full_like(scores, -np.inf)
    users = np.arange(len(scores))[:, None]
    kept[users, negatives] = scores[users, negatives]
    owner = _owners(indptr)
    kept[owner, relevant] = scores[owner, relevant]
    return kept


def _owners(indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
