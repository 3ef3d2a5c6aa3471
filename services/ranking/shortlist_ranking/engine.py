"""The ranking engine: candidates scored in steps, as far as the time goes. Knows no gRPC."""

from __future__ import annotations

import math
from array import array
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.combined_score import combined_score
from shortlist_bundle.host import BundleHost
from shortlist_bundle.request_checks import actor_violations, row_violations
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, ShortlistError, UpstreamFailed, Violation
from shortlist_domain.stages import HEADS, RankRequest, RankResult
from shortlist_ranking.loading import LoadedRanker
from shortlist_ranking.spread import spread_order, spread_violations
from shortlist_rpc.executor import BoundedExecutor

MAX_CANDIDATES = 2000
"""Most candidates of one request."""

ANSWER_RESERVE_S = 0.001
"""Time kept for handing over what was ranked when the deadline comes near."""


class RankingEngine:
    """Implements :class:`shortlist_domain.stages.RankingStage`."""

    def __init__(self, host: BundleHost[LoadedRanker], executor: BoundedExecutor, step: int = 512) -> None:
        """Make an engine.

        Args:
            host: Where bundles come from.
            executor: Where the work is done.
            step: Candidates scored between two looks at the clock.
        """
        if step < 1:
            raise ValueError(f"step {step} must be at least 1")
        self._host = host
        self._executor = executor
        self._step = step

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """Return the ids of the bundles that are ready to serve, newest first."""
        return self._host.held_ids()

    async def rank(self, request: RankRequest, deadline: Deadline) -> RankResult:
        """Return scores for the candidates, in their order; for the first ones only, where time runs out.

        Raises:
            InvalidRequest: A field is outside its range; names every one.
            NotReady: No bundle is loaded.
            BundleMismatch: Another bundle is.
            Overloaded: The queue is full.
            BudgetExceeded: The deadline passed in the queue.
            UpstreamFailed: A model failed, or gave something that is not a finite number.
        """
        ranker = self._host.get(request.bundle_id)
        violations = rank_violations(request, ranker.n_items, ranker.dim)
        if violations:
            raise InvalidRequest(*violations)
        if not len(request.rows):
            return RankResult(request.bundle_id, array("f"), array("f"), array("f"))
        return await self._executor.run(partial(self._rank, ranker, request, deadline), deadline, "ranking")

    def _rank(self, ranker: LoadedRanker, request: RankRequest, deadline: Deadline) -> RankResult:
        try:
            return self._scored(ranker, request, deadline)
        except ShortlistError:
            raise
        except Exception as error:  # onnxruntime raises its own untyped exceptions
            raise UpstreamFailed("onnxruntime", repr(error)) from error

    def _scored(self, ranker: LoadedRanker, request: RankRequest, deadline: Deadline) -> RankResult:
        rows = np.frombuffer(request.rows, np.uint32).astype(np.int64)
        given = np.frombuffer(request.actor_embedding, np.float32) if request.actor_embedding else None
        user_side = ranker.user_side(request.actor, given)
        columns = ranker.number_columns(request.actor)
        clicks: list[NDArray[np.float32]] = []
        ratings: list[NDArray[np.float32]] = []
        for start in range(0, len(rows), self._step):
            if start and deadline.remaining_s() <= ANSWER_RESERVE_S:
                break
            click, rating = ranker.heads(user_side, columns, rows[start : start + self._step])
            clicks.append(click)
            ratings.append(rating)
        logits, rated = np.concatenate(clicks), np.concatenate(ratings)
        weights = request.head_weights or ranker.features.head_weights
        scores = weights.get("click", 0.0) * logits + weights.get("rating", 0.0) * rated
        word = np.frombuffer(request.retrieval_scores, np.float32)[: len(scores)] if request.retrieval_scores else None
        counts = ranker.counters.columns["item_count"].take(rows[: len(scores)])
        lifts = ranker.lifts(request.actor, rows[: len(scores)])
        scores = combined_score(scores, word, counts, ranker.features.prior, _events(request), lifts)
        click_probabilities = ranker.calibration.probabilities(logits)
        order = None
        if request.spread is not None and deadline.remaining_s() > ANSWER_RESERVE_S:
            order = spread_order(request.spread, scores, click_probabilities, ranker.embeddings, rows)
        return RankResult(
            bundle_id=request.bundle_id,
            scores=_column(scores),
            click=_column(click_probabilities),
            rating=_column(rated),
            order=order,
            item_numbers={
                name: _column(column.take(rows[: len(scores)]))
                for name, column in zip(ranker.features.item_numbers, columns, strict=True)
            }
            if request.with_item_numbers
            else {},
        )


def _events(request: RankRequest) -> float:
    """Return how many events the actor has, as far as is known."""
    count = request.actor.numbers.get("user_count", 0.0)
    return count if math.isfinite(count) and count > 0.0 else 0.0


def rank_violations(request: RankRequest, n_items: int, dim: int) -> list[Violation]:
    """Return everything that is wrong with ``request`` for a bundle of ``n_items`` embeddings of size ``dim``."""
    found = actor_violations(request.actor, n_items)
    if len(request.rows) > MAX_CANDIDATES:
        found.append(Violation("rows", f"has {len(request.rows)} entries; at most {MAX_CANDIDATES} are allowed"))
    found += row_violations("rows", request.rows, n_items)
    if request.retrieval_scores:
        given = np.frombuffer(request.retrieval_scores, np.float32)
        if len(given) != len(request.rows):
            found.append(Violation("retrieval_scores", f"has {len(given)} entries for {len(request.rows)} rows"))
        elif not (np.isfinite(given) & (given > 0.0)).all():
            found.append(Violation("retrieval_scores", "holds a value that is not a finite number above 0"))
    for at, (head, weight) in enumerate(request.head_weights.items()):
        if head not in HEADS:
            found.append(Violation(f"head_weights[{at}].head", f"is {head!r}; there are {', '.join(HEADS)}"))
        elif not 0.0 <= weight < math.inf:
            found.append(Violation(f"head_weights[{at}].weight", f"is {weight:g}; [0, inf) is needed"))
    if request.head_weights and not any(weight > 0.0 for weight in request.head_weights.values()):
        found.append(Violation("head_weights", "are all 0; at least one must be above 0"))
    if request.spread is not None:
        found += spread_violations(request.spread, len(request.rows))
    if request.actor_embedding:
        embedding = np.frombuffer(request.actor_embedding, np.float32)
        if len(embedding) != dim:
            found.append(Violation("actor_embedding", f"has {len(embedding)} entries; the bundle's have {dim}"))
        elif not np.isfinite(embedding).all():
            found.append(Violation("actor_embedding", "holds a value that is not finite"))
    return found


def _column(values: NDArray[np.float32]) -> array[float]:
    column = array("f")
    column.frombytes(values.tobytes())
    return column
