"""The retrieval engine: every source asked, lists fused, provenance kept. Knows no gRPC."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.fusion import Fused, fuse_scored
from shortlist_bundle.host import BundleHost
from shortlist_bundle.request_checks import actor_violations
from shortlist_bundle.user_vectors import as_of_last_event, directions
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BundleLacks, InvalidRequest, UpstreamFailed
from shortlist_domain.filters import Node
from shortlist_domain.stages import (
    ASKED_BY_NAME,
    NO_ANCHOR,
    ActorFeatures,
    Provenance,
    RetrieveRequest,
    RetrieveResult,
)
from shortlist_domain.user_search import UsersRequest, UsersResult
from shortlist_retrieval.checks import embed_items_violations, retrieve_violations
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.sources.base import CandidateSource, Proposals, Query
from shortlist_retrieval.users import UserSpace, users_violations
from shortlist_rpc.executor import BoundedExecutor
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log


class Shelf:
    """A loaded bundle with its sources, ready to be asked."""

    def __init__(self, bundle: LoadedBundle, sources: tuple[CandidateSource, ...]) -> None:
        self.bundle = bundle
        self.sources = sources

    def usual(self, quotas: Mapping[str, float]) -> tuple[CandidateSource, ...]:
        """Return the sources that are asked where none is named, with ``quotas`` of the candidates."""
        return tuple(s for s in self.sources if s.name not in ASKED_BY_NAME or s.name in quotas)


class RetrievalEngine:
    """Implements :class:`shortlist_domain.stages.RetrievalStage`."""

    def __init__(
        self,
        host: BundleHost[Shelf],
        executor: BoundedExecutor,
        quotas: Mapping[str, float] | None = None,
    ) -> None:
        """Make an engine.

        Args:
            host: Where bundles come from.
            executor: Where the work is done.
            quotas: Guaranteed shares where a request brings none; left out: those of the bundle.
        """
        self._host = host
        self._executor = executor
        self._quotas = quotas or {}
        self._log = get_log("retrieval")
        self._said_at_s: dict[str, float] = {}

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """Return the ids of the bundles that are ready to serve, newest first."""
        return self._host.held_ids()

    async def retrieve(self, request: RetrieveRequest, deadline: Deadline) -> RetrieveResult:
        """Return at most ``candidate_count`` candidates: fewer only where fewer are allowed or proposed.

        Raises:
            InvalidRequest: A field is outside its range; names every one.
            NotReady: No bundle is loaded.
            BundleMismatch: Another bundle is.
            Overloaded: The queue is full.
            BudgetExceeded: The deadline passed in the queue.
            UpstreamFailed: Every source failed.
        """
        shelf = self._host.get(request.bundle_id)
        violations = retrieve_violations(request, shelf.bundle.n_items, [s.name for s in shelf.sources])
        if violations:
            raise InvalidRequest(*violations)
        condition = None if request.filter is None else shelf.bundle.filters.checked(request.filter)
        return await self._executor.run(partial(self._retrieve, shelf, request, condition), deadline, "retrieval")

    async def embed_actor(self, bundle_id: str, actor: ActorFeatures, deadline: Deadline) -> array[float]:
        """Return the embedding of ``actor``; raises as :meth:`retrieve`."""
        bundle = self._host.get(bundle_id).bundle
        violations = actor_violations(actor, bundle.n_items)
        if violations:
            raise InvalidRequest(*violations)
        embedding = await self._executor.run(partial(bundle.embed, actor), deadline, "embedding")
        return _column("f", embedding)

    async def embed_items(self, bundle_id: str, columns: array[float], deadline: Deadline) -> array[float]:
        """Return what the item tower makes of items' static columns, row-major as these; raises as :meth:`retrieve`."""
        bundle = self._host.get(bundle_id).bundle
        violations = embed_items_violations(columns, len(bundle.features.item_columns))
        if violations:
            raise InvalidRequest(*violations)
        rows = np.frombuffer(columns, np.float32).reshape(-1, len(bundle.features.item_columns))
        embeddings = await self._executor.run(partial(bundle.item_tower.embed, rows), deadline, "embedding")
        return _column("f", embeddings)

    async def retrieve_users(self, request: UsersRequest, deadline: Deadline) -> UsersResult:
        """Return at most ``user_count`` users; none where the vector that is asked by points nowhere.

        Raises:
            BundleLacks: The bundle has no user vectors.
        """
        bundle = self._host.get(request.bundle_id).bundle
        if bundle.users is None:
            raise BundleLacks(f"bundle {request.bundle_id} has no user vectors; train one with users.vectors=true")
        violations = users_violations(request, bundle.n_items, len(bundle.users))
        if violations:
            raise InvalidRequest(*violations)
        return await self._executor.run(partial(_users, bundle, bundle.users, request), deadline, "users")

    def _retrieve(self, shelf: Shelf, request: RetrieveRequest, condition: Node | None) -> RetrieveResult:
        bundle = shelf.bundle
        anchors = np.frombuffer(request.anchor_rows, np.uint32).astype(np.int64)
        allowed = None if request.allow_rows is None else np.frombuffer(request.allow_rows, np.uint32)
        excluded = np.concatenate((np.frombuffer(request.exclude_rows, np.uint32), anchors))
        passing = None if condition is None else bundle.filters.mask(condition)
        selection = Selection(bundle.n_items, excluded.astype(np.int64), allowed, passing)
        k = min(request.candidate_count, selection.count)
        query = Query(request.actor, anchors, selection, k)
        quotas = request.quotas or self._quotas or bundle.features.source_quotas
        asked = request.sources or [source.name for source in shelf.usual(quotas)]
        proposed, failed = self._proposals(shelf, query, asked)
        lists = {name: proposals.rows for name, proposals in proposed.items()}
        fused = fuse_scored(lists, quotas, k, request.weights)
        embedding = next((p.actor_embedding for p in proposed.values() if p.actor_embedding is not None), None)
        return RetrieveResult(
            bundle_id=request.bundle_id,
            rows=_column("I", fused.rows.astype(np.uint32)),
            scores=_column("f", fused.scores),
            provenance=_provenance(fused, proposed, bundle.n_items),
            actor_embedding=array("f") if embedding is None else _column("f", embedding),
            failed_sources=tuple(failed),
        )

    def _proposals(
        self, shelf: Shelf, query: Query, asked: Sequence[str]
    ) -> tuple[dict[str, Proposals], dict[str, str]]:
        proposed: dict[str, Proposals] = {}
        failed: dict[str, str] = {}
        for source in shelf.sources:
            if source.name not in asked:
                continue
            try:
                proposed[source.name] = source.propose(query)
            except Exception as error:  # noqa: BLE001 - FAISS and onnxruntime raise anything; one source is not the answer
                failed[source.name] = repr(error)
                self._say(source.name, repr(error))
        if failed and not proposed:
            raise UpstreamFailed("retrieval", "; ".join(f"{name}: {reason}" for name, reason in failed.items()))
        return proposed, failed

    def _say(self, source: str, reason: str) -> None:
        now_s = time.monotonic()
        if now_s - self._said_at_s.get(source, -math.inf) >= 1.0:
            self._said_at_s[source] = now_s
            self._log.warning(LogEvent.STAGE_FAILED, stage=f"retrieval/{source}", reason=reason)


