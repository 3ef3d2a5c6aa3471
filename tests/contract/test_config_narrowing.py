"""Requests narrow what their serving config sets, and never widen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.tiny_bundle import GENRES

from .config_calls import Configs
from .questions import actor, ask, causes, refused, shown
from .slates import N

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub
from .narrowed import ITEMS, genres, put_whole, request_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


GENRES_4 = {"attribute": "genres", "maximum": 4}
WIDER: list[tuple[dict[str, Any], str]] = [
    ({"slate_size": 9}, "slate_size: is 9; serving config {} allows at most 8"),
    ({"candidate_count": 41}, "candidate_count: is 41; serving config {} allows at most 40"),
    (
        {"filter": {"expression": "year > 1", "on_empty": "EMPTY_POLICY_RELAX_FILTER"}},
        "filter.on_empty: is RELAX_FILTER; serving config {} allows RETURN_EMPTY",
    ),
    (
        {"constraints": {"include_item_ids": [ITEMS[0], ITEMS[55]]}},
        "constraints.include_item_ids[1]: is {item}; serving config {} allows 50 items, and it is none of them",
    ),
    (
        {"constraints": {"exclude_seen": {"disabled": True}}},
        "constraints.exclude_seen.disabled: is true; serving config {} excludes what was seen",
    ),
    (
        {"constraints": {"attribute_caps": [{"attribute": "tags", "maximum": 1}, GENRES_4]}},
        "constraints.attribute_caps[1].maximum: is 4; serving config {} allows at most 3 of one 'genres'",
    ),
    (
        {"constraints": {"pins": [{"item_id": ITEMS[5], "position": 1}]}},
        "constraints.pins[0].position: is 1; serving config {} pins 'item-004' there",
    ),
    (
        {"constraints": {"pins": [{"item_id": ITEMS[4], "position": 0}]}},
        "constraints.pins[0].item_id: is 'item-004'; serving config {} pins it at position 1",
    ),
    (
        {"constraints": {"rotation": {"rate": 0.25, "half_life": "60s"}}},
        "constraints.rotation.rate: is 0.25; serving config {} demands at least 0.5",
    ),
    (
        {"constraints": {"rotation": {"rate": 0.5, "half_life": "59s"}}},
        "constraints.rotation.half_life: is 59 s; serving config {} demands at least 60 s",
    ),
    (
        {"constraints": {"diversity": {"strength": 0.25}}},
        "constraints.diversity.strength: is 0.25; serving config {} demands at least 0.5",
    ),
    (
        {"constraints": {"diversity": {"strength": 0.75, "method": "DIVERSITY_METHOD_MMR"}}},
        "constraints.diversity.method: is MMR; serving config {} has DPP",
    ),
    (
        {"constraints": {"minimum_click_probability": 0.0}},
        "constraints.minimum_click_probability: is 0; serving config {} demands at least 0.001",
    ),
    (
        {"constraints": {"exploration": {"slots": 3, "strength": 0.5}}},
        "constraints.exploration.slots: is 3; serving config {} allows at most 2",
    ),
    (
        {"constraints": {"exploration": {"slots": 1, "strength": 0.75}}},
        "constraints.exploration.strength: is 0.75; serving config {} allows at most 0.5",
    ),
    (
        {
            "constraints": {
                "exploration": {"slots": 1, "strength": 0.5, "method": "EXPLORATION_METHOD_THOMPSON"},
            }
        },
        "constraints.exploration.method: is THOMPSON; serving config {} has SOFTMAX",
    ),
]


NARROWER: list[dict[str, Any]] = [
    {},
    {"slate_size": 8, "candidate_count": 40},
    {"slate_size": 1, "candidate_count": 1},
    {"filter": {"expression": "year > 1", "on_empty": "EMPTY_POLICY_RETURN_EMPTY"}},
    {"constraints": {"include_item_ids": ITEMS[10:30], "exclude_item_ids": ITEMS[12:14]}},
    {"constraints": {"exclude_seen": {"event_types": ["view"]}}},
    {"constraints": {"exclude_seen": {}}},
    {"constraints": {"attribute_caps": [{"attribute": "genres", "maximum": 3}]}},
    {"constraints": {"attribute_caps": [{"attribute": "genres", "maximum": 1}]}},
    {"constraints": {"pins": [{"item_id": ITEMS[4], "position": 1}, {"item_id": ITEMS[6], "position": 0}]}},
    {"constraints": {"rotation": {"rate": 1.0, "half_life": "600s"}}},
    {"constraints": {"diversity": {"strength": 0.75}}},
    {"constraints": {"minimum_click_probability": 0.01}},
    {"constraints": {"exploration": {"slots": 1, "strength": 0.25}}},
    {"constraints": {"exploration": {"slots": 1}}},
    {"constraints": {"promotions": [{"filter": {"expression": "year > 1990"}, "slots": 1}]}},
]


async def test_a_widening_is_refused_naming_the_field_and_the_limit(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await put_whole(configs, name)
    for fields, expected in WIDER:
        said = await refused(recommendation.Recommend(request_of(user, name, fields)))
        assert said == expected.format(f"'{name}'", item=repr(ITEMS[55])), fields
        plain = request_of(user, "default", fields)
        assert (await recommendation.Recommend(plain)).meta.serving_config == "default", "the same without the config"
    everything = pb.RecommendRequest()
    for fields, _ in WIDER[:3]:
        everything.MergeFrom(request_of(user, name, fields))
    said = await refused(recommendation.Recommend(everything))
    assert all(f"{field}:" in said for field in ("slate_size", "candidate_count", "filter.on_empty")), "all at once"
    template = pb.RecommendRequest(serving_config=name, slate_size=9)
    batch = pb.BatchRecommendRequest(actors=[actor(user)], request=template)
    stream = recommendation.BatchRecommend(batch)
    assert "request.slate_size: is 9; serving config" in await refused(anext(aiter(stream)))
    similar = pb.SimilarItemsRequest(item_ids=ITEMS[:1], serving_config=name, slate_size=9)
    assert "slate_size: is 9; serving config" in await refused(recommendation.SimilarItems(similar))


async def test_a_narrowing_is_honoured(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await put_whole(configs, name)
    for fields in NARROWER:
        answer = await recommendation.Recommend(request_of(user, name, fields))
        wanted = fields.get("slate_size", 8)
        assert len(answer.results) <= wanted
        assert set(shown(answer)) <= set(fields.get("constraints", {}).get("include_item_ids", ITEMS[:50]))
        caps = fields.get("constraints", {}).get("attribute_caps", [{"maximum": 3}])
        assert max(map(genres(answer).count, GENRES)) <= caps[0]["maximum"], fields
        explored = [result for result in answer.results if result.propensity < 1.0]
        exploration = fields.get("constraints", {}).get("exploration", {"slots": 2, "strength": 0.5})
        assert len(explored) <= (exploration["slots"] if exploration.get("strength") else 0), fields


async def test_what_the_config_does_not_set_is_the_requests(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, description="says nothing")
    for fields, _ in WIDER:
        answer = await recommendation.Recommend(request_of(user, name, fields))
        assert answer.meta.serving_config == name


async def test_what_was_seen_is_excluded_by_the_config_and_by_the_request(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    events = [
        actor_pb2.Event(item_id=ITEMS[0], event_type="click"),
        actor_pb2.Event(item_id=ITEMS[1], event_type="view"),
        actor_pb2.Event(item_id=ITEMS[2], event_type="rating"),
    ]
    await configs.put(name, constraints={"exclude_seen": {"event_types": ["click"]}})
    context = actor_pb2.Context(events=events)
    request = ask(user, serving_config=name, slate_size=N, context=context)
    assert set(ITEMS[:3]) - set(shown(await recommendation.Recommend(request))) == {ITEMS[0]}
    request.constraints.exclude_seen.event_types.append("view")
    assert set(ITEMS[:3]) - set(shown(await recommendation.Recommend(request))) == set(ITEMS[:2])
    await configs.put(name, constraints={"exclude_seen": {"disabled": True}})
    assert set(ITEMS[:3]) - set(shown(await recommendation.Recommend(request))) == {ITEMS[1]}
    request.ClearField("constraints")
    assert set(ITEMS[:3]) <= set(shown(await recommendation.Recommend(request)))


async def test_pins_of_the_config_beyond_a_shorter_slate_are_said(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    pins = [{"item_id": ITEMS[3], "position": 0}, {"item_id": ITEMS[4], "position": 5}]
    await configs.put(name, constraints={"pins": pins})
    answer = await recommendation.Recommend(ask(user, serving_config=name, slate_size=3))
    assert shown(answer)[0] == ITEMS[3]
    assert ITEMS[4] not in shown(answer)
    assert list(answer.meta.warnings) == ["serving_config: 1 pins lie beyond a slate of 3, and are left out"]


async def test_what_needs_ranking_does_not_apply_to_similar_items_and_that_is_said(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub
) -> None:
    await configs.put(name, constraints={"diversity": {"strength": 0.5}, "minimum_click_probability": 0.5})
    request = pb.SimilarItemsRequest(item_ids=ITEMS[:1], serving_config=name)
    answer = await recommendation.SimilarItems(request)
    plain = await recommendation.SimilarItems(pb.SimilarItemsRequest(item_ids=ITEMS[:1]))
    assert shown(answer) == shown(plain)
    (warning,) = answer.meta.warnings
    assert "minimum_click_probability, diversity of" in warning
    await configs.put(name, sources=[{"source": "popular"}])
    answer = await recommendation.SimilarItems(request)
    assert (shown(answer), causes(answer)) == ([], {"SHORT_SLATE"})
    assert (
        f"serving_config: 'popular', all that {name!r} asks, cannot say what is like an item" in answer.meta.warnings[0]
    )
