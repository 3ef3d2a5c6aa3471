"""Releases under traffic: no call fails, no answer is degraded, and each is made by one bundle."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle.store import BundleStore
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import tiny_bundle

SWAPS = 5
WITHIN_S = 10.0


async def call_until(stop: asyncio.Event, platform: Platform, answers: list[pb.RecommendResponse]) -> None:
    stub = RecommendationServiceStub(platform.channel)
    while not stop.is_set():
        user = actor_pb2.Actor(user_id=f"u{len(answers) % 20}")
        answers.append(await stub.Recommend(pb.RecommendRequest(actor=user, slate_size=5), timeout=5))
        await asyncio.sleep(0.005)


async def serves(bundle_id: str, answers: list[pb.RecommendResponse]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not answers or answers[-1].meta.bundle.bundle_id != bundle_id:
            await asyncio.sleep(0.01)


async def test_swapping_under_traffic_fails_and_degrades_nothing(tmp_path: Path) -> None:
    async with running_platform(tmp_path) as platform:
        store, stop = tmp_path / "bundles", asyncio.Event()
        answers: list[pb.RecommendResponse] = []
        traffic = asyncio.create_task(call_until(stop, platform, answers))
        bundles = [platform.bundle_id]
        for seed in range(1, SWAPS + 1):
            bundles.append((await asyncio.to_thread(tiny_bundle, store, seed=seed)).bundle_id)
            await serves(bundles[-1], answers)
        BundleStore(store).publish(bundles[0], SWAPS + 1)
        await serves(bundles[0], answers)
        stop.set()
        await traffic
    assert {len(answer.results) for answer in answers} == {5}
    assert {answer.meta.degradation.level for answer in answers} == {answer_pb2.DEGRADATION_LEVEL_NONE}
    order = [answer.meta.bundle.bundle_id for answer in answers]
    changes = [now for before, now in zip(["", *order], order, strict=False) if now != before]
    assert changes == [*bundles, bundles[0]], "each release served once, in order"


async def test_a_damaged_release_changes_nothing_for_callers(tmp_path: Path) -> None:
    async with running_platform(tmp_path) as platform:
        store, stop = tmp_path / "bundles", asyncio.Event()
        answers: list[pb.RecommendResponse] = []
        traffic = asyncio.create_task(call_until(stop, platform, answers))
        bad = await asyncio.to_thread(BundleStore(store).open, BundleStore(store).releases()[0])
        broken = {name: bytes(bad.read(name)) for name in bad.manifest.files}
        broken["ranker.onnx"] = b"not a model"
        added = BundleStore(store).add(broken, bad.manifest)
        BundleStore(store).publish(added.bundle_id, 1)
        await asyncio.sleep(1.0)
        stop.set()
        await traffic
    assert {answer.meta.bundle.bundle_id for answer in answers} == {platform.bundle_id}
    assert {answer.meta.degradation.level for answer in answers} == {answer_pb2.DEGRADATION_LEVEL_NONE}
