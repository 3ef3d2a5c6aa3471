"""Items that the actor is looking at: context for one answer, and no part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .questions import actor, ask, ratings, refused
from .slates import ITEMS, N, event, ids, write

pytestmark = pytest.mark.asyncio(loop_scope="module")


def looking_at(*items: str, **more: Any) -> actor_pb2.Context:
    return actor_pb2.Context(item_ids_in_view=items, **more)


async def test_items_in_view_count_as_the_latest_views_and_do_not_appear(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await write(platform, user, event(ITEMS[2], age_s=100))
    context = looking_at(ITEMS[4], ITEMS[3], ITEMS[4], events=ratings(ITEMS[7]))
    answer = await recommendation.Recommend(ask(user, slate_size=N, context=context, debug_level=1), timeout=5)
    assert [one.item_id for one in answer.debug.actor.history] == [ITEMS[2], ITEMS[7], ITEMS[4], ITEMS[3]]
    assert [one.value for one in answer.debug.actor.history] == [4.0, 5.0, 1.0, 1.0]
    assert answer.debug.actor.history[3].event_time == answer.debug.actor.as_of
    assert set(ids(answer)) == set(ITEMS) - {ITEMS[2], ITEMS[3], ITEMS[4], ITEMS[7]}
    views = [actor_pb2.Event(item_id=item, event_type="view") for item in (ITEMS[4], ITEMS[3])]
    same = actor_pb2.Context(events=[*ratings(ITEMS[7]), *views])
    assert ids(await recommendation.Recommend(ask(user, slate_size=N, context=same), timeout=5)) == ids(answer)
    plain = await recommendation.Recommend(ask(user, slate_size=N), timeout=5)
    assert {ITEMS[3], ITEMS[4]} <= set(ids(plain)), "nothing of it was stored"
    state = await platform.service.features.store().read_actor(ActorKey("", f"u/{user}"), 0, Deadline.after(5))
    assert list(state.item_ids) == [ITEMS[2]]


async def test_items_in_view_do_not_appear_whatever_counts_as_seen_or_is_allowed_or_pinned(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    constraints = selection_pb2.Constraints(
        exclude_seen=selection_pb2.ExcludeSeen(disabled=True),
        include_item_ids=ITEMS[:6],
        pins=[selection_pb2.Pin(item_id=ITEMS[0], position=0)],
    )
    request = ask(user, slate_size=2, context=looking_at(ITEMS[0], ITEMS[1]), constraints=constraints)
    first = await recommendation.Recommend(request, timeout=5)
    assert list(first.meta.warnings) == [f"constraints.pins: {ITEMS[0]!r} is excluded and was left out"]
    page = pb.RecommendNextRequest(next_token=first.meta.next_token, slate_size=N)
    following = await recommendation.RecommendNext(page, timeout=5)
    assert sorted(ids(first) + [result.item_id for result in following.results]) == ITEMS[2:6]


async def test_an_item_in_view_is_seen_by_a_filter_on_views(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    asked = selection_pb2.Filter(expression='seen("view", 1h)')
    constraints = selection_pb2.Constraints(exclude_seen=selection_pb2.ExcludeSeen(disabled=True))
    views = actor_pb2.Context(events=[actor_pb2.Event(item_id=ITEMS[5], event_type="view")])
    answer = await recommendation.Recommend(ask(user, context=views, filter=asked, constraints=constraints), timeout=5)
    assert ids(answer) == [ITEMS[5]]
    context = looking_at(ITEMS[5])
    answer = await recommendation.Recommend(
        ask(user, context=context, filter=asked, constraints=constraints), timeout=5
    )
    assert ids(answer) == [], "it passes, and is in view"


async def test_unknown_items_in_view_are_reported_and_a_hundred_are_allowed(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    answer = await recommendation.Recommend(ask(user, context=looking_at("gone", ITEMS[0], "gone")), timeout=5)
    assert list(answer.meta.missing_ids) == ["gone"]
    assert ITEMS[0] not in ids(answer)
    many = [f"i{n}" for n in range(101)]
    answer = await recommendation.Recommend(ask(user, context=looking_at(*many[:100])), timeout=5)
    assert (len(answer.meta.missing_ids), len(answer.results)) == (100, 10)
    said = await refused(recommendation.Recommend(ask(user, context=looking_at(*many)), timeout=5))
    assert said == "context.item_ids_in_view: has 101 ids; at most 100 are allowed"


async def test_a_list_that_is_reranked_keeps_items_in_view_which_count_for_its_order(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    async def order(context: actor_pb2.Context) -> list[str]:
        request = pb.RerankItemsRequest(actor=actor(user), item_ids=ITEMS[:20], context=context)
        answer = await recommendation.RerankItems(request, timeout=5)
        return [result.item_id for result in answer.results]

    in_view = await order(looking_at(ITEMS[3]))
    assert sorted(in_view) == ITEMS[:20]
    viewed = actor_pb2.Context(events=[actor_pb2.Event(item_id=ITEMS[3], event_type="view")])
    assert in_view == await order(viewed)


async def test_an_explanation_says_that_an_item_in_view_is_excluded(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    request = ask(user, context=looking_at(ITEMS[3]))
    explain = pb.ExplainRecommendationRequest(request=request, item_id=ITEMS[3])
    answer = await recommendation.ExplainRecommendation(explain, timeout=5)
    assert answer.explanation.outcome == pb.ITEM_OUTCOME_EXCLUDED
