"""Filters over the whole platform: what comes back is what passes, whichever form, source and stage answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, given, settings

from shortlist.common.v1 import actor_pb2, answer_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.retrieval.v1 import retrieval_service_pb2 as retrieval_pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from shortlist_domain.filters import Node
from shortlist_rpc.filter_message import node_message
from shortlist_testing.filter_trees import ITEMS, trees, truth
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

N = 60
IDS = [item["id"] for item in ITEMS]
README = (Path(__file__).parents[2] / "services/gateway/README.md").read_text()


def ask(user_id: str, filter_: selection_pb2.Filter | str, **fields: object) -> pb.RecommendRequest:
    condition = selection_pb2.Filter(expression=filter_) if isinstance(filter_, str) else filter_
    fields = {"slate_size": N, "actor": actor_pb2.Actor(user_id=user_id), **fields}
    return pb.RecommendRequest(filter=condition, **fields)  # type: ignore[arg-type]


def ids(answer: pb.RecommendResponse | pb.SimilarItemsResponse) -> list[str]:
    return [result.item_id for result in answer.results]


def causes(answer: pb.RecommendResponse | pb.SimilarItemsResponse) -> set[str]:
    names = (answer_pb2.DegradationCause.Name(c) for c in answer.meta.degradation.causes)
    return {name.removeprefix("DEGRADATION_CAUSE_") for name in names}


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(node=trees())
async def test_every_item_that_passes_comes_back_and_no_other(
    recommendation: RecommendationServiceAsyncStub, node: Node
) -> None:
    passing = [item["id"] for item in ITEMS if truth(node, item) is True]
    answer = await recommendation.Recommend(ask("u", selection_pb2.Filter(ast=node_message(node))), timeout=5)
    assert sorted(ids(answer)) == sorted(passing)
    assert ("EMPTY_SELECTION" in causes(answer)) is not bool(passing)


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ('genres:"Comedy"', lambda item: "Comedy" in item["genres"]),
        ("genres:Comedy year >= 2000", lambda item: "Comedy" in item["genres"] and (item["year"] or 0) >= 2000),
        ('-genres:("Comedy", "Drama")', lambda item: not {"Comedy", "Drama"} & set(item["genres"])),
        ('genres:"Comedy" OR genres:"Drama" year < 1990',
         lambda item: {"Comedy", "Drama"} & set(item["genres"]) and (item["year"] or 9999) < 1990),
        ("in_colour = true AND released > 2023-10-01T00:00:00Z",
         lambda item: item["in_colour"] is True and (item["released"] or 0) > 1_696_118_400),
        (f'id:("{IDS[1]}", "{IDS[2]}", "nowhere")', lambda item: item["id"] in IDS[1:3]),
        ('language = "日本語" AND tags:t2', lambda item: item["language"] == "日本語" and "t2" in item["tags"]),
        ('title >= "Film 5" AND title < "Film 6"', lambda item: item["title"].startswith("Film 5")),
    ],
)  # fmt: skip
async def test_an_expression_lets_pass_what_it_says(
    recommendation: RecommendationServiceAsyncStub, user: str, expression: str, passes: object
) -> None:
    answer = await recommendation.Recommend(ask(user, expression), timeout=5)
    assert sorted(ids(answer)) == sorted(item["id"] for item in ITEMS if passes(item))  # type: ignore[operator]
    similar = pb.SimilarItemsRequest(
        item_ids=[IDS[0]], filter=selection_pb2.Filter(expression=expression), slate_size=N
    )
    found = ids(await recommendation.SimilarItems(similar, timeout=5))
    assert set(found) <= set(ids(answer)) - {IDS[0]}


async def test_histories_and_attributes_of_the_actor_count(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    events = [
        actor_pb2.Event(item_id=IDS[2], value=5.0),
        actor_pb2.Event(item_id=IDS[3], value=1.0, event_type="click"),
    ]
    actor = actor_pb2.Actor(user_id=user)
    written = await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor, events=events), timeout=5)
    everything = selection_pb2.Constraints(exclude_seen=selection_pb2.ExcludeSeen(disabled=True))
    fields = {"constraints": everything, "consistency_token": written.consistency_token}
    seen = await recommendation.Recommend(ask(user, 'seen("click", 30d)', **fields), timeout=5)
    assert ids(seen) == [IDS[3]]
    unseen = await recommendation.Recommend(ask(user, "NOT seen()", **fields), timeout=5)
    assert sorted(ids(unseen)) == sorted(set(IDS) - {IDS[2], IDS[3]})
    context = actor_pb2.Context(attributes=[actor_pb2.Attribute(name="age", number=12)])
    grown = 'actor.age >= 18 OR genres:"Comedy"'
    young = await recommendation.Recommend(ask(user, grown, context=context), timeout=5)
    assert set(ids(young)) <= {item["id"] for item in ITEMS if item["genres"] == ["Comedy"]}
    context.attributes[0].number = 30
    assert len(ids(await recommendation.Recommend(ask(user, grown, context=context), timeout=5))) == N - 2


async def test_a_gateway_over_the_wire_filters_as_one_in_the_same_process(platform: Platform, user: str) -> None:
    wire = RecommendationServiceStub(await platform.gateway_over_the_wire())
    condition = 'genres:("Comedy", "Drama") AND NOT year < 2000 AND released:*'
    wired = await wire.Recommend(ask(user, condition), timeout=5)
    direct = await RecommendationServiceStub(platform.channel).Recommend(ask(user, condition), timeout=5)
    assert ids(wired) == ids(direct)
    assert causes(wired) == causes(direct) == {"SHORT_SLATE"}


async def test_a_filter_at_its_limits_is_served_in_full(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    years = " ".join(f"year>-{n}" for n in range(100))
    both = f"({years}) AND ({years.replace('-', '-1')})"
    for expression in (both, f"NOT ({both.replace('>', '<')})"):
        answer = await recommendation.Recommend(ask(user, expression), timeout=5)
        assert set(ids(answer)) == {item["id"] for item in ITEMS if item["year"] is not None}
        assert causes(answer) == {"SHORT_SLATE"}


async def test_retrieval_refuses_what_only_the_gateway_can_know(platform: Platform) -> None:
    stub = RetrievalServiceStub(await platform.stage_channel("retrieval"))
    for condition in (
        selection_pb2.Filter(expression="year > 1990"),
        selection_pb2.Filter(ast={"history": {}}),
        selection_pb2.Filter(ast={"comparison": {"field": "colour", "operator": 1, "text": "red"}}),
        selection_pb2.Filter(ast={"comparison": {"field": "title", "operator": 1, "parameter": "t"}}),
        selection_pb2.Filter(ast={"all": {"nodes": [{"history": {}}]}}, named={"name": "a"}),
    ):
        request = retrieval_pb.RetrieveCandidatesRequest(bundle_id=platform.bundle_id, filter=condition)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.RetrieveCandidates(request, timeout=5)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "filter.ast" in (caught.value.details() or "")


async def test_an_error_is_a_bad_request_whose_field_is_the_expression(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await recommendation.Recommend(ask(user, "colour = red AND size > 3"), timeout=5)
    raw = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert [violation.field for violation in bad.field_violations] == ["filter.expression"] * 2
    assert ["'colour'" in v.description or "'size'" in v.description for v in bad.field_violations] == [True, True]


async def test_similar_items_relax_and_validate_too(recommendation: RecommendationServiceAsyncStub) -> None:
    nothing = selection_pb2.Filter(expression="year > 3000")
    answer = await recommendation.SimilarItems(pb.SimilarItemsRequest(item_ids=[IDS[0]], filter=nothing), timeout=5)
    assert not answer.results
    assert "EMPTY_SELECTION" in causes(answer)
    nothing.on_empty = selection_pb2.EMPTY_POLICY_RELAX_FILTER
    answer = await recommendation.SimilarItems(pb.SimilarItemsRequest(item_ids=[IDS[0]], filter=nothing), timeout=5)
    assert answer.results
    assert "FILTER_RELAXED" in causes(answer)
    wrong = selection_pb2.Filter(expression="colour = red")
    request = pb.SimilarItemsRequest(item_ids=[IDS[0]], filter=wrong, validate_only=True)
    with pytest.raises(grpc.aio.AioRpcError, match="colour"):
        await recommendation.SimilarItems(request, timeout=5)


async def test_several_categories_are_any_or_all_of_them(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """What gorse#637, gorse#834 and gorse#1326 ask for."""
    both = await recommendation.Recommend(ask(user, 'tags:("t1" AND "t2")'), timeout=5)
    assert set(ids(both)) == {item["id"] for item in ITEMS if {"t1", "t2"} <= set(item["tags"])}
    either = await recommendation.Recommend(ask(user, 'tags:"t2" OR genres:("Comedy" OR "Western")'), timeout=5)
    assert set(ids(either)) == {
        item["id"] for item in ITEMS if "t2" in item["tags"] or {"Comedy", "Western"} & set(item["genres"])
    }


