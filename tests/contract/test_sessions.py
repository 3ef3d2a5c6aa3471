"""Sessions: anonymous histories that end, and that count for who logs in within them."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.common.v1 import selection_pb2 as sel
from shortlist.featurestore.v1 import feature_store_service_pb2 as store_pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist.gateway.v1 import event_service_pb2 as events_pb
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorKey, Event
from shortlist_feature_store.keys import events_key, state_key
from shortlist_gateway.clients import FeatureStoreClient
from shortlist_testing.platform import Platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .config_calls import Configs
from .experiments import KEY, claims_of, experiment, record_of
from .questions import ratings, refused
from .slates import ITEMS, N, event, ids

pytestmark = pytest.mark.asyncio(loop_scope="module")

Actor = actor_pb2.Actor
PLATFORM = {"users": True, "slate_log_share": 1.0, "token_keys": KEY}


@pytest.fixture
def session() -> str:
    return f"session-{uuid.uuid4().hex}"


async def write(
    platform: Platform, who: Actor, *events: actor_pb2.Event, token: str = ""
) -> events_pb.WriteEventsResponse:
    request = events_pb.WriteEventsRequest(actor=who, events=events, attribution_token=token)
    response: events_pb.WriteEventsResponse = await EventServiceStub(platform.channel).WriteEvents(request, timeout=5)
    return response


def ask(who: Actor, slate_size: int = N, **fields: Any) -> pb.RecommendRequest:
    return pb.RecommendRequest(actor=who, slate_size=slate_size, **fields)


async def test_a_session_alone_has_a_history_of_its_own(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, session: str
) -> None:
    alone = Actor(session_id=session)
    before = await recommendation.Recommend(ask(alone), timeout=5)
    assert (len(before.results), before.meta.actor_known) == (N, False)
    written = await write(platform, alone, *ratings(*ITEMS[:3]))
    request = ask(alone, consistency_token=written.consistency_token, debug_level=1)
    answer = await recommendation.Recommend(request, timeout=5)
    assert answer.meta.actor_known
    assert set(ids(answer)) == set(ITEMS[3:])
    assert {one.item_id for one in answer.debug.actor.history} == set(ITEMS[:3])
    for other in (Actor(user_id=session), Actor(visitor_id=session), Actor(session_id=session, tenant="shop")):
        assert not (await recommendation.Recommend(ask(other), timeout=5)).meta.actor_known
    following = await recommendation.RecommendNext(
        pb.RecommendNextRequest(
            next_token=(await recommendation.Recommend(ask(alone, 5), timeout=5)).meta.next_token, slate_size=N
        ),
        timeout=5,
    )
    assert not set(ids(following)) & set(ITEMS[:3])


async def test_what_a_visitor_did_before_a_login_counts_for_the_user_in_every_read(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    visitor, before_login = Actor(visitor_id=user, session_id=session), Actor(session_id=session)
    logged_in, elsewhere = Actor(user_id=user, session_id=session), Actor(user_id=user)
    await write(platform, elsewhere, event(ITEMS[0], age_s=900))
    await write(platform, before_login, event(ITEMS[1], "view", age_s=600))
    await write(platform, visitor, event(ITEMS[2], age_s=300))
    await write(platform, logged_in, event(ITEMS[3]))
    answer = await recommendation.Recommend(ask(logged_in, debug_level=1), timeout=5)
    history = [one.item_id for one in answer.debug.actor.history]
    assert history == ITEMS[:4], "both histories in order of time, none twice"
    assert set(ids(answer)) == set(ITEMS[4:])
    apart = await recommendation.Recommend(ask(elsewhere, debug_level=1), timeout=5)
    assert [one.item_id for one in apart.debug.actor.history] == [ITEMS[0], ITEMS[3]], "in other sessions its own"
    seen = sel.Filter(expression='seen("view")')
    shown = sel.Constraints(exclude_seen=sel.ExcludeSeen(disabled=True))
    filtered = await recommendation.Recommend(ask(logged_in, filter=seen, constraints=shown), timeout=5)
    assert ids(filtered) == [ITEMS[1]]
    by_view = sel.Constraints(exclude_seen=sel.ExcludeSeen(event_types=["view"]))
    answer = await recommendation.Recommend(ask(logged_in, constraints=by_view), timeout=5)
    assert set(ITEMS) - set(ids(answer)) == {ITEMS[1]}
    similar = pb.SimilarItemsRequest(item_ids=[ITEMS[9]], actor=logged_in, slate_size=N)
    assert not set(ITEMS[:4]) & set(ids(await recommendation.SimilarItems(similar, timeout=5)))
    inline = [event(ITEMS[n], age_s=age_s) for n, age_s in enumerate((900, 600, 300, 0))]
    asked = [
        pb.RerankItemsRequest(actor=logged_in, item_ids=ITEMS[10:40]),
        pb.RerankItemsRequest(
            actor=Actor(user_id="new"), item_ids=ITEMS[10:40], context=actor_pb2.Context(events=inline)
        ),
        pb.RerankItemsRequest(actor=elsewhere, item_ids=ITEMS[10:40]),
    ]
    answers = [await recommendation.RerankItems(one, timeout=5) for one in asked]
    scores, same, apart_scores = ({one.item_id: one.score for one in answer.results} for answer in answers)
    assert scores == pytest.approx(same, abs=1e-3)
    assert scores != pytest.approx(apart_scores, abs=1e-3)
    users = pb.SimilarUsersRequest(actor=Actor(user_id=f"{user}-new", session_id=session), user_count=3)
    assert len((await recommendation.SimilarUsers(users, timeout=5)).results) == 3, "known by the session"


async def test_a_session_that_has_ended_is_unknown(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, session: str
) -> None:
    alone = Actor(session_id=session)
    await write(platform, alone, *ratings(ITEMS[0]))
    key = ActorKey("", f"s/{session}")
    for name in (events_key(key), state_key(key)):
        assert platform.valkey.command("PEXPIRE", name, "1") == b":1\r\n"
    await asyncio.sleep(0.01)
    answer = await recommendation.Recommend(ask(alone), timeout=5)
    assert (answer.meta.actor_known, len(answer.results)) == (False, N)


async def test_what_was_shown_in_a_session_rotates_after_the_login(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    before = ids(await recommendation.Recommend(ask(Actor(user_id=user)), timeout=5))
    await write(platform, Actor(session_id=session), event(before[0], "impression"))
    rotation = sel.Constraints(rotation=sel.Rotation(rate=1.0, half_life=Duration(seconds=86_400)))
    logged_in = ask(Actor(user_id=user, session_id=session), constraints=rotation)
    assert before[0] in ids(await recommendation.Recommend(logged_in, timeout=5))[-2:]
    apart = ask(Actor(user_id=user), constraints=rotation)
    assert ids(await recommendation.Recommend(apart, timeout=5)) == before


async def test_an_event_of_a_session_counts_for_its_item_once(platform: Platform, user: str, session: str) -> None:
    item, store = f"item-of-{session}", platform.service.features.store()
    once = actor_pb2.Event(item_id=item, event_id="e", value=3.0)
    for who in (Actor(session_id=session), Actor(visitor_id=user, session_id=session)):
        assert (await write(platform, who, once)).written == 1
    assert (await write(platform, Actor(user_id=user, session_id=session), once)).written == 1
    (counted,) = await store.read_items("", [item], Deadline.after(5.0))
    assert counted is not None
    assert (counted.count, counted.value_sum) == (1.0, 3.0)


async def test_a_token_of_a_write_in_a_session_is_taken_from_who_is_in_it(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    token = (await write(platform, Actor(session_id=session), *ratings(ITEMS[0]))).consistency_token
    request = ask(Actor(user_id=user, session_id=session), consistency_token=token)
    answer = await recommendation.Recommend(request, timeout=5)
    assert ITEMS[0] not in ids(answer)
    assert answer_pb2.DEGRADATION_CAUSE_FEATURES_STALE not in answer.meta.degradation.causes
    own = (await write(platform, Actor(user_id=user), *ratings(ITEMS[1]))).consistency_token
    answer = await recommendation.Recommend(
        ask(Actor(user_id=user, session_id=session), consistency_token=own), timeout=5
    )
    assert not {ITEMS[0], ITEMS[1]} & set(ids(answer))
    for who, theirs in (
        (Actor(user_id=user), token),
        (Actor(user_id=user, session_id="another"), token),
        (Actor(user_id=user, session_id=session, tenant="shop"), token),
        (Actor(session_id=session), own),
    ):
        said = await refused(recommendation.Recommend(ask(who, consistency_token=theirs), timeout=5))
        assert said == "consistency_token: is not a token of a write of this actor"


async def test_a_token_of_a_session_is_good_for_all_in_it_but_not_from_user_to_user(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    alone = Actor(session_id=session)
    visitor = Actor(visitor_id=f"v-{user}", session_id=session)
    logged_in = Actor(user_id=user, session_id=session)
    tokens = {}
    for name, who in (("alone", alone), ("visitor", visitor), ("user", logged_in), ("apart", Actor(user_id=user))):
        tokens[name] = (await recommendation.Recommend(ask(who, 2), timeout=5)).meta.attribution_token
    right = [
        ("alone", visitor),
        ("alone", logged_in),
        ("visitor", logged_in),
        ("visitor", alone),
        ("user", alone),
        ("user", visitor),
        ("user", Actor(user_id=user)),
        ("apart", logged_in),
    ]
    for name, who in right:
        written = await write(platform, who, token=tokens[name])
        assert written.impressions in (0, 2), "0 where a session had them already"
    wrong = [
        ("alone", Actor(user_id=user)),
        ("alone", Actor(user_id=user, session_id="another")),
        ("alone", Actor(session_id=session, tenant="shop")),
        ("user", Actor(user_id="somebody-else", session_id=session)),
        ("visitor", Actor(user_id=user)),
        ("apart", alone),
        ("apart", visitor),
    ]
    for name, who in wrong:
        said = await refused(write(platform, who, token=tokens[name]))
        assert said == "attribution_token: belongs to another actor"


async def test_a_click_after_the_login_is_attributed_to_what_the_session_was_shown(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    answer = await recommendation.Recommend(ask(Actor(session_id=session), 3), timeout=5)
    click = actor_pb2.Event(item_id=ids(answer)[1], event_type="click")
    written = await write(platform, Actor(user_id=user, session_id=session), click, token=answer.meta.attribution_token)
    assert (written.attributed, written.impressions) == (1, 3)
    again = await write(platform, Actor(session_id=session), click, token=answer.meta.attribution_token)
    assert again.impressions == 0, "shown once in the session"
    shown = await platform.service.features.store().read_events(
        ActorKey("", f"u/{user}"), Deadline.after(5.0), impressions=True
    )
    assert sorted(shown.item_ids) == sorted(ids(answer))


async def test_tokens_and_records_say_the_session_and_explanations_keep_to_it(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    alone, logged_in = Actor(session_id=session), Actor(user_id=user, session_id=session)
    await write(platform, alone, event(ITEMS[0], age_s=60))
    for who, said in ((alone, (f"s/{session}", "")), (logged_in, (f"u/{user}", session))):
        answer = await recommendation.Recommend(ask(who, 2), timeout=5)
        claims, record = claims_of(answer), await record_of(platform, answer)
        assert (claims.actor_id, claims.session_id) == (record.actor_id, record.session_id) == said
        token = answer.meta.attribution_token
        explain = pb.ExplainRecommendationRequest(attribution_token=token, item_id=ITEMS[0])
        explained = await recommendation.ExplainRecommendation(explain, timeout=5)
        assert explained.explanation.outcome == pb.ITEM_OUTCOME_SEEN, "in the session"
        explain.request.actor.CopyFrom(who)
        assert (await recommendation.ExplainRecommendation(explain, timeout=5)).explanation.outcome
        explain.request.actor.session_id = "another"
        refusal = await refused(recommendation.ExplainRecommendation(explain, timeout=5))
        assert refusal == "request.actor: is not the token's; leave it unset"


async def test_a_batch_takes_sessions(
    platform: Platform, recommendation: RecommendationServiceAsyncStub, user: str, session: str
) -> None:
    await write(platform, Actor(session_id=session), *ratings(ITEMS[0]))
    actors = [Actor(session_id=session), Actor(user_id=user, session_id=session), Actor(user_id=user)]
    actors.append(Actor(session_id="x" * 257))
    batch = pb.BatchRecommendRequest(actors=actors, request=pb.RecommendRequest(slate_size=N))
    answers = [one async for one in recommendation.BatchRecommend(batch, timeout=5)]
    assert [one.answer.meta.actor_known for one in answers[:3]] == [True, True, False]
    assert [ITEMS[0] in ids(one.answer) for one in answers[:3]] == [False, False, True]
    assert answers[3].error.message == "actors[3].session_id: is 257 bytes long; at most 256 are allowed"


async def test_experiments_divide_by_user_else_visitor_else_session(
    recommendation: RecommendationServiceAsyncStub, configs: Configs, name: str
) -> None:
    await configs.put(f"{name}-b")
    await configs.put(name, experiment=experiment("e", a=(1, ""), b=(1, f"{name}-b")))

    async def variant(**who: str) -> str:
        answer = await recommendation.Recommend(ask(Actor(**who), 1, serving_config=name), timeout=5)
        return str(answer.meta.variants[0])

    rows = [
        [
            await variant(user_id=f"{n}"),
            await variant(user_id=f"{n}", session_id="s1"),
            await variant(visitor_id=f"{n}"),
            await variant(visitor_id=f"{n}", session_id="s1"),
            await variant(session_id=f"{n}"),
        ]
        for n in range(30)
    ]
    assert all(row[0] == row[1] and row[2] == row[3] for row in rows), "a session changes nobody's variant"
    assert {row[4] for row in rows} == {"e:a", "e:b"}
    assert any(row[4] != row[2] for row in rows)


async def test_over_the_wire_sessions_are_read_written_and_erased_alike(
    platform: Platform, user: str, session: str
) -> None:
    channel = await platform.stage_channel("feature-store")
    client, soon = FeatureStoreClient(channel), Deadline.after(5.0)
    stub: Any = FeatureStoreServiceStub(channel)
    alone, logged_in = ActorKey("", f"s/{session}"), ActorKey("", f"u/{user}", session)
    first = await client.append_events(alone, [Event(ITEMS[0], 1.0, 1_000.0, "view", "e0", "home")], soon)
    await client.append_events(logged_in, [Event(ITEMS[1], 1.0, 2_000.0, "view", "e1")], soon)
    state = await client.read_actor(logged_in, 1, soon, min_session_version=first.version)
    assert (list(state.item_ids), state.caught_up) == (ITEMS[:2], True)
    late = await client.read_actor(logged_in, 0, Deadline.after(0.2), min_session_version=99)
    assert not late.caught_up
    key = store_pb.ActorKey(actor_id=f"u/{user}", session_id=session)
    history = await stub.GetHistory(store_pb.GetHistoryRequest(key=key), timeout=5)
    assert [(one.item_id, one.surface) for one in history.events] == [(ITEMS[1], ""), (ITEMS[0], "home")]
    key.ClearField("session_id")
    erased = await stub.EraseActor(store_pb.EraseActorRequest(key=key), timeout=5)
    assert (erased.events, erased.verified) == (2, True), "the session that the user wrote in goes with the user"
    assert not (await client.read_actor(alone, 0, soon)).known
