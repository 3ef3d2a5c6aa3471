"""Both clients against a real gateway, and against each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import BatchRecommendRequest, BatchRecommendResponse
from shortlist.gateway.v1.serving_config_service_pb2 import ServingConfig
from shortlist_client import AsyncClient, Client, first_page, named_filter, rating, violations
from shortlist_testing.platform import running_platform
from shortlist_testing.tiny_bundle import item_ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

ITEMS = item_ids(60)


async def test_the_async_client_writes_and_sees_what_it_wrote(tmp_path: Path) -> None:
    async with running_platform(tmp_path, users=True) as platform, AsyncClient(platform.address) as client:
        written = await client.write_events([rating(ITEMS[0], 5.0)], "ann")
        answer = await client.recommend(
            "ann", slate_size=5, item_fields=["title"], consistency_token=written.consistency_token
        )
        assert answer.meta.actor_known
        assert ITEMS[0] not in {result.item_id for result in answer.results}
        similar = await client.similar_items([ITEMS[0]], slate_size=3, exclude_item_ids=[ITEMS[4]])
        assert len(similar.results) == 3
        own = await client.similar_items([ITEMS[4]], user_id="ann", slate_size=60)
        assert ITEMS[0] not in {result.item_id for result in own.results}, "ann has seen it"
        relaxed = await client.recommend(
            "ann", filter="year > 3000", on_empty=selection_pb2.EMPTY_POLICY_RELAX_FILTER, slate_size=5
        )
        assert len(relaxed.results) == 5
        assert not (await client.recommend("ann", validate_only=True)).results
        late = selection_pb2.Comparison(field="year", operator=selection_pb2.COMPARISON_OPERATOR_GREATER, number=3000)
        tree = selection_pb2.FilterNode(negation=selection_pb2.FilterNode(comparison=late))
        few = await client.recommend("ann", filter=tree, slate_size=3, candidate_count=4, debug=True, request_id="r-1")
        assert (len(few.results), few.meta.request_id) == (3, "r-1")
        assert len(few.debug.results) == 3
        pin = selection_pb2.Constraints(pins=[selection_pb2.Pin(item_id=ITEMS[7], position=1)])
        pinned = await client.recommend("ann", constraints=pin, exclude_item_ids=[similar.results[0].item_id])
        assert pinned.results[1].item_id == ITEMS[7]
        assert similar.results[0].item_id not in {result.item_id for result in pinned.results}
        last = answer.results[4].item_id
        why = await client.explain_recommendation(last, attribution_token=answer.meta.attribution_token)
        assert why.explanation.rank == 4
        why = await client.explain_recommendation(last, "ann", slate_size=3, dropped_features=["user_mean"])
        assert why.explanation.scores.ranking_rank == 4
        assert why.HasField("what_if")
        both = await client.compare_bundles(platform.bundle_id, "ann", slate_size=3)
        assert list(both.overlap_at) == [1.0, 1.0, 1.0]
        following = await client.recommend_next(answer.meta.next_token, slate_size=2)
        assert [result.rank for result in following.results] == [5, 6]
        many = [f"nobody-{n}" for n in range(1000)]
        page = await client.recommend("ann", exclude_item_ids=many, slate_size=3)
        with pytest.raises(grpc.aio.AioRpcError, match="request: is required"):
            await client.recommend_next(page.meta.next_token)
        large = first_page("ann", exclude_item_ids=many, slate_size=3)
        following = await client.recommend_next(page.meta.next_token, request=large, request_id="r-2")
        assert [result.rank for result in following.results] == [3, 4, 5]
        assert following.meta.request_id == "r-2"
        told = await client.write_events([], "ann", attribution_token=answer.meta.attribution_token)
        assert told.impressions == 5
        alike = await client.similar_users("ann", user_count=4, events=[rating(ITEMS[0], 5.0)])
        assert len(alike.results) == 4
        suited = await client.recommend_users([ITEMS[0]], user_count=3)
        others = await client.recommend_users([ITEMS[0]], exclude_user_ids=[suited.results[0].user_id], user_count=2)
        assert [user.user_id for user in others.results] == [user.user_id for user in suited.results[1:]]
        order = await client.rerank_items(ITEMS[1:4], "ann")
        assert {result.item_id for result in order.results} == set(ITEMS[1:4])
        anonymous = await client.recommend(visitor_id="ann", events=[rating(ITEMS[0], 5.0)], attributes={"gender": "F"})
        assert not anonymous.meta.actor_known, "a visitor never reads a user's history"


async def test_serving_configs_are_put_read_and_taken_back(tmp_path: Path) -> None:
    home = ServingConfig(name="home", slate_size=3)
    async with running_platform(tmp_path) as platform, AsyncClient(platform.address) as client:
        configs = client.serving_configs
        assert (await configs.put(home, validate_only=True)).record.version == 0
        first = (await configs.put(home, expected_version=0)).record
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await configs.put(ServingConfig(name="home"), expected_version=0)
        assert caught.value.code() is grpc.StatusCode.ABORTED
        assert len((await client.recommend("ann", serving_config="home")).results) == 3
        second = (await configs.put(ServingConfig(name="home"), expected_version=first.version)).record
        assert (await configs.get("home", version=first.version)).record.config == home
        assert (await configs.rollback("home", expected_version=second.version)).record.config == home
        assert (await configs.get()).record.config.name == "default"
        await configs.delete("home")
        assert [record.config.name for record in (await configs.list()).records] == ["default"]
        versions = (await configs.versions("home")).records
        assert [record.is_deleted for record in versions] == [True, False, False, False]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await configs.put(ServingConfig(name="home", slate_size=1001))
        assert [wrong.field for wrong in violations(caught.value)] == ["config.slate_size"]


async def test_the_ordinary_client_gives_the_same_answers(tmp_path: Path) -> None:
    def ask(address: str) -> list[str]:
        with Client(address) as client:
            assert client.write_events([rating(ITEMS[2], 4.0, event_id="e", time_s=1e9)], "bob").written == 1
            assert client.similar_items([ITEMS[2]]).results
            assert client.explain_recommendation(ITEMS[2], "bob").explanation.heads
            assert client.compare_bundles(client.recommend("bob").meta.bundle.bundle_id, "bob").moves
            assert client.recommend_next(client.recommend("bob").meta.next_token).results
            assert client.similar_users("bob", attributes={"gender": "F"}).results
            assert client.recommend_users([ITEMS[2]]).results
            assert client.rerank_items([ITEMS[3]], "bob").results
            return [result.item_id for result in client.recommend("bob").results]

    async with running_platform(tmp_path, users=True) as platform, AsyncClient(platform.address) as client:
        ids = await asyncio.to_thread(ask, platform.address)
        assert ids == [result.item_id for result in (await client.recommend("bob")).results]


class Broken:
    """Two answers of a call and then the end of the replica."""

    def __init__(self, answers: grpc.aio.UnaryStreamCall[BatchRecommendRequest, BatchRecommendResponse]) -> None:
        self._answers = answers

    async def __aiter__(self) -> AsyncIterator[BatchRecommendResponse]:
        n = 0
        async for response in self._answers:
            if n == 2:
                nothing = grpc.aio.Metadata()
                raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "gone")
            n += 1
            yield response

    def cancel(self) -> bool:
        return self._answers.cancel()


class Breaking:
    """Calls that break."""

    def __init__(self, stub: RecommendationServiceAsyncStub) -> None:
        self.calls = 0
        self._stub = stub

    def BatchRecommend(self, request: BatchRecommendRequest, timeout: float) -> Broken:  # noqa: N802 - gRPC's name
        self.calls += 1
        return Broken(self._stub.BatchRecommend(request, timeout=timeout))


async def test_a_batch_goes_on_where_it_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [f"u{n}" for n in range(5)]
    async with running_platform(tmp_path) as platform, AsyncClient(platform.address) as client:
        whole = [one.actor.user_id async for one in client.batch_recommend(users, slate_size=2)]
        breaking = Breaking(client._recommendation)
        monkeypatch.setattr(client, "_recommendation", breaking)
        resumed = [one async for one in client.batch_recommend(users, slate_size=2)]
        assert [one.actor.user_id for one in resumed] == whole == users
        assert all(len(one.answer.results) == 2 for one in resumed)
        assert breaking.calls == 3

        def ordinary() -> list[int]:
            with Client(platform.address) as other:
                return [one.index for one in other.batch_recommend(users)]

        assert await asyncio.to_thread(ordinary) == [0, 1, 2, 3, 4]
        visitor = actor_pb2.Actor(visitor_id="v")
        mixed = [one async for one in client.batch_recommend(["u0", visitor], bundle_id=platform.bundle_id)]
        assert mixed[1].actor == visitor
        assert all(one.answer.meta.bundle.bundle_id == platform.bundle_id for one in mixed)


async def test_no_call_waits_for_ever() -> None:
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.recommend("ann", timeout_s=0.3)
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_values_of_a_named_filter_keep_their_kinds() -> None:
    at = datetime(2024, 1, 31, 12, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
    named = named_filter(
        "f", text='") OR id:*', number=3, flag=False, time=at, duration=timedelta(days=30), texts=["a", "b"]
    )
    assert named.name == "f"
    assert [(each.name, each.WhichOneof("value")) for each in named.parameters] == [
        (kind, kind) for kind in ("text", "number", "flag", "time", "duration", "texts")
    ]
    assert named.parameters[0].text == '") OR id:*'
    assert named.parameters[3].time.ToJsonString() == "2024-01-31T10:00:00.250Z"
    assert named.parameters[4].duration.ToJsonString() == "2592000s"
    assert list(named.parameters[5].texts.values) == ["a", "b"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), datetime(2024, 1, 31)])  # noqa: DTZ001
def test_values_that_mean_nothing_are_refused_before_they_are_sent(value: float | datetime) -> None:
    with pytest.raises(ValueError, match=r"finite|offset"):
        named_filter("f", value=value)


def test_a_rating_that_is_no_number_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="finite"):
        rating("a", float("nan"))
