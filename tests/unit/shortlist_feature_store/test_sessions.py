"""When sessions end, and what a read of one costs."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from shortlist_domain.errors import BudgetExceeded
from shortlist_domain.stages import ActorKey
from shortlist_feature_store.keys import events_key, sessions_key, state_key
from shortlist_feature_store.memory_store import MemoryStore
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import NOW_S, event, soon
from shortlist_testing.redis import RunningValkey
from shortlist_testing.sessions_contract import SESSION, USER, USER_IN_SESSION, items_of

DAY_S = 86_400


def ttl_s(valkey: RunningValkey, key: str) -> int:
    """Return for how many seconds a key is kept: -1 for ever, -2 where it is not there."""
    return int(valkey.command("TTL", key).removeprefix(b":"))


async def test_a_session_is_kept_for_a_time_after_its_last_event_and_users_for_ever(
    valkey: RunningValkey, link: RedisLink
) -> None:
    store = RedisStore(link, Limits(session_ttl_s=100), now=lambda: NOW_S)
    shown = event("s", event_id="i", event_type="impression")
    await store.append_events(USER_IN_SESSION, [event("a"), shown], soon())
    names = [events_key(SESSION), events_key(SESSION, "impressions"), state_key(SESSION), sessions_key(USER)]
    assert all(98 <= ttl_s(valkey, name) <= 100 for name in names)
    assert [ttl_s(valkey, name) for name in (events_key(USER), state_key(USER))] == [-1, -1]
    for name in names:
        valkey.command("EXPIRE", name, "50")
    await store.append_events(SESSION, [event("b")], soon())
    assert all(98 <= ttl_s(valkey, name) <= 100 for name in names[:3]), "all that there is of it, with any event"
    for name in names:
        valkey.command("EXPIRE", name, "50")
    await store.write_attributes(SESSION, {"genre": "Drama"}, NOW_S, soon())
    assert all(98 <= ttl_s(valkey, name) <= 100 for name in names[:3])


async def test_a_session_that_has_ended_is_unknown_and_begins_anew(valkey: RunningValkey, link: RedisLink) -> None:
    store = RedisStore(link, Limits(session_ttl_s=100), now=lambda: NOW_S)
    await store.append_events(USER_IN_SESSION, [event("a")], soon())
    for name in (events_key(SESSION), state_key(SESSION), sessions_key(USER)):
        valkey.command("PEXPIRE", name, "1")
    await asyncio.sleep(0.01)
    assert not (await store.read_actor(SESSION, 0, soon())).known
    assert await items_of(store, USER_IN_SESSION) == ["a"], "which was the user's as well"
    assert (await store.append_events(SESSION, [event("b")], soon())).version == 1


async def test_in_memory_sessions_end_likewise_and_take_no_room() -> None:
    now_s = NOW_S
    store = MemoryStore(Limits(session_ttl_s=100), now=lambda: now_s)
    await store.append_events(USER_IN_SESSION, [event("a", ago_s=9)], soon())
    now_s += 99
    await store.append_events(SESSION, [event("b")], soon())
    now_s += 99
    assert await items_of(store, USER_IN_SESSION) == ["a", "b"]
    now_s += 1
    assert await items_of(store, USER_IN_SESSION) == ["a"]
    assert not (await store.read_actor(SESSION, 0, soon())).known
    await store.append_events(ActorKey("", "s/other"), [event("c")], soon())
    assert SESSION not in store._actors
    assert (await store.append_events(SESSION, [event("d")], soon())).version == 1


async def test_sessions_that_have_ended_leave_the_list_of_a_users_sessions(
    valkey: RunningValkey, link: RedisLink
) -> None:
    now_s = NOW_S
    store = RedisStore(link, Limits(session_ttl_s=100), now=lambda: now_s)
    for at in range(5):
        await store.append_events(ActorKey("", "u/1", f"x{at}"), [event(f"{at}")], soon())
        now_s += 60
    assert valkey.command("ZCARD", sessions_key(USER)) == b":2\r\n"


async def test_a_read_is_one_round_trip_with_or_without_a_session(
    store: RedisStore, link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append_events(USER_IN_SESSION, [event("a")], soon())
    sent: list[list[str]] = []
    exchange = RedisLink.exchange

    async def noted(self: RedisLink, commands: list[tuple[str, ...]], *args: object, **more: object) -> object:
        sent.append([command[0] for command in commands])
        return await exchange(self, commands, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(RedisLink, "exchange", noted)
    await store.read_actor(USER, 0, soon())
    await store.read_actor(USER_IN_SESSION, 0, soon())
    one = ["MULTI", "HGETALL", "HGETALL", "EXEC"]
    assert sent == [one, one + one], "keys of the two lie in slots of their own: a transaction each"


async def test_writers_of_one_session_at_once_count_no_event_twice_and_no_more_is_erased_than_was_counted(
    valkey: RunningValkey,
) -> None:
    links = [RedisLink(valkey.url) for _ in range(4)]
    stores = [RedisStore(link, Limits(), now=lambda: NOW_S) for link in links]
    keys = [SESSION, USER_IN_SESSION, ActorKey("", "v/1", "x"), ActorKey("", "u/2", "x")]
    items = [f"i{at}" for at in range(12)]
    await asyncio.gather(
        *(
            store.append_events(key, [event(item, event_id=item)], soon())
            for at, item in enumerate(items)
            for n, store in enumerate(stores)
            for key in (keys[(at + n) % 4], keys[(at + 2 * n + 1) % 4])
        )
    )
    counted = [one.count if one else 0.0 for one in await stores[0].read_items("", items, soon())]
    assert set(counted) <= {0.0, 1.0}
    assert sum(counted) > 0, "not all of them are lost in races"
    for store, key in zip(stores, (USER, ActorKey("", "u/2"), ActorKey("", "v/1"), SESSION), strict=True):
        assert (await store.erase_actor(key, soon())).verified
    left = [one.count if one else 0.0 for one in await stores[0].read_items("", items, soon())]
    assert set(left) == {0.0}
    for link in links:
        await link.aclose()


async def test_an_erasure_that_breaks_off_is_made_whole_by_a_repetition(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(60):
        await store.append_events(ActorKey("", "u/1", f"x{at}"), [event(f"{at}", ago_s=at)], soon())
    erase, calls = store._actors.erase, 0

    async def breaking(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise BudgetExceeded("the test wants it")
        return await erase(*args)

    with monkeypatch.context() as patch:
        patch.setattr(store._actors, "erase", breaking)
        with pytest.raises(BudgetExceeded):
            await store.erase_actor(USER, soon())
    assert len(await items_of(store, USER)) == 60, "the user is the last"
    assert (await store.erase_actor(USER, soon())).verified
    for at in range(60):
        assert not (await store.read_actor(ActorKey("", f"s/x{at}"), 0, soon())).known
    assert {one.count for one in await store.read_items("", [f"{at}" for at in range(60)], soon()) if one} == {0.0}


def test_sessions_are_kept_for_thirty_days_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FeatureStoreSettings().limits.session_ttl_s == 30 * DAY_S
    monkeypatch.setenv("SHORTLIST_FEATURE_STORE_SESSION_TTL_S", "60")
    assert FeatureStoreSettings().limits.session_ttl_s == 60
    with pytest.raises(ValueError, match=re.escape("session_ttl_s is 0; at least 1 is needed")):
        Limits(session_ttl_s=0)
