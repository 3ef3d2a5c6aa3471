"""Why an item stood where it stood, or not at all: the stages again, for one item, by the code that answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_gateway import answers
from shortlist_gateway.debug import actor_inputs, features
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Cause, Query, Shown, Slate
from shortlist_gateway.requests import MAX_CANDIDATES
from shortlist_gateway.slate.rules import Rules
from shortlist_gateway.trace import Standing, Trace


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of one item."""

    item_id: str
    slate: Slate
    query: Query
    """What the slate answers."""

    outcome: pb.ItemOutcome
    rank: int | None = None
    """Position in the slate."""

    standing: Standing | None = None
    is_relaxed: bool = False
    """Whether the standing is that of a request that excludes nothing and retrieves as many as can be."""

    alone: Shown | None = None
    """The item ranked by itself, where no source proposes it."""


async def explain(pipeline: Pipeline, slate: Slate, query: Query, item_id: str, deadline: Deadline) -> Explanation:
    """Return what became of ``item_id`` in ``slate``, which answers ``query``.

    An item that is no candidate is looked for once more without exclusions, and at last ranked by itself, so that what
    the models think of it is known in any case.

    Raises:
        NotReady: No bundle was ever loaded.
        BundleMismatch: The query pins a bundle that is not held.
    """
    row = slate.catalogue.row(item_id)
    if row is None or slate.trace is None:
        slate.missing_ids[item_id] = None
        return Explanation(item_id, slate, query, pb.ITEM_OUTCOME_NOT_IN_CATALOGUE)
    trace = slate.trace
    rank = next((at for at, shown in enumerate(slate.results) if shown.row == row), None)
    standing = trace.standings([row]).get(row)
    outcome = pb.ITEM_OUTCOME_SHOWN if rank is not None else _absence(query, slate, trace, standing, row)
    if standing is not None:
        return Explanation(item_id, slate, query, outcome, rank, standing)
    pinned = replace(query, bundle_id=slate.catalogue.bundle_id)
    again = await pipeline.recommend(_relaxed(pinned), deadline)
    standing = again.trace.standings([row]).get(row) if again.trace else None
    if standing is not None:
        return Explanation(item_id, _with_causes(slate, again), query, outcome, None, standing, is_relaxed=True)
    again = await pipeline.rerank(replace(pinned, item_ids=(item_id,)), deadline)
    return Explanation(item_id, _with_causes(slate, again), query, outcome, None, None, alone=again.results[0])


def message(explanation: Explanation) -> pb.Explanation:
    """Return ``explanation`` for the wire."""
    slate, standing, alone = explanation.slate, explanation.standing, explanation.alone
    found = pb.Explanation(
        item_id=explanation.item_id,
        outcome=explanation.outcome,
        rank=explanation.rank,
        is_relaxed=explanation.is_relaxed,
        bundle_id=slate.catalogue.bundle_id,
        causes=answers.causes(slate),
        serving_config=explanation.query.serving.config.name,
    )
    if slate.trace is not None:
        found.candidate_count = len(slate.trace.candidates.rows)
        found.actor.CopyFrom(actor_inputs(slate.trace.actor.features, slate.catalogue))
    if alone is not None:
        _add_heads(found, alone.click, alone.rating)
    if standing is None:
        return found
    _add_heads(found, standing.click, standing.rating)
    answers.add_origins(found, standing.origins)
    found.scores.CopyFrom(
        pb.StageScores(
            item_id=explanation.item_id,
            retrieval_rank=standing.retrieval_rank,
            retrieval_score=standing.retrieval_score,
            ranking_rank=standing.ranking_rank,
            ranking_score=standing.ranking_score,
            item_features=features(standing.item_numbers),
            boost=standing.boost,
        )
    )
    return found


def what_if_warnings(explanation: Explanation, changed: Explanation) -> list[str]:
    """Return what of a what-if does not apply, and where another config answers it.

    Args:
        explanation: As it is; features that are to be dropped may be none of its actor.
        changed: With the what-if; what it leaves out is among the warnings of its query.
    """
    own = [warning for warning in changed.query.warnings if warning not in explanation.query.warnings]
    left_out = [warning if "what_if" in warning else f"what_if: {warning}" for warning in own]
    what_if, trace = changed.query.what_if, explanation.slate.trace
    if what_if is None or trace is None:
        return left_out
    actor = trace.actor.features
    absent = sorted(what_if.dropped_features - {*actor.attributes, *actor.numbers, *actor.chosen})
    return [*left_out, *(f"what_if.dropped_features: the actor has no {name!r}" for name in absent)]


def _absence(query: Query, slate: Slate, trace: Trace, standing: Standing | None, row: int) -> pb.ItemOutcome:
    """Return why the item in ``row`` is not in the slate."""
    if row in trace.excluded:
        is_named = any(slate.catalogue.row(item_id) == row for item_id in query.exclude_item_ids)
        return pb.ITEM_OUTCOME_EXCLUDED if is_named else pb.ITEM_OUTCOME_SEEN
    if trace.allowed is not None and row not in trace.allowed:
        return pb.ITEM_OUTCOME_NOT_INCLUDED
    if slate.passes is not None and not slate.passes(row):
        return pb.ITEM_OUTCOME_FILTERED
    if standing is None:
        return pb.ITEM_OUTCOME_NOT_A_CANDIDATE
    least = query.minimum_click_probability
    if least is not None and standing.click is not None and standing.click < least:
        return pb.ITEM_OUTCOME_BELOW_MINIMUM
    is_passed_over = _is_passed_over(query, slate, trace, standing, row)
    return pb.ITEM_OUTCOME_CONSTRAINED if is_passed_over else pb.ITEM_OUTCOME_BELOW_SLATE


def _is_passed_over(query: Query, slate: Slate, trace: Trace, standing: Standing, row: int) -> bool:
    """Whether a constraint kept the item out, and not that the slate was full before its place.

    Its place is ranking's, or the one that boosts, rotation and diversity gave it, if that is a better one. What is
    shown in its turn from behind that place shows that the item was passed over; pins, promotions and draws do not.
    """
    rows = trace.candidates.rows
    places = {rows[at]: place for place, at in enumerate(slate.order)}
    place = places.get(row, standing.ranking_rank)
    if min(place, standing.ranking_rank) < query.slate_size or len(slate.results) < query.slate_size:
        return True
    pinned = {pin.item_id for pin in query.rules.pins}
    return any(
        places.get(shown.row, -1) > place and not any(promoted.passes(shown.row) for promoted in slate.promotions)
        for shown in slate.results
        if shown.row is not None and shown.propensity == 1.0 and shown.item_id not in pinned
    )


def _relaxed(query: Query) -> Query:
    return replace(
        query,
        exclude_item_ids=(),
        include_item_ids=(),
        is_seen_excluded=False,
        filter=None,
        minimum_click_probability=None,
        rules=Rules(boosts=query.rules.boosts),
        candidate_count=MAX_CANDIDATES,
    )


def _with_causes(slate: Slate, again: Slate) -> Slate:
    """Return ``slate`` with what a second run lacked; that it was short of items says nothing of the first."""
    for cause in again.causes:
        if cause not in (Cause.SHORT_SLATE, Cause.EMPTY_SELECTION):
            slate.degrade(again.level, cause)
    return slate


def _add_heads(found: pb.Explanation, click: float | None, rating: float | None) -> None:
    if click is not None and rating is not None:
        found.heads.CopyFrom(answer_pb2.Heads(click_probability=click, rating=rating))
