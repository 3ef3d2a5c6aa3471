"""The log of served slates: an answer that was chosen for it leaves a record, beside the answer's way and never in it.

A record is made when the answer is, into a bounded queue; one task hands what waits to the feature store. Where the
store is away, the records wait, and the newest are dropped and counted once the queue is full.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from array import array
from collections import deque
from collections.abc import Sequence

from shortlist.common.v1.slate_record_pb2 import LoggedItem, SlateRecord
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, ShortlistError
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.stages import ActorKey
from shortlist_gateway.answers import Response
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

SCHEMA_VERSION = 1
"""Version of ``SlateRecord`` that is written here."""

SLATES_AT_ONCE = 200
"""Most slates in one call of the store; it takes 1000."""

_BYTES_AT_ONCE = 1 << 19
"""Bytes after which no further slate joins a call: the store accepts messages of 1 MiB."""

_CALL_S = 1.0
_GATHER_S = 0.05
"""Wait before a call, so that it takes several slates along."""

_SAID_EVERY_S = 60.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class SlateLog:
    """Logs served slates through the feature store."""

    def __init__(self, features: FeatureStage, share: float, longest_queue: int, metrics: Metrics) -> None:
        """Nothing is sent before :meth:`start`.

        Args:
            features: Takes the records.
            share: Share of slates to log, in [0, 1].
            longest_queue: Records that may wait; one more is dropped.
            metrics: Count what was logged and dropped.
        """
        self._features = features
        self._share = share
        self._longest = longest_queue
        self._metrics = metrics
        self._queue: deque[bytes] = deque()
        self._waiting = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said_lost_at_s = -math.inf
        self._log = get_log("gateway")

    def wants(self, slate_id: str) -> bool:
        """Return whether a slate is to be logged: by its id alone, so that all replicas and repetitions agree."""
        return self._share > 0.0 and position_of(slate_id) < self._share

    def add(
        self,
        rpc: str,
        response: Response,
        actor: ActorKey | None,
        candidate_rows: Sequence[int],
        now_s: float,
        surface: str = "",
    ) -> None:
        """Queue the record of an answer that is otherwise complete, or drop it where the queue is full.

        Args:
            rpc: RPC that answered.
            response: The answer.
            actor: Whom it was for.
            candidate_rows: Rows that it was chosen from, as they came to ranking.
            now_s: When it was made, seconds since 1970 UTC.
            surface: Page, panel or placement that it was for.
        """
        if len(self._queue) >= self._longest:
            self._metrics.slates_dropped.labels("full").inc()
            return
        meta = response.meta
        record = SlateRecord(
            schema_version=SCHEMA_VERSION,
            slate_id=meta.slate_id,
            made_ms=int(now_s * 1000),
            request_id=meta.request_id,
            tenant=actor.tenant if actor else "",
            actor_id=actor.actor_id if actor else "",
            session_id=actor.session_id if actor else "",
            rpc=rpc,
            bundle_id=meta.bundle.bundle_id,
            serving_config=meta.serving_config,
            serving_config_version=meta.serving_config_version,
            variants=meta.variants,
            is_variant_forced=meta.is_variant_forced,
            candidate_digest=hashlib.sha256(array("I", candidate_rows).tobytes()).digest(),
            candidate_count=len(candidate_rows),
            items=[
                LoggedItem(item_id=one.item_id, position=one.rank, score=one.score, propensity=one.propensity)
                for one in response.results
            ],
            degradation_level=meta.degradation.level,
            degradation_causes=meta.degradation.causes,
            logged_share=self._share,
            surface=surface,
        )
        self._queue.append(record.SerializeToString())
        self._waiting.set()

    def start(self) -> None:
        """Begin to hand records to the store. Needs a running event loop."""
        if self._share > 0.0:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="slate-log")

    async def close(self) -> None:
        """Hand over what waits, within a second or so; count the rest as dropped."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        until = Deadline.after(_CALL_S)
        while self._queue and until.remaining_s() > 0.0 and await self._send(until):
            pass
        if self._queue:
            self._metrics.slates_dropped.labels("closed").inc(len(self._queue))
            self._queue.clear()

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._waiting.wait()
            if len(self._queue) < SLATES_AT_ONCE:
                await asyncio.sleep(_GATHER_S)
            if await self._send(Deadline.after(_CALL_S)):
                pause_s = _FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _send(self, deadline: Deadline) -> bool:
        """Hand the oldest records to the store; return False where it did not take them and they stay."""
        batch = self._oldest()
        try:
            async with asyncio.timeout(max(0.0, deadline.remaining_s())):
                lost = await self._features.append_slates(batch, deadline)
        except InvalidRequest as error:  # would be refused for ever, and hold up all that follow
            self._metrics.slates_dropped.labels("refused").inc(len(batch))
            self._log.error(LogEvent.SLATES_REFUSED, slates=len(batch), reason=str(error))
        except (ShortlistError, TimeoutError) as error:
            self._log.warning(LogEvent.SLATES_WAIT, waiting=len(self._queue), reason=f"{type(error).__name__}: {error}")
            return False
        else:
            self._metrics.slates_logged.inc(len(batch))
            self._count_lost(lost)
        for _ in batch:
            self._queue.popleft()
        if not self._queue:
            self._waiting.clear()
        return True

    def _count_lost(self, lost: int) -> None:
        if not lost:
            return
        self._metrics.slates_dropped.labels("unread").inc(lost)
        now_s = time.monotonic()
        if now_s - self._said_lost_at_s >= _SAID_EVERY_S:  # it goes on until somebody reads
            self._said_lost_at_s = now_s
            self._log.warning(LogEvent.SLATES_UNREAD, lost=lost)

    def _oldest(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        for record in self._queue:
            if len(batch) >= SLATES_AT_ONCE or (batch and size + len(record) > _BYTES_AT_ONCE):
                break
            batch.append(record)
            size += len(record)
        return batch


def position_of(slate_id: str) -> float:
    """Return where a slate lies in [0, 1), evenly over ids: the first 52 bits of the SHA-256 of its id."""
    return (int.from_bytes(hashlib.sha256(slate_id.encode()).digest()[:8], "big") >> 12) / (1 << 52)
