"""Ranking behind gRPC."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from shortlist.ranking.v1 import ranking_service_pb2 as pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist_ranking.settings import RankingSettings
from shortlist_ranking.wiring import RankingService
from shortlist_testing.running import channel_to, running
from shortlist_testing.tiny_bundle import tiny_bundle

if TYPE_CHECKING:
    from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceAsyncStub


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[RankingServiceAsyncStub]:
    tiny_bundle(tmp_path)
    settings = RankingSettings(bundle_store=tmp_path, feature_store_target="", bundle_poll_s=0.01)
    async with running(RankingService(settings)) as server, channel_to(server) as channel:
        yield RankingServiceStub(channel)


@pytest.fixture
async def bundle_id(stub: RankingServiceAsyncStub) -> str:
    return (await stub.DescribeModel(pb.DescribeModelRequest())).models[0].bundle_id


async def test_scores_come_in_the_order_of_the_rows(stub: RankingServiceAsyncStub, bundle_id: str) -> None:
    there = await stub.RankCandidates(
        pb.RankCandidatesRequest(bundle_id=bundle_id, rows=array("I", [1, 2, 3]).tobytes())
    )
    back = await stub.RankCandidates(
        pb.RankCandidatesRequest(bundle_id=bundle_id, rows=array("I", [3, 2, 1]).tobytes())
    )
    assert array("f", there.scores)[::-1] == array("f", back.scores)
    assert len(there.click) == len(there.rating) == 12


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bundle_id": ""}, "bundle_id"),
        ({"rows": b"12345"}, "rows"),
        ({"rows": b"\x3c\x00\x00\x00"}, "rows[0]"),
        ({"actor_embedding": b"\x00\x00\x00\x00"}, "actor_embedding"),
        ({"heads": ["click"]}, "heads"),
        ({"head_weights": [pb.HeadWeight(head="click", weight=1.0)] * 2}, "head_weights[1].head"),
    ],
)
async def test_what_is_wrong_is_an_invalid_argument_that_names_it(
    stub: RankingServiceAsyncStub, bundle_id: str, changes: dict[str, object], said: str
) -> None:
    request = pb.RankCandidatesRequest(**{"bundle_id": bundle_id, **changes})  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RankCandidates(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in (caught.value.details() or "")


async def test_another_bundle_is_a_failed_precondition(stub: RankingServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RankCandidates(pb.RankCandidatesRequest(bundle_id="other"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_the_model_describes_itself(stub: RankingServiceAsyncStub) -> None:
    (model,) = (await stub.DescribeModel(pb.DescribeModelRequest())).models
    assert model.model == "linear"
    assert "item_embeddings" in model.inputs
    assert "neighbour_score" in [f.name for f in model.features]
    assert {w.head: w.weight for w in model.head_weights} == {"click": 1.0, "rating": 0.5}
