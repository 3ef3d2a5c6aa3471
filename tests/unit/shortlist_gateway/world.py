"""A pipeline over fakes, and somebody who asks it."""

from __future__ import annotations

from pathlib import Path

from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey, Event
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Query
from shortlist_gateway.settings import GatewaySettings
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import tiny_bundle

N = 60
ALICE = ActorKey("", "u/alice")
NOW_S = 1_700_000_000.0


class World:
    """A pipeline over fakes and a real bundle, by default a tiny one. Ranking prefers high rows, retrieval low."""

    def __init__(self, store: Path, bundle_id: str = "") -> None:
        self.bundle_id = bundle_id or tiny_bundle(store, n_items=N).bundle_id
        self.features = FakeFeatures()
        self.retrieval = FakeRetrieval(range(N), (self.bundle_id,))
        self.ranking = FakeRanking(lambda row: row / N, (self.bundle_id,))
        # Fakes answer at once; what a busy machine takes is not what is tested.
        settings = GatewaySettings(
            bundle_store=store, read_actor_budget_s=2.0, retrieve_budget_s=2.0, rank_budget_s=2.0
        )
        self.bundles = ActiveBundle(BundleStore(store), self.retrieval, self.ranking, own_metrics(), 1.0)
        self.pipeline = Pipeline(self.features, self.retrieval, self.ranking, self.bundles, settings)

    def item(self, row: int) -> str:
        return self.bundles.pinned().item_id(row)

    def seen(self, *rows: int) -> None:
        self.features.events[ALICE] = [Event(self.item(row), 4.0, NOW_S - 60 + i) for i, row in enumerate(rows)]


def ask(**changes: object) -> Query:
    return Query(**{"request_id": "r", "now_s": NOW_S, "actor": ALICE, "slate_size": 3, **changes})  # type: ignore[arg-type]


def soon() -> Deadline:
    return Deadline.after(10.0)
