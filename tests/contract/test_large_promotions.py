"""Promotions of large slates, over a catalogue that has enough of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shortlist.common.v1 import answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist_testing.tiny_bundle import GENRES, item_ids

from .config_calls import Configs
from .questions import ask, shown
from .slates import promote

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(1200)
WESTERNS = set(ITEMS[GENRES.index("Western") :: len(GENRES)])
PLATFORM = {"n_items": len(ITEMS)}


async def test_a_promotion_has_all_positions_that_it_is_promised(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    constraints = sel.Constraints(promotions=[promote('genres:"Western"', 250)])
    request = ask(user, slate_size=250, candidate_count=250, constraints=constraints)
    answer = await recommendation.Recommend(request, timeout=5)
    assert len(set(shown(answer)) & WESTERNS) == 250, "the catalogue has 300"
    assert list(answer.meta.warnings) == []


async def test_many_promotions_and_pins_shorten_no_slate(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    promotions = [promote(f"year >= {1980 + after}", 1) for after in range(5)]
    await configs.put(name, constraints=sel.Constraints(promotions=promotions))
    pins = [sel.Pin(item_id=item_id, position=at) for at, item_id in enumerate(ITEMS[:100])]
    constraints = sel.Constraints(promotions=promotions, pins=pins)
    request = ask(user, slate_size=1000, serving_config=name, constraints=constraints)
    answer = await recommendation.Recommend(request, timeout=5)
    assert len(answer.results) == 1000, "1,200 items pass"
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
