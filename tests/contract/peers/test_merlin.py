"""What users of NVIDIA Merlin's multi-stage example asked for: every case of systems#207, and its kin."""

from __future__ import annotations

import asyncio
import struct
from array import array
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from shortlist_gateway.slate.chance import Pool, Softmax
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_retrieval.wiring import RetrievalService
from shortlist_testing.platform import Platform
from shortlist_testing.running import channel_to, running
from shortlist_testing.tiny_bundle import publish, tiny_files

from ..questions import actor, ask, causes, refused
from ..slates import GENRE_OF, ITEMS, NONE, N, ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub
    from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


def column(code: str, raw: bytes) -> array[int]:
    found = array(code)
    found.frombytes(raw)
    return found


async def test_systems_207_a_user_that_the_store_does_not_know(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """The pipeline broke on a user id without an entry in the feature store; nobody had said what should happen."""
    for fields in ({"user_id": user}, {"visitor_id": user}, {"tenant": "t", "user_id": user}):
        one = actor_pb2.Actor(**fields)
        answer = await recommendation.Recommend(pb.RecommendRequest(actor=one), timeout=5)
        assert len(answer.results) == 10
        assert not answer.meta.actor_known
        assert answer.meta.degradation.level == NONE, "a stranger is no fault"
    reranked = await recommendation.RerankItems(pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:5]), timeout=5)
    assert sorted(ids(reranked)) == sorted(ITEMS[:5])
    assert reranked.meta.degradation.level == NONE


@pytest.mark.parametrize("wanted", [N + 1, 2000])
async def test_systems_207_more_candidates_than_the_index_holds(platform: Platform, wanted: int) -> None:
    """Asked for more than it holds, FAISS fills up with -1, which the next stage took for an item."""
    stub = RetrievalServiceStub(await platform.stage_channel("retrieval"))
    request = retrieval_pb.RetrieveCandidatesRequest(bundle_id=platform.bundle_id, candidate_count=wanted)
    answer = await stub.RetrieveCandidates(request, timeout=5)
    assert sorted(column("I", answer.rows)) == list(range(N)), "each row once, and no other"
    assert len(column("f", answer.scores)) == N


async def test_systems_207_fewer_valid_candidates_than_asked_for_within_the_index(platform: Platform) -> None:
    """Even with fewer wanted than the index holds, a search can come up short; what is missing was padding."""
    stub = RetrievalServiceStub(await platform.stage_channel("retrieval"))
    left = [3, 17, 41]
    excluded = struct.pack(f"<{N - 3}I", *(row for row in range(N) if row not in left))
    for fields in ({"exclude_rows": excluded}, {"restrict": True, "allow_rows": struct.pack("<3I", *left)}):
        request = retrieval_pb.RetrieveCandidatesRequest(bundle_id=platform.bundle_id, candidate_count=20, **fields)
        answer = await stub.RetrieveCandidates(request, timeout=5)
        assert sorted(column("I", answer.rows)) == left
        for source in answer.sources:
            assert all(at < 3 for at in column("I", source.candidates))


