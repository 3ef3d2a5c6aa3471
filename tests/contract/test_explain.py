"""Why an item is or is not in a slate, held against the slates themselves, over the whole platform in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids, tiny_bundle

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .config_calls import Configs

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = item_ids(60)
SEEN = [ITEMS[2], ITEMS[6]]


def outcome(found: pb.Explanation) -> str:
    return pb.ItemOutcome.Name(found.outcome).removeprefix("ITEM_OUTCOME_")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("platform")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(folder: Path) -> AsyncIterator[Platform]:
    async with running_platform(folder) as platform:
        await rate(platform, "ann", *SEEN)
        yield platform


@pytest.fixture(scope="module")
def stub(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


async def rate(platform: Platform, user: str, *items: str) -> None:
    events = [actor_pb2.Event(item_id=item, value=5.0) for item in items]
    request = events_pb.WriteEventsRequest(actor=actor_pb2.Actor(user_id=user), events=events)
    await EventServiceStub(platform.channel).WriteEvents(request, timeout=5)


def ask(size: int = 5, user: str = "ann", **fields: object) -> pb.RecommendRequest:
    return pb.RecommendRequest(actor=actor_pb2.Actor(user_id=user), slate_size=size, **fields)  # type: ignore[arg-type]


async def why(stub: RecommendationServiceAsyncStub, item: str, **fields: object) -> pb.ExplainRecommendationResponse:
    request = pb.ExplainRecommendationRequest(item_id=item, **fields)  # type: ignore[arg-type]
    return await stub.ExplainRecommendation(request, timeout=5)


async def refused(call: object, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    assert caught.value.code() is code, caught.value.details()
    return caught.value.details() or ""


async def test_what_is_said_of_a_result_is_what_the_slate_said(stub: RecommendationServiceAsyncStub) -> None:
    slate = await stub.Recommend(ask(), timeout=5)
    for result in slate.results:
        answer = await why(stub, result.item_id, request=ask())
        found = answer.explanation
        assert (outcome(found), found.rank, found.is_relaxed) == ("SHOWN", result.rank, False)
        assert (found.scores.ranking_rank, found.scores.ranking_score) == (result.rank, result.score)
        assert list(found.provenance) == list(result.provenance)
        assert list(found.reasons) == list(result.reasons)
        assert found.heads == result.heads
        assert found.bundle_id == slate.meta.bundle.bundle_id
        assert not answer.HasField("what_if")
        assert not answer.meta.attribution_token


async def test_an_item_below_the_slate_stands_where_a_longer_slate_has_it(stub: RecommendationServiceAsyncStub) -> None:
    long = await stub.Recommend(ask(30), timeout=5)
    found = (await why(stub, long.results[12].item_id, request=ask())).explanation
    assert outcome(found) == "BELOW_SLATE"
    assert not found.HasField("rank")
    assert (found.scores.ranking_rank, found.heads) == (12, long.results[12].heads)
    assert found.candidate_count == 58


@pytest.mark.parametrize(
    ("kept_out", "constraints"),
    [
        ("SEEN", selection_pb2.Constraints()),
        ("EXCLUDED", selection_pb2.Constraints(exclude_item_ids=[ITEMS[2]])),
        (
            "EXCLUDED",
            selection_pb2.Constraints(include_item_ids=ITEMS[:4], exclude_item_ids=[ITEMS[2]]),
        ),
        (
            "NOT_INCLUDED",
            selection_pb2.Constraints(
                include_item_ids=ITEMS[4:9], exclude_seen=selection_pb2.ExcludeSeen(disabled=True)
            ),
        ),
    ],
)
async def test_what_kept_an_item_out_is_named_and_its_scores_are_those_without_it(
    stub: RecommendationServiceAsyncStub, kept_out: str, constraints: selection_pb2.Constraints
) -> None:
    everything = selection_pb2.Constraints(exclude_seen=selection_pb2.ExcludeSeen(disabled=True))
    free = await stub.Recommend(ask(60, constraints=everything), timeout=5)
    (result,) = (r for r in free.results if r.item_id == ITEMS[2])
    found = (await why(stub, ITEMS[2], request=ask(constraints=constraints))).explanation
    assert (outcome(found), found.is_relaxed) == (kept_out, True)
    assert (found.scores.ranking_rank, found.scores.ranking_score) == (result.rank, result.score)
    assert list(found.provenance) == list(result.provenance)


async def test_an_item_that_no_source_proposed_among_the_candidates_asked_for(
    stub: RecommendationServiceAsyncStub,
) -> None:
    few = await stub.Recommend(ask(3, candidate_count=3), timeout=5)
    long = await stub.Recommend(ask(60), timeout=5)
    left_out = next(r for r in reversed(long.results) if r.item_id not in {f.item_id for f in few.results})
    found = (await why(stub, left_out.item_id, request=ask(3, candidate_count=3))).explanation
    assert (outcome(found), found.is_relaxed, found.candidate_count) == ("NOT_A_CANDIDATE", True, 3)
    assert found.heads == left_out.heads


async def test_an_item_below_the_minimum_click_probability(stub: RecommendationServiceAsyncStub) -> None:
    long = await stub.Recommend(ask(60), timeout=5)
    best, last = long.results[0], min(long.results, key=lambda result: result.heads.click_probability)
    least = (best.heads.click_probability + last.heads.click_probability) / 2
    request = ask(constraints=selection_pb2.Constraints(minimum_click_probability=least))
    assert outcome((await why(stub, last.item_id, request=request)).explanation) == "BELOW_MINIMUM"


async def test_an_item_whose_place_a_constraint_gave_to_another(stub: RecommendationServiceAsyncStub) -> None:
    free = [result.item_id for result in (await stub.Recommend(ask(5), timeout=5)).results]
    caps = [selection_pb2.AttributeCap(attribute="genres", maximum=1)]
    request = ask(5, constraints=selection_pb2.Constraints(attribute_caps=caps))
    capped = [result.item_id for result in (await stub.Recommend(request, timeout=5)).results]
    assert set(free) - set(capped)
    for item in free:
        found = (await why(stub, item, request=request)).explanation
        assert outcome(found) == ("SHOWN" if item in capped else "CONSTRAINED")
        assert found.scores.ranking_rank == free.index(item), "by relevance, before constraints"


async def test_a_pinned_item_is_shown_and_was_not_retrieved(stub: RecommendationServiceAsyncStub) -> None:
    few = await stub.Recommend(ask(3, candidate_count=3), timeout=5)
    pinned = next(item for item in ITEMS[10:] if item not in {result.item_id for result in few.results})
    pins = [selection_pb2.Pin(item_id=pinned, position=1)]
    request = ask(3, candidate_count=3, constraints=selection_pb2.Constraints(pins=pins))
    found = (await why(stub, pinned, request=request)).explanation
    assert (outcome(found), found.rank) == ("SHOWN", 1)
    assert not found.scores.HasField("retrieval_rank")
    assert found.scores.HasField("ranking_score")


async def test_an_item_that_the_bundle_does_not_have(stub: RecommendationServiceAsyncStub) -> None:
    answer = await why(stub, "nowhere", request=ask())
    assert outcome(answer.explanation) == "NOT_IN_CATALOGUE"
    assert list(answer.meta.missing_ids) == ["nowhere"]


async def test_without_its_history_an_actor_is_explained_as_a_stranger(stub: RecommendationServiceAsyncStub) -> None:
    item = ITEMS[10]
    what_if = pb.WhatIf(without_history=True)
    answer = await why(stub, item, request=ask(60), what_if=what_if)
    stranger = (await why(stub, item, request=ask(60, user="nobody"))).explanation
    assert answer.what_if.heads == stranger.heads
    assert answer.what_if.heads != answer.explanation.heads, "the history did count"
    assert not answer.what_if.actor.history
    assert len(answer.explanation.actor.history) == 2
    assert outcome((await why(stub, SEEN[0], request=ask(60), what_if=what_if)).what_if) == "SEEN"


async def test_a_dropped_feature_is_not_given_to_the_models(stub: RecommendationServiceAsyncStub) -> None:
    named = actor_pb2.Context(attributes=[actor_pb2.Attribute(name="gender", text="F")])
    what_if = pb.WhatIf(dropped_features=["gender", "user_mean", "shoe_size"])
    answer = await why(stub, ITEMS[10], request=ask(context=named), what_if=what_if)
    plain = (await why(stub, ITEMS[10], request=ask())).explanation
    assert [a.name for a in answer.explanation.actor.attributes] == ["gender"]
    assert not answer.what_if.actor.attributes
    assert "user_mean" not in {feature.name for feature in answer.what_if.actor.features}
    assert "user_count" in {feature.name for feature in answer.what_if.actor.features}
    assert answer.what_if.actor.history == plain.actor.history
    assert list(answer.meta.warnings) == ["what_if.dropped_features: the actor has no 'shoe_size'"]


async def test_another_ranking_is_that_of_another_configs_head_weights(
    platform: Platform, stub: RecommendationServiceAsyncStub
) -> None:
    configs = Configs(platform.channel)
    weights = [{"head": "rating", "weight": 1.0}]
    await configs.put("by-rating", head_weights=weights, slate_size=1, sources=[{"source": "popular"}])
    await configs.put("same-but-by-rating", head_weights=weights)
    await configs.put("plain")
    what_if = pb.WhatIf(serving_config="by-rating")
    slate = await stub.Recommend(ask(30, user="cleo"), timeout=5)
    by_rating = await stub.Recommend(ask(30, user="cleo", serving_config="same-but-by-rating"), timeout=5)
    places = {result.item_id: (result.rank, result.score) for result in by_rating.results}
    shown = slate.results[3]
    assert places[shown.item_id][1] != shown.score
    for given in ({"request": ask(30, user="cleo")}, {"attribution_token": slate.meta.attribution_token}):
        answer = await why(stub, shown.item_id, what_if=what_if, **given)
        assert (answer.explanation.rank, answer.explanation.scores.ranking_score) == (shown.rank, shown.score)
        assert (answer.what_if.rank, answer.what_if.scores.ranking_score) == places[shown.item_id]
        assert answer.what_if.heads == answer.explanation.heads, "the same models, weighed otherwise"
        assert list(answer.what_if.provenance) == list(answer.explanation.provenance), "nothing else of it counts"
    request = ask(1, user="cleo", serving_config="by-rating")
    answer = await why(stub, shown.item_id, request=request, what_if=pb.WhatIf(serving_config="plain"))
    assert answer.what_if.scores.ranking_score != answer.explanation.scores.ranking_score, "the bundle's weights"
    call = why(stub, shown.item_id, request=ask(), what_if=pb.WhatIf(serving_config="nowhere"))
    assert "there is no serving config 'nowhere'" in await refused(call, grpc.StatusCode.NOT_FOUND)


async def test_a_token_is_explained_as_of_its_answer(platform: Platform, stub: RecommendationServiceAsyncStub) -> None:
    slate = await stub.Recommend(ask(user="bob"), timeout=5)
    second = slate.results[1]
    await rate(platform, "bob", second.item_id)
    now = (await why(stub, second.item_id, request=ask(user="bob"))).explanation
    assert outcome(now) == "SEEN"
    then = (await why(stub, second.item_id, attribution_token=slate.meta.attribution_token)).explanation
    assert (outcome(then), then.rank) == ("SHOWN", 1)
    assert not then.actor.history
    page = await stub.RecommendNext(pb.RecommendNextRequest(next_token=slate.meta.next_token), timeout=5)
    assert page.results


async def test_a_visitors_token_is_a_visitors(stub: RecommendationServiceAsyncStub) -> None:
    visitor = actor_pb2.Actor(tenant="shop", visitor_id="u/ann/1")
    slate = await stub.Recommend(pb.RecommendRequest(actor=visitor, slate_size=3), timeout=5)
    token, last = slate.meta.attribution_token, slate.results[2].item_id
    assert (await why(stub, last, attribution_token=token)).explanation.rank == 2
    given = pb.RecommendRequest(actor=visitor)
    assert (await why(stub, last, attribution_token=token, request=given)).explanation.rank == 2


async def test_what_chance_put_there_is_explained_as_it_fell(stub: RecommendationServiceAsyncStub) -> None:
    softmax = selection_pb2.EXPLORATION_METHOD_SOFTMAX
    exploration = selection_pb2.Exploration(method=softmax, slots=4, strength=10.0)
    constraints = selection_pb2.Constraints(exploration=exploration)
    slate = await stub.Recommend(ask(5, constraints=constraints), timeout=5)
    assert any(result.propensity < 1.0 for result in slate.results)
    given = pb.RecommendRequest(constraints=constraints)
    for result in slate.results:
        token = slate.meta.attribution_token
        found = (await why(stub, result.item_id, request=given, attribution_token=token)).explanation
        assert (outcome(found), found.rank) == ("SHOWN", result.rank)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"item_id": ""}, "item_id: is required"),
        ({"item_id": "a\x00"}, "item_id: has the control character"),
        ({"request": None}, "request: is required where there is no attribution_token"),
        ({"request": ask(1001)}, "request.slate_size: is 1001"),
        ({"request": ask(validate_only=True)}, "request.validate_only: "),
        ({"request": ask(debug_level=1)}, "request.debug_level: "),
        ({"request_id": "r" * 257}, "request_id: is 257 bytes"),
        ({"attribution_token": "forged"}, "attribution_token: is not a token"),
        ({"what_if": pb.WhatIf()}, "what_if: changes nothing"),
        ({"what_if": pb.WhatIf(dropped_features=["hour_of_day"])}, "what_if.dropped_features[0]: 'hour_of_day' is no"),
        ({"what_if": pb.WhatIf(dropped_features=[""])}, "what_if.dropped_features[0]: must be 1 to 64"),
        ({"what_if": pb.WhatIf(dropped_features=["a"] * 51)}, "what_if.dropped_features: has 51"),
        ({"what_if": pb.WhatIf(bundle_id="b" * 129)}, "what_if.bundle_id: is 129"),
    ],
)
async def test_bad_fields_are_named(stub: RecommendationServiceAsyncStub, fields: dict[str, object], said: str) -> None:
    request = pb.ExplainRecommendationRequest(**{"item_id": ITEMS[3], "request": ask(), **fields})  # type: ignore[arg-type]
    assert said in await refused(stub.ExplainRecommendation(request, timeout=5))


async def test_a_token_and_a_request_that_contradict_it_are_refused(stub: RecommendationServiceAsyncStub) -> None:
    slate = await stub.Recommend(ask(), timeout=5)
    token = slate.meta.attribution_token
    call = why(stub, ITEMS[3], attribution_token=token, request=ask(user="bob", bundle_id="other"))
    details = await refused(call)
    assert "request.actor: is not the token's" in details
    assert "request.bundle_id: is not the token's" in details
    similar = await stub.SimilarItems(pb.SimilarItemsRequest(item_ids=[ITEMS[0]]), timeout=5)
    details = await refused(why(stub, ITEMS[3], attribution_token=similar.meta.attribution_token))
    assert "attribution_token: is of a SimilarItems" in details


async def test_another_bundle_in_the_what_if_is_the_whole_platform_on_that_bundle(
    platform: Platform, stub: RecommendationServiceAsyncStub, folder: Path
) -> None:
    old = platform.bundle_id
    new = tiny_bundle(folder / "bundles", seed=1).bundle_id
    while (await stub.Recommend(ask(1), timeout=5)).meta.bundle.bundle_id != new:
        await asyncio.sleep(0.02)
    answer = await why(stub, ITEMS[10], request=ask(), what_if=pb.WhatIf(bundle_id=old))
    before = (await why(stub, ITEMS[10], request=ask(bundle_id=old))).explanation
    assert (answer.explanation.bundle_id, answer.what_if.bundle_id) == (new, old)
    assert answer.what_if.scores == before.scores
    assert answer.what_if.scores != answer.explanation.scores
    call = why(stub, ITEMS[10], request=ask(), what_if=pb.WhatIf(bundle_id="tiny-0"))
    assert "tiny-0" in await refused(call, grpc.StatusCode.FAILED_PRECONDITION)
