"""Filters that serving configs keep, asked for by name and value over the platform."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import answer_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.platform import Platform

from .config_calls import Configs
from .questions import actor, refused
from .slates import event, write

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub
from .named_filters import COMEDIES, FLAG, IDS, NUMBER, RECENT, TEXT, TEXTS, TIME, N, ask, ids, kept, named, passing

pytestmark = pytest.mark.asyncio(loop_scope="module")


CONTRACT = Path(__file__).parents[2] / "protos" / "README.md"


KEPT = [
    RECENT,
    kept("plain", "in_colour = $colour AND released > $after", colour=FLAG, after=TIME),
    kept("titled", "(title = $t OR id = $t) AND NOT id:$not", t=TEXT, **{"not": TEXTS}),
    kept("fixed", 'year > 1990 AND NOT seen("click", 30d)'),
    kept("nothing", "year > $y", y=NUMBER),
    kept("unseen", "NOT seen($types, 30d)", types=TEXTS),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(platform: Platform) -> str:
    """Name of a config that keeps some filters."""
    await Configs(platform.channel).put("home", filters=KEPT)
    return "home"


def is_recent(item: Mapping[str, Any]) -> bool:
    return (item["year"] or 0) >= 1990 and bool({"Comedy", "Drama"} & set(item["genres"]))


@pytest.mark.parametrize(
    ("filter_", "passes"),
    [
        (COMEDIES, is_recent),
        (named("recent", since=2005.5, liked=["Noir"]), lambda item: False),
        (named("plain", colour=True, after=Timestamp(seconds=1_696_118_400)),
         lambda item: item["in_colour"] is True and (item["released"] or 0) > 1_696_118_400),
        (named("titled", t=IDS[3], **{"not": [IDS[4]]}), lambda item: item["id"] == IDS[3]),
        (named("titled", t=IDS[3], **{"not": [IDS[3]]}), lambda item: False),
        (named("fixed"), lambda item: (item["year"] or 0) > 1990),
        (named("recent", since=1990.0, liked=["Comedy", "Drama"], expression="in_colour = true"),
         lambda item: is_recent(item) and item["in_colour"] is True),
        (named("recent", since=1990.0, liked=["Comedy", "Drama"], ast={"negation": {"comparison": {
            "field": "genres", "operator": 7, "text": "Drama"}}}),
         lambda item: is_recent(item) and "Drama" not in item["genres"]),
        (named("recent", since=1990.0, liked=["Comedy", "Drama"], expression=f'id = "{IDS[2]}" OR year < 1990'),
         lambda item: is_recent(item) and (item["id"] == IDS[2] or (item["year"] or 9999) < 1990)),
    ],
)  # fmt: skip
async def test_a_named_filter_lets_pass_what_it_says_of_its_values(
    recommendation: RecommendationServiceAsyncStub, home: str, filter_: selection_pb2.Filter, passes: Any
) -> None:
    answer = await recommendation.Recommend(ask(home, filter_), timeout=5)
    assert ids(answer) == passing(passes)
    similar = pb.SimilarItemsRequest(item_ids=[IDS[0]], filter=filter_, slate_size=N, serving_config=home)
    assert ids(await recommendation.SimilarItems(similar, timeout=5)) <= passing(passes) - {IDS[0]}


PIECES = ['"', "'", "\\", ")", "(", " OR ", " AND ", "NOT ", "id:*", "year > 0", "$t", "$", "x", ","]
QUOTES = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
INJECTED = st.one_of(
    QUOTES,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from([*IDS[:10], '" OR id:* OR title = "', 'x") OR NOT title = ("', "$t", "*"]),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=INJECTED, others=st.lists(INJECTED, min_size=1, max_size=3))
async def test_no_value_is_read_as_a_part_of_the_filter(
    recommendation: RecommendationServiceAsyncStub, home: str, text: str, others: list[str]
) -> None:
    answer = await recommendation.Recommend(ask(home, named("titled", t=text, **{"not": others})), timeout=5)
    assert ids(answer) == passing(lambda item: text in (item["title"], item["id"]) and item["id"] not in others)


async def test_every_call_with_a_filter_takes_a_named_one(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, home: str, user: str
) -> None:
    passes = passing(is_recent)
    base = ask(home, COMEDIES, user, slate_size=4)
    first = await recommendation.Recommend(base, timeout=5)
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token), timeout=5)
    assert ids(first) | ids(following) <= passes
    assert len(ids(first) | ids(following)) == 8
    outside = next(iter(set(IDS) - passes))
    explained = await recommendation.ExplainRecommendation(
        pb.ExplainRecommendationRequest(request=base, item_id=outside), timeout=5
    )
    assert explained.explanation.outcome == pb.ITEM_OUTCOME_FILTERED
    both = await recommendation.CompareBundles(
        pb.CompareBundlesRequest(request=base, other_bundle_id=platform.bundle_id), timeout=5
    )
    assert ids(both.base) == ids(both.other) == ids(first)
    shared = pb.RecommendRequest(serving_config=home, filter=COMEDIES, slate_size=4)
    batch = pb.BatchRecommendRequest(actors=[actor(user), actor("other")], request=shared)
    answers = [one async for one in recommendation.BatchRecommend(batch, timeout=10)]
    assert [ids(one.answer) <= passes for one in answers] == [True, True]
    promoted = selection_pb2.Constraints(
        promotions=[{"filter": named("titled", t=IDS[9], **{"not": ["-"]}), "slots": 1}]
    )
    answer = await recommendation.Recommend(
        pb.RecommendRequest(actor=actor(user), serving_config=home, constraints=promoted, slate_size=3), timeout=5
    )
    assert IDS[9] in ids(answer)


async def test_types_of_event_are_values_as_well(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, home: str, user: str
) -> None:
    await write(platform, user, event(IDS[2], "click"), event(IDS[3], "view"), event(IDS[4]))
    everything = selection_pb2.Constraints(exclude_seen=selection_pb2.ExcludeSeen(disabled=True))
    for types, gone in ((["click"], {IDS[2]}), (["view", "rating"], {IDS[3], IDS[4]}), (['click") OR id:*'], set())):
        request = ask(home, named("unseen", types=types), user, constraints=everything)
        assert ids(await recommendation.Recommend(request, timeout=5)) == set(IDS) - gone


async def test_a_named_filter_that_nothing_passes_follows_the_requests_policy(
    recommendation: RecommendationServiceAsyncStub, home: str
) -> None:
    def causes(answer: pb.RecommendResponse) -> set[str]:
        names = (answer_pb2.DegradationCause.Name(cause) for cause in answer.meta.degradation.causes)
        return {name.removeprefix("DEGRADATION_CAUSE_") for name in names}

    answer = await recommendation.Recommend(ask(home, named("nothing", y=3000.0)), timeout=5)
    assert not answer.results
    assert "EMPTY_SELECTION" in causes(answer)
    relaxed = named("nothing", y=3000.0, on_empty=selection_pb2.EMPTY_POLICY_RELAX_FILTER)
    answer = await recommendation.Recommend(ask(home, relaxed), timeout=5)
    assert len(answer.results) == N
    assert "FILTER_RELAXED" in causes(answer)


@pytest.mark.parametrize(
    ("filter_", "field", "permitted"),
    [
        (named(""), "filter.named.name", "is required; it keeps fixed, nothing, plain, recent, titled, unseen"),
        (named("other"), "filter.named.name", "is 'other', which is no filter of the serving config; it keeps fixed"),
        (named("recent", since=1990.0), "filter.named.parameters", "lacks 'liked', 1 to 1000 texts"),
        (named("fixed", since=1990.0), "filter.named.parameters[0].name", "its parameters are: none"),
        (named("nothing", y="1990"), "filter.named.parameters[0].text", "is a finite number, in `number`"),
        (named("nothing", y=[]), "filter.named.parameters[0].texts", "is a finite number, in `number`"),
        (named("nothing", y=float("inf")), "filter.named.parameters[0].number", "must be a finite number"),
        (named("recent", since=1.0, liked=[]), "filter.named.parameters[1].texts.values", "1 to 1000 are allowed"),
        (named("fixed", expression="year > $y"), "filter.expression", "only filters that a serving config keeps"),
    ],
)
async def test_what_is_wrong_with_a_named_filter_is_refused_with_what_is_permitted(
    recommendation: RecommendationServiceAsyncStub, home: str, filter_: selection_pb2.Filter, field: str, permitted: str
) -> None:
    for is_dry in (False, True):
        said = await refused(recommendation.Recommend(ask(home, filter_, validate_only=is_dry), timeout=5))
        assert said.startswith(f"{field}: ")
        assert permitted in said


async def test_a_config_without_the_filter_does_not_know_it(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    await configs.put(name)
    for config in ("", name):
        said = await refused(recommendation.Recommend(ask(config, COMEDIES), timeout=5))
        assert "is 'recent', which is no filter of the serving config; it keeps none" in said


async def test_the_next_answer_is_by_the_config_as_it_was_put_last(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    await configs.put(name, filters=[kept("f", "year > 2000")])
    answer = await recommendation.Recommend(ask(name, named("f")), timeout=5)
    assert ids(answer) == passing(lambda item: (item["year"] or 0) > 2000)
    await configs.put(name, filters=[kept("f", "year < $y", y=NUMBER)])
    answer = await recommendation.Recommend(ask(name, named("f", y=1990.0)), timeout=5)
    assert ids(answer) == passing(lambda item: (item["year"] or 9999) < 1990)
    await refused(recommendation.Recommend(ask(name, named("f")), timeout=5))


async def test_a_continuation_ends_with_the_filter_that_its_config_kept(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    await configs.put(name, filters=[kept("f", "year > $y", y=NUMBER)])
    first = await recommendation.Recommend(ask(name, named("f", y=1990.0), slate_size=3), timeout=5)
    on = pb.RecommendNextRequest(next_token=first.meta.next_token)
    await configs.put(name, filters=[kept("f", "year > $y", y=NUMBER), kept("other", "year > 1")])
    following = await recommendation.RecommendNext(on, timeout=5)
    assert len(ids(following) - ids(first)) == 3
    await configs.put(name, filters=[kept("other", "year > 1")])
    said = await refused(recommendation.RecommendNext(on, timeout=5), grpc.StatusCode.FAILED_PRECONDITION)
    assert "filter.named.name: is 'f', which is no filter of the serving config; it keeps other" in said
    assert "call Recommend again" in said


async def test_a_fallback_answers_without_the_named_filter_and_can_be_gone_on_with_and_explained(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    fallback = f"{name}-fallback"
    await configs.put(fallback, filters=[kept("unrelated", "year > 1")])
    policy = selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG
    await configs.put(name, filters=[kept("f", "year > $y", y=NUMBER)], on_empty=policy, fallback_config=fallback)
    nothing = named("f", y=3000.0)
    first = await recommendation.Recommend(ask(name, nothing, slate_size=3), timeout=5)
    assert first.meta.serving_config == fallback
    assert len(first.results) == 3
    following = await recommendation.RecommendNext(pb.RecommendNextRequest(next_token=first.meta.next_token), timeout=5)
    assert len(ids(following) - ids(first)) == 3
    why = pb.ExplainRecommendationRequest(
        request=pb.RecommendRequest(filter=nothing, slate_size=3),
        attribution_token=first.meta.attribution_token,
        item_id=first.results[1].item_id,
    )
    answer = await recommendation.ExplainRecommendation(why, timeout=5)
    assert answer.explanation.outcome == pb.ITEM_OUTCOME_SHOWN
    why.request.filter.expression = "year >"
    assert "request.filter.expression" in await refused(recommendation.ExplainRecommendation(why, timeout=5))


async def test_every_variant_of_an_experiment_keeps_the_filter(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    other = f"{name}-b"
    recent = kept("f", "year > $y", y=NUMBER)
    await configs.put(other, filters=[recent])
    variants = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1, "serving_config": other}]
    await configs.put(name, filters=[recent], experiment={"name": "e", "variants": variants})
    expected = passing(lambda item: (item["year"] or 0) > 2000)
    answers = [
        await recommendation.Recommend(ask(name, named("f", y=2000.0), f"user-{n}"), timeout=5) for n in range(12)
    ]
    assert {tuple(answer.meta.variants) for answer in answers} == {("e:a",), ("e:b",)}
    assert all(ids(answer) == expected for answer in answers)
    await configs.put(other)
    said = await refused(recommendation.Recommend(ask(name, named("f", y=2000.0)), timeout=5))
    assert "filter.named.name: is 'f', which is no filter of the serving config" in said


async def test_the_example_of_the_contract_works_as_pasted(
    recommendation: RecommendationServiceAsyncStub, configs: Configs
) -> None:
    section = CONTRACT.read_text("utf-8").split("### Named filters")[1].split("\n## ")[0]
    definition, asked = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    request = json_format.Parse(asked, pb.RecommendRequest(actor=actor("u"), slate_size=N))
    own = json_format.Parse(definition, selection_pb2.FilterDefinition())
    await configs.put(f"{request.serving_config}-contract", filters=[own])
    request.serving_config += "-contract"
    answer = await recommendation.Recommend(request, timeout=5)
    assert ids(answer) == passing(is_recent)
