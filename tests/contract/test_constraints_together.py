"""Constraints of all kinds together, over gRPC, and over pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .slates import (
    DAY,
    DAY_S,
    EXPLORATIONS,
    ITEMS,
    METHODS,
    boost,
    cap,
    event,
    explore,
    genres,
    ids,
    promote,
    recommend,
    spread,
    write,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pages_of_a_constrained_slate_are_the_long_one(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]), event(ITEMS[20], "impression", DAY_S))
    constraints = {
        "attribute_caps": [cap(4)],
        "pins": [sel.Pin(item_id=ITEMS[30], position=2)],
        "diversity": spread(sel.DIVERSITY_METHOD_DPP, 0.4),
        "rotation": sel.Rotation(rate=0.5, half_life=DAY),
        "boosts": [boost('genres:"Drama"', 2.0)],
    }
    whole = ids(await recommend(recommendation, user, 12, **constraints))
    page = await recommend(recommendation, user, 4, **constraints)
    pages = ids(page)
    for _ in range(2):
        following = await recommendation.RecommendNext(
            pb.RecommendNextRequest(next_token=page.meta.next_token), timeout=5
        )
        pages += ids(following)
        page = pb.RecommendResponse(meta=following.meta)
    assert pages == whole
    assert pages[2] == ITEMS[30]
    assert len(pages) == 12


@st.composite
def any_constraints(draw: st.DrawFn) -> sel.Constraints:
    """Constraints that are within their ranges, for a slate of six."""
    some = st.lists(st.sampled_from([*ITEMS, "nowhere"]), unique=True, max_size=8)
    strength = st.sampled_from((0.0, 0.01, 0.3, 1.0))
    pinned = draw(st.lists(st.sampled_from([*ITEMS, "nowhere"]), unique=True, max_size=3))
    places = draw(st.permutations(range(6)))
    constraints = sel.Constraints(
        exclude_item_ids=draw(some),
        pins=[sel.Pin(item_id=item, position=place) for item, place in zip(pinned, places, strict=False)],
    )
    if draw(st.booleans()):
        constraints.include_item_ids.extend(draw(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=30)))
    if draw(st.booleans()):
        constraints.attribute_caps.append(cap(draw(st.integers(1, 3))))
    if draw(st.booleans()):
        constraints.promotions.append(
            promote(draw(st.sampled_from(('genres:"Drama"', "id:*"))), draw(st.integers(1, 6)))
        )
    if draw(st.booleans()):
        constraints.diversity.CopyFrom(spread(draw(st.sampled_from(METHODS)), draw(strength)))
    if draw(st.booleans()):
        constraints.rotation.CopyFrom(sel.Rotation(rate=draw(strength), half_life=DAY))
    if draw(st.booleans()):
        constraints.boosts.append(
            boost(draw(st.sampled_from(('genres:"Drama"', "seen()"))), draw(st.sampled_from((0.01, 3.0))))
        )
    if draw(st.booleans()):
        constraints.minimum_click_probability = draw(st.sampled_from((0.0, 0.55, 0.6)))
    if draw(st.booleans()):
        method = draw(st.sampled_from(list(EXPLORATIONS)))
        constraints.exploration.CopyFrom(explore(method, draw(st.integers(1, 6)), draw(strength)))
    return constraints


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(constraints=any_constraints())
async def test_whatever_is_asked_together_every_answer_keeps_to_it(
    recommendation: RecommendationServiceAsyncStub, constraints: sel.Constraints
) -> None:
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id="somebody"), slate_size=6, constraints=constraints, request_id="r"
    )
    answer = await recommendation.Recommend(request, timeout=5)
    found, said = ids(answer), " ".join(answer.meta.warnings)
    assert len(set(found)) == len(found) <= 6
    assert not set(found) & set(constraints.exclude_item_ids)
    if constraints.include_item_ids:
        assert set(found) <= set(constraints.include_item_ids)
    pinned = [pin.item_id for pin in constraints.pins]
    for pin in constraints.pins:
        is_there = pin.position < len(found) and found[pin.position] == pin.item_id
        assert is_there or pin.item_id in answer.meta.missing_ids or repr(pin.item_id) in said or "moved up" in said
    for one in constraints.attribute_caps:
        by_pins = genres(set(pinned) & set(found))
        assert all(count <= max(one.maximum, by_pins[genre]) for genre, count in genres(found).items())
    for promotion in constraints.promotions:
        held = genres(found)["Drama"] if "Drama" in promotion.filter.expression else len(found)
        assert held >= promotion.slots or "constraints.promotions[0]" in said
    if constraints.HasField("minimum_click_probability"):
        least = constraints.minimum_click_probability
        assert all(r.heads.click_probability >= least for r in answer.results if r.item_id not in pinned)
    assert all(0.0 < result.propensity <= 1.0 for result in answer.results)
    if not constraints.exploration.strength:
        assert all(result.propensity == 1.0 for result in answer.results)
    short = answer_pb2.DEGRADATION_CAUSE_SHORT_SLATE in answer.meta.degradation.causes
    assert short == (len(found) < 6)
    assert list((await recommendation.Recommend(request, timeout=5)).results) == list(answer.results)
