"""The log of served slates against the whole platform in one process, and against one whose store is down."""

from __future__ import annotations

import asyncio
import hashlib
from array import array
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest
from pydantic import SecretStr

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_cli.slate_commands import export_from
from shortlist_domain.deadline import Deadline
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.clients import FeatureStoreClient
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import GatewayService
from shortlist_testing.platform import Platform
from shortlist_testing.redis import running_valkey
from shortlist_testing.running import own_metrics, running
from shortlist_testing.tiny_bundle import item_ids

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(60)
USER = actor_pb2.Actor(user_id="ann", tenant="shop")
PLATFORM = {"slate_log_share": 1.0}


@pytest.fixture(scope="module")
def stub(platform: Platform) -> Any:
    return RecommendationServiceStub(platform.channel)


async def logged(platform: Platform, n: int) -> list[SlateRecord]:
    """Return the next ``n`` slates of the log, and wait for them."""
    store = platform.service.features.store()
    records: list[SlateRecord] = []
    async with asyncio.timeout(10):
        while len(records) < n:
            entries = await store.take_slates("test", n - len(records), Deadline.after(5.0))
            await store.confirm_slates([entry.entry_id for entry in entries], Deadline.after(5.0))
            records += [SlateRecord.FromString(entry.record or b"") for entry in entries]
            await asyncio.sleep(0.01)
    return records


def check(record: SlateRecord, response: Any, rpc: str) -> None:
    meta: answer_pb2.AnswerMeta = response.meta
    assert (record.schema_version, record.rpc, record.slate_id) == (1, rpc, meta.slate_id)
    assert (record.request_id, record.bundle_id) == (meta.request_id, meta.bundle.bundle_id)
    assert record.serving_config == meta.serving_config == "default"
    assert list(record.variants) == list(meta.variants)
    shown = [(one.item_id, one.rank, one.score, one.propensity) for one in response.results]
    assert [(one.item_id, one.position, one.score, one.propensity) for one in record.items] == shown
    assert shown
    assert record.degradation_level == meta.degradation.level
    assert list(record.degradation_causes) == list(meta.degradation.causes)
    assert len(record.candidate_digest) == 32
    assert record.candidate_count >= len(shown)


async def test_every_answer_leaves_a_record_of_what_it_was(platform: Platform, stub: Any) -> None:
    explore = selection_pb2.Exploration(method="EXPLORATION_METHOD_EPSILON_GREEDY", slots=2, strength=0.5)
    asked = pb.RecommendRequest(actor=USER, slate_size=5, constraints=selection_pb2.Constraints(exploration=explore))
    first = await stub.Recommend(asked)
    following = await stub.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token))
    similar = await stub.SimilarItems(pb.SimilarItemsRequest(item_ids=ITEMS[:1], slate_size=3))
    reranked = await stub.RerankItems(pb.RerankItemsRequest(actor=USER, item_ids=ITEMS[3:7]))
    records = await logged(platform, 4)
    check(records[0], first, "Recommend")
    check(records[1], following, "RecommendNext")
    check(records[2], similar, "SimilarItems")
    check(records[3], reranked, "RerankItems")
    assert [(one.tenant, one.actor_id) for one in records] == [("shop", "u/ann")] * 2 + [("", ""), ("shop", "u/ann")]
    assert records[1].items[0].position == 5
    assert records[3].candidate_count == 4
    assert {one.propensity for one in records[0].items} != {1.0}
    bundle = platform.service.gateway._bundles.pinned("")
    rows = array("I", [bundle.row(item) or 0 for item in ITEMS[3:7]])
    assert records[3].candidate_digest == hashlib.sha256(rows.tobytes()).digest()


async def test_every_result_of_a_batch_leaves_a_record(platform: Platform, stub: Any) -> None:
    actors = [actor_pb2.Actor(user_id=f"user-{at}") for at in range(3)]
    request = pb.BatchRecommendRequest(actors=actors, request=pb.RecommendRequest(slate_size=4))
    answers = {one.answer.meta.slate_id: one.answer async for one in stub.BatchRecommend(request)}
    records = await logged(platform, 3)
    assert sorted(one.actor_id for one in records) == ["u/user-0", "u/user-1", "u/user-2"]
    for record in records:
        check(record, answers[record.slate_id], "BatchRecommend")


