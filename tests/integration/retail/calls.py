"""Google Retail's own client, pointed at a gateway."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
from google.cloud import retail_v2
from google.cloud.retail_v2.services.prediction_service.transports import PredictionServiceGrpcTransport
from google.cloud.retail_v2.services.user_event_service.transports import UserEventServiceGrpcTransport

from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey, ActorState
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import item_ids

ITEMS = item_ids(60)
README = Path(__file__).parents[3] / "protos/README.md"
CATALOG = "projects/shop/locations/global/catalogs/default_catalog"
CONFIG = f"{CATALOG}/servingConfigs/default"
CONFIG_FORM = "projects/*/locations/*/catalogs/*/servingConfigs/*"
SIMILAR = f"{CATALOG}/servingConfigs/similar-items"


class Retail:
    """The clients of one channel, called from another thread: they block."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._prediction = retail_v2.PredictionServiceClient(transport=PredictionServiceGrpcTransport(channel=channel))
        self._events = retail_v2.UserEventServiceClient(transport=UserEventServiceGrpcTransport(channel=channel))

    async def predict(self, event: dict[str, Any], placement: str = CONFIG, **fields: Any) -> Any:
        request = {"placement": placement, "user_event": event, **fields}
        return await asyncio.to_thread(self._prediction.predict, request=request)

    async def write(self, event: dict[str, Any], parent: str = CATALOG, **fields: Any) -> Any:
        request = {"parent": parent, "user_event": event, **fields}
        return await asyncio.to_thread(self._events.write_user_event, request=request)

    async def trailing(self, method: str, request: Any) -> dict[str, Any]:
        """Call as the client does, and return what its answers have no field for."""

        def call() -> dict[str, Any]:
            stub: grpc.UnaryUnaryMultiCallable[Any, bytes] = self._channel.unary_unary(
                method, request_serializer=type(request).SerializeToString
            )
            _, done = stub.with_call(request, timeout=5)
            return {key: json.loads(value) for key, value in done.trailing_metadata() if key != TOKEN}

        return await asyncio.to_thread(call)


TOKEN = "shortlist-consistency-token"


def seen(*item_ids: str, event_type: str = "detail-page-view", **fields: Any) -> dict[str, Any]:
    details = [{"product": {"id": item_id}} for item_id in item_ids]
    return {"event_type": event_type, "visitor_id": "v1", "product_details": details, **fields}


def home(**fields: Any) -> dict[str, Any]:
    return {"event_type": "home-page-view", "visitor_id": "v1", **fields}


async def stored(platform: Platform, visitor_id: str, tenant: str = "") -> ActorState:
    key = ActorKey(tenant, f"v/{visitor_id}")
    return await platform.service.features.store().read_actor(key, 0, Deadline.after(2.0))


def ids(answer: Any) -> list[str]:
    return [result.id for result in answer.results]
