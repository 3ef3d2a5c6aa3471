"""Explanations where stages do not do their part. The rest is in the contract tests."""

from __future__ import annotations

from pathlib import Path

from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.stages import ActorKey
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.explain import explain, message
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Cause, Query
from shortlist_gateway.settings import GatewaySettings
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import tiny_bundle

N = 40
RETRIEVED = 30
QUERY = Query("r", 1_700_000_000.0, ActorKey("", "u/ann"), 3)


async def world(folder: Path) -> tuple[Pipeline, ActiveBundle, FakeRanking]:
    """A pipeline that never retrieves the last ten rows. Ranking prefers high rows."""
    bundle_id = tiny_bundle(folder, n_items=N).bundle_id
    retrieval, ranking = FakeRetrieval(range(RETRIEVED), (bundle_id,)), FakeRanking(lambda row: row / N, (bundle_id,))
    bundles = ActiveBundle(BundleStore(folder), retrieval, ranking, own_metrics(), 1.0)
    await bundles.refresh()
    return Pipeline(FakeFeatures(), retrieval, ranking, bundles, GatewaySettings(bundle_store=folder)), bundles, ranking


async def test_an_item_that_no_source_proposes_is_ranked_by_itself(tmp_path: Path) -> None:
    pipeline, bundles, _ = await world(tmp_path)
    slate = await pipeline.recommend(QUERY, Deadline.after(1.0))
    found = message(await explain(pipeline, slate, QUERY, bundles.pinned().item_id(35), Deadline.after(1.0)))
    assert found.outcome == pb.ITEM_OUTCOME_NOT_A_CANDIDATE
    assert found.heads.click_probability == 35 / N
    assert not found.HasField("scores")
    assert not found.provenance
    assert not found.is_relaxed


async def test_without_ranking_an_explanation_says_what_it_lacks(tmp_path: Path) -> None:
    pipeline, bundles, ranking = await world(tmp_path)
    ranking.failure = UpstreamFailed("ranking", "down")
    slate = await pipeline.recommend(QUERY, Deadline.after(1.0))
    explanation = await explain(pipeline, slate, QUERY, bundles.pinned().item_id(1), Deadline.after(1.0))
    found = message(explanation)
    assert (found.outcome, found.rank) == (pb.ITEM_OUTCOME_SHOWN, 1), "retrieval's order"
    assert not found.HasField("heads")
    assert not found.scores.HasField("ranking_score")
    assert list(explanation.slate.causes) == [Cause.RANKING_DOWN]
    assert len(found.causes) == 1
