"""The request path: read the actor, retrieve, rank, compose. What fails is replaced and declared.

The ladder, from the top: everything; fewer candidates; part of them ranked; popular candidates, ranked; retrieval's
order; popular items of the actor's segment; popular items. No rung calls what has just failed.
"""

from __future__ import annotations

import asyncio
from array import array
from functools import partial

from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.filters import Node
from shortlist_domain.spread import Spread
from shortlist_domain.stages import RankingStage, RankRequest, RankResult, RetrievalStage, RetrieveRequest
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.actor_reader import ActorReader
from shortlist_gateway.boosts import boosts_of
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.candidates import CALLER, Candidates, from_caller, from_popular, from_retrieval
from shortlist_gateway.conditions import Conditions, bound_conditions
from shortlist_gateway.configs.config import ServingConfig
from shortlist_gateway.configs.fitting import fitted
from shortlist_gateway.declare import declare, report
from shortlist_gateway.filters.predicate import Predicate
from shortlist_gateway.filters.search import filtered, warn_of_history
from shortlist_gateway.promotions import brought_counts, joined, promoted_candidates
from shortlist_gateway.query import Cause, Level, Origin, Outcome, Query, ReasonKind, Report, Shown, Slate
from shortlist_gateway.selection import anchors_of, rows_of, selection
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.slate.compose import compose, in_order
from shortlist_gateway.slate.diversity import spread_of
from shortlist_gateway.slate.pins import with_pins
from shortlist_gateway.stage import StagePlan, retrieve_plan, run_stage
from shortlist_gateway.trace import Trace

SHORT_TIME_S = 0.015
"""With less than this left before retrieval, fewer candidates are asked for."""

SHORT_TIME_SHARE = 0.25
"""Share of the candidates that is asked for then."""

MAX_RANKED = 2000
"""Most candidates that ranking takes; what is pinned and promoted is among them."""