async def test_systems_207_items_that_the_store_does_not_know(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """Items came out of the index that the feature store had never heard of, and the ranker's input was not whole."""
    store = FeatureStoreServiceStub(await platform.stage_channel("feature-store"))
    names = ["item_count", "item_mean"]
    asked = store_pb.GetFeaturesRequest(entity=store_pb.FEATURE_ENTITY_ITEM, entity_ids=ITEMS[50:], feature_names=names)
    for one in (await store.GetFeatures(asked, timeout=5)).columns:
        assert set(one.statuses) == {store_pb.FEATURE_STATUS_MISSING}, "the store knows none of them"
    answer = await recommendation.Recommend(ask(user, slate_size=N), timeout=5)
    assert set(ITEMS[50:]) <= set(ids(answer))
    assert answer.meta.degradation.ranked_fraction == 1.0
    assert answer.meta.degradation.level == NONE


async def test_systems_207_fewer_candidates_than_places_in_the_slate(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """With fewer candidates than results asked for, the request failed instead of giving those that there were."""
    condition = selection_pb2.Filter(expression='genres:"Comedy" AND year < 1990')
    whole = await recommendation.Recommend(ask(user, slate_size=N, filter=condition), timeout=5)
    answer = await recommendation.Recommend(ask(user, slate_size=20, candidate_count=20, filter=condition), timeout=5)
    assert 0 < len(ids(answer)) < 20
    assert ids(answer) == ids(whole)
    assert {GENRE_OF[item] for item in ids(answer)} == {"Comedy"}
    assert causes(answer) == {"SHORT_SLATE"}


async def test_systems_207_nulls_in_user_and_item_ids_and_in_attributes(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    """Real data had nulls among its user and item ids, and serving fell over them."""
    said = await refused(recommendation.Recommend(pb.RecommendRequest(actor=actor_pb2.Actor()), timeout=5))
    assert said.startswith("actor.user_id: is required")
    events = [actor_pb2.Event(value=4.0), actor_pb2.Event(item_id=ITEMS[0], value=4.0)]
    written = await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=events), timeout=5)
    assert [rejection.field for rejection in written.rejections] == ["events[0].item_id"]
    assert written.written == 1
    answer = await recommendation.Recommend(ask(user, slate_size=N), timeout=5)
    assert set(ids(answer)) == set(ITEMS[1:]), "items without a year or a language are served like others"
    nothing = actor_pb2.Context(attributes=[actor_pb2.Attribute(name="gender")])
    said = await refused(recommendation.Recommend(ask(user, context=nothing), timeout=5))
    assert said.startswith("context.attributes[0].value: must be a text")


async def test_merlin_760_an_index_that_cannot_be_read_is_said_and_the_next_one_serves(tmp_path: Path) -> None:
    """After the index was read no model became ready, nothing said why, and only a new start could help."""
    publish(tmp_path, tiny_files() | {"index.faiss": b"not an index"})
    service = RetrievalService(RetrievalSettings(bundle_store=tmp_path, bundle_poll_s=0.05, feature_store_target=""))
    async with running(service, wait_ready=False) as server, channel_to(server) as channel:
        health, stub = health_pb2_grpc.HealthStub(channel), RetrievalServiceStub(channel)
        async with asyncio.timeout(10):
            while "index" not in await refused(ask_for_one(stub, "any"), grpc.StatusCode.UNAVAILABLE):
                await asyncio.sleep(0.05)
        alive = await health.Check(health_pb2.HealthCheckRequest(service="liveness"), timeout=5)
        assert alive.status == health_pb2.HealthCheckResponse.SERVING
        ready = await health.Check(health_pb2.HealthCheckRequest(service=service.rpc_names[0]), timeout=5)
        assert ready.status == health_pb2.HealthCheckResponse.NOT_SERVING
        release = publish(tmp_path, tiny_files())
        async with asyncio.timeout(10):
            while not service.is_ready():
                await asyncio.sleep(0.05)
        assert len((await ask_for_one(stub, release.bundle_id)).rows) == 4


async def ask_for_one(stub: RetrievalServiceAsyncStub, bundle_id: str) -> retrieval_pb.RetrieveCandidatesResponse:
    request = retrieval_pb.RetrieveCandidatesRequest(bundle_id=bundle_id, candidate_count=1)
    return await stub.RetrieveCandidates(request, timeout=5)


@pytest.mark.parametrize(
    "scores", [[-5.0, -6.0, -7.0], [3e4, 2e4, -3e4], [-3e38, -3.1e38, -3.2e38], [1.0, 0.0, -1.0], [0.5, -0.25, -0.25]]
)
@pytest.mark.parametrize("temperature", [1e-6, 0.2, 100.0])
async def test_merlin_softmax_of_negative_and_of_large_scores(scores: list[float], temperature: float) -> None:
    """Its sampling divides by the sum of the scores, so that a negative one turns the order; exp overflows."""
    softmax = Softmax(Pool(scores, [0.5] * 3, []), temperature)
    first = [softmax.propensities([place])[0] for place in range(3)]
    assert first == sorted(first, reverse=True), "the better an item, the likelier it comes first"
    assert sum(first) == pytest.approx(1.0)
    assert all(0.0 < one <= 1.0 for one in first)
    assert sorted(softmax.draw(Random(1), 3)) == [0, 1, 2]
