"""WriteUserEvent of Google Retail, by its own client."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist_client import AsyncClient, rating
from shortlist_gateway.retail.events import EVENT_TYPES
from shortlist_testing.platform import Platform

from .calls import CATALOG, CONFIG, ITEMS, Retail, home, ids, seen, stored

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_written_event_is_in_the_next_answer(platform: Platform, retail: Retail) -> None:
    first = ids(await retail.predict(home(visitor_id="w1")))
    kept = await retail.write(seen(first[0], visitor_id="w1"))
    assert kept.product_details[0].product.id == first[0]
    assert first[0] not in ids(await retail.predict(home(visitor_id="w1")))
    async with AsyncClient(platform.address) as client:
        ours = await client.recommend(visitor_id="w1")
    assert ours.meta.actor_known


async def test_what_was_done_in_a_session_counts_for_who_logs_in_within_it(platform: Platform, retail: Retail) -> None:
    first = ids(await retail.predict(home(visitor_id="w2", session_id="basket 7")))
    written = await retail.write(seen(first[0], visitor_id="w2", session_id="basket 7"))
    assert written.session_id == "basket 7"
    logged_in = home(visitor_id="w3", user_info={"user_id": "olga"}, session_id="basket 7")
    assert first[0] not in ids(await retail.predict(logged_in))
    assert first[0] in ids(await retail.predict(logged_in | {"session_id": "basket 8"}))
    alone = home(visitor_id="", session_id="basket 7")
    assert first[0] not in ids(await retail.predict(alone))
    with pytest.raises(exceptions.InvalidArgument, match=r"user_event\.session_id: has the control character"):
        await retail.predict(home(session_id="\x07"))


@pytest.mark.parametrize("event_type", ["detail-page-view", "add-to-cart", "purchase-complete"])
async def test_event_types_become_ours(platform: Platform, retail: Retail, event_type: str) -> None:
    await retail.write(seen(ITEMS[0], ITEMS[1], event_type=event_type, visitor_id=event_type))
    actor = await stored(platform, event_type)
    assert set(actor.item_ids) == {ITEMS[0], ITEMS[1]}
    assert set(actor.event_types) == {EVENT_TYPES[event_type]}
    assert actor.values.tolist() == [5.0 if event_type == "purchase-complete" else 1.0] * 2


async def test_repeating_an_event_with_its_time_is_harmless(platform: Platform, retail: Retail) -> None:
    event = seen(ITEMS[0], visitor_id="twice", event_time=Timestamp(seconds=1_700_000_000))
    for _ in range(2):
        await retail.write(event)
    async with AsyncClient(platform.address) as client:
        written = await client.write_events([rating(ITEMS[1], 1.0)], visitor_id="twice")
        assert written.written == 1
    actor = await stored(platform, "twice")
    assert list(actor.item_ids) == [ITEMS[0], ITEMS[1]]


async def test_a_catalogue_is_a_tenant(platform: Platform, retail: Retail) -> None:
    other = CATALOG.replace("default_catalog", "music")
    await retail.write(seen(ITEMS[3], visitor_id="t1"), parent=other)
    assert (await stored(platform, "t1", tenant="music")).known
    assert not (await stored(platform, "t1")).known
    answer = await retail.predict(home(visitor_id="t1"), placement=f"{other}/servingConfigs/default")
    assert ITEMS[3] not in ids(answer)


async def test_the_attribution_token_comes_back_with_an_event(platform: Platform, retail: Retail) -> None:
    answer = await retail.predict(home(visitor_id="a1"))
    assert answer.attribution_token
    shown = seen(answer.results[0].id, visitor_id="a1", attribution_token=answer.attribution_token)
    kept = await retail.write(shown)
    assert kept.attribution_token == answer.attribution_token
    assert list((await stored(platform, "a1")).item_ids) == [answer.results[0].id]
    for broken in ({"attribution_token": "forged"}, {"visitor_id": "another"}):
        with pytest.raises(exceptions.InvalidArgument, match=r"user_event\.attribution_token"):
            await retail.write(shown | broken)
        with pytest.raises(exceptions.InvalidArgument, match=r"user_event\.attribution_token"):
            await retail.predict(shown | broken)
    assert (await retail.predict(shown)).results, "one that is right is context like the rest of the event"


@pytest.mark.parametrize(
    ("event", "fields", "said"),
    [
        (seen(ITEMS[0]), {"parent": CONFIG}, "parent: is"),
        (seen(ITEMS[0]), {"parent": ""}, "parent: is ''; it must be projects/*/locations/*/catalogs/*"),
        (seen(ITEMS[0], event_type="home-page-view"), {}, "user_event.event_type: is 'home-page-view'"),
        (seen(ITEMS[0]), {"write_async": True}, "write_async: DURABILITY_QUEUED is not honoured"),
        (seen(), {}, "user_event.product_details: is required"),
        (seen(ITEMS[0], "a\x00"), {}, "user_event.product_details[1].product.id: has the control character"),
        (seen(ITEMS[0], attributes={"a": {"text": ["x"]}}), {}, "user_event.attributes: are not kept"),
        (seen(ITEMS[0], event_time=Timestamp(seconds=9_999_999_999)), {}, "user_event.event_time: lies"),
    ],
)
async def test_what_is_wrong_with_an_event_is_named_and_nothing_is_written(
    platform: Platform, retail: Retail, event: dict[str, Any], fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as caught:
        await retail.write(event | {"visitor_id": "bad"}, **fields)
    assert said in caught.value.message
    assert not (await stored(platform, "bad")).known
