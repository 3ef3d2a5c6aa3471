"""What calls cost and say while Redis is away, and how soon it is used again. A real Valkey is killed and paused."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, Overloaded, UpstreamFailed
from shortlist_domain.stages import ActorKey
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import KEY, event, seconds_until_whole, soon
from shortlist_testing.redis import RunningValkey, running_valkey


async def fail_until_open(store: RedisStore, link: RedisLink) -> int:
    calls = 0
    while not link.breaker.is_open:
        calls += 1
        with pytest.raises((UpstreamFailed, BudgetExceeded)):
            await store.read_actor(KEY, 0, Deadline.after(0.05))
    return calls


async def test_a_killed_redis_fails_calls_at_once_and_is_used_again_within_two_seconds(
    valkey: RunningValkey, link: RedisLink, store: RedisStore
) -> None:
    await store.append_events(KEY, [event("a", 3.0)], soon())
    valkey.kill()
    assert await fail_until_open(store, link) == 3
    began = time.perf_counter()
    for _ in range(1_000):
        with pytest.raises(UpstreamFailed, match="not tried"):
            await store.read_actor(KEY, 0, soon())
    assert (time.perf_counter() - began) / 1_000 < 0.001
    valkey.restart()
    assert await seconds_until_whole(store) < 2.0
    assert list((await store.read_actor(KEY, 0, soon())).item_ids) == ["a"]


async def test_a_restart_between_two_calls_is_not_noticed(valkey: RunningValkey, store: RedisStore) -> None:
    await asyncio.gather(*(store.append_events(KEY, [event(str(at))], soon()) for at in range(8)))
    valkey.restart()
    assert (await store.append_events(KEY, [event("after")], soon())).version == 9
    assert len((await store.read_actor(KEY, 0, soon())).item_ids) == 9


async def test_a_paused_redis_costs_the_deadline_and_no_more(valkey: RunningValkey, store: RedisStore) -> None:
    await store.ping(soon())
    valkey.pause()
    began = time.monotonic()
    with pytest.raises(BudgetExceeded):
        await store.read_actor(KEY, 0, Deadline.after(0.05))
    assert 0.045 < time.monotonic() - began < 0.2


async def test_a_paused_redis_opens_the_breaker_and_closes_it_soon_after_it_goes_on(
    valkey: RunningValkey, link: RedisLink, store: RedisStore
) -> None:
    await store.ping(soon())
    valkey.pause()
    began = time.monotonic()
    assert await fail_until_open(store, link) == 3
    assert time.monotonic() - began < 1.0
    valkey.resume()
    assert await seconds_until_whole(store) < 2.0


async def test_callers_in_a_hurry_do_not_open_the_breaker(
    valkey: RunningValkey, link: RedisLink, store: RedisStore
) -> None:
    await store.ping(soon())
    valkey.pause()
    for _ in range(10):
        with pytest.raises(BudgetExceeded):
            await store.read_actor(KEY, 0, Deadline.after(0.003))
    valkey.resume()
    assert not link.breaker.is_open


async def test_many_callers_of_a_dead_redis_make_no_storm_of_connections(tmp_path: Path) -> None:
    connections: list[float] = []

    async def accept_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(time.monotonic())
        writer.close()

    server = await asyncio.start_server(accept_and_close, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    link = RedisLink(f"redis://{host}:{port}/0", max_connections=4)
    store = RedisStore(link, Limits())
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        await asyncio.gather(*(store.ping(Deadline.after(0.05)) for _ in range(50)), return_exceptions=True)
        await asyncio.sleep(0.01)
    await link.aclose()
    server.close()
    await server.wait_closed()
    # At first as many as there are slots; afterwards a probe a second.
    assert len([at for at in connections if at - began < 0.5]) <= 4 + 3
    assert 1 <= len([at for at in connections if at - began >= 0.5]) <= 3


async def test_a_cancelled_call_leaves_no_reply_behind_for_the_next(valkey: RunningValkey, store: RedisStore) -> None:
    await store.append_events(KEY, [event("a")], soon())
    valkey.pause()
    calls = [asyncio.create_task(store.read_actor(KEY, 0, soon())) for _ in range(4)]
    await asyncio.sleep(0.02)
    for call in calls:
        call.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*calls, return_exceptions=True))
    valkey.resume()
    assert not (await store.read_actor(ActorKey("", "u/2"), 0, soon())).known
    assert (await store.read_actor(KEY, 0, soon())).known


async def test_more_callers_than_may_wait_are_refused(valkey: RunningValkey, store: RedisStore) -> None:
    await store.ping(soon())
    valkey.pause()
    calls = [asyncio.create_task(store.ping(Deadline.after(0.2))) for _ in range(20)]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    # 4 on the way, 8 waiting, the others refused.
    assert [type(end) for end in ends].count(Overloaded) == 8


async def test_a_wait_for_a_connection_ends_at_the_deadline(valkey: RunningValkey, store: RedisStore) -> None:
    await store.ping(soon())
    valkey.pause()
    holders = [asyncio.create_task(store.ping(Deadline.after(0.5))) for _ in range(4)]
    await asyncio.sleep(0.01)
    began = time.monotonic()
    with pytest.raises(BudgetExceeded):
        await store.ping(Deadline.after(0.05))
    assert time.monotonic() - began < 0.2
    await asyncio.gather(*holders, return_exceptions=True)


async def test_a_refused_command_is_told_and_does_not_open_the_breaker(
    valkey: RunningValkey, link: RedisLink, store: RedisStore
) -> None:
    valkey.command("SET", "sl:{a::u%2F1}:events", "not a hash")
    for _ in range(5):
        with pytest.raises(UpstreamFailed, match="WRONGTYPE"):
            await store.read_actor(KEY, 0, soon())
    with pytest.raises(UpstreamFailed, match="WRONGTYPE"):
        await store.append_events(KEY, [event("a")], soon())
    assert not link.breaker.is_open
    assert (await store.append_events(ActorKey("", "u/2"), [event("a")], soon())).version == 1


async def test_a_wrong_password_is_told() -> None:
    with running_valkey() as valkey:
        valkey.command("CONFIG", "SET", "requirepass", "right")
        link = RedisLink(valkey.url.replace("redis://", "redis://:wrong@"))
        with pytest.raises(UpstreamFailed, match=r"WRONGPASS|invalid username-password"):
            await RedisStore(link, Limits()).ping(soon())
        await link.aclose()


def test_a_url_that_is_none_is_refused_when_it_is_given() -> None:
    with pytest.raises(ValueError, match="schemes"):
        RedisLink("http://127.0.0.1")
