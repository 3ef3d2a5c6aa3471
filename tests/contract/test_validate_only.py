"""``validate_only`` of every call that has it: all of the request is checked, and no stage and no store is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
import pytest_asyncio

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform

from .config_calls import Configs
from .questions import actor, ask, ratings, refused
from .slates import ITEMS, boost, cap, explore, promote, spread

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTEXT = actor_pb2.Context(events=ratings(*ITEMS[:3]), attributes=[actor_pb2.Attribute(name="gender", text="F")])
EVERYTHING = selection_pb2.Constraints(
    exclude_item_ids=ITEMS[5:7],
    attribute_caps=[cap(3)],
    pins=[selection_pb2.Pin(item_id=ITEMS[9], position=1)],
    promotions=[promote('genres:"Western"', 1)],
    boosts=[boost('genres:"Drama" AND NOT seen()', 2.0)],
    diversity=spread(selection_pb2.DIVERSITY_METHOD_DPP, 0.5),
    exploration=explore(selection_pb2.EXPLORATION_METHOD_SOFTMAX, 2, 0.5),
    minimum_click_probability=0.1,
)
FILTER = selection_pb2.Filter(
    expression='year >= 1980 AND NOT seen("rating", 30d) AND actor.gender = "F"',
    on_empty=selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform"), users=True) as platform:
        configs = Configs(platform.channel)
        await configs.put("safe", sources=[{"source": "popular"}])
        await configs.put("home", fallback_config="safe", head_weights=[{"head": "rating", "weight": 1}])
        yield platform


class Touched(list[str]):
    """What was asked of the stages."""

    def watch(self, monkeypatch: pytest.MonkeyPatch, stage: Any, name: str) -> None:
        """Note the calls of a method and let them through."""
        asked: Callable[..., Awaitable[Any]] = getattr(stage, name)

        async def noting(*arguments: Any, **named: Any) -> Any:
            self.append(name)
            return await asked(*arguments, **named)

        monkeypatch.setattr(stage, name, noting)


@pytest.fixture
def touched(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Touched:
    touched, service = Touched(), platform.service
    for name in ("retrieve", "retrieve_users", "embed_actor"):
        touched.watch(monkeypatch, service.retrieval.engine, name)
    touched.watch(monkeypatch, service.ranking.engine, "rank")
    for name in ("read_actor", "append_events", "append_slates"):
        touched.watch(monkeypatch, service.features.store(), name)
    return touched


def calls(stub: Any, *, is_dry: bool) -> list[tuple[Any, Any, set[str]]]:
    """Return each call that can be dry, a request of it, and what it touches where it is not."""
    rich = ask(
        "ann",
        context=CONTEXT,
        filter=FILTER,
        constraints=EVERYTHING,
        serving_config="home",
        item_fields=["title"],
        debug_level=pb.DEBUG_LEVEL_FULL,
        validate_only=is_dry,
    )
    unseen = selection_pb2.Filter(expression='NOT seen("rating", 30d)')
    similar = pb.SimilarItemsRequest(
        item_ids=ITEMS[:2], actor=actor("ann"), filter=unseen, serving_config="home", validate_only=is_dry
    )
    rerank = pb.RerankItemsRequest(
        actor=actor("ann"), item_ids=ITEMS[:5], context=CONTEXT, serving_config="home", validate_only=is_dry
    )
    users = pb.SimilarUsersRequest(actor=actor("ann"), context=CONTEXT, validate_only=is_dry)
    suited = pb.RecommendUsersRequest(item_ids=ITEMS[:2], validate_only=is_dry)
    return [
        (stub.Recommend, rich, {"read_actor", "retrieve", "rank"}),
        (stub.SimilarItems, similar, {"read_actor", "retrieve"}),
        (stub.RerankItems, rerank, {"read_actor", "rank"}),
        (stub.SimilarUsers, users, {"read_actor", "retrieve_users"}),
        (stub.RecommendUsers, suited, {"retrieve_users"}),
    ]


async def test_validating_touches_no_stage_no_store_and_no_model(platform: Platform, touched: Touched) -> None:
    stub = RecommendationServiceStub(platform.channel)
    for call, request, _ in calls(stub, is_dry=True):
        answer = await call(request)
        assert not answer.results
        assert not answer.meta.stages
        assert not answer.meta.attribution_token, "nothing was shown"
        assert answer.meta.bundle.bundle_id == platform.bundle_id
    assert touched == []
    for call, request, expected in calls(stub, is_dry=False):
        touched.clear()
        assert (await call(request)).results
        assert set(touched) == expected, "the same requests touch them where they are meant"


async def test_what_is_wrong_is_found_without_touching_any(platform: Platform, touched: Touched) -> None:
    stub: Any = RecommendationServiceStub(platform.channel)
    unknown = selection_pb2.Filter(expression="colour = 1")
    boosted = selection_pb2.Constraints(boosts=[boost("colour = 1", 2.0)])
    for request, code, said in (
        (ask("ann", slate_size=-1), grpc.StatusCode.INVALID_ARGUMENT, "slate_size: is -1"),
        (ask("ann", filter=unknown), grpc.StatusCode.INVALID_ARGUMENT, "filter.expression: there is no attribute"),
        (ask("ann", constraints=boosted), grpc.StatusCode.INVALID_ARGUMENT, "constraints.boosts[0].filter.expression"),
        (ask("ann", serving_config="nowhere"), grpc.StatusCode.NOT_FOUND, "'nowhere'"),
        (ask("ann", bundle_id="another"), grpc.StatusCode.FAILED_PRECONDITION, "'another' is not held"),
    ):
        request.validate_only = True
        assert said in await refused(stub.Recommend(request), code)
    assert touched == []


async def test_ids_that_the_catalogue_lacks_are_told_as_in_the_answer(platform: Platform, touched: Touched) -> None:
    stub: Any = RecommendationServiceStub(platform.channel)
    constraints = selection_pb2.Constraints(
        exclude_item_ids=["no-1"],
        include_item_ids=[*ITEMS, "no-2"],
        pins=[selection_pb2.Pin(item_id="no-3")],
    )
    context = actor_pb2.Context(events=ratings("no-4"), item_ids_in_view=["no-5"])
    calls_with_ids: list[tuple[Any, Any]] = [
        (stub.Recommend, ask("ann", constraints=constraints, context=context)),
        (stub.SimilarItems, pb.SimilarItemsRequest(item_ids=[ITEMS[0], "no-6"], constraints=constraints)),
        (stub.RerankItems, pb.RerankItemsRequest(actor=actor("ann"), item_ids=["no-7", ITEMS[0]], context=context)),
    ]
    for call, request in calls_with_ids:
        missing = set((await call(request)).meta.missing_ids)
        assert len(missing) > 2
        touched.clear()
        request.validate_only = True
        assert set((await call(request)).meta.missing_ids) == missing
    nothing = pb.SimilarItemsRequest(item_ids=["no-1", "no-2"], validate_only=True)
    assert "none of the items" in await refused(stub.SimilarItems(nothing), grpc.StatusCode.NOT_FOUND)
    assert touched == []
