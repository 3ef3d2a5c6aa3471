"""Sends requests at fixed intervals and keeps what came back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendRequest
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub

CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent."""

    rps: float
    duration_s: float
    warm_up_s: float
    candidates: int
    slate_size: int
    timeout_s: float
    seed: int

    @property
    def requests(self) -> int:
        """Requests that count."""
        return int(self.rps * self.duration_s)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request."""

    latency_s: float
    """From the moment it was due to the end of the answer."""

    code: str
    """gRPC status."""

    level: str
    """Degradation level; empty where there was no answer."""

    stages: tuple[tuple[str, float], ...]
    """Seconds by stage, as the answer reports them."""


async def measure(address: str, load: Load, users: Sequence[str]) -> list[Sample]:
    """Send the load and return a sample for each request after the warm-up, in the order of sending."""
    rng = random.Random(load.seed)  # noqa: S311 - picks users, guards nothing
    channels = [
        # Channels with equal arguments would share one connection.
        grpc.aio.insecure_channel(address, [("shortlist.bench", i), ("grpc.enable_retries", 0)])
        for i in range(CONNECTIONS)
    ]
    stubs = [RecommendationServiceStub(channel) for channel in channels]
    warm_up = int(load.rps * load.warm_up_s)
    tasks: list[asyncio.Task[Sample]] = []
    start = time.perf_counter() + 0.05
    try:
        for number in range(warm_up + load.requests):
            due = start + number / load.rps
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            request = RecommendRequest(
                actor=actor_pb2.Actor(user_id=rng.choice(users)),
                slate_size=load.slate_size,
                candidate_count=load.candidates,
            )
            tasks.append(asyncio.create_task(_send(stubs[number % CONNECTIONS], request, due, load.timeout_s)))
        return (await asyncio.gather(*tasks))[warm_up:]
    finally:
        for task in tasks:
            task.cancel()
        for channel in channels:
            await channel.close()


async def _send(stub: RecommendationServiceStub, request: RecommendRequest, due: float, timeout_s: float) -> Sample:
    try:
        answer = await stub.Recommend(request, timeout=timeout_s)  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return Sample(time.perf_counter() - due, error.code().name, "", ())
    latency_s = time.perf_counter() - due
    level = answer_pb2.DegradationLevel.Name(answer.meta.degradation.level).removeprefix("DEGRADATION_LEVEL_")
    stages = tuple((stage.stage, stage.spent.ToNanoseconds() / 1e9) for stage in answer.meta.stages)
    return Sample(latency_s, "OK", level, stages)
