"""What users of Feast complained of: counted in commands and round trips to Redis, not in milliseconds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from pydantic import SecretStr

from shortlist.common.v1 import actor_pb2
from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as recommendation_pb
from shortlist_domain.features import Entity
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.views import kept_features
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_testing.platform import Platform
from shortlist_testing.redis import RunningValkey, running_valkey
from shortlist_testing.running import channel_to, running

from ..questions import actor, ask, ratings
from ..slates import ITEMS

if TYPE_CHECKING:
    from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceAsyncStub
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Alone:
    """A feature store and a Valkey that nobody else asks."""

    stub: FeatureStoreServiceAsyncStub
    valkey: RunningValkey

    async def cost(self, call: Awaitable[object]) -> tuple[int, dict[str, int]]:
        """Return in how many exchanges with Redis ``call`` is answered, and how often it gives which command."""
        exchanges, commands = used(self.valkey)
        await call
        then, after = used(self.valkey)
        # Two more are the end of the first question's connection, and the second question.
        return then - exchanges - 2, {name: n - commands[name] for name, n in after.items() if n != commands[name]}


def used(valkey: RunningValkey) -> tuple[int, Counter[str]]:
    """Return how often Redis read something from somebody so far, a pipeline at a time, and its commands."""
    said = valkey.command("INFO", "commandstats", "stats").decode()
    reads = re.search(r"total_reads_processed:(\d+)", said)
    assert reads
    counted = {name: int(n) for name, n in re.findall(r"cmdstat_([\w|]+):calls=(\d+)", said) if name != "info"}
    return int(reads[1]), Counter(counted)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alone() -> AsyncIterator[Alone]:
    with running_valkey() as valkey:
        service = FeatureStoreService(FeatureStoreSettings(redis_url=SecretStr(valkey.url)))
        async with running(service) as server, channel_to(server) as channel:
            stub = FeatureStoreServiceStub(channel)
            await stub.GetFreshness(pb.GetFreshnessRequest(), timeout=5)  # its connection is made now
            yield Alone(stub, valkey)


@pytest.mark.parametrize(("entity", "ids", "exchanges"), [(Entity.USER, ["u/a"], 1), (Entity.ITEM, ITEMS[:20], 2)])
async def test_feast_3442_reads_do_not_multiply_with_the_number_of_views(
    alone: Alone, entity: Entity, ids: list[str], exchanges: int
) -> None:
    """Reading the same rows out of more feature views took as many times as long: each view was read by itself."""
    names = [spec.name for spec in kept_features(entity)]
    assert len(names) > 1
    number = pb.FEATURE_ENTITY_USER if entity is Entity.USER else pb.FEATURE_ENTITY_ITEM
    costs = []
    for asked in (names[:1], names):
        request = pb.GetFeaturesRequest(entity=number, entity_ids=ids, feature_names=asked)
        costs.append(await alone.cost(alone.stub.GetFeatures(request, timeout=5)))
    assert costs[0] == costs[1]
    assert costs[0][0] == exchanges


async def test_feast_3440_views_are_known_without_asking_the_store(alone: Alone) -> None:
    """Every read resolved its feature views anew, milliseconds before the first row was looked at."""
    assert await alone.cost(alone.stub.DescribeViews(pb.DescribeViewsRequest(), timeout=5)) == (0, {})
    read = pb.ReadActorRequest(key=pb.ActorKey(actor_id="u/nobody"))
    exchanges, commands = await alone.cost(alone.stub.ReadActor(read, timeout=5))
    assert exchanges == 1
    assert set(commands) <= {"multi", "exec", "hgetall"}, "what is read is the actor"


async def test_feast_pr_1511_nothing_walks_through_all_keys(
    platform: Platform,
    recommendation: RecommendationServiceAsyncStub,
    event: EventServiceAsyncStub,
    user: str,
) -> None:
    """A review found KEYS, which blocks Redis for everybody, on the way of a request."""
    store = FeatureStoreServiceStub(await platform.stage_channel("feature-store"))
    key = pb.ActorKey(actor_id=f"u/{user}")
    await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(*ITEMS[:5])), timeout=5)
    await recommendation.Recommend(ask(user), timeout=5)
    await recommendation.SimilarItems(recommendation_pb.SimilarItemsRequest(item_ids=ITEMS[:1]), timeout=5)
    gender = [actor_pb2.Attribute(name="gender", text="F")]
    await store.WriteFeatures(pb.WriteFeaturesRequest(key=key, attributes=gender), timeout=5)
    await store.GetHistory(pb.GetHistoryRequest(key=key), timeout=5)
    await store.GetFreshness(pb.GetFreshnessRequest(), timeout=5)
    async for _ in store.WatchItems(pb.WatchItemsRequest(), timeout=5):
        break
    assert (await store.EraseActor(pb.EraseActorRequest(key=key), timeout=5)).verified
    given = {name.split("|")[0] for name in used(platform.valkey)[1]}
    assert {"hset", "multi"} <= given, "the statistics are of this platform"
    assert not given & {"keys", "scan", "smembers", "flushdb", "flushall", "sort", "eval"}
