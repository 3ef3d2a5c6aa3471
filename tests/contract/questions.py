"""Questions in short, and what is read of answers and refusals."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb


def actor(user_id: str) -> actor_pb2.Actor:
    return actor_pb2.Actor(user_id=user_id)


def ask(user_id: str, **fields: object) -> pb.RecommendRequest:
    return pb.RecommendRequest(actor=actor(user_id), **fields)  # type: ignore[arg-type]


def causes(answer: pb.RecommendResponse | pb.SimilarItemsResponse | pb.ExplainRecommendationResponse) -> set[str]:
    names = (answer_pb2.DegradationCause.Name(c) for c in answer.meta.degradation.causes)
    return {name.removeprefix("DEGRADATION_CAUSE_") for name in names}


def ratings(*items: str, value: float = 5.0) -> list[actor_pb2.Event]:
    return [actor_pb2.Event(item_id=item, value=value) for item in items]


def shown(answer: Any) -> list[str]:
    return [result.item_id for result in answer.results]


async def refused(call: object, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.code() is code, caught.value.details()
    return caught.value.details() or ""
