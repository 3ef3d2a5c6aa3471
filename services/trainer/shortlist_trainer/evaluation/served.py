"""Replays held-out users against a running gateway, as any caller would ask it, and keeps what came back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendResponse
from shortlist_client import rating
from shortlist_client.aio import AsyncClient
from shortlist_domain.errors import ShortlistError
from shortlist_trainer.evaluation.asked import Asked
from shortlist_trainer.evaluation.scoring import Progress

MOST_EVENTS = 100
"""Events that a request may bring."""

MOST_EXCLUDED = 1000
"""Items that a request may exclude by name."""

MOST_ASKED = 1000
"""Items that a request may ask for."""


class NotServed(ShortlistError):
    """The gateway did not answer as it should; says where, how often, and what it said."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How users are replayed."""

    address: str
    """``host:port``."""

    k: int = 10
    """Items asked for, in [1, 1000]."""

    as_users: bool = False
    """Ask by user id alone, about what the platform has stored. Otherwise as unknown visitors who bring their latest
    100 events and their attributes; times are moved so that the moment of asking is now, older items are excluded by
    name, and nothing is written."""

    concurrency: int = 8
    """Calls under way at a time, at least 1."""

    timeout_s: float = 2.0
    """Deadline of each call."""

    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came back."""

    lists: NDArray[np.int32]
    """Item rows, best first, ``(u, k)``, padded with -1; a call that failed is an empty list."""

    bundles: Mapping[str, int]
    """Answers by bundle id."""

    degraded: Mapping[str, int]
    """Answers that were not in full, by level and cause, as in ``PARTIAL: RETRIEVAL_PARTIAL``."""

    failed: Mapping[str, int]
    """Calls without an answer, by status."""

    seen_too_many: int
    """Users who met more items than a request can name; what is left over may come back."""

    p50_ms: float
    """Median time of a call, from here."""


def replay(asked: Sequence[Asked], item_ids: Sequence[str], how: Replay, progress: Progress) -> Replayed:
    """Ask for every user and return the answers, in the order of ``asked``.

    Args:
        asked: The users.
        item_ids: External id of each row of the data set.
        how: Where, and how.
        progress: Told of what is done.

    Raises:
        NotServed: No call was answered at all.
        ValueError: A number of ``how`` is out of range.
    """
    if not 1 <= how.k <= MOST_ASKED or how.concurrency < 1 or not how.timeout_s > 0.0:
        raise ValueError(f"k={how.k} is not in [1, {MOST_ASKED}], or concurrency or timeout is not positive")
    return asyncio.run(_replayed(asked, item_ids, how, progress))


async def _replayed(asked: Sequence[Asked], item_ids: Sequence[str], how: Replay, progress: Progress) -> Replayed:
    rows = {item_id: row for row, item_id in enumerate(item_ids)}
    lists = np.full((len(asked), how.k), -1, np.int32)
    bundles: Counter[str] = Counter()
    degraded: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    times_ms: list[float] = []
    last = ""
    queue = iter(range(len(asked)))

    async def work(client: AsyncClient) -> None:
        nonlocal last
        for at in queue:
            started = time.perf_counter()
            try:
                answer = await _asked(client, asked[at], item_ids, how)
            except grpc.aio.AioRpcError as error:
                failed[error.code().name] += 1
                last = f"{error.code().name}: {error.details()}"
                continue
            times_ms.append(1e3 * (time.perf_counter() - started))
            found = [rows[result.item_id] for result in answer.results if result.item_id in rows][: how.k]
            lists[at, : len(found)] = found
            bundles[answer.meta.bundle.bundle_id] += 1
            if named := _degradation(answer):
                degraded[named] += 1
            progress("ask the gateway", len(times_ms), len(asked))

    async with AsyncClient(how.address, tenant=how.tenant) as client, asyncio.TaskGroup() as group:
        for _ in range(min(how.concurrency, len(asked))):
            group.create_task(work(client))
    if not times_ms:
        raise NotServed(f"{how.address} answered none of {len(asked):,} calls; the last one said {last}")
    carried = (each.carried(MOST_EVENTS, MOST_EXCLUDED) for each in asked)
    seen_too_many = sum(len(less.seen_rows) < len(each.seen_rows) for less, each in zip(carried, asked, strict=True))
    return Replayed(
        lists,
        dict(bundles),
        dict(degraded),
        dict(failed),
        0 if how.as_users else seen_too_many,
        float(np.median(times_ms)),
    )


async def _asked(client: AsyncClient, who: Asked, item_ids: Sequence[str], how: Replay) -> RecommendResponse:
    if how.as_users:
        return await client.recommend(who.user_id, slate_size=how.k, timeout_s=how.timeout_s)
    now = who.moved_to(time.time()).carried(MOST_EVENTS, MOST_EXCLUDED)
    events = [
        rating(item_ids[row], float(value), time_s=float(time_s))
        for row, value, time_s in zip(now.item_rows, now.values, now.times_s, strict=True)
    ]
    older = now.seen_rows[~np.isin(now.seen_rows, now.item_rows)]
    return await client.recommend(
        visitor_id=f"evaluation:{who.user_id}"[:128],
        events=events,
        attributes=now.attributes,
        exclude_item_ids=[item_ids[row] for row in older],
        slate_size=how.k,
        timeout_s=how.timeout_s,
    )


def _degradation(answer: RecommendResponse) -> str:
    degradation = answer.meta.degradation
    if degradation.level in (answer_pb2.DEGRADATION_LEVEL_NONE, answer_pb2.DEGRADATION_LEVEL_UNSPECIFIED):
        return ""
    level = answer_pb2.DegradationLevel.Name(degradation.level).removeprefix("DEGRADATION_LEVEL_")
    causes = (answer_pb2.DegradationCause.Name(cause) for cause in degradation.causes)
    return f"{level}: {', '.join(cause.removeprefix('DEGRADATION_CAUSE_') for cause in causes)}"