async def test_ids_that_there_are_not_do_not_make_a_filter_fail(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    """What qdrant#2313 and gorse#1345 ask for: ids in and out by the request, and absent ones ignored."""
    some = await recommendation.Recommend(ask(user, f'id:("nowhere", "{IDS[5]}") OR id = "{IDS[6]}"'), timeout=5)
    assert set(ids(some)) == {IDS[5], IDS[6]}
    others = await recommendation.Recommend(ask(user, f'NOT id:("nowhere", "{IDS[5]}")'), timeout=5)
    assert set(ids(others)) == set(IDS) - {IDS[5]}


async def test_an_item_that_does_not_pass_is_explained_by_the_filter(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    request = ask(user, 'genres:"Comedy"', slate_size=5)
    drama = next(item["id"] for item in ITEMS if item["genres"] == ["Drama"])
    asked = pb.ExplainRecommendationRequest(item_id=drama, request=request)
    found = (await recommendation.ExplainRecommendation(asked, timeout=5)).explanation
    assert found.outcome == pb.ITEM_OUTCOME_FILTERED
    assert found.is_relaxed
    assert found.HasField("heads")
    asked.request.filter.expression = "colour = red"
    with pytest.raises(grpc.aio.AioRpcError, match=r"request\.filter\.expression: there is no attribute 'colour'"):
        await recommendation.ExplainRecommendation(asked, timeout=5)


async def test_the_next_page_passes_the_same_filter(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    page = await recommendation.Recommend(ask(user, 'genres:"Comedy"', slate_size=4), timeout=5)
    following = pb.RecommendNextRequest(next_token=page.meta.next_token, slate_size=50)
    rest = await recommendation.RecommendNext(following, timeout=5)
    comedies = {item["id"] for item in ITEMS if item["genres"] == ["Comedy"]}
    assert {*ids(page), *(result.item_id for result in rest.results)} == comedies


async def test_the_readmes_filtered_call_works(recommendation: RecommendationServiceAsyncStub) -> None:
    text = README.split("## Filters")[1].split("-d '")[1].split("'")[0]
    request = json_format.ParseDict(json.loads(text), pb.RecommendRequest())
    assert request.filter.expression
    answer = await recommendation.Recommend(request, timeout=5)
    comedies = {item["id"] for item in ITEMS if "Comedy" in item["genres"]}
    assert answer.results
    assert set(ids(answer)) <= comedies
