"""Reads an actor for an answer; where that fails, the answer goes on with what came with the request, and says so."""

from __future__ import annotations

import math
from dataclasses import replace

from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.stages import ActorState
from shortlist_gateway.actor import KnownActor, known_actor, state_until
from shortlist_gateway.declare import report
from shortlist_gateway.query import Cause, Level, Outcome, Query, Slate
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.stage import StagePlan, run_stage


class ActorReader:
    """The stage ``read_actor``. Holds no state of a request."""

    def __init__(self, features: FeatureStage, settings: GatewaySettings) -> None:
        self._features = features
        self._plan = StagePlan(
            "read_actor", 0.5, settings.read_actor_budget_s, Cause.FEATURES_TIMEOUT, Cause.FEATURES_DOWN
        )

    async def read(self, slate: Slate, query: Query, deadline: Deadline) -> KnownActor:
        """Return the actor of ``query`` in rows of the slate's bundle, and note in ``slate`` how that went."""
        state = ActorState()
        if query.actor is not None:
            key = query.actor
            min_version, min_session_version = query.min_versions
            run = await run_stage(
                self._plan,
                deadline,
                lambda d: self._features.read_actor(
                    key,
                    min_version,
                    d,
                    with_impressions=query.needs_impressions,
                    min_session_version=min_session_version,
                ),
            )
            if run.value is not None:
                state = run.value
                if not state.caught_up:
                    slate.degrade(Level.PARTIAL, Cause.FEATURES_STALE)
            else:
                slate.features_present_fraction = 0.0
                if query.is_seen_excluded:
                    slate.warnings.append("what the actor has seen is not known at the moment and may appear")
                if query.rules.rotation is not None:
                    slate.warnings.append("constraints.rotation: was not applied, since what was shown is not known")
            outcome = Outcome.FULL if state.caught_up else Outcome.PARTIAL
            report(slate, "read_actor", run, outcome, 1, len(state.item_ids), Level.PARTIAL, Outcome.FALLBACK)
        slate.is_actor_known = state.known
        if query.events_until_s < math.inf:
            state = state_until(state, query.events_until_s)
        actor = known_actor(state, query, slate.catalogue)
        if query.what_if is not None:
            actor = replace(actor, features=query.what_if.applied(actor.features), truth=actor.features)
        slate.missing_ids.update(dict.fromkeys(actor.unknown_inline_ids))
        return actor