def _users(bundle: LoadedBundle, users: UserSpace, request: UsersRequest) -> UsersResult:
    excluded = np.frombuffer(request.exclude_rows, np.uint32).astype(np.int64)
    if request.item_rows:
        items = bundle.embeddings[np.unique(np.frombuffer(request.item_rows, np.uint32))]
        rows, scores = users.likeliest(items[:, :-1].mean(axis=0), request.user_count, excluded)
    elif request.user_row is not None:
        rows, scores = users.nearest(users.vectors[request.user_row], request.user_count, excluded)
    else:
        taste, _ = directions(bundle.embed(as_of_last_event(bundle.model_rows.of(request.actor)))[None, :])
        rows, scores = users.nearest(taste[0], request.user_count, excluded)
    return UsersResult(request.bundle_id, _column("I", rows.astype(np.uint32)), _column("f", scores))


def _provenance(fused: Fused, proposed: Mapping[str, Proposals], n_items: int) -> tuple[Provenance, ...]:
    """Return each source's word on what is in the answer; a source with no word on it is left out."""
    words = []
    rank_of = np.empty(n_items, np.int32)
    for name, proposals in proposed.items():
        rank_of.fill(-1)
        rank_of[proposals.rows] = np.arange(len(proposals.rows), dtype=np.int32)
        ranks = rank_of.take(fused.rows)
        candidates = np.flatnonzero(ranks >= 0)
        if not len(candidates):
            continue
        ranks = ranks.take(candidates)
        anchors = np.full(len(ranks), NO_ANCHOR, np.uint32) if proposals.anchors is None else proposals.anchors[ranks]
        words.append(
            Provenance(
                source=proposals.shown_as or name,
                candidates=_column("I", candidates.astype(np.uint32)),
                ranks=_column("I", ranks.astype(np.uint32)),
                scores=_column("f", proposals.scores.take(ranks).astype(np.float32)),
                anchors=_column("I", anchors),
            )
        )
    return tuple(words)


def _column(typecode: str, values: NDArray[np.generic]) -> array:  # type: ignore[type-arg]
    column = array(typecode)
    column.frombytes(values.tobytes())
    return column