class Pipeline:
    """Answers queries. Holds no state of a request."""

    def __init__(
        self,
        features: FeatureStage,
        retrieval: RetrievalStage,
        ranking: RankingStage,
        bundles: ActiveBundle,
        settings: GatewaySettings,
    ) -> None:
        self._reader = ActorReader(features, settings)
        self._retrieval = retrieval
        self._ranking = ranking
        self._bundles = bundles
        self._candidate_count = settings.candidate_count
        self._retrieve = retrieve_plan(settings)
        self._rank = StagePlan("rank", 1.0, settings.rank_budget_s, Cause.RANKING_TIMEOUT, Cause.RANKING_DOWN)

    async def recommend(self, query: Query, deadline: Deadline) -> Slate:
        """Return a slate for an actor.

        Raises:
            NotReady: No bundle was ever loaded.
            BundleMismatch: The query pins a bundle that is not held.
            InvalidRequest: The filter does not suit the bundle's attributes.
        """
        slate, query = self._begun(query)
        conditions = bound_conditions(query, slate.catalogue.attributes.schema)
        actor = await self._reader.read(slate, query, deadline)
        excluded, allowed = selection(slate, query, actor)
        candidates = await self._candidates(slate, query, conditions, actor, excluded, allowed, deadline)
        candidates, pinned = with_pins(slate, query.rules.pins, candidates, excluded, allowed)
        boosts = boosts_of(slate, query, conditions.boosts, actor, candidates.rows)
        spread = spread_of(query, candidates, pinned, actor.shown_at, boosts)
        ranked = await self._ranked(slate, query, actor, candidates, deadline, spread)
        slate.candidate_rows = candidates.rows
        slate.results = compose(slate, query, candidates, ranked, pinned, actor.shown_at, boosts)
        slate.trace = Trace(actor, excluded, allowed, candidates, ranked, boosts)
        if query.shown_rows:
            unseen = [shown for shown in slate.results if shown.row not in query.shown_rows]
            slate.results = unseen[: query.page_size]
        declare(slate, query, ranked, allowed, is_ranked=query.serving.config.is_ranked)
        return slate

    async def similar(self, query: Query, deadline: Deadline) -> Slate:
        """Return items that are like ``query.item_ids``, in the order of similarity.

        Raises:
            NotFound: None of the items is in the catalogue.
            NotReady: No bundle was ever loaded.
            BundleMismatch: The query pins a bundle that is not held.
            InvalidRequest: The filter does not suit the bundle's attributes.
        """
        slate, query = self._begun(query)
        conditions = bound_conditions(query, slate.catalogue.attributes.schema)
        anchors = anchors_of(slate, query.item_ids)
        actor = await self._reader.read(slate, query, deadline)
        excluded, allowed = selection(slate, query, actor)
        excluded |= set(anchors)
        candidates = await self._candidates(slate, query, conditions, actor, excluded, allowed, deadline, anchors)
        candidates, pinned = with_pins(slate, query.rules.pins, candidates, excluded, allowed)
        boosts = boosts_of(slate, query, conditions.boosts, actor, candidates.rows)
        slate.candidate_rows = candidates.rows
        slate.results = compose(slate, query, candidates, None, pinned, actor.shown_at, boosts)
        declare(slate, query, None, allowed, is_ranked=False)
        return slate

    async def rerank(self, query: Query, deadline: Deadline) -> Slate:
        """Return ``query.item_ids`` in the order that suits the actor; unknown items stay at the end.

        Where the config asks no ranker the order is the caller's.

        Raises:
            NotReady: No bundle was ever loaded.
            BundleMismatch: The query pins a bundle that is not held.
        """
        slate, query = self._begun(query)
        actor = await self._reader.read(slate, query, deadline)
        asked = dict.fromkeys(query.item_ids)
        candidates = from_caller(rows_of(slate, tuple(asked)))
        ranked = await self._ranked(slate, query, actor, candidates, deadline)
        shown = in_order(candidates, ranked, slate.catalogue, len(asked))
        unknown = [i for i in asked if slate.catalogue.row(i) is None]
        for item_id in unknown:
            place = Origin(CALLER, list(asked).index(item_id), 0.0, ReasonKind.REQUESTED)
            shown.append(Shown(item_id, 0.0, None, None, (place,), None))
        slate.results, slate.candidate_rows = shown, candidates.rows
        slate.ranked_fraction = len(ranked.scores) / len(shown) if ranked and shown else 0.0
        return slate

    def _begun(self, query: Query) -> tuple[Slate, Query]:
        """Return a slate of the bundle that answers, and the query as far as its config fits that bundle."""
        slate = Slate(self._bundles.pinned(query.bundle_id))
        return slate, fitted(query, slate)

    async def _candidates(
        self,
        slate: Slate,
        query: Query,
        conditions: Conditions,
        actor: KnownActor,
        excluded: set[int],
        allowed: set[int] | None,
        deadline: Deadline,
        anchors: array[int] | None = None,
    ) -> Candidates:
        condition, promotions = conditions.filter, conditions.promotions
        wanted = max(query.slate_size, query.candidate_count or self._candidate_count)
        n_pinned = len(query.rules.pins)
        brought_by = brought_counts(query.rules.promotions, query.slate_size, n_pinned, MAX_RANKED)
        wanted = min(wanted, MAX_RANKED - n_pinned - sum(brought_by))
        if deadline.remaining_s() < SHORT_TIME_S and not anchors:
            fewer = max(query.slate_size, int(wanted * SHORT_TIME_SHARE))
            if fewer < wanted:
                slate.degrade(Level.PARTIAL, Cause.FEWER_CANDIDATES)
                wanted = fewer
        columns = anchors or array("I")
        search = partial(self._found, slate, query.serving.config, actor, columns, deadline)
        find = partial(search, wanted)
        if condition is None or query.filter is None:
            found = find(excluded, allowed)
        else:
            is_relaxed = query.filter.is_relaxed
            found = filtered(slate, condition, actor, excluded, allowed, find, is_relaxed=is_relaxed)
        if not promotions:
            return await found
        warn_of_history(slate, promotions, "constraints.promotions")
        own = promoted_candidates(slate, query, promotions, brought_by, condition, actor, excluded, allowed, search)
        candidates, (slate.promotions, brought) = await asyncio.gather(found, own)
        if Cause.FILTER_RELAXED in slate.causes:  # what is promoted need not pass it any more
            search = partial(search, is_static=candidates.is_static)
            own = promoted_candidates(slate, query, promotions, brought_by, None, actor, excluded, allowed, search)
            slate.promotions, brought = await own
        return joined(candidates, brought)

    async def _found(
        self,
        slate: Slate,
        config: ServingConfig,
        actor: KnownActor,
        anchors: array[int],
        deadline: Deadline,
        wanted: int,
        excluded: set[int],
        allowed: set[int] | None,
        condition: Node | None = None,
        *,
        passes: Predicate | None = None,
        is_static: bool = False,
    ) -> Candidates:
        attributes = actor.features.attributes
        popular = partial(from_popular, slate.catalogue, attributes, excluded, allowed, wanted, passes or slate.passes)
        if is_static:  # retrieval has failed already
            return popular()
        request = RetrieveRequest(
            bundle_id=slate.catalogue.bundle_id,
            actor=actor.features,
            candidate_count=wanted,
            exclude_rows=array("I", sorted(excluded)),
            allow_rows=None if allowed is None else array("I", sorted(allowed)),
            anchor_rows=anchors,
            filter=condition,
            sources=config.sources,
            quotas={source: config.quotas[source] for source in config.sources},
            weights={source: config.weights[source] for source in config.sources},
        )
        run = await run_stage(self._retrieve, deadline, lambda d: self._retrieval.retrieve(request, d))
        if run.value is not None:
            candidates = from_retrieval(
                run.value,
                slate.catalogue,
                has_history=slate.catalogue.is_known_to_models(actor.features.history_rows),
                has_anchors=bool(anchors),
            )
            outcome = Outcome.FULL
            if run.value.failed_sources:
                outcome = Outcome.PARTIAL
                slate.degrade(Level.PARTIAL, Cause.RETRIEVAL_PARTIAL)
        else:
            candidates = popular()
            outcome = Outcome.FALLBACK
        n = len(candidates.rows)
        report(slate, "retrieve", run, outcome, len(slate.catalogue), n, Level.FALLBACK, Outcome.FALLBACK)
        return candidates

    async def _ranked(
        self,
        slate: Slate,
        query: Query,
        actor: KnownActor,
        candidates: Candidates,
        deadline: Deadline,
        spread: Spread | None = None,
    ) -> RankResult | None:
        n = len(candidates.rows)
        config = query.serving.config
        if not config.is_ranked:
            reason = f"serving config {config.name!r} asks no ranker"
            slate.reports.append(Report("rank", Outcome.SKIPPED, 0.0, 0.0, 0.0, 0, 0, reason))
            if candidates.is_static:  # the causes are retrieval's, and nothing else was to order them for the actor
                slate.level = Level.STATIC
            return None
        if n == 0:
            slate.reports.append(Report("rank", Outcome.SKIPPED, 0.0, 0.0, 0.0, 0, 0, "no candidates"))
            return None
        request = RankRequest(
            slate.catalogue.bundle_id,
            actor.features,
            candidates.rows,
            candidates.actor_embedding,
            candidates.scores if candidates.is_fused else array("f"),
            query.is_debugged or query.rules.needs_item_numbers,
            spread,
            config.head_weights,
        )
        run = await run_stage(self._rank, deadline, lambda d: self._ranking.rank(request, d))
        ranked = run.value
        outcome = Outcome.FULL
        if ranked is not None and len(ranked.scores) < n:
            outcome = Outcome.PARTIAL
            slate.degrade(Level.PARTIAL, Cause.RANKING_PARTIAL)
        n_ranked = len(ranked.scores) if ranked else 0
        report(slate, "rank", run, outcome, n, n_ranked, Level.FALLBACK, Outcome.FALLBACK)
        if run.cause is not None and candidates.is_static:
            slate.degrade(Level.STATIC, run.cause)
        return ranked
