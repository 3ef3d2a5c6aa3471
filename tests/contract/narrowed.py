"""A serving config that sets all that a request may narrow."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict

from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_testing.tiny_bundle import GENRES, item_ids

from .config_calls import Configs
from .questions import shown
from .slates import N

ITEMS = item_ids(N)


def genres(answer: Any) -> list[str]:
    return [GENRES[ITEMS.index(item_id) % len(GENRES)] for item_id in shown(answer)]


CONFIG = {
    "slate_size": 8,
    "candidate_count": 40,
    "on_empty": "EMPTY_POLICY_RETURN_EMPTY",
    "constraints": {
        "include_item_ids": ITEMS[:50],
        "exclude_seen": {"event_types": ["click"], "lookback": "3600s"},
        "attribute_caps": [{"attribute": "genres", "maximum": 3}],
        "pins": [{"item_id": ITEMS[4], "position": 1}],
        "rotation": {"rate": 0.5, "half_life": "60s"},
        "diversity": {"method": "DIVERSITY_METHOD_DPP", "strength": 0.5},
        "minimum_click_probability": 0.001,
        "exploration": {"method": "EXPLORATION_METHOD_SOFTMAX", "slots": 2, "strength": 0.5},
    },
}


def request_of(user: str, name: str, fields: dict[str, Any]) -> pb.RecommendRequest:
    return ParseDict({"actor": {"user_id": user}, "serving_config": name, **fields}, pb.RecommendRequest())


async def put_whole(configs: Configs, name: str) -> None:
    config = ParseDict({"name": name, **CONFIG}, configs_pb.ServingConfig())
    await configs.stub.PutServingConfig(configs_pb.PutServingConfigRequest(config=config))
