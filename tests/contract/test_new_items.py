"""A new item between two trainings: found, ranked and recommended by the same gateway, without a call that fails."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from shortlist_bundle.store import BundleStore
from shortlist_cli.new_items import add_items
from shortlist_testing.platform import Platform

from .config_calls import Configs
from .questions import actor, ask, ratings, refused, shown
from .slates import ITEMS

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "a-new-item"
"""Before every other id, and in the last row."""

ONLY_NEW = selection_pb2.Filter(expression='language = "eo"')
WITHIN_S = 10.0
PLATFORM = {"users": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def extended(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> list[pb.RecommendResponse]:
    """Add the item while calls go on, and return their answers."""
    answers: list[pb.RecommendResponse] = []
    async with traffic(platform, answers):
        while not answers:
            await asyncio.sleep(0.01)
        table = tmp_path_factory.mktemp("items") / "new.csv"
        table.write_text(
            "item_id,title,genres,year,language,in_colour,tags,released\n"
            f"{NEW},A New Comedy,Comedy,2023,eo,yes,t1|fresh,2023-11-14T00:00:00Z\n"
        )
        added = await asyncio.to_thread(add_items, BundleStore(platform.bundles), table)
        assert added is not None
        async with asyncio.timeout(WITHIN_S):
            while answers[-1].meta.bundle.bundle_id != added.bundle.bundle_id:
                await asyncio.sleep(0.01)
        seen = len(answers)
        while len(answers) < seen + 10:
            await asyncio.sleep(0.01)
    return answers


@contextlib.asynccontextmanager
async def traffic(platform: Platform, answers: list[pb.RecommendResponse]) -> AsyncIterator[None]:
    stub, stop = RecommendationServiceStub(platform.channel), asyncio.Event()

    async def call() -> None:
        while not stop.is_set():
            answers.append(await stub.Recommend(ask(f"u{len(answers) % 20}", slate_size=60), timeout=5))
            await asyncio.sleep(0.002)

    task = asyncio.create_task(call())
    try:
        yield
    finally:
        stop.set()
        await task


async def test_an_item_that_no_bundle_has_is_missing(platform: Platform) -> None:
    """First of the module: what follows adds it."""
    stub = RecommendationServiceStub(platform.channel)
    await refused(stub.SimilarItems(pb.SimilarItemsRequest(item_ids=[NEW])), grpc.StatusCode.NOT_FOUND)
    answer = await stub.RerankItems(pb.RerankItemsRequest(actor=actor("ann"), item_ids=[NEW, ITEMS[0]]))
    assert list(answer.meta.missing_ids) == [NEW]
    assert not (await stub.Recommend(ask("ann", filter=ONLY_NEW))).results


async def test_no_call_fails_or_mixes_while_an_item_is_added(extended: list[pb.RecommendResponse]) -> None:
    assert {answer.meta.degradation.level for answer in extended} == {answer_pb2.DEGRADATION_LEVEL_NONE}
    order = [answer.meta.bundle.bundle_id for answer in extended]
    before, after = order[0], order[-1]
    assert order == [before] * order.count(before) + [after] * order.count(after), "one swap, and no way back"
    assert {NEW in shown(answer) for answer in extended if answer.meta.bundle.bundle_id == before} == {False}


@pytest.mark.usefixtures("extended")
class TestOnceAdded:
    async def test_items_like_it_are_found(self, platform: Platform) -> None:
        stub = RecommendationServiceStub(platform.channel)
        answer = await stub.SimilarItems(pb.SimilarItemsRequest(item_ids=[NEW], slate_size=5, item_fields=["title"]))
        assert len(answer.results) == 5
        assert NEW not in shown(answer)
        assert not answer.meta.missing_ids

    async def test_retrieval_says_that_it_was_added(self, platform: Platform) -> None:
        stub = RetrievalServiceStub(await platform.stage_channel("retrieval"))
        (index,) = (await stub.DescribeIndex(retrieval_pb.DescribeIndexRequest())).indexes
        assert (index.size, index.added_items) == (61, 1)

    async def test_it_is_ranked(self, platform: Platform) -> None:
        request = pb.RerankItemsRequest(actor=actor("ann"), item_ids=[NEW, ITEMS[0]], item_fields=["title", "genres"])
        answer = await RecommendationServiceStub(platform.channel).RerankItems(request)
        assert not answer.meta.missing_ids
        (new,) = (result for result in answer.results if result.item_id == NEW)
        assert 0.0 <= new.heads.click_probability <= 1.0
        assert math.isfinite(new.heads.rating)
        assert {field.name: list(field.texts.values) or field.text for field in new.fields} == {
            "title": "A New Comedy",
            "genres": ["Comedy"],
        }

    async def test_it_is_recommended_where_only_it_passes(self, platform: Platform) -> None:
        answer = await RecommendationServiceStub(platform.channel).Recommend(ask("ann", filter=ONLY_NEW))
        assert shown(answer) == [NEW]
        assert "two_tower" in {word.source for word in answer.results[0].provenance}
        assert answer.results[0].HasField("heads")

    @pytest.mark.parametrize(
        "expression",
        ["year = 2023", "in_colour = true AND tags:fresh", 'released >= "2023-11-13T23:00:00Z" AND tags:fresh'],
    )
    async def test_each_kind_of_attribute_finds_it(self, platform: Platform, expression: str) -> None:
        condition = selection_pb2.Filter(expression=expression)
        answer = await RecommendationServiceStub(platform.channel).Recommend(ask("ann", filter=condition))
        assert shown(answer) == [NEW]


@pytest.mark.usefixtures("extended")
async def test_an_event_on_it_counts_as_seen_and_harms_no_answer(platform: Platform, user: str) -> None:
    """No model knows its row: alone in a history, in the middle of one, and as the last event."""
    stub, events = RecommendationServiceStub(platform.channel), EventServiceStub(platform.channel)
    for history in ((NEW,), (ITEMS[4], NEW, ITEMS[8]), (ITEMS[4], ITEMS[8], NEW)):
        who = f"{user}-{'-'.join(history)}"
        written = await events.WriteEvents(
            events_pb.WriteEventsRequest(actor=actor(who), events=ratings(*history)), timeout=5
        )
        assert not written.missing_ids
        token = written.consistency_token
        answer = await stub.Recommend(ask(who, slate_size=58, consistency_token=token), timeout=5)
        assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
        assert {word.source for result in answer.results for word in result.provenance} >= {"two_tower", "popular"}
        assert not set(history) & set(shown(answer))
        assert len(answer.results) == 58


@pytest.mark.usefixtures("extended")
async def test_nothing_is_to_somebodys_taste_who_did_nothing_that_a_model_knows(platform: Platform, user: str) -> None:
    stub = RecommendationServiceStub(platform.channel)

    async def kinds(*in_view: str) -> set[int]:
        context = actor_pb2.Context(item_ids_in_view=in_view)
        answer = await stub.Recommend(ask(user, slate_size=20, context=context), timeout=5)
        return {reason.kind for result in answer.results for reason in result.reasons}

    assert await kinds(NEW) == {answer_pb2.REASON_KIND_POPULAR}
    assert answer_pb2.REASON_KIND_TASTE in await kinds(ITEMS[4], NEW)


async def test_an_item_is_withdrawn_at_once_by_the_default_config(platform: Platform, user: str) -> None:
    """As README says: without a release, for every caller who names no other config."""
    stub, configs = RecommendationServiceStub(platform.channel), Configs(platform.channel)

    async def slate() -> list[str]:
        return shown(await stub.Recommend(ask(user, slate_size=61), timeout=5))

    async def like_it() -> list[str]:
        request = pb.SimilarItemsRequest(item_ids=[ITEMS[0]], slate_size=60)
        return shown(await stub.SimilarItems(request, timeout=5))

    withdrawn = ITEMS[4]
    assert withdrawn in await slate()
    assert withdrawn in await like_it()
    await configs.put("default", constraints=selection_pb2.Constraints(exclude_item_ids=[withdrawn]))
    async with asyncio.timeout(WITHIN_S):
        while withdrawn in await slate() or withdrawn in await like_it():
            await asyncio.sleep(0.01)
    await configs.delete("default")
    async with asyncio.timeout(WITHIN_S):
        while withdrawn not in await slate() or withdrawn not in await like_it():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("extended")
async def test_users_to_whom_it_is_worth_showing_are_found(platform: Platform) -> None:
    stub = RecommendationServiceStub(platform.channel)
    answer = await stub.RecommendUsers(pb.RecommendUsersRequest(item_ids=[NEW], user_count=24))
    found = {user.user_id: user.lift for user in answer.results}
    assert (len(found), list(answer.meta.missing_ids)) == (24, [])
    assert sum(found.values()) / 24 == pytest.approx(1.0, rel=1e-4)
    assert max(found.values()) > min(found.values()) > 0.0, "what it is says whom it suits"
