"""Many actors in one stream: answered in their order, a few at a time, no faster than they are read, resumable."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import struct
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, ShortlistError, Violation
from shortlist_gateway.checks import Checks
from shortlist_gateway.explain_requests import found_at
from shortlist_gateway.seals import BrokenSeal, Keyring, Purpose
from shortlist_rpc.policy import POLICIES
from shortlist_rpc.status import STATUSES

MAX_ACTORS = 10_000

_RESUME = struct.Struct(">I16s")
_ANSWER_S = POLICIES["/shortlist.gateway.v1.RecommendationService/Recommend"].timeout_s

Answer = Callable[[pb.RecommendRequest, Deadline], Awaitable[pb.RecommendResponse]]


class Batch:
    """Answers batches. All streams of a gateway together work on a bounded number of answers at once."""

    def __init__(self, keyring: Keyring, concurrency: int) -> None:
        """Make one.

        Args:
            keyring: Signs where a stream may be resumed.
            concurrency: Answers worked on at once, by all streams together; each stream is that many ahead of its
                reader at most.
        """
        self._keyring = keyring
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)

    async def run(
        self, request: pb.BatchRecommendRequest, answer: Answer
    ) -> AsyncGenerator[pb.BatchRecommendResponse, None]:
        """Yield an answer for each actor, in their order.

        Who does not ask for the next answer has that many worked out ahead, and no more.

        Raises:
            InvalidRequest: A field is wrong that is not one actor's alone.
            NotFound: There is no such serving config.
            NotReady: No bundle was ever loaded.
            BundleMismatch: A bundle is pinned that is not held.
        """
        digest = _digest(request)
        start = self._check(request, digest)
        await _check_for_all(request.request, answer)
        request_id = request.request_id or secrets.token_hex(16)
        ahead: deque[asyncio.Task[pb.BatchRecommendResponse]] = deque()
        try:
            for index in range(start, len(request.actors)):
                ahead.append(asyncio.create_task(self._one(request, index, digest, request_id, answer)))
                if len(ahead) >= self._concurrency:
                    yield await ahead.popleft()
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _one(
        self, request: pb.BatchRecommendRequest, index: int, digest: bytes, request_id: str, answer: Answer
    ) -> pb.BatchRecommendResponse:
        actor = request.actors[index]
        response = pb.BatchRecommendResponse(index=index, actor=actor)
        response.resume_token = self._keyring.seal(Purpose.BATCH, _RESUME.pack(index + 1, digest))
        try:
            async with self._slots:
                asked = _request_for(request.request, actor)
                asked.request_id = f"{request_id}-{index}"
                response.answer.CopyFrom(await answer(asked, Deadline.after(_ANSWER_S)))
        except ShortlistError as error:
            response.error.CopyFrom(_error(error, index))
        return response

    def _check(self, request: pb.BatchRecommendRequest, digest: bytes) -> int:
        """Return the index to begin with."""
        checks = Checks()
        checks.request_id(request.request_id, 200)
        if not 1 <= len(request.actors) <= MAX_ACTORS:
            checks.wrong("actors", f"has {len(request.actors)} entries; it must have 1 to {MAX_ACTORS}")
        one_actors = ("actor", "consistency_token", "validate_only", "request_id")
        checks.unsupported(request.request, "request.", one_actors)
        start = 0
        if request.resume_token:
            try:
                start, of = _RESUME.unpack(self._keyring.open(Purpose.BATCH, request.resume_token))
                if of != digest:
                    checks.wrong("resume_token", "is of another batch; actors and request must be the same")
            except BrokenSeal as broken:
                checks.wrong("resume_token", str(broken))
        checks.done()
        return int(start)


async def _check_for_all(template: pb.RecommendRequest, answer: Answer) -> None:
    """Refuse what no actor could be answered: a request of anybody's, only validated, finds it out."""
    anybody = _request_for(template, actor_pb2.Actor(user_id="anybody"))
    anybody.validate_only = True
    try:
        await answer(anybody, Deadline.after(_ANSWER_S))
    except InvalidRequest as error:
        raise found_at("request", error) from error


def _request_for(template: pb.RecommendRequest, actor: actor_pb2.Actor) -> pb.RecommendRequest:
    request = pb.RecommendRequest()
    request.CopyFrom(template)
    request.actor.CopyFrom(actor)
    return request


def _digest(request: pb.BatchRecommendRequest) -> bytes:
    asked = pb.BatchRecommendRequest(actors=request.actors, request=request.request)
    return hashlib.sha256(asked.SerializeToString(deterministic=True)).digest()[:16]


def _error(error: ShortlistError, index: int) -> pb.BatchError:
    if isinstance(error, InvalidRequest):
        error = InvalidRequest(*(Violation(_path(v.field, index), v.description) for v in error.violations))
    return pb.BatchError(code=STATUSES[type(error)].value[0], message=str(error))


def _path(field: str, index: int) -> str:
    """Return where ``field`` of one actor's request stands in the batch.

    What is not the actor's may be wrong too: where the serving config has changed since the first answer.
    """
    return field.replace("actor", f"actors[{index}]", 1) if field.startswith("actor") else f"request.{field}"
