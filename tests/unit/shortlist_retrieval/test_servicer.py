"""Retrieval behind gRPC."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from shortlist.common.v1 import selection_pb2
from shortlist.retrieval.v1 import retrieval_service_pb2 as pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_retrieval.wiring import RetrievalService
from shortlist_testing.running import channel_to, running
from shortlist_testing.tiny_bundle import GENRES, NOW_S, tiny_bundle

if TYPE_CHECKING:
    from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceAsyncStub


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[RetrievalServiceAsyncStub]:
    tiny_bundle(tmp_path, users=True)
    settings = RetrievalSettings(bundle_store=tmp_path, feature_store_target="", bundle_poll_s=0.01)
    async with running(RetrievalService(settings)) as server, channel_to(server) as channel:
        yield RetrievalServiceStub(channel)


@pytest.fixture
async def bundle_id(stub: RetrievalServiceAsyncStub) -> str:
    return (await stub.DescribeIndex(pb.DescribeIndexRequest())).indexes[0].bundle_id


async def test_candidates_come_as_columns_of_equal_length(stub: RetrievalServiceAsyncStub, bundle_id: str) -> None:
    request = pb.RetrieveCandidatesRequest(bundle_id=bundle_id, candidate_count=7)
    request.actor.now_s = NOW_S
    request.actor.history_rows = array("I", [4]).tobytes()
    request.actor.history_values = array("f", [5.0]).tobytes()
    request.actor.history_times_s = array("d", [NOW_S - 1.0]).tobytes()
    answer = await stub.RetrieveCandidates(request)
    assert (len(answer.rows), len(answer.scores), len(answer.actor_embedding)) == (28, 28, 36)
    assert {s.source for s in answer.sources} == {"two_tower", "item_neighbours", "popular"}
    assert all(len(s.candidates) == len(s.ranks) == len(s.scores) == len(s.anchors) for s in answer.sources)


async def test_users_come_as_columns_of_equal_length(stub: RetrievalServiceAsyncStub, bundle_id: str) -> None:
    request = pb.RetrieveUsersRequest(bundle_id=bundle_id, exclude_rows=array("I", [3]).tobytes())
    request.actor.history_rows = array("I", [4]).tobytes()
    request.actor.history_values = array("f", [5.0]).tobytes()
    request.actor.history_times_s = array("d", [NOW_S - 1.0]).tobytes()
    answer = await stub.RetrieveUsers(request)
    assert (answer.bundle_id, len(answer.rows), len(answer.similarities)) == (bundle_id, 40, 40)
    assert 3 not in array("I", answer.rows)
    request.user_row = 0
    assert array("I", (await stub.RetrieveUsers(request)).rows)[0] == 0, "a row of 0 is one"
    request.ClearField("user_row")
    request.item_rows = array("I", [0]).tobytes()
    answer = await stub.RetrieveUsers(request)
    assert (len(answer.rows), len(answer.similarities), len(answer.lifts)) == (40, 0, 40)
    assert (await stub.DescribeIndex(pb.DescribeIndexRequest())).indexes[0].users == 24


async def test_nobody_known_and_no_count_gives_the_whole_tiny_catalogue(
    stub: RetrievalServiceAsyncStub, bundle_id: str
) -> None:
    answer = await stub.RetrieveCandidates(pb.RetrieveCandidatesRequest(bundle_id=bundle_id))
    assert len(answer.rows) == 60 * 4


async def test_restricting_to_nothing_gives_nothing(stub: RetrievalServiceAsyncStub, bundle_id: str) -> None:
    answer = await stub.RetrieveCandidates(pb.RetrieveCandidatesRequest(bundle_id=bundle_id, restrict=True))
    assert answer.rows == b""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bundle_id": ""}, "bundle_id"),
        ({"exclude_rows": b"123"}, "exclude_rows"),
        ({"anchor_rows": b"\xff\xff\xff\xff"}, "anchor_rows[0]"),
        ({"filter": selection_pb2.Filter(expression="year > 1990")}, "filter"),
        ({"quotas": [pb.SourceQuota(source="popular", share=0.1)] * 2}, "quotas[1].source"),
        ({"weights": [pb.SourceWeight(source="popular", weight=1.0)] * 2}, "weights[1].source"),
        ({"sources": ["psychic"]}, "sources"),
        ({"candidate_count": -1}, "candidate_count"),
    ],
)
async def test_what_is_wrong_is_an_invalid_argument_that_names_it(
    stub: RetrievalServiceAsyncStub, bundle_id: str, changes: dict[str, object], said: str
) -> None:
    request = pb.RetrieveCandidatesRequest(**{"bundle_id": bundle_id, **changes})  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RetrieveCandidates(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in (caught.value.details() or "")


async def test_another_bundle_is_a_failed_precondition(stub: RetrievalServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RetrieveCandidates(pb.RetrieveCandidatesRequest(bundle_id="other"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_an_actors_embedding_is_the_one_that_candidates_come_with(
    stub: RetrievalServiceAsyncStub, bundle_id: str
) -> None:
    request = pb.EmbedActorRequest(bundle_id=bundle_id)
    request.actor.now_s = NOW_S
    request.actor.history_rows = array("I", [4]).tobytes()
    request.actor.history_values = array("f", [5.0]).tobytes()
    request.actor.history_times_s = array("d", [NOW_S - 1.0]).tobytes()
    alone = await stub.EmbedActor(request)
    asked = pb.RetrieveCandidatesRequest(bundle_id=bundle_id, candidate_count=7, actor=request.actor)
    assert alone.embedding == (await stub.RetrieveCandidates(asked)).actor_embedding
    assert alone.bundle_id == bundle_id
    request.actor.history_values = b""
    for wrong, code in (
        (request, grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedActorRequest(), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.EmbedActorRequest(bundle_id="other"), grpc.StatusCode.FAILED_PRECONDITION),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.EmbedActor(wrong)
        assert caught.value.code() is code


async def test_items_are_embedded_as_the_item_tower_says(stub: RetrievalServiceAsyncStub, bundle_id: str) -> None:
    """The tiny item tower is ``item_features @ weights``: one-hot rows give its rows, their sum the sum."""
    columns = np.concatenate((np.eye(4), [[1.0, 0.0, 1.0, 0.0]])).astype(np.float32)
    request = pb.EmbedItemsRequest(bundle_id=bundle_id, item_features=columns.tobytes())
    answer = await stub.EmbedItems(request)
    embeddings = np.frombuffer(answer.embeddings, np.float32).reshape(5, 9)
    assert answer.bundle_id == bundle_id
    assert np.ptp(embeddings[:4], axis=0).min() > 0.0
    np.testing.assert_allclose(embeddings[4], embeddings[0] + embeddings[2], rtol=1e-5)


async def test_the_index_describes_itself(stub: RetrievalServiceAsyncStub) -> None:
    (index,) = (await stub.DescribeIndex(pb.DescribeIndexRequest())).indexes
    assert (index.kind, index.size, index.dimension, index.measured_recall) == ("flat", 60, 9, 1.0)
    assert list(index.sources) == ["two_tower", "item_neighbours", "popular", "content", "newest"]
    assert not index.HasField("item_feed_age")
    assert list(index.item_columns) == [f"genres={genre}" for genre in GENRES]
    assert index.added_items == 0


async def test_without_a_bundle_the_service_is_unavailable(tmp_path: Path) -> None:
    settings = RetrievalSettings(bundle_store=tmp_path, feature_store_target="")
    async with running(RetrievalService(settings), wait_ready=False) as server, channel_to(server) as channel:
        stub = RetrievalServiceStub(channel)
        assert not (await stub.DescribeIndex(pb.DescribeIndexRequest())).indexes
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.RetrieveCandidates(pb.RetrieveCandidatesRequest(bundle_id="any"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("quotas", [{"psychic": 0.1}, {"popular": 1.5}, {"popular": 0.6, "two_tower": 0.6}])
def test_impossible_quotas_are_refused_at_the_start(quotas: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="quotas"):
        RetrievalSettings(quotas=quotas)
