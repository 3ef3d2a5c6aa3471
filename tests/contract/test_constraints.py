"""What each constraint does to a slate, over gRPC, against the whole platform in one process."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .slates import (
    DAY,
    DAY_S,
    GENRE_OF,
    ITEMS,
    NONE,
    WESTERNS,
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


async def test_a_cap_leaves_the_best_of_each_value_in_order(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    full = ids(await recommend(recommendation, user, N))
    answer = await recommend(recommendation, user, 8, attribute_caps=[cap(2)])
    taken: Counter[str] = Counter()
    expected = []
    for item in full:
        if taken[GENRE_OF[item]] < 2:
            taken[GENRE_OF[item]] += 1
            expected.append(item)
    assert ids(answer) == expected
    assert answer.meta.degradation.level == NONE
    assert not answer.meta.warnings
    short = await recommend(recommendation, user, 9, attribute_caps=[cap(2)])
    assert ids(short) == expected
    assert list(short.meta.degradation.causes) == [answer_pb2.DEGRADATION_CAUSE_SHORT_SLATE]


async def test_a_cap_that_nothing_is_under_is_said(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommend(recommendation, user, attribute_caps=[cap(1, "colour")])
    assert ids(answer) == ids(await recommend(recommendation, user))
    assert list(answer.meta.warnings) == [
        "constraints.attribute_caps: no candidate has the attribute 'colour'",
    ]


async def test_a_pin_is_at_its_position_whatever_retrieval_proposes(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    *others, last = ids(await recommend(recommendation, user, N))
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id=user),
        slate_size=3,
        candidate_count=3,
        constraints=sel.Constraints(pins=[sel.Pin(item_id=last, position=1)]),
    )
    answer = await recommendation.Recommend(request, timeout=5)
    assert ids(answer)[1] == last
    assert len(set(ids(answer))) == 3
    pinned = answer.results[1]
    assert pinned.provenance[0].source == "caller"
    assert pinned.reasons[0].kind == answer_pb2.REASON_KIND_REQUESTED
    assert pinned.HasField("heads"), "it is ranked like any other"
    assert answer.meta.degradation.level == NONE
    whole = await recommend(recommendation, user, N, pins=[sel.Pin(item_id=last, position=0)])
    assert ids(whole) == [last, *others], "one that is proposed as well moves, and nothing else does"


async def test_pins_of_unknown_and_excluded_items_are_left_out_and_said(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(platform, user, event(ITEMS[1]))
    pins = [sel.Pin(item_id=item, position=at) for at, item in enumerate(("nowhere", *ITEMS[:3]))]
    answer = await recommend(recommendation, user, 5, pins=pins, exclude_item_ids=[ITEMS[0]])
    assert list(answer.meta.missing_ids) == ["nowhere"]
    assert list(answer.meta.warnings) == [
        f"constraints.pins: {ITEMS[0]!r} is excluded and was left out",
        f"constraints.pins: {ITEMS[1]!r} is excluded and was left out",
    ]
    assert ids(answer)[3] == ITEMS[2]
    assert len(answer.results) == 5
    assert not {ITEMS[0], ITEMS[1]} & set(ids(answer))
    pins = [sel.Pin(item_id=ITEMS[2], position=1)]
    answer = await recommend(recommendation, user, 2, pins=pins, include_item_ids=ITEMS[5:9])
    assert set(ids(answer)) <= set(ITEMS[5:9])
    assert "not among the allowed items" in answer.meta.warnings[0]


async def test_a_pin_beyond_the_end_of_a_short_slate_moves_up(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    allowed = ITEMS[4:7]
    answer = await recommend(
        recommendation, user, 9, pins=[sel.Pin(item_id=ITEMS[4], position=8)], include_item_ids=allowed
    )
    assert set(ids(answer)) == set(allowed)
    assert ids(answer)[-1] == ITEMS[4]
    assert "moved up" in answer.meta.warnings[0]


async def test_pins_count_under_caps_and_may_exceed_them(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    comedies = [item for item in ITEMS if GENRE_OF[item] == "Comedy"]
    pins = [sel.Pin(item_id=item, position=at) for at, item in enumerate(comedies[:2])]
    answer = await recommend(recommendation, user, 5, pins=pins[:1], attribute_caps=[cap(2)])
    assert max(genres(ids(answer)).values()) <= 2
    answer = await recommend(recommendation, user, 5, pins=pins, attribute_caps=[cap(1)])
    assert genres(ids(answer)) == {"Comedy": 2, "Drama": 1, "Horror": 1, "Western": 1}
    assert list(answer.meta.warnings) == ["constraints.attribute_caps: pins exceed the cap on 'genres'"]


async def test_only_the_named_types_of_event_within_the_lookback_count_as_seen(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    await write(
        platform, user, event(ITEMS[0]), event(ITEMS[1], "view"), event(ITEMS[2], age_s=3 * DAY_S), event(ITEMS[3])
    )

    async def absent(**rule: object) -> set[str]:
        answer = await recommend(recommendation, user, N, exclude_seen=sel.ExcludeSeen(**rule))  # type: ignore[arg-type]
        return set(ITEMS) - set(ids(answer))

    assert await absent() == set(ITEMS[:4])
    assert await absent(event_types=["view"]) == {ITEMS[1]}
    assert await absent(lookback=Duration(seconds=86_400)) == {ITEMS[0], ITEMS[1], ITEMS[3]}
    assert await absent(event_types=["rating"], lookback=Duration(seconds=86_400)) == {ITEMS[0], ITEMS[3]}
    assert await absent(disabled=True) == set()


async def test_an_impression_is_seen_only_where_it_is_named(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    strange = ids(await recommend(recommendation, user, N))
    await write(platform, user, *(event(item, "impression") for item in ITEMS[:5]))
    assert ids(await recommend(recommendation, user, N)) == strange, "no sign of taste, and not seen"
    named = sel.ExcludeSeen(event_types=["impression", "rating"])
    answer = await recommend(recommendation, user, N, exclude_seen=named)
    assert ids(answer) == [item for item in strange if item not in ITEMS[:5]]


async def test_rotation_moves_what_was_shown_down_the_more_the_later_it_was(
    recommendation: RecommendationServiceAsyncStub, platform: Platform, user: str
) -> None:
    before = ids(await recommend(recommendation, user, N))
    first, second, third = before[:3]
    await write(
        platform, user, event(first, "impression"), event(second, "impression", DAY_S), event(second, "impression", 9e6)
    )
    assert ids(await recommend(recommendation, user, N)) == before

    async def rotated(rate: float, days: int) -> list[str]:
        rotation = sel.Rotation(rate=rate, half_life=Duration(seconds=86_400 * days))
        return ids(await recommend(recommendation, user, N, rotation=rotation))

    after = await rotated(1.0, 1)
    assert first in after[-2:], "shown just now: as if never relevant"
    assert before.index(second) < after.index(second) < after.index(first)
    assert [i for i in after if i not in (first, second)] == before[2:], "nothing else moves"
    assert after[0] == third
    assert await rotated(0.0, 1) == before
    gentle = await rotated(0.1, 1)
    assert gentle.index(first) < after.index(first)


async def test_similar_items_keep_caps_and_pins(recommendation: RecommendationServiceAsyncStub) -> None:
    constraints = sel.Constraints(attribute_caps=[cap(2)], pins=[sel.Pin(item_id=ITEMS[0], position=2)])
    request = pb.SimilarItemsRequest(item_ids=[ITEMS[4]], slate_size=6, constraints=constraints)
    answer = await recommendation.SimilarItems(request, timeout=5)
    assert ids(answer)[2] == ITEMS[0]
    assert max(genres(ids(answer)).values()) <= 2
    pinned_anchor = sel.Constraints(pins=[sel.Pin(item_id=ITEMS[4], position=0)])
    request = pb.SimilarItemsRequest(item_ids=[ITEMS[4]], slate_size=6, constraints=pinned_anchor)
    answer = await recommendation.SimilarItems(request, timeout=5)
    assert ITEMS[4] not in ids(answer)
    assert "is excluded" in answer.meta.warnings[0]


async def test_similar_items_refuse_what_needs_a_ranking(recommendation: RecommendationServiceAsyncStub) -> None:
    for name, value in (
        ("exploration", explore(sel.EXPLORATION_METHOD_SOFTMAX, 1, 1.0)),
        ("diversity", spread(sel.DIVERSITY_METHOD_MMR, 0.5)),
        ("minimum_click_probability", 0.5),
    ):
        constraints = sel.Constraints(**{name: value})  # type: ignore[arg-type]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await recommendation.SimilarItems(
                pb.SimilarItemsRequest(item_ids=ITEMS[:1], constraints=constraints), timeout=5
            )
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"constraints.{name}: " in (caught.value.details() or "")


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
    recommendation: RecommendationServiceAsyncStub, user: str, field: str, said: str, constraints: dict[str, object]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await recommend(recommendation, user, **constraints)  # type: ignore[arg-type]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = caught.value.details() or ""
    assert re.search(rf"(^|; )constraints\.{re.escape(field)}: .*{re.escape(said)}", details), details
