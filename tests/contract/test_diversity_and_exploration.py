"""What is spread over a slate, and what is left to chance with which propensity, over gRPC."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from google.protobuf.duration_pb2 import Duration

from shortlist.common.v1 import actor_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import GENRES

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .slates import (
    EXPLORATIONS,
    GENRE_OF,
    ITEMS,
    METHODS,
    NONE,
    N,
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


@pytest.mark.parametrize("method", METHODS)
async def test_diversity_goes_from_relevance_alone_to_spread_alone(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str, method: sel.DiversityMethod
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]))
    plain = await recommend(recommendation, user, 8)
    assert max(genres(ids(plain)).values()) > 2, "comedies were liked"
    same = await recommend(recommendation, user, 8, diversity=spread(method, 0.0))
    assert ids(same) == ids(plain)
    spread_out = await recommend(recommendation, user, 8, diversity=spread(method, 1.0))
    assert ids(spread_out)[0] == ids(plain)[0]
    assert genres(ids(spread_out)[:4]) == dict.fromkeys(GENRES, 1)
    assert spread_out.meta.degradation.level == NONE
    assert not spread_out.meta.warnings
    scores = {r.item_id: r.score for r in (await recommend(recommendation, user, N)).results}
    assert all(r.score == pytest.approx(scores[r.item_id], abs=1e-5) for r in spread_out.results)


async def test_diversity_differs_from_pins_and_comes_before_caps(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    pin = next(item for item in ITEMS if GENRE_OF[item] == "Drama")
    constraints = {"pins": [sel.Pin(item_id=pin, position=3)], "diversity": spread(sel.DIVERSITY_METHOD_DPP, 1.0)}
    answer = await recommend(recommendation, user, 4, **constraints)
    assert ids(answer)[3] == pin
    assert genres(ids(answer)) == dict.fromkeys(GENRES, 1)
    longer = ids(await recommend(recommendation, user, N, **constraints))
    capped = ids(await recommend(recommendation, user, 8, attribute_caps=[cap(2)], **constraints))
    taken = Counter({"Drama": 1})
    expected = []
    for item in (item for item in longer if item != pin):
        if taken[GENRE_OF[item]] < 2:
            taken[GENRE_OF[item]] += 1
            expected.append(item)
    assert [item for item in capped if item != pin] == expected, "what is over a cap is passed over, in that order"


async def test_diversity_takes_part_of_what_the_minimum_score_and_rotation_leave(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    plain = await recommend(recommendation, user, N)
    least = plain.results[20].heads.click_probability
    alone = spread(sel.DIVERSITY_METHOD_MMR, 1.0)
    answer = await recommend(recommendation, user, 15, diversity=alone, minimum_click_probability=least)
    assert all(result.heads.click_probability >= least for result in answer.results)
    first = ids(plain)[0]
    await write(platform, user, event(first, "impression"))
    rotation = sel.Rotation(rate=1.0, half_life=Duration(seconds=86_400))
    for strength in (1e-6, 1.0):
        slight = spread(sel.DIVERSITY_METHOD_MMR, strength)
        rotated = await recommend(recommendation, user, 5, diversity=slight, rotation=rotation)
        assert ids(rotated)[0] == ids(plain)[1], "relevance is what rotation leaves of it"


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_items_are_shown_as_often_as_their_propensity_says(
    recommendation: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    plain = ids(await recommend(recommendation, user, 5))
    exploration = explore(method, 2, EXPLORATIONS[method])
    n = 200
    told: dict[tuple[int, str], float] = {}
    seen: Counter[tuple[int, str]] = Counter()
    for _ in range(n):
        answer = await recommend(recommendation, user, 5, exploration=exploration)
        assert ids(answer)[:3] == plain[:3], "only the last two are left to chance"
        assert [result.propensity for result in answer.results[:3]] == [1.0] * 3
        assert len(set(ids(answer))) == 5
        assert answer.meta.degradation.level == NONE
        for place in (3, 4):
            result = answer.results[place]
            assert told.setdefault((place, result.item_id), result.propensity) == result.propensity
            seen[place, result.item_id] += 1
    assert len(seen) > 6, "there is something to draw"
    for pair, propensity in told.items():
        spread = 5.0 * (n * propensity * (1.0 - propensity)) ** 0.5 + 1.0
        assert abs(seen[pair] - n * propensity) <= spread, pair


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_a_repeated_request_draws_the_same_slate(
    recommendation: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    constraints = sel.Constraints(exploration=explore(method, 3, EXPLORATIONS[method]))
    drawn = set()
    for number in range(20):
        request = pb.RecommendRequest(
            actor=actor_pb2.Actor(user_id=user), constraints=constraints, request_id=f"r{number}"
        )
        first, second = (
            await recommendation.Recommend(request, timeout=5),
            await recommendation.Recommend(request, timeout=5),
        )
        assert list(first.results) == list(second.results)
        drawn.add(tuple(ids(first)))
    assert len(drawn) > 5


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_exploration_of_no_strength_leaves_nothing_to_chance(
    recommendation: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    plain = await recommend(recommendation, user)
    answer = await recommend(recommendation, user, exploration=explore(method, 3, 0.0))
    assert list(answer.results) == list(plain.results)


async def test_exploration_of_more_than_there_is_is_said(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    exploration = explore(sel.EXPLORATION_METHOD_SOFTMAX, 3, 1.0)
    answer = await recommend(recommendation, user, 10, include_item_ids=ITEMS[:9], exploration=exploration)
    assert sorted(ids(answer)) == sorted(ITEMS[:9])
    assert "2 of 3 positions were left to chance" in answer.meta.warnings[0]
    assert answer.results[6].propensity == 1.0
    assert 0.0 < answer.results[7].propensity < 1.0


async def test_exploration_for_which_pins_and_promotions_leave_no_position_is_said(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    exploration = explore(sel.EXPLORATION_METHOD_EPSILON_GREEDY, 2, 1.0)
    pins = [sel.Pin(item_id=ITEMS[n], position=n) for n in range(2)]
    for rules in ({"pins": pins}, {"promotions": [promote("", 2)]}):
        answer = await recommend(recommendation, user, 2, exploration=exploration, **rules)
        assert {result.propensity for result in answer.results} == {1.0}
        assert "0 of 2 positions were left to chance" in answer.meta.warnings[0]


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_whatever_is_drawn_keeps_to_what_is_excluded_pinned_capped_and_scored(
    recommendation: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    plain = await recommend(recommendation, user, N)
    least = plain.results[40].heads.click_probability
    pin = ids(plain)[-1]
    excluded = ids(plain)[5:9]
    explored: set[str] = set()
    for _ in range(40):
        answer = await recommend(
            recommendation,
            user,
            8,
            exploration=explore(method, 2, 1.0),
            pins=[sel.Pin(item_id=pin, position=7)],
            attribute_caps=[cap(3)],
            exclude_item_ids=excluded,
            minimum_click_probability=least,
        )
        assert len(set(ids(answer))) == 8
        assert ids(answer)[7] == pin
        assert answer.results[7].propensity == 1.0
        assert max(genres(ids(answer)).values()) <= 3
        assert not set(excluded) & set(ids(answer))
        assert all(result.heads.click_probability >= least for result in answer.results[:7])
        explored.update(ids(answer)[5:7])
    assert len(explored) > 3


@pytest.mark.parametrize("method", [sel.EXPLORATION_METHOD_SOFTMAX, sel.EXPLORATION_METHOD_THOMPSON])
async def test_what_was_shown_lately_does_not_come_back_by_chance(
    recommendation: RecommendationServiceAsyncStub,
    platform: Platform,
    user: str,
    method: sel.ExplorationMethod,
) -> None:
    best = ids(await recommend(recommendation, user, 5))
    await write(platform, user, *(event(item, "impression") for item in best))
    rotation = sel.Rotation(rate=1.0, half_life=Duration(seconds=1_000_000))
    explored = await recommend(recommendation, user, 5, rotation=rotation, exploration=explore(method, 5, 1e-6))
    assert not set(ids(explored)) & set(best)