async def test_what_shows_nothing_to_anybody_leaves_no_record(platform: Platform, stub: Any) -> None:
    await stub.Recommend(pb.RecommendRequest(actor=USER, validate_only=True))
    explained = pb.ExplainRecommendationRequest(request=pb.RecommendRequest(actor=USER), item_id=ITEMS[0])
    await stub.ExplainRecommendation(explained)
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Recommend(pb.RecommendRequest(actor=USER, slate_size=-1))
    after = await stub.Recommend(pb.RecommendRequest(actor=USER, slate_size=3))
    check((await logged(platform, 1))[0], after, "Recommend")


async def test_what_was_logged_comes_out_as_parquet(platform: Platform, stub: Any, tmp_path: Path) -> None:
    answer = await stub.Recommend(pb.RecommendRequest(actor=USER, slate_size=3))
    store = platform.service.features.store()
    async with asyncio.timeout(10):
        while await export_from(store, tmp_path, 100, "test") == (0, 0):
            await asyncio.sleep(0.01)
    row = pl.read_parquet(tmp_path / "*.parquet").row(0, named=True)
    assert (row["slate_id"], row["schema_version"]) == (answer.meta.slate_id, 1)
    assert row["item_ids"] == [one.item_id for one in answer.results]


async def test_an_answer_is_the_same_and_ok_where_the_store_is_down(platform: Platform, tmp_path: Path) -> None:
    service = platform.service
    with running_valkey(tmp_path) as valkey:
        features = FeatureStoreService(FeatureStoreSettings(redis_url=SecretStr(valkey.url)))
        async with running(features) as server, grpc.aio.insecure_channel(server.address) as channel:
            client, metrics = FeatureStoreClient(channel), own_metrics()
            store = platform._settings.bundle_store
            settings = GatewaySettings(
                port=0, bundle_store=store, slate_log_share=1.0, slate_log_queue=2, drain_grace_s=1.0
            )
            engines = (service.retrieval.engine, service.ranking.engine)
            gateway = GatewayService(client, *engines, settings, metrics)
            async with running(gateway) as served, grpc.aio.insecure_channel(served.address) as door:
                stub: Any = RecommendationServiceStub(door)
                request = pb.RecommendRequest(slate_size=5, actor=USER)
                whole = await stub.Recommend(request)
                async with asyncio.timeout(10):
                    while not metrics.slates_logged._value.get():
                        await asyncio.sleep(0.01)
                valkey.kill()
                answers = [await stub.Recommend(request) for _ in range(5)]
                shown = [one.item_id for one in whole.results]
                assert [[one.item_id for one in answer.results] for answer in answers] == [shown] * 5
                assert metrics.slates_dropped.labels("full")._value.get() == 3
                valkey.restart()
                async with asyncio.timeout(20):
                    while metrics.slates_logged._value.get() < 3:
                        await asyncio.sleep(0.05)
                entries = await features.store().take_slates("test", 10, Deadline.after(5.0))
                kept = [SlateRecord.FromString(entry.record or b"").slate_id for entry in entries]
                assert kept[-2:] == [answer.meta.slate_id for answer in answers[:2]], "what waited came through"


async def test_slates_can_be_appended_over_the_wire() -> None:
    with running_valkey() as valkey:
        features = FeatureStoreService(FeatureStoreSettings(redis_url=SecretStr(valkey.url)))
        async with running(features) as server, grpc.aio.insecure_channel(server.address) as channel:
            stub: Any = FeatureStoreServiceStub(channel)
            record = SlateRecord(schema_version=1, slate_id="s")
            await stub.AppendSlates(store_pb.AppendSlatesRequest(slates=[record]))
            (entry,) = await features.store().take_slates("test", 10, Deadline.after(5.0))
            assert SlateRecord.FromString(entry.record or b"") == record
