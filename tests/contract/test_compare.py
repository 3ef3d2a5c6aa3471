"""One request by two bundles, against the whole platform in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BundleMismatch
from shortlist_domain.stages import RetrieveRequest, RetrieveResult
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import tiny_bundle

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN = actor_pb2.Actor(user_id="ann")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform after a release; its ``bundle_id`` is the bundle before."""
    folder: Path = tmp_path_factory.mktemp("platform")
    async with running_platform(folder) as platform:
        new = tiny_bundle(folder / "bundles", seed=1).bundle_id
        stub = RecommendationServiceStub(platform.channel)
        while (await stub.Recommend(ask(1), timeout=5)).meta.bundle.bundle_id != new:
            await asyncio.sleep(0.02)
        yield platform


@pytest.fixture(scope="module")
def stub(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


def ask(size: int = 8, **fields: object) -> pb.RecommendRequest:
    return pb.RecommendRequest(actor=ANN, slate_size=size, **fields)  # type: ignore[arg-type]


async def test_both_slates_are_what_each_bundle_recommends(
    platform: Platform, stub: RecommendationServiceAsyncStub
) -> None:
    old = platform.bundle_id
    both = await stub.CompareBundles(pb.CompareBundlesRequest(request=ask(), other_bundle_id=old), timeout=5)
    alone = [await stub.Recommend(ask(bundle_id=bundle_id), timeout=5) for bundle_id in ("", old)]
    for half, answer in zip((both.base, both.other), alone, strict=True):
        assert list(half.results) == list(answer.results)
        assert half.meta.bundle == answer.meta.bundle
        assert not half.meta.attribution_token
    base, other = ([result.item_id for result in half.results] for half in (both.base, both.other))
    assert list(both.overlap_at) == pytest.approx([len({*base[:k]} & {*other[:k]}) / k for k in range(1, 9)])
    assert both.overlap_at[-1] < 1.0, "the bundles do differ"
    assert [move.item_id for move in both.moves] == [*base, *(item for item in other if item not in base)]
    for move in both.moves:
        for slate, name in ((base, "base_rank"), (other, "other_rank")):
            place = slate.index(move.item_id) if move.item_id in slate else None
            assert (getattr(move, name) if move.HasField(name) else None) == place


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"request": None}, "request: is required"),
        ({"other_bundle_id": ""}, "other_bundle_id: is required"),
        ({"other_bundle_id": "b" * 129}, "other_bundle_id: is 129"),
        ({"base_bundle_id": "b" * 129}, "base_bundle_id: is 129"),
        ({"request_id": "r" * 257}, "request_id: is 257"),
        ({"request": ask(-1)}, "request.slate_size: is -1"),
        ({"request": ask(bundle_id="b")}, "request.bundle_id: "),
        ({"request": ask(validate_only=True)}, "request.validate_only: "),
    ],
)
async def test_bad_fields_are_named(stub: RecommendationServiceAsyncStub, fields: dict[str, object], said: str) -> None:
    request = pb.CompareBundlesRequest(**{"request": ask(), "other_bundle_id": "b", **fields})  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CompareBundles(request, timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in str(caught.value.details())


async def test_a_bundle_that_is_not_held_is_refused_with_those_that_are(
    platform: Platform, stub: RecommendationServiceAsyncStub
) -> None:
    request = pb.CompareBundlesRequest(request=ask(), other_bundle_id="tiny-0")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.CompareBundles(request, timeout=5)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert platform.bundle_id in str(caught.value.details())


async def test_a_bundle_that_a_stage_has_let_go_of_is_refused_and_not_made_up_for(
    platform: Platform, stub: RecommendationServiceAsyncStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, engine = platform.bundle_id, platform.service.retrieval.engine
    retrieve = engine.retrieve

    async def without_the_old(request: RetrieveRequest, deadline: Deadline) -> RetrieveResult:
        if request.bundle_id == old:
            raise BundleMismatch(old, ())
        return await retrieve(request, deadline)

    monkeypatch.setattr(engine, "retrieve", without_the_old)
    explained = pb.ExplainRecommendationRequest(item_id="item-000", request=ask(), what_if=pb.WhatIf(bundle_id=old))
    for call in (
        stub.CompareBundles(pb.CompareBundlesRequest(request=ask(), other_bundle_id=old), timeout=5),
        stub.ExplainRecommendation(explained, timeout=5),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert f"bundle {old!r} is not held" in str(caught.value.details())
