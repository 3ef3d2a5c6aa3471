"""What each constraint does to a slate, over gRPC, against the whole platform in one process."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import GENRES, item_ids

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

N = 60
ITEMS = item_ids(N)
GENRE_OF = {item: GENRES[row % len(GENRES)] for row, item in enumerate(ITEMS)}
NONE = answer_pb2.DEGRADATION_LEVEL_NONE
DAY_S = 86_400.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform"), n_items=N) as platform:
        yield platform


@pytest.fixture(scope="module")
def gateway(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex}"


async def recommend(
    gateway: RecommendationServiceAsyncStub, user: str, slate_size: int = 10, **constraints: object
) -> pb.RecommendResponse:
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=slate_size,
        constraints=sel.Constraints(**constraints),  # type: ignore[arg-type]
    )
    return await gateway.Recommend(request, timeout=5)


async def write(platform: Platform, user: str, *events: actor_pb2.Event) -> None:
    request = events_pb.WriteEventsRequest(actor=actor_pb2.Actor(user_id=user), events=events)
    await EventServiceStub(platform.channel).WriteEvents(request, timeout=5)


def event(item: str, event_type: str = "rating", age_s: float = 0.0) -> actor_pb2.Event:
    at = Timestamp()
    at.FromMicroseconds(int((time.time() - age_s) * 1e6))
    return actor_pb2.Event(item_id=item, event_type=event_type, value=4.0, event_time=at)


def ids(answer: pb.RecommendResponse | pb.RecommendNextResponse | pb.SimilarItemsResponse) -> list[str]:
    return [result.item_id for result in answer.results]


def genres(items: Iterable[str]) -> Counter[str]:
    return Counter(GENRE_OF[item] for item in items)


def cap(maximum: int, attribute: str = "genres") -> sel.AttributeCap:
    return sel.AttributeCap(attribute=attribute, maximum=maximum)


async def test_a_cap_leaves_the_best_of_each_value_in_order(gateway: RecommendationServiceAsyncStub, user: str) -> None:
    full = ids(await recommend(gateway, user, N))
    answer = await recommend(gateway, user, 8, attribute_caps=[cap(2)])
    taken: Counter[str] = Counter()
    expected = []
    for item in full:
        if taken[GENRE_OF[item]] < 2:
            taken[GENRE_OF[item]] += 1
            expected.append(item)
    assert ids(answer) == expected
    assert answer.meta.degradation.level == NONE
    assert not answer.meta.warnings
    short = await recommend(gateway, user, 9, attribute_caps=[cap(2)])
    assert ids(short) == expected
    assert list(short.meta.degradation.causes) == [answer_pb2.DEGRADATION_CAUSE_SHORT_SLATE]


async def test_a_cap_that_nothing_is_under_is_said(gateway: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommend(gateway, user, attribute_caps=[cap(1, "colour")])
    assert ids(answer) == ids(await recommend(gateway, user))
    assert list(answer.meta.warnings) == [
        "constraints.attribute_caps: no candidate has the attribute 'colour'",
    ]


async def test_a_pin_is_at_its_position_whatever_retrieval_proposes(
    gateway: RecommendationServiceAsyncStub, user: str
) -> None:
    *others, last = ids(await recommend(gateway, user, N))
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=3,
        candidate_count=3,
        constraints=sel.Constraints(pins=[sel.Pin(item_id=last, position=1)]),
    )
    answer = await gateway.Recommend(request, timeout=5)
    assert ids(answer)[1] == last
    assert len(set(ids(answer))) == 3
    pinned = answer.results[1]
    assert pinned.provenance[0].source == "caller"
    assert pinned.reasons[0].kind == answer_pb2.REASON_KIND_REQUESTED
    assert pinned.HasField("heads"), "it is ranked like any other"
    assert answer.meta.degradation.level == NONE
    whole = await recommend(gateway, user, N, pins=[sel.Pin(item_id=last, position=0)])
    assert ids(whole) == [last, *others], "one that is proposed as well moves, and nothing else does"


async def test_pins_of_unknown_and_excluded_items_are_left_out_and_said(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, event(ITEMS[1]))
    pins = [sel.Pin(item_id=item, position=at) for at, item in enumerate(("nowhere", *ITEMS[:3]))]
    answer = await recommend(gateway, user, 5, pins=pins, exclude_item_ids=[ITEMS[0]])
    assert list(answer.meta.missing_ids) == ["nowhere"]
    assert list(answer.meta.warnings) == [
        f"constraints.pins: {ITEMS[0]!r} is excluded and was left out",
        f"constraints.pins: {ITEMS[1]!r} is excluded and was left out",
    ]
    assert ids(answer)[3] == ITEMS[2]
    assert len(answer.results) == 5
    assert not {ITEMS[0], ITEMS[1]} & set(ids(answer))
    pins = [sel.Pin(item_id=ITEMS[2], position=1)]
    answer = await recommend(gateway, user, 2, pins=pins, include_item_ids=ITEMS[5:9])
    assert set(ids(answer)) <= set(ITEMS[5:9])
    assert "not among the allowed items" in answer.meta.warnings[0]


async def test_a_pin_beyond_the_end_of_a_short_slate_moves_up(
    gateway: RecommendationServiceAsyncStub, user: str
) -> None:
    allowed = ITEMS[4:7]
    answer = await recommend(gateway, user, 9, pins=[sel.Pin(item_id=ITEMS[4], position=8)], include_item_ids=allowed)
    assert set(ids(answer)) == set(allowed)
    assert ids(answer)[-1] == ITEMS[4]
    assert "moved up" in answer.meta.warnings[0]


async def test_pins_count_under_caps_and_may_exceed_them(gateway: RecommendationServiceAsyncStub, user: str) -> None:
    comedies = [item for item in ITEMS if GENRE_OF[item] == "Comedy"]
    pins = [sel.Pin(item_id=item, position=at) for at, item in enumerate(comedies[:2])]
    answer = await recommend(gateway, user, 5, pins=pins[:1], attribute_caps=[cap(2)])
    assert max(genres(ids(answer)).values()) <= 2
    answer = await recommend(gateway, user, 5, pins=pins, attribute_caps=[cap(1)])
    assert genres(ids(answer)) == {"Comedy": 2, "Drama": 1, "Horror": 1, "Western": 1}
    assert list(answer.meta.warnings) == ["constraints.attribute_caps: pins exceed the cap on 'genres'"]


async def test_only_the_named_types_of_event_within_the_lookback_count_as_seen(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(
        platform, user, event(ITEMS[0]), event(ITEMS[1], "view"), event(ITEMS[2], age_s=3 * DAY_S), event(ITEMS[3])
    )

    async def absent(**rule: object) -> set[str]:
        answer = await recommend(gateway, user, N, exclude_seen=sel.ExcludeSeen(**rule))  # type: ignore[arg-type]
        return set(ITEMS) - set(ids(answer))

    assert await absent() == set(ITEMS[:4])
    assert await absent(event_types=["view"]) == {ITEMS[1]}
    assert await absent(lookback=Duration(seconds=86_400)) == {ITEMS[0], ITEMS[1], ITEMS[3]}
    assert await absent(event_types=["rating"], lookback=Duration(seconds=86_400)) == {ITEMS[0], ITEMS[3]}
    assert await absent(disabled=True) == set()


async def test_an_impression_is_seen_only_where_it_is_named(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    strange = ids(await recommend(gateway, user, N))
    await write(platform, user, *(event(item, "impression") for item in ITEMS[:5]))
    assert ids(await recommend(gateway, user, N)) == strange, "no sign of taste, and not seen"
    named = sel.ExcludeSeen(event_types=["impression", "rating"])
    answer = await recommend(gateway, user, N, exclude_seen=named)
    assert ids(answer) == [item for item in strange if item not in ITEMS[:5]]


async def test_rotation_moves_what_was_shown_down_the_more_the_later_it_was(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    before = ids(await recommend(gateway, user, N))
    first, second, third = before[:3]
    await write(
        platform, user, event(first, "impression"), event(second, "impression", DAY_S), event(second, "impression", 9e6)
    )
    assert ids(await recommend(gateway, user, N)) == before

    async def rotated(rate: float, days: int) -> list[str]:
        rotation = sel.Rotation(rate=rate, half_life=Duration(seconds=86_400 * days))
        return ids(await recommend(gateway, user, N, rotation=rotation))

    after = await rotated(1.0, 1)
    assert first in after[-2:], "shown just now: as if never relevant"
    assert before.index(second) < after.index(second) < after.index(first)
    assert [i for i in after if i not in (first, second)] == before[2:], "nothing else moves"
    assert after[0] == third
    assert await rotated(0.0, 1) == before
    gentle = await rotated(0.1, 1)
    assert gentle.index(first) < after.index(first)


async def test_similar_items_keep_caps_and_pins(gateway: RecommendationServiceAsyncStub) -> None:
    constraints = sel.Constraints(attribute_caps=[cap(2)], pins=[sel.Pin(item_id=ITEMS[0], position=2)])
    request = pb.SimilarItemsRequest(item_ids=[ITEMS[4]], slate_size=6, constraints=constraints)
    answer = await gateway.SimilarItems(request, timeout=5)
    assert ids(answer)[2] == ITEMS[0]
    assert max(genres(ids(answer)).values()) <= 2
    pinned_anchor = sel.Constraints(pins=[sel.Pin(item_id=ITEMS[4], position=0)])
    request = pb.SimilarItemsRequest(item_ids=[ITEMS[4]], slate_size=6, constraints=pinned_anchor)
    answer = await gateway.SimilarItems(request, timeout=5)
    assert ITEMS[4] not in ids(answer)
    assert "is excluded" in answer.meta.warnings[0]


def spread(method: sel.DiversityMethod, strength: float) -> sel.Diversity:
    return sel.Diversity(method=method, strength=strength)


METHODS = (sel.DIVERSITY_METHOD_UNSPECIFIED, sel.DIVERSITY_METHOD_MMR, sel.DIVERSITY_METHOD_DPP)


@pytest.mark.parametrize("method", METHODS)
async def test_diversity_goes_from_relevance_alone_to_spread_alone(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str, method: sel.DiversityMethod
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]))
    plain = await recommend(gateway, user, 8)
    assert max(genres(ids(plain)).values()) > 2, "comedies were liked"
    same = await recommend(gateway, user, 8, diversity=spread(method, 0.0))
    assert ids(same) == ids(plain)
    spread_out = await recommend(gateway, user, 8, diversity=spread(method, 1.0))
    assert ids(spread_out)[0] == ids(plain)[0]
    assert genres(ids(spread_out)[:4]) == dict.fromkeys(GENRES, 1)
    assert spread_out.meta.degradation.level == NONE
    assert not spread_out.meta.warnings
    scores = {r.item_id: r.score for r in (await recommend(gateway, user, N)).results}
    assert all(r.score == pytest.approx(scores[r.item_id], abs=1e-5) for r in spread_out.results)


async def test_diversity_differs_from_pins_and_comes_before_caps(
    gateway: RecommendationServiceAsyncStub, user: str
) -> None:
    pin = next(item for item in ITEMS if GENRE_OF[item] == "Drama")
    constraints = {"pins": [sel.Pin(item_id=pin, position=3)], "diversity": spread(sel.DIVERSITY_METHOD_DPP, 1.0)}
    answer = await recommend(gateway, user, 4, **constraints)
    assert ids(answer)[3] == pin
    assert genres(ids(answer)) == dict.fromkeys(GENRES, 1)
    longer = ids(await recommend(gateway, user, N, **constraints))
    capped = ids(await recommend(gateway, user, 8, attribute_caps=[cap(2)], **constraints))
    taken = Counter({"Drama": 1})
    expected = []
    for item in (item for item in longer if item != pin):
        if taken[GENRE_OF[item]] < 2:
            taken[GENRE_OF[item]] += 1
            expected.append(item)
    assert [item for item in capped if item != pin] == expected, "what is over a cap is passed over, in that order"


async def test_diversity_takes_part_of_what_the_minimum_score_and_rotation_leave(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    plain = await recommend(gateway, user, N)
    least = plain.results[20].heads.click_probability
    alone = spread(sel.DIVERSITY_METHOD_MMR, 1.0)
    answer = await recommend(gateway, user, 15, diversity=alone, minimum_click_probability=least)
    assert all(result.heads.click_probability >= least for result in answer.results)
    first = ids(plain)[0]
    await write(platform, user, event(first, "impression"))
    rotation = sel.Rotation(rate=1.0, half_life=Duration(seconds=86_400))
    for strength in (1e-6, 1.0):
        slight = spread(sel.DIVERSITY_METHOD_MMR, strength)
        rotated = await recommend(gateway, user, 5, diversity=slight, rotation=rotation)
        assert ids(rotated)[0] == ids(plain)[1], "relevance is what rotation leaves of it"


def explore(method: sel.ExplorationMethod, slots: int, strength: float) -> sel.Exploration:
    return sel.Exploration(method=method, slots=slots, strength=strength)


EXPLORATIONS = {
    sel.EXPLORATION_METHOD_UNSPECIFIED: 0.5,
    sel.EXPLORATION_METHOD_EPSILON_GREEDY: 0.5,
    sel.EXPLORATION_METHOD_SOFTMAX: 0.2,
    sel.EXPLORATION_METHOD_THOMPSON: 3.0,
}


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_items_are_shown_as_often_as_their_propensity_says(
    gateway: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    plain = ids(await recommend(gateway, user, 5))
    exploration = explore(method, 2, EXPLORATIONS[method])
    n = 200
    told: dict[tuple[int, str], float] = {}
    seen: Counter[tuple[int, str]] = Counter()
    for _ in range(n):
        answer = await recommend(gateway, user, 5, exploration=exploration)
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
    gateway: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    constraints = sel.Constraints(exploration=explore(method, 3, EXPLORATIONS[method]))
    drawn = set()
    for number in range(20):
        request = pb.RecommendRequest(
            actor=actor_pb2.Actor(user_id=user), constraints=constraints, request_id=f"r{number}"
        )
        first, second = await gateway.Recommend(request, timeout=5), await gateway.Recommend(request, timeout=5)
        assert list(first.results) == list(second.results)
        drawn.add(tuple(ids(first)))
    assert len(drawn) > 5


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_exploration_of_no_strength_leaves_nothing_to_chance(
    gateway: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    plain = await recommend(gateway, user)
    answer = await recommend(gateway, user, exploration=explore(method, 3, 0.0))
    assert list(answer.results) == list(plain.results)


async def test_exploration_of_more_than_there_is_is_said(gateway: RecommendationServiceAsyncStub, user: str) -> None:
    exploration = explore(sel.EXPLORATION_METHOD_SOFTMAX, 3, 1.0)
    answer = await recommend(gateway, user, 10, include_item_ids=ITEMS[:9], exploration=exploration)
    assert sorted(ids(answer)) == sorted(ITEMS[:9])
    assert "2 of 3 positions were left to chance" in answer.meta.warnings[0]
    assert answer.results[6].propensity == 1.0
    assert 0.0 < answer.results[7].propensity < 1.0


async def test_exploration_for_which_pins_and_promotions_leave_no_position_is_said(
    gateway: RecommendationServiceAsyncStub, user: str
) -> None:
    exploration = explore(sel.EXPLORATION_METHOD_EPSILON_GREEDY, 2, 1.0)
    pins = [sel.Pin(item_id=ITEMS[n], position=n) for n in range(2)]
    for rules in ({"pins": pins}, {"promotions": [promote("", 2)]}):
        answer = await recommend(gateway, user, 2, exploration=exploration, **rules)
        assert {result.propensity for result in answer.results} == {1.0}
        assert "0 of 2 positions were left to chance" in answer.meta.warnings[0]


@pytest.mark.parametrize("method", EXPLORATIONS)
async def test_whatever_is_drawn_keeps_to_what_is_excluded_pinned_capped_and_scored(
    gateway: RecommendationServiceAsyncStub, user: str, method: sel.ExplorationMethod
) -> None:
    plain = await recommend(gateway, user, N)
    least = plain.results[40].heads.click_probability
    pin = ids(plain)[-1]
    excluded = ids(plain)[5:9]
    explored: set[str] = set()
    for _ in range(40):
        answer = await recommend(
            gateway,
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


async def test_similar_items_refuse_what_needs_a_ranking(gateway: RecommendationServiceAsyncStub) -> None:
    for name, value in (
        ("exploration", explore(sel.EXPLORATION_METHOD_SOFTMAX, 1, 1.0)),
        ("diversity", spread(sel.DIVERSITY_METHOD_MMR, 0.5)),
        ("minimum_click_probability", 0.5),
    ):
        constraints = sel.Constraints(**{name: value})  # type: ignore[arg-type]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.SimilarItems(pb.SimilarItemsRequest(item_ids=ITEMS[:1], constraints=constraints), timeout=5)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"constraints.{name}: " in (caught.value.details() or "")


WESTERNS = sel.Filter(expression='genres:"Western"')


def promote(expression: str, slots: int) -> sel.Promotion:
    return sel.Promotion(filter=sel.Filter(expression=expression), slots=slots)


async def test_promoted_items_have_positions_whatever_retrieval_proposes(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]))
    full = ids(await recommend(gateway, user, N))
    westerns = [item for item in full if GENRE_OF[item] == "Western"]
    assert not set(westerns) & set(full[:8]), "comedies were liked"
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=8,
        candidate_count=8,
        constraints=sel.Constraints(promotions=[sel.Promotion(filter=WESTERNS, slots=3)]),
    )
    answer = await gateway.Recommend(request, timeout=5)
    assert genres(ids(answer))["Western"] == 3
    assert ids(answer)[:5] == full[:5], "the others are the best, in order"
    assert all(result.HasField("heads") and result.provenance for result in answer.results)
    assert not answer.meta.warnings
    assert answer.meta.degradation.level == NONE
    wide = await recommend(gateway, user, 8, promotions=[sel.Promotion(filter=WESTERNS, share=0.375)])
    assert ids(wide) == [*full[:5], *westerns[:3]], "a share of three eighths is three positions; the best are taken"
    comedies = await recommend(gateway, user, 8, promotions=[promote('genres:"Comedy"', 1)])
    assert ids(comedies) == full[:8], "there are some anyway"


async def test_promotions_by_id_hold_beside_pins_filters_and_chance(
    gateway: RecommendationServiceAsyncStub, user: str
) -> None:
    full = ids(await recommend(gateway, user, N))
    last = full[-1]
    by_id = promote(f"id:({json.dumps(last)}, {json.dumps(full[-2])})", 2)
    answer = await recommend(gateway, user, 5, promotions=[by_id])
    assert ids(answer) == [*full[:3], full[-2], last]
    answer = await recommend(gateway, user, 5, promotions=[by_id], pins=[sel.Pin(item_id=last, position=0)])
    assert ids(answer) == [last, *full[:3], full[-2]], "a pin that passes counts"
    for _ in range(5):
        exploration = explore(sel.EXPLORATION_METHOD_EPSILON_GREEDY, 3, 1.0)
        answer = await recommend(gateway, user, 5, promotions=[by_id], exploration=exploration)
        assert {last, full[-2]} < set(ids(answer))
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=5,
        filter=sel.Filter(expression=f"NOT id:{json.dumps(last)}"),
        constraints=sel.Constraints(promotions=[by_id], exclude_item_ids=[full[0]]),
    )
    answer = await gateway.Recommend(request, timeout=5)
    assert ids(answer) == [*full[1:5], full[-2]], "what may not appear is not promoted"
    assert "1 of 2 positions" in answer.meta.warnings[0]
    similar = pb.SimilarItemsRequest(item_ids=[full[0]], slate_size=5, constraints=sel.Constraints(promotions=[by_id]))
    assert {last, full[-2]} < set(ids(await gateway.SimilarItems(similar, timeout=5)))


async def test_what_is_promoted_is_found_where_the_filter_was_dropped(
    gateway: RecommendationServiceAsyncStub, user: str
) -> None:
    last = ids(await recommend(gateway, user, N))[-1]
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=3,
        candidate_count=3,
        filter=sel.Filter(expression='genres:"None"', on_empty=sel.EMPTY_POLICY_RELAX_FILTER),
        constraints=sel.Constraints(promotions=[promote(f"id:{json.dumps(last)}", 1)]),
    )
    answer = await gateway.Recommend(request, timeout=5)
    assert last in ids(answer)
    assert not answer.meta.warnings
    assert list(answer.meta.degradation.causes) == [answer_pb2.DEGRADATION_CAUSE_FILTER_RELAXED]


async def test_promotions_that_fall_short_are_said(gateway: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommend(gateway, user, 5, promotions=[promote('id:"nowhere"', 2)])
    assert list(answer.meta.warnings) == ["constraints.promotions[0]: 0 of 2 positions, for want of items or positions"]
    assert ids(answer) == ids(await recommend(gateway, user, 5))
    westerns = [sel.Promotion(filter=WESTERNS, slots=3)]
    capped = await recommend(gateway, user, 8, promotions=westerns, attribute_caps=[cap(2)])
    assert genres(ids(capped))["Western"] == 2
    assert "2 of 3 positions" in capped.meta.warnings[0]
    plain = await recommend(gateway, user, N)
    highest = plain.results[0].heads.click_probability
    bounded = await recommend(gateway, user, 8, promotions=westerns, minimum_click_probability=highest)
    assert len(bounded.results) == 1


DAY = Duration(seconds=86_400)


@pytest.mark.parametrize(
    ("field", "said", "constraints"),
    [
        ("pins[0].position", "is 10; it must be in [0, 9]", {"pins": [sel.Pin(item_id="a", position=10)]}),
        ("pins[0].position", "is -1; it must be in [0, 9]", {"pins": [sel.Pin(item_id="a", position=-1)]}),
        ("pins[1].position", "is 0 a second time", {"pins": [sel.Pin(item_id="a"), sel.Pin(item_id="b")]}),
        (
            "pins[1].item_id",
            "is 'a' a second time",
            {"pins": [sel.Pin(item_id="a"), sel.Pin(item_id="a", position=1)]},
        ),
        ("pins[0].item_id", "is required", {"pins": [sel.Pin()]}),
        ("pins", "at most 100", {"pins": [sel.Pin(item_id="a")] * 101}),
        ("attribute_caps[0].maximum", "it must be in [1, 1000]", {"attribute_caps": [cap(0)]}),
        ("attribute_caps[0].maximum", "it must be in [1, 1000]", {"attribute_caps": [cap(1001)]}),
        ("attribute_caps[0].attribute", "is required", {"attribute_caps": [cap(1, "")]}),
        ("attribute_caps[0].attribute", "1 to 64", {"attribute_caps": [cap(1, "a" * 65)]}),
        ("attribute_caps[1].attribute", "a second time", {"attribute_caps": [cap(1), cap(2)]}),
        ("attribute_caps", "at most 10", {"attribute_caps": [cap(1)] * 11}),
        ("rotation.rate", "it must be in [0, 1]", {"rotation": sel.Rotation(rate=1.5, half_life=DAY)}),
        ("rotation.rate", "it must be in [0, 1]", {"rotation": sel.Rotation(rate=float("nan"), half_life=DAY)}),
        ("rotation.half_life", "is required", {"rotation": sel.Rotation(rate=0.5)}),
        ("rotation.half_life", "it must be in (0 s,", {"rotation": sel.Rotation(rate=0.5, half_life=Duration())}),
        ("promotions[0].amount", "is required", {"promotions": [sel.Promotion(filter=WESTERNS)]}),
        ("promotions[0].slots", "it must be in [1, 10]", {"promotions": [sel.Promotion(filter=WESTERNS, slots=0)]}),
        ("promotions[0].slots", "it must be in [1, 10]", {"promotions": [sel.Promotion(filter=WESTERNS, slots=11)]}),
        ("promotions[0].share", "it must be in (0, 1]", {"promotions": [sel.Promotion(filter=WESTERNS, share=0.0)]}),
        ("promotions[0].share", "it must be in (0, 1]", {"promotions": [sel.Promotion(filter=WESTERNS, share=1.1)]}),
        ("promotions[0].filter", "must be one of", {"promotions": [sel.Promotion(slots=1)]}),
        ("promotions[0].filter.expression", "colour", {"promotions": [promote("colour = 1", 1)]}),
        ("promotions[0].filter.expression", "character", {"promotions": [promote("genres:", 1)]}),
        (
            "promotions[0].filter.on_empty",
            "RELAX_FILTER",
            {
                "promotions": [
                    sel.Promotion(filter=sel.Filter(expression="", on_empty=sel.EMPTY_POLICY_RELAX_FILTER), slots=1)
                ]
            },
        ),
        ("promotions", "at most 5", {"promotions": [promote("", 1)] * 6}),
        ("exploration.slots", "it must be in [1, 10]", {"exploration": sel.Exploration()}),
        ("exploration.slots", "it must be in [1, 10]", {"exploration": sel.Exploration(slots=11)}),
        ("exploration.slots", "it must be in [1, 4]", {"slate_size": 4, "exploration": sel.Exploration(slots=5)}),
        (
            "exploration.strength",
            "it must be in [0, 1] for EPSILON_GREEDY",
            {"exploration": sel.Exploration(slots=1, strength=1.5)},
        ),
        (
            "exploration.strength",
            "it must be in [0, 100] for SOFTMAX",
            {"exploration": explore(sel.EXPLORATION_METHOD_SOFTMAX, 1, float("inf"))},
        ),
        (
            "exploration.strength",
            "it must be in [0, 100] for THOMPSON",
            {"exploration": explore(sel.EXPLORATION_METHOD_THOMPSON, 1, -1.0)},
        ),
        (
            "exploration.method",
            "one of EXPLORATION_METHOD_UNSPECIFIED",
            {"exploration": sel.Exploration(slots=1, method=9)},  # type: ignore[arg-type]
        ),
        ("diversity.strength", "it must be in [0, 1]", {"diversity": sel.Diversity(strength=1.1)}),
        ("diversity.strength", "it must be in [0, 1]", {"diversity": sel.Diversity(strength=float("nan"))}),
        ("diversity.method", "one of DIVERSITY_METHOD_UNSPECIFIED", {"diversity": sel.Diversity(method=9)}),  # type: ignore[arg-type]
        ("exclude_seen.lookback", "it must be in (0 s,", {"exclude_seen": sel.ExcludeSeen(lookback=Duration())}),
        (
            "exclude_seen.lookback",
            "it must be in (0 s,",
            {"exclude_seen": sel.ExcludeSeen(lookback=Duration(seconds=1, nanos=-1))},
        ),
        ("exclude_seen.lookback", "`disabled`", {"exclude_seen": sel.ExcludeSeen(disabled=True, lookback=DAY)}),
        ("exclude_seen.event_types[0]", "is required", {"exclude_seen": sel.ExcludeSeen(event_types=[""])}),
        ("exclude_seen.event_types", "at most 20", {"exclude_seen": sel.ExcludeSeen(event_types=["a"] * 21)}),
        ("minimum_click_probability", "it must be in [0, 1]", {"minimum_click_probability": 1.01}),
    ],
)
async def test_constraints_out_of_range_are_refused_with_the_range(
    gateway: RecommendationServiceAsyncStub, user: str, field: str, said: str, constraints: dict[str, object]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await recommend(gateway, user, **constraints)  # type: ignore[arg-type]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = caught.value.details() or ""
    assert re.search(rf"(^|; )constraints\.{re.escape(field)}: .*{re.escape(said)}", details), details


async def test_pages_of_a_constrained_slate_are_the_long_one(
    gateway: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, *(event(item) for item in ITEMS[:12:4]), event(ITEMS[20], "impression", DAY_S))
    constraints = {
        "attribute_caps": [cap(4)],
        "pins": [sel.Pin(item_id=ITEMS[30], position=2)],
        "diversity": spread(sel.DIVERSITY_METHOD_DPP, 0.4),
        "rotation": sel.Rotation(rate=0.5, half_life=DAY),
    }
    whole = ids(await recommend(gateway, user, 12, **constraints))
    page = await recommend(gateway, user, 4, **constraints)
    pages = ids(page)
    for _ in range(2):
        following = await gateway.RecommendNext(pb.RecommendNextRequest(next_token=page.meta.next_token), timeout=5)
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
        constraints.minimum_click_probability = draw(st.sampled_from((0.0, 0.55, 0.6)))
    if draw(st.booleans()):
        method = draw(st.sampled_from(list(EXPLORATIONS)))
        constraints.exploration.CopyFrom(explore(method, draw(st.integers(1, 6)), draw(strength)))
    return constraints


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(constraints=any_constraints())
async def test_whatever_is_asked_together_every_answer_keeps_to_it(
    gateway: RecommendationServiceAsyncStub, constraints: sel.Constraints
) -> None:
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id="somebody"), slate_size=6, constraints=constraints, request_id="r"
    )
    answer = await gateway.Recommend(request, timeout=5)
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
    assert list((await gateway.Recommend(request, timeout=5)).results) == list(answer.results)
