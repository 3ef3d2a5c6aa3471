"""Requests that name a serving config: they get its settings, may narrow them, and never widen them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_domain.deadline import Deadline
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import GENRES, item_ids

from .config_calls import Configs
from .questions import actor, ask, causes, refused, shown
from .slates import N

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(N)


def cap(maximum: int) -> selection_pb2.Constraints:
    return selection_pb2.Constraints(attribute_caps=[selection_pb2.AttributeCap(attribute="genres", maximum=maximum)])


def genres(answer: Any) -> list[str]:
    return [GENRES[ITEMS.index(item_id) % len(GENRES)] for item_id in shown(answer)]


async def test_an_answer_names_its_config_and_version(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    plain = await recommendation.Recommend(ask(user))
    assert (plain.meta.serving_config, plain.meta.serving_config_version) == ("default", 0)
    first = await configs.put(name, slate_size=3)
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    assert (answer.meta.serving_config, answer.meta.serving_config_version) == (name, first.version)
    assert shown(answer) == shown(plain)[:3]
    second = await configs.put(name, slate_size=4)
    answer = await recommendation.Recommend(ask(user, serving_config=name))
    assert (len(answer.results), answer.meta.serving_config_version) == (4, second.version)
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
    assert list(answer.meta.warnings) == []


async def test_an_unknown_config_is_not_found_and_the_known_ones_are_named(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name)
    calls = (
        recommendation.Recommend(ask(user, serving_config="unheard-of")),
        recommendation.Recommend(ask(user, serving_config="unheard-of", validate_only=True)),
        recommendation.SimilarItems(pb.SimilarItemsRequest(item_ids=ITEMS[:1], serving_config="unheard-of")),
        recommendation.RerankItems(
            pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:2], serving_config="unheard-of")
        ),
        recommendation.ExplainRecommendation(
            pb.ExplainRecommendationRequest(request=ask(user, serving_config="unheard-of"), item_id=ITEMS[0])
        ),
        recommendation.CompareBundles(
            pb.CompareBundlesRequest(request=ask(user, serving_config="unheard-of"), other_bundle_id="other")
        ),
    )
    for call in calls:
        said = await refused(call, grpc.StatusCode.NOT_FOUND)
        assert "'unheard-of'" in said
        assert f"'{name}'" in said


async def test_only_the_sources_of_the_config_are_asked_and_their_weights_count(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    history = [actor_pb2.Event(item_id=ITEMS[0], value=5.0), actor_pb2.Event(item_id=ITEMS[5], value=4.0)]
    request = ask(user, slate_size=20, context=actor_pb2.Context(events=history), serving_config=name)
    await configs.put(name, sources=[{"source": "popular"}])
    answer = await recommendation.Recommend(request)
    assert {one.source for result in answer.results for one in result.provenance} == {"popular"}
    mixed = [{"source": "popular", "weight": 1000.0}, {"source": "two_tower", "weight": 0.001}]
    await configs.put(name, sources=mixed)
    request.debug_level = pb.DEBUG_LEVEL_FULL
    answer = await recommendation.Recommend(request)
    sources = {one.source for result in answer.results for one in result.provenance}
    assert sources == {"popular", "two_tower"}
    by_retrieval = sorted(zip(answer.debug.results, answer.results, strict=True), key=lambda p: p[0].retrieval_rank)
    popular = [next(o.source_rank for o in result.provenance if o.source == "popular") for _, result in by_retrieval]
    assert popular == sorted(popular), "the heavier source decides the order of retrieval"


async def test_head_weights_of_the_config_decide_the_order(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    for head, of in (("click", "click_probability"), ("rating", "rating")):
        await configs.put(name, head_weights=[{"head": head, "weight": 1.0}])
        answer = await recommendation.Recommend(ask(user, slate_size=20, serving_config=name))
        values = [getattr(result.heads, of) for result in answer.results]
        assert values == sorted(values, reverse=True)
        listed = pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:20], serving_config=name)
        reranked = await recommendation.RerankItems(listed)
        values = [getattr(result.heads, of) for result in reranked.results]
        assert values == sorted(values, reverse=True)
        assert reranked.meta.serving_config == name


async def test_candidates_of_the_config_are_the_default_and_the_most(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, candidate_count=20)
    for asked, given in ((0, 20), (15, 15), (20, 20)):
        answer = await recommendation.Recommend(ask(user, serving_config=name, candidate_count=asked))
        (retrieve,) = (stage for stage in answer.meta.stages if stage.stage == "retrieve")
        assert retrieve.items_out == given
    said = await refused(recommendation.Recommend(ask(user, serving_config=name, candidate_count=21)))
    assert said == f"candidate_count: is 21; serving config '{name}' allows at most 20"


async def test_every_call_under_a_config_keeps_to_its_constraints(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    constraints = cap(2)
    constraints.exclude_item_ids.extend(ITEMS[:10])
    record = await configs.put(name, slate_size=6, constraints=constraints)
    request = ask(user, serving_config=name)

    def check(answer: Any, n: int = 6) -> None:
        assert (answer.meta.serving_config, answer.meta.serving_config_version) == (name, record.version)
        assert len(answer.results) == n
        assert not set(shown(answer)) & set(ITEMS[:10])
        assert max(map(genres(answer).count, GENRES)) <= 2

    answer = await recommendation.Recommend(request)
    check(answer)
    similar = pb.SimilarItemsRequest(item_ids=ITEMS[20:21], serving_config=name)
    check(await recommendation.SimilarItems(similar))
    batch = pb.BatchRecommendRequest(actors=[actor("a"), actor("b")], request=pb.RecommendRequest(serving_config=name))
    found = [one async for one in recommendation.BatchRecommend(batch)]
    for one in found:
        check(one.answer)
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert (following.meta.serving_config, following.meta.serving_config_version) == (name, record.version)
    assert not set(shown(following)) & set(ITEMS[:10])
    both = [*shown(answer), *shown(following)]
    held = [GENRES[ITEMS.index(item) % len(GENRES)] for item in both]
    assert max(map(held.count, GENRES)) <= 2, "the cap holds for all pages together"
    explained = await recommendation.ExplainRecommendation(
        pb.ExplainRecommendationRequest(request=request, item_id=ITEMS[0])
    )
    assert explained.explanation.outcome == pb.ITEM_OUTCOME_EXCLUDED
    assert explained.meta.serving_config == name
    by_token = pb.ExplainRecommendationRequest(attribution_token=answer.meta.attribution_token, item_id=ITEMS[0])
    explained = await recommendation.ExplainRecommendation(by_token)
    assert explained.explanation.outcome == pb.ITEM_OUTCOME_EXCLUDED
    by_token.request.serving_config = "default"
    assert "request.serving_config: is not the token's" in await refused(recommendation.ExplainRecommendation(by_token))
    dry = await recommendation.Recommend(ask(user, serving_config=name, validate_only=True))
    assert (dry.meta.serving_config, dry.meta.serving_config_version) == (name, record.version)


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


def request_of(user: str, name: str, fields: dict[str, Any]) -> pb.RecommendRequest:
    return ParseDict({"actor": {"user_id": user}, "serving_config": name, **fields}, pb.RecommendRequest())


async def put_whole(configs: Configs, name: str) -> None:
    config = ParseDict({"name": name, **CONFIG}, configs_pb.ServingConfig())
    await configs.stub.PutServingConfig(configs_pb.PutServingConfigRequest(config=config))


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
    assert f"serving_config: 'popular', the only source of {name!r}, knows nothing" in answer.meta.warnings[0]


async def test_a_fallback_answers_where_the_filter_empties_the_slate(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(f"{name}-safe", slate_size=4, sources=[{"source": "popular"}])
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe")
    nothing = selection_pb2.Filter(expression="year > 3000")
    request = ask(user, serving_config=name, filter=nothing, slate_size=5)
    answer = await recommendation.Recommend(request)
    assert answer.meta.serving_config == f"{name}-safe"
    assert len(answer.results) == 4, "as many as the fallback allows"
    assert {one.source for result in answer.results for one in result.provenance} == {"popular"}
    assert causes(answer) == {"FALLBACK_CONFIG"}
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_PARTIAL
    said = f"serving_config: '{name}' left nothing to show; '{name}-safe' answered, without the request's filter"
    assert said in answer.meta.warnings
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert following.meta.serving_config == f"{name}-safe"
    assert not set(shown(following)) & set(shown(answer))
    explained = await recommendation.ExplainRecommendation(
        pb.ExplainRecommendationRequest(
            attribution_token=answer.meta.attribution_token, item_id=answer.results[0].item_id
        )
    )
    assert explained.explanation.rank == 0
    request.filter.on_empty = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    answer = await recommendation.Recommend(request)
    assert (list(answer.results), answer.meta.serving_config) == ([], name)
    assert causes(answer) == {"EMPTY_SELECTION", "SHORT_SLATE"}


async def test_a_request_may_ask_for_the_fallback_where_the_config_names_one(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    nothing = selection_pb2.Filter(expression="year > 3000", on_empty=selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG)
    await configs.put(name)
    for config in ("default", name):
        said = await refused(recommendation.Recommend(ask(user, serving_config=config, filter=nothing)))
        assert said == f"filter.on_empty: is FALLBACK_CONFIG; serving config '{config}' names no fallback_config"
    await configs.put(name, fallback_config="default")
    answer = await recommendation.Recommend(ask(user, serving_config=name, filter=nothing))
    assert (len(answer.results), answer.meta.serving_config) == (10, "default")
    similar = pb.SimilarItemsRequest(item_ids=ITEMS[:1], serving_config=name, filter=nothing)
    found = await recommendation.SimilarItems(similar)
    assert (len(found.results), found.meta.serving_config) == (10, "default")


async def test_a_fallback_of_a_fallback_answers_and_the_requests_constraints_hold(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    empty = {"minimum_click_probability": 1.0}
    await configs.put(f"{name}-c", constraints={"attribute_caps": [{"attribute": "genres", "maximum": 1}]})
    await configs.put(
        f"{name}-b", on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-c", constraints=empty
    )
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-b", constraints=empty)
    request = ask(user, serving_config=name)
    request.constraints.exclude_item_ids.extend(ITEMS[:20])
    request.constraints.attribute_caps.add(attribute="genres", maximum=2)
    answer = await recommendation.Recommend(request)
    assert answer.meta.serving_config == f"{name}-c"
    assert not set(shown(answer)) & set(ITEMS[:20])
    assert len(answer.results) == 4, "one of each genre: the fallback's cap is the tighter one"
    assert sum("left nothing to show" in warning for warning in answer.meta.warnings) == 2
    assert "FALLBACK_CONFIG" in causes(answer)


async def test_a_fallback_that_is_gone_leaves_the_answer_empty_and_that_is_said(
    platform: Platform, configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(f"{name}-safe")
    await configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe")
    documents = platform.service.features.store().documents
    await documents.write_document("serving_configs", f"{name}-safe", None, None, Deadline.after(5.0))
    async with asyncio.timeout(10):
        while f"{name}-safe" in await configs.all():
            await asyncio.sleep(0.02)
    request = ask(user, serving_config=name, filter=selection_pb2.Filter(expression="year > 3000"))
    answer = await recommendation.Recommend(request)
    assert (list(answer.results), answer.meta.serving_config) == ([], name)
    assert (
        f"the fallback of '{name}' cannot answer: there is no serving config '{name}-safe'" in answer.meta.warnings[0]
    )
    (problem,) = (await configs.get(name)).problems
    assert problem.startswith(f"fallback_config is '{name}-safe', which there is not")
    await refused(configs.put(name, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe"))


async def test_a_relaxing_config_relaxes_where_the_request_is_silent(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, on_empty="EMPTY_POLICY_RELAX_FILTER")
    request = ask(user, serving_config=name, filter=selection_pb2.Filter(expression="year > 3000"))
    answer = await recommendation.Recommend(request)
    assert (len(answer.results), causes(answer)) == (10, {"FILTER_RELAXED"})
    request.filter.on_empty = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    assert not (await recommendation.Recommend(request)).results


async def test_a_page_is_no_longer_than_the_config_allows(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name, slate_size=4)
    first = await recommendation.Recommend(ask(user, serving_config=name, slate_size=2))
    following = pb.RecommendNextRequest(next_token=first.meta.next_token, slate_size=4)
    assert len((await recommendation.RecommendNext(following)).results) == 4
    following.slate_size = 5
    said = await refused(recommendation.RecommendNext(following))
    assert said == f"slate_size: is 5; serving config {name!r} allows at most 4"


async def test_a_page_after_a_change_goes_on_under_the_changed_config_and_says_so(
    configs: Configs, name: str, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await configs.put(name)
    first = await recommendation.Recommend(ask(user, serving_config=name, slate_size=5))
    changed = await configs.put(name, slate_size=3, constraints={"exclude_item_ids": ITEMS[:30]})
    page = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token))
    assert page.meta.serving_config_version == changed.version
    assert not set(shown(page)) & {*shown(first), *ITEMS[:30]}
    assert any(f"'{name}' is at version {changed.version}" in warning for warning in page.meta.warnings)
    await configs.delete(name)
    said = await refused(
        recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token)),
        grpc.StatusCode.FAILED_PRECONDITION,
    )
    assert "call Recommend again" in said
