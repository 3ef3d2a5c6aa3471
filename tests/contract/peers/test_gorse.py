"""What users of Gorse complained of, as far as no other test shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import UpstreamFailed
from shortlist_domain.stages import ActorKey, Event
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import Limits
from shortlist_testing.platform import Platform
from shortlist_testing.redis import running_valkey
from shortlist_testing.tiny_bundle import tiny_attributes

from ..questions import actor, ask, causes, ratings
from ..slates import GENRE_OF, ITEMS, N, ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

Answer = pb.RecommendResponse | pb.RecommendNextResponse | pb.SimilarItemsResponse
STAGES = ("retrieval", "ranking", "features")


@contextlib.contextmanager
def away(platform: Platform, *stages: str) -> Iterator[None]:
    """Let stages of the platform fail while the context lasts."""

    async def fail(*_: object, **__: object) -> Any:
        raise UpstreamFailed("test", "away")

    with pytest.MonkeyPatch.context() as patch:
        if "retrieval" in stages:
            patch.setattr(platform.service.retrieval.engine, "retrieve", fail)
        if "ranking" in stages:
            patch.setattr(platform.service.ranking.engine, "rank", fail)
        if "features" in stages:
            patch.setattr(platform.service.features.store(), "read_actor", fail)
        yield


@pytest.mark.parametrize("failing", [(), ("retrieval",), ("ranking",), ("features",), STAGES])
async def test_gorse_764_and_628_what_is_hidden_or_expired_is_on_no_list_whatever_fails(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, failing: tuple[str, ...]
) -> None:
    """Hidden items, and those past their time to live, came back from caches and from the lists that stand in."""
    offered = 'in_colour = true AND released > 2023-10-01T00:00:00Z AND NOT id:("item-000", "item-004")'
    columns = {name: values for name, (_, values) in tiny_attributes(N).items()}
    fine = {
        item
        for item, in_colour, released in zip(ITEMS, columns["in_colour"], columns["released"], strict=True)
        if in_colour is True and (released or 0.0) > 1_696_118_400 and item not in ("item-000", "item-004")
    }
    condition = selection_pb2.Filter(expression=offered)
    with away(platform, *failing):
        answer = await recommendation.Recommend(ask(user, filter=condition, slate_size=5), timeout=5)
        similar = pb.SimilarItemsRequest(item_ids=["item-008"], filter=condition, slate_size=N)
        pages: list[Answer] = [answer, await recommendation.SimilarItems(similar, timeout=5)]
        if answer.meta.next_token:
            following = pb.RecommendNextRequest(next_token=answer.meta.next_token, slate_size=50)
            pages.append(await recommendation.RecommendNext(following, timeout=5))
    assert answer.results
    assert bool(causes(answer) - {"SHORT_SLATE"}) is bool(failing), "what fails is declared"
    for page in pages:
        assert set(ids(page)) <= fine


async def test_gorse_151_and_357_three_events_in_the_request_make_a_newcomers_list_its_own(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """Without feedback there was nothing but popular and latest items, for everybody the same."""
    stranger = ids(await recommendation.Recommend(ask(user), timeout=5))
    westerns = [item for item in ITEMS if GENRE_OF[item] == "Western"]
    context = actor_pb2.Context(events=ratings(*westerns[:3]))
    after_three = await recommendation.Recommend(ask(user, context=context), timeout=5)
    assert not after_three.meta.actor_known, "nothing was written"
    assert ids(after_three) != stranger
    kinds = {reason.kind for result in after_three.results for reason in result.reasons}
    assert answer_pb2.REASON_KIND_SIMILAR_ITEM in kinds


async def test_gorse_890_892_and_1006_reads_keep_nothing_and_no_key_grows_without_bound(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    """Lists cached for every user filled Redis without end, in keys so large that reading one blocked the others."""
    size = platform.valkey.command("DBSIZE")
    for number in range(50):
        await recommendation.Recommend(ask(f"{user}-{number}", slate_size=50), timeout=5)
    assert platform.valkey.command("DBSIZE") == size, "an answer is made, not kept"
    for item in ITEMS[:30]:
        await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(item)), timeout=5)
    keys = int(platform.valkey.command("DBSIZE")[1:]) - int(size[1:])
    assert keys <= 2 + 4, "of an actor events and state; of a tenant counts, sums, changes and freshness"
    limits = Limits(
        max_events_per_actor=50, max_impressions_per_actor=20, item_change_log_length=100, slate_log_length=100
    )
    with running_valkey() as valkey:
        store = RedisStore(RedisLink(valkey.url), limits)
        lengths = []
        for turn in range(6):
            for start in range(0, 200, 50):
                events = [
                    Event(f"i{n % 90}", 1.0, 1e9 + turn * 1e3 + n, event_id=f"{turn}-{n}")
                    for n in range(start, start + 50)
                ]
                await store.append_events(ActorKey("", "u/1"), events, Deadline.after(5.0))
                await store.append_slates([b"x"] * 50, Deadline.after(5.0))
            lengths.append(_lengths(valkey))
        await store.aclose()
    assert lengths[-1] == lengths[1], f"four times as much, and nothing is longer: {lengths}"


def _lengths(valkey: Any) -> dict[str, int]:
    """Return the number of entries of each key, by how its kind is counted."""
    counted = {}
    for name, command in {
        "sl:{a::u%2F1}:events": "HLEN",
        "sl:{a::u%2F1}:state": "HLEN",
        "sl:{i:}:counts": "HLEN",
        "sl:{i:}:sums": "HLEN",
        "sl:slates": "XLEN",
    }.items():
        counted[name] = int(valkey.command(command, name)[1:])
        assert counted[name] > 0, name
    return counted
