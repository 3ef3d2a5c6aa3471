"""The edge-case table of ``protos/README.md``, row by row, against the whole platform in one process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from shortlist.common.v1 import answer_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.ranking.v1 import ranking_service_pb2 as ranking_pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist_testing.platform import Platform, running_platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .questions import actor, ask, causes, ratings, refused
from .slates import ITEMS, NONE, N, ids

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_unknown_user_is_answered_in_full(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    answer = await recommendation.Recommend(ask(user), timeout=5)
    assert len(set(ids(answer))) == 10
    assert not answer.meta.actor_known
    assert answer.meta.degradation.level == NONE
    assert answer.meta.bundle.bundle_id
    assert all(result.provenance and result.propensity == 1.0 for result in answer.results)
    reasons = {reason.kind for result in answer.results for reason in result.reasons}
    assert answer_pb2.REASON_KIND_TASTE not in reasons, "there is no taste to speak of"


async def test_unknown_items_are_reported_and_harm_nothing(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    written = await event.WriteEvents(
        events_pb.WriteEventsRequest(actor=actor(user), events=ratings("nowhere", ITEMS[0])), timeout=5
    )
    assert (written.written, list(written.missing_ids)) == (2, ["nowhere"])
    constraints = selection_pb2.Constraints(exclude_item_ids=["gone", ITEMS[1]], include_item_ids=["lost", *ITEMS[:5]])
    answer = await recommendation.Recommend(ask(user, constraints=constraints, slate_size=3), timeout=5)
    assert set(ids(answer)) == {ITEMS[2], ITEMS[3], ITEMS[4]}
    assert set(answer.meta.missing_ids) == {"gone", "lost"}


async def test_similar_items_of_unknown_items(recommendation: RecommendationServiceAsyncStub) -> None:
    request = pb.SimilarItemsRequest(item_ids=["nowhere", ITEMS[0]], slate_size=5)
    answer = await recommendation.SimilarItems(request, timeout=5)
    assert list(answer.meta.missing_ids) == ["nowhere"]
    assert len(answer.results) == 5
    assert ITEMS[0] not in ids(answer)
    request = pb.SimilarItemsRequest(item_ids=["nowhere"])
    await refused(recommendation.SimilarItems(request, timeout=5), grpc.StatusCode.NOT_FOUND)


async def test_reranking_keeps_unknown_items_last(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    request = pb.RerankItemsRequest(actor=actor(user), item_ids=["x", ITEMS[0], "y", ITEMS[1]])
    answer = await recommendation.RerankItems(request, timeout=5)
    assert set(ids(answer)[:2]) == set(ITEMS[:2])
    assert ids(answer)[2:] == ["x", "y"]
    assert list(answer.meta.missing_ids) == ["x", "y"]
    assert answer.meta.degradation.level == NONE


async def test_slate_size_zero_is_ten(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    assert len((await recommendation.Recommend(ask(user, slate_size=0), timeout=5)).results) == 10


@pytest.mark.parametrize("size", [-1, 1001, -(2**31)])
async def test_slate_sizes_out_of_range_are_refused(
    recommendation: RecommendationServiceAsyncStub, user: str, size: int
) -> None:
    details = await refused(recommendation.Recommend(ask(user, slate_size=size), timeout=5))
    assert f"slate_size: is {size}" in details


async def test_a_slate_larger_than_the_catalogue_is_all_of_it(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    answer = await recommendation.Recommend(ask(user, slate_size=1000), timeout=5)
    assert sorted(ids(answer)) == sorted(ITEMS)
    assert causes(answer) == {"SHORT_SLATE"}


async def test_an_empty_selection_is_an_empty_slate(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    constraints = selection_pb2.Constraints(include_item_ids=["nowhere"])
    answer = await recommendation.Recommend(ask(user, constraints=constraints), timeout=5)
    assert not answer.results
    assert "EMPTY_SELECTION" in causes(answer)


async def test_a_filter_that_nothing_passes_is_an_empty_slate_or_dropped_and_declared(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    nothing = selection_pb2.Filter(expression='genres:"Comedy" AND genres:"Drama"')
    answer = await recommendation.Recommend(ask(user, filter=nothing), timeout=5)
    assert not answer.results
    assert causes(answer) == {"EMPTY_SELECTION", "SHORT_SLATE"}
    nothing.on_empty = selection_pb2.EMPTY_POLICY_RELAX_FILTER
    answer = await recommendation.Recommend(ask(user, filter=nothing), timeout=5)
    assert len(answer.results) == 10
    assert causes(answer) == {"FILTER_RELAXED"}
    nothing.expression = ""
    allowed = selection_pb2.Constraints(include_item_ids=["nowhere"])
    answer = await recommendation.Recommend(ask(user, filter=nothing, constraints=allowed), timeout=5)
    assert causes(answer) == {"EMPTY_SELECTION", "SHORT_SLATE"}, "there was no filter to drop"


async def test_a_missing_value_passes_no_comparison(recommendation: RecommendationServiceAsyncStub, user: str) -> None:
    missing = {ITEMS[row] for row in range(N) if row % 9 == 8}
    for expression in ("year > 0", "year != 1988", "NOT year = 1988", "NOT year > 3000"):
        request = ask(user, filter=selection_pb2.Filter(expression=expression), slate_size=N)
        answer = await recommendation.Recommend(request, timeout=5)
        assert answer.results
        assert not missing & set(ids(answer))
    request = ask(user, filter=selection_pb2.Filter(expression="NOT year:*"), slate_size=N)
    assert set(ids(await recommendation.Recommend(request, timeout=5))) == missing
    request = ask(user, filter=selection_pb2.Filter(expression="NOT tags:t1"), slate_size=N)
    untagged = {ITEMS[row] for row in range(N) if row % 4 < 2}
    assert set(ids(await recommendation.Recommend(request, timeout=5))) == untagged, "no tag is a set without t1"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("colour = red", "there is no attribute 'colour' to filter by; there are id, genres (texts), in_colour (flag)"),
        ('year = "abc"', "'year' is a number: it is compared with a number without quotes, as in 1990"),
        ("genres > 3", "'genres' has several texts"),
        ("year >", "has the end at character 7; expected"),
    ],
)
async def test_a_filter_that_does_not_suit_the_catalogue_is_refused(
    recommendation: RecommendationServiceAsyncStub, user: str, expression: str, said: str
) -> None:
    for is_dry in (False, True):
        request = ask(user, filter=selection_pb2.Filter(expression=expression), validate_only=is_dry)
        details = await refused(recommendation.Recommend(request, timeout=5))
        assert f"filter.expression: {said}" in details


async def test_a_bundle_that_is_not_held_is_refused(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    code = grpc.StatusCode.FAILED_PRECONDITION
    assert "tiny-0" in await refused(recommendation.Recommend(ask(user, bundle_id="tiny-0"), timeout=5), code)
    stub = RankingServiceStub(await platform.stage_channel("ranking"))
    request = ranking_pb.RankCandidatesRequest(bundle_id="tiny-0")
    assert "tiny-0" in await refused(stub.RankCandidates(request, timeout=5), code)


async def test_a_stage_with_another_bundle_degrades_the_answer(tmp_path: Path, user: str) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(running_platform(tmp_path / "one", n_items=N))
        other = await stack.enter_async_context(running_platform(tmp_path / "other", n_items=N, seed=1))
        mixed = await one.gateway_with(ranking=other)
        answer = await RecommendationServiceStub(mixed).Recommend(ask(user), timeout=5)
        assert causes(answer) == {"BUNDLE_MISMATCH"}
        assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_FALLBACK
        assert len(answer.results) == 10


async def test_with_everything_seen_the_slate_is_empty(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(*ITEMS)), timeout=5)
    answer = await recommendation.Recommend(ask(user), timeout=5)
    assert not answer.results
    assert causes(answer) == {"SHORT_SLATE"}
    assert answer.meta.actor_known


async def test_a_deadline_that_has_passed_is_not_begun(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    await refused(recommendation.Recommend(ask(user), timeout=0.0), grpc.StatusCode.DEADLINE_EXCEEDED)
    await refused(recommendation.Recommend(ask(user), timeout=0.0005), grpc.StatusCode.DEADLINE_EXCEEDED)


async def test_a_write_changes_the_very_next_answer_through_the_history(
    recommendation: RecommendationServiceAsyncStub, event: EventServiceAsyncStub, user: str
) -> None:
    before = await recommendation.Recommend(ask(user, slate_size=20), timeout=5)
    liked = ITEMS[2]
    written = await event.WriteEvents(events_pb.WriteEventsRequest(actor=actor(user), events=ratings(liked)), timeout=5)
    request = ask(user, slate_size=20, consistency_token=written.consistency_token)
    after = await recommendation.Recommend(request, timeout=5)
    without = [item for item in ids(before) if item != liked]
    assert liked not in ids(after)
    assert [item for item in ids(after) if item in without] != without, "the order changed too, not only the exclusion"
    two_tower = [r for r in after.results if any(p.source == "two_tower" for p in r.provenance)]
    assert two_tower
    assert after.meta.degradation.level == NONE


async def test_an_unknown_serving_config_is_not_found(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    call = recommendation.Recommend(ask(user, serving_config="nobody"), timeout=5)
    assert "default" in await refused(call, grpc.StatusCode.NOT_FOUND)


async def test_titles_come_with_the_answer_when_asked_for(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    answer = await recommendation.Recommend(ask(user, item_fields=["title", "colour"]), timeout=5)
    assert answer.results[0].fields[0].text.startswith("Film ")
    assert list(answer.meta.warnings) == ["item_fields: the catalogue has no field 'colour'"]


async def test_an_item_without_a_value_does_not_make_its_field_unknown(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    answer = await recommendation.Recommend(ask(user, item_fields=["language"]), timeout=5)
    assert not any(result.fields for result in answer.results), "tiny bundles show none; filters know it"
    assert list(answer.meta.warnings) == []


async def test_many_callers_at_once_get_what_each_would_get_alone(
    recommendation: RecommendationServiceAsyncStub, user: str
) -> None:
    alone = [await recommendation.Recommend(ask(f"{user}-{i}", slate_size=5), timeout=5) for i in range(8)]
    together = await asyncio.gather(
        *(recommendation.Recommend(ask(f"{user}-{i}", slate_size=5), timeout=5) for i in range(8))
    )
    assert [ids(answer) for answer in together] == [ids(answer) for answer in alone]
