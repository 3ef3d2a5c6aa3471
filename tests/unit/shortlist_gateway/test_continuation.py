"""What a continuation does when a stage has let go of its bundle. The rest is in the contract tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import Expired
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.configs.config import PLAIN
from shortlist_gateway.continuation import Continuation
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Cause
from shortlist_gateway.requests import recommend_query
from shortlist_gateway.seals import Keyring
from shortlist_gateway.settings import GatewaySettings
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import tiny_bundle

N = 40
NOW_S = 1_700_000_000.0


async def test_a_stage_that_let_go_of_the_bundle_ends_the_continuation_and_not_the_platform(tmp_path: Path) -> None:
    old = tiny_bundle(tmp_path, n_items=N).bundle_id
    retrieval, ranking = FakeRetrieval(range(N), (old,)), FakeRanking(lambda row: row / N, (old,))
    bundles = ActiveBundle(BundleStore(tmp_path), retrieval, ranking, own_metrics(), 1.0)
    await bundles.refresh()
    pipeline = Pipeline(FakeFeatures(), retrieval, ranking, bundles, GatewaySettings(bundle_store=tmp_path))
    continuation = Continuation(Keyring([]), bundles, 60.0, recommend_query)
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id="ann"), slate_size=3)
    query = recommend_query(request, NOW_S)
    slate = await pipeline.recommend(query, Deadline.after(1.0))
    meta = answer_pb2.AnswerMeta()
    continuation.add_token(meta, request, slate, query)
    new = tiny_bundle(tmp_path, n_items=N, seed=1).bundle_id
    retrieval.bundles = ranking.bundles = (old, new)
    await bundles.refresh()
    following = pb.RecommendNextRequest(next_token=meta.next_token)

    _, query = continuation.resume(following, NOW_S + 1, lambda *_: PLAIN)
    page = await pipeline.recommend(query, Deadline.after(1.0))
    continuation.check_answered(following, page, query)
    assert [shown.row for shown in page.results] == [N - 4, N - 5, N - 6]

    retrieval.bundles = (new,)
    page = await pipeline.recommend(query, Deadline.after(1.0))
    assert Cause.BUNDLE_MISMATCH in page.causes
    with pytest.raises(Expired, match=f"bundle {old} is not held"):
        continuation.check_answered(following, page, query)


async def test_all_pages_together_end_after_a_thousand_items_and_the_last_says_so(tmp_path: Path) -> None:
    n = 1100
    bundle_id = tiny_bundle(tmp_path, n_items=n).bundle_id
    retrieval, ranking = FakeRetrieval(range(n), (bundle_id,)), FakeRanking(lambda row: row / n, (bundle_id,))
    bundles = ActiveBundle(BundleStore(tmp_path), retrieval, ranking, own_metrics(), 1.0)
    await bundles.refresh()
    pipeline = Pipeline(FakeFeatures(), retrieval, ranking, bundles, GatewaySettings(bundle_store=tmp_path))
    continuation = Continuation(Keyring([]), bundles, 60.0, recommend_query)
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id="ann"), slate_size=600)
    query = recommend_query(request, NOW_S)
    slate = await pipeline.recommend(query, Deadline.after(1.0))
    meta = answer_pb2.AnswerMeta()
    continuation.add_token(meta, request, slate, query)
    assert len(meta.next_token) < 1000, "600 rows in a byte or so each"
    following = pb.RecommendNextRequest(next_token=meta.next_token, slate_size=500)
    _, query = continuation.resume(following, NOW_S, lambda *_: PLAIN)
    page = await pipeline.recommend(query, Deadline.after(1.0))
    continuation.check_answered(following, page, query)
    assert len({shown.row for shown in (*slate.results, *page.results)}) == 1000
    assert page.warnings == ["slate_size: 400, since all pages together end after 1000 items"]
    meta = answer_pb2.AnswerMeta()
    continuation.add_token(meta, request, page, query)
    assert not meta.next_token
