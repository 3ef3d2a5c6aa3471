"""Stages that do what a test tells them to."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import DocumentStage
from shortlist_domain.errors import BundleMismatch
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.spread import Spread
from shortlist_domain.stages import (
    IMPRESSION,
    NO_ANCHOR,
    ActorKey,
    ActorState,
    Event,
    Provenance,
    RankRequest,
    RankResult,
    RetrieveRequest,
    RetrieveResult,
    Source,
)
from shortlist_domain.user_search import UsersRequest, UsersResult
from shortlist_feature_store.memory_documents import MemoryDocuments
from shortlist_feature_store.store import Limits


@dataclass
class FakeFeatures:
    """Remembers events in a dictionary; raises ``failure`` where one is set."""

    failure: Exception | None = None
    events: dict[ActorKey, list[Event]] = field(default_factory=dict)
    attributes: dict[ActorKey, dict[str, str]] = field(default_factory=dict)
    reads: list[tuple[ActorKey, int]] = field(default_factory=list)
    caught_up: bool = True
    slates: list[bytes] = field(default_factory=list)
    lost: int = 0
    documents: DocumentStage = field(default_factory=lambda: MemoryDocuments(Limits()))

    async def read_actor(
        self,
        key: ActorKey,
        min_version: int,
        deadline: Deadline,
        *,
        with_impressions: bool = False,
        min_session_version: int = 0,
    ) -> ActorState:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        self.reads.append((key, min_version))
        if self.failure:
            raise self.failure
        events = [e for e in self.events.get(key, []) if with_impressions or e.event_type != IMPRESSION]
        return ActorState(
            attributes=self.attributes.get(key, {}),
            item_ids=tuple(e.item_id for e in events),
            event_types=tuple(e.event_type for e in events),
            values=array("f", (e.value for e in events)),
            times_s=array("d", (e.time_s for e in events)),
            known=key in self.events or key in self.attributes,
            version=len(events),
            caught_up=self.caught_up,
        )

    async def append_events(self, key: ActorKey, events: Sequence[Event], deadline: Deadline) -> AppendResult:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        if self.failure:
            raise self.failure
        kept = self.events.setdefault(key, [])
        known = {e.event_id for e in kept if e.event_id}
        added = [e.event_id not in known for e in events]
        kept.extend(e for e, is_new in zip(events, added, strict=True) if is_new)
        return AppendResult(len(kept), added)

    async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        if self.failure:
            raise self.failure
        self.slates.extend(records)
        return self.lost


@dataclass
class FakeRetrieval:
    """Returns the rows of ``order`` that the request lets through."""

    order: Sequence[int]
    bundles: tuple[str, ...]
    failure: Exception | None = None
    failed_sources: tuple[str, ...] = ()
    requests: list[RetrieveRequest] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    users: Sequence[int] = ()
    user_requests: list[UsersRequest] = field(default_factory=list)

    async def retrieve_users(self, request: UsersRequest, deadline: Deadline) -> UsersResult:
        """See :class:`shortlist_domain.user_search.UserSearch`; the users of ``users``, each half as alike."""
        self.user_requests.append(request)
        if self.failure:
            raise self.failure
        if request.bundle_id not in self.bundles:
            raise BundleMismatch(request.bundle_id, self.bundles)
        rows = [row for row in self.users if row not in request.exclude_rows][: request.user_count]
        return UsersResult(request.bundle_id, array("I", rows), array("f", (0.5**n for n in range(len(rows)))))

    async def retrieve(self, request: RetrieveRequest, deadline: Deadline) -> RetrieveResult:
        """See :class:`shortlist_domain.stages.RetrievalStage`."""
        self.requests.append(request)
        self.before()
        if self.failure:
            raise self.failure
        if request.bundle_id not in self.bundles:
            raise BundleMismatch(request.bundle_id, self.bundles)
        excluded = set(request.exclude_rows)
        allowed = None if request.allow_rows is None else set(request.allow_rows)
        rows = [r for r in self.order if r not in excluded and (allowed is None or r in allowed)]
        rows = rows[: request.candidate_count]
        n = len(rows)
        anchor = request.actor.history_rows[-1] if request.actor.history_rows else NO_ANCHOR
        return RetrieveResult(
            bundle_id=request.bundle_id,
            rows=array("I", rows),
            scores=array("f", (1.0 - i / max(n, 1) for i in range(n))),
            provenance=(
                Provenance(
                    Source.ITEM_NEIGHBOURS,
                    array("I", range(n)),
                    array("I", range(n)),
                    array("f", bytes(4 * n)),
                    array("I", [anchor] * n),
                ),
            ),
            actor_embedding=array("f", [1.0]),
            failed_sources=self.failed_sources,
        )

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """See :class:`shortlist_domain.stages.RetrievalStage`."""
        return self.bundles


@dataclass
class FakeRanking:
    """Scores a row by ``score_of``; ranks only the first ``ranked`` where it is set."""

    score_of: Callable[[int], float]
    bundles: tuple[str, ...]
    failure: Exception | None = None
    ranked: int | None = None
    has_time_to_spread: bool = True
    requests: list[RankRequest] = field(default_factory=list)

    async def rank(self, request: RankRequest, deadline: Deadline) -> RankResult:
        """See :class:`shortlist_domain.stages.RankingStage`."""
        self.requests.append(request)
        if self.failure:
            raise self.failure
        if request.bundle_id not in self.bundles:
            raise BundleMismatch(request.bundle_id, self.bundles)
        rows = request.rows[: self.ranked]
        scores = [self.score_of(row) for row in rows]
        return RankResult(
            bundle_id=request.bundle_id,
            scores=array("f", scores),
            click=array("f", (max(0.0, min(1.0, s)) for s in scores)),
            rating=array("f", (3.0 for _ in scores)),
            order=self._spread(request.spread, len(rows)),
        )

    def _spread(self, spread: Spread | None, n: int) -> array[int] | None:
        """Spread by turning retrieval's order round."""
        if spread is None or not self.has_time_to_spread:
            return None
        return array("I", [at for at in reversed(range(n)) if at not in spread.held][: spread.count])

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """See :class:`shortlist_domain.stages.RankingStage`."""
        return self.bundles
