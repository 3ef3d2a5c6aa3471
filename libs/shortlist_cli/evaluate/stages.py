"""A bundle's own engines in this process: what each source, the fusion and the ranker make of a user."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.item_ids import load_item_ids
from shortlist_domain.deadline import Deadline
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures, RankRequest, RetrieveRequest
from shortlist_gateway.actor import MAX_HISTORY
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.sources.base import CandidateSource, Query
from shortlist_retrieval.wiring import load_shelf
from shortlist_rpc.executor import BoundedExecutor
from shortlist_trainer.evaluation.asked import Asked

if TYPE_CHECKING:
    from shortlist_bundle.host import BundleHost

FUSION = "fusion"
PIPELINE = "pipeline"

_AT_LEISURE_S = 60.0
"""Deadline of a stage: nothing is cut short here."""


class _Held:
    """A host that holds one loaded bundle."""

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def get(self, bundle_id: str) -> object:
        return self._loaded


@dataclass(frozen=True, slots=True)
class StageAnswer:
    """What the stages made of one user, in rows of the data set."""

    lists: dict[str, NDArray[np.int32]]
    """By source, then ``fusion`` and ``pipeline``, best first, of any length."""

    click: NDArray[np.float32]
    """Calibrated probability of each candidate, in the order of ``lists["fusion"]``."""


class StageEngines:
    """The engines that serve, over one bundle."""

    def __init__(
        self, bundle: Bundle, item_ids: Sequence[str], candidates: int, counters: NDArray[np.float64] | None = None
    ) -> None:
        """Load the bundle.

        Args:
            bundle: What is evaluated.
            item_ids: External id of each row of the data set.
            candidates: Candidates that retrieval gives to ranking.
            counters: Events and sum of values of each row of the data set that count as known, ``(n, 2)``; left out:
                those of the bundle.

        Raises:
            BundleInvalid: The bundle cannot be loaded.
        """
        self.bundle_id = bundle.bundle_id
        self.candidates = candidates
        self._shelf: Shelf = load_shelf(bundle)
        self._ranker = LoadedRanker(bundle)
        ids = load_item_ids(bundle)
        self._row_here = np.full(len(ids), -1, np.int32)
        self._row_there = np.full(len(item_ids), -1, np.int64)
        for row, item_id in enumerate(item_ids):
            there = ids.find(item_id.encode("utf-8", "surrogatepass"))
            if there is not None:
                self._row_there[row], self._row_here[there] = there, row
        if counters is not None:
            known = np.zeros((len(ids), 2))
            shared = self._row_there >= 0
            known[self._row_there[shared]] = counters[shared]
            self._shelf.bundle.rewind(known)
            self._ranker.counters.rewind(known)
        self._executor = BoundedExecutor(1, 4, "evaluation")
        self._retrieval = RetrievalEngine(cast("BundleHost[Shelf]", _Held(self._shelf)), self._executor)
        self._ranking = RankingEngine(cast("BundleHost[LoadedRanker]", _Held(self._ranker)), self._executor)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, in the order in which answers list them."""
        return tuple(source.name for source in self._usual())

    @property
    def absent(self) -> int:
        """Items of the data set that the bundle does not have; they are never found."""
        return int((self._row_there < 0).sum())

    async def ask(self, who: Asked) -> StageAnswer:
        """Return what the stages make of ``who``, who is never shown what was met before."""
        actor = self.actor(who)
        there = self._row_there[who.seen_rows]
        seen = array("I", np.sort(there[there >= 0]).tolist())
        request = RetrieveRequest(self.bundle_id, actor, self.candidates, exclude_rows=seen)
        found = await self._retrieval.retrieve(request, Deadline.after(_AT_LEISURE_S))
        rows = np.array(found.rows, np.int64)
        lists = self._by_source(actor, seen)
        lists[FUSION] = self._row_here[rows]
        if not len(rows):
            return StageAnswer({**lists, PIPELINE: lists[FUSION]}, np.zeros(0, np.float32))
        ranked = await self._ranking.rank(
            RankRequest(self.bundle_id, actor, found.rows, found.actor_embedding, found.scores),
            Deadline.after(_AT_LEISURE_S),
        )
        order = np.argsort(-np.array(ranked.scores, np.float32), kind="stable")
        lists[PIPELINE] = lists[FUSION][order]
        return StageAnswer(lists, np.array(ranked.click, np.float32))

    def ratings(self, who: Asked, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the predicted ratings of ``rows`` of the data set; NaN for what the bundle does not have."""
        there = self._row_there[rows]
        predicted = np.full(len(rows), np.nan, np.float32)
        if (there >= 0).any():
            actor = self.actor(who)
            user_side = self._ranker.user_side(actor, None)
            columns = self._ranker.number_columns(actor)
            predicted[there >= 0] = self._ranker.heads(user_side, columns, there[there >= 0])[1]
        return predicted

    def actor(self, who: Asked) -> ActorFeatures:
        """Return ``who`` as the gateway describes an actor to the stages."""
        there = self._row_there[who.item_rows]
        known = there >= 0
        return ActorFeatures(
            now_s=who.now_s,
            attributes=who.attributes,
            numbers=user_numbers(who.values.tolist()),
            history_rows=array("I", there[known][-MAX_HISTORY:].tolist()),
            history_values=array("f", who.values[known][-MAX_HISTORY:].tolist()),
            history_times_s=array("d", who.times_s[known][-MAX_HISTORY:].tolist()),
        )

    def close(self) -> None:
        """End the threads."""
        self._executor.close()

    def _by_source(self, actor: ActorFeatures, seen: array[int]) -> dict[str, NDArray[np.int32]]:
        excluded = np.array(seen, np.int64)
        selection = Selection(self._shelf.bundle.n_items, excluded, None)
        query = Query(actor, np.zeros(0, np.int64), selection, min(self.candidates, selection.count))
        return {source.name: self._row_here[source.propose(query).rows] for source in self._usual()}

    def _usual(self) -> tuple[CandidateSource, ...]:
        return self._shelf.usual(self._shelf.bundle.features.source_quotas)
