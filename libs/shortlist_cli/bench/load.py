"""Sends requests at fixed intervals and keeps what came back."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendRequest
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub

MOST_SENDERS = 256
"""Requests on the way at once at most; beyond it the load is not open any more, which a late due time shows."""


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


def measure(address: str, load: Load, users: Sequence[str]) -> list[Sample]:
    """Send the load and return a sample for each request after the warm-up, in the order of sending.

    Every sender takes the requests of a fixed residue, sleeps until each is due and waits for its answer: blocking
    calls cost the generator, which shares the machine, less than an event loop would.
    """
    rng = random.Random(load.seed)  # noqa: S311 - picks users, guards nothing
    warm_up = int(load.rps * load.warm_up_s)
    requests = [
        RecommendRequest(
            actor=actor_pb2.Actor(user_id=rng.choice(users)),
            slate_size=load.slate_size,
            candidate_count=load.candidates,
        )
        for _ in range(warm_up + load.requests)
    ]
    # Enough that one is free whenever a request is due, however slow the others' answers are.
    senders = min(MOST_SENDERS, math.ceil(load.rps * load.timeout_s) + 1)
    start = time.perf_counter() + 0.2
    with grpc.insecure_channel(address, [("grpc.enable_retries", 0)]) as channel:
        stub = RecommendationServiceStub(channel)

        def send(first: int) -> list[Sample]:
            mine = range(first, len(requests), senders)
            return [_send(stub, requests[n], start + n / load.rps, load.timeout_s) for n in mine]

        with ThreadPoolExecutor(senders) as pool:
            by_sender = list(pool.map(send, range(senders)))
    return [by_sender[n % senders][n // senders] for n in range(len(requests))][warm_up:]


def _send(stub: RecommendationServiceStub, request: RecommendRequest, due: float, timeout_s: float) -> Sample:
    time.sleep(max(0.0, due - time.perf_counter()))
    try:
        answer = stub.Recommend(request, timeout=timeout_s)
    except grpc.RpcError as error:
        return Sample(time.perf_counter() - due, error.code().name, "", ())
    latency_s = time.perf_counter() - due
    level = answer_pb2.DegradationLevel.Name(answer.meta.degradation.level).removeprefix("DEGRADATION_LEVEL_")
    stages = tuple((stage.stage, stage.spent.ToNanoseconds() / 1e9) for stage in answer.meta.stages)
    return Sample(latency_s, "OK", level, stages)
