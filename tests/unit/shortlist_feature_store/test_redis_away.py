"""What calls cost and say while Redis is away, and how soon it is used again. A real Valkey is killed and paused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, Overloaded, ShortlistError, UpstreamFailed
from shortlist_domain.stages import ActorKey, Event, ItemDelta
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import KEY, NOW_S, event, soon
from shortlist_testing.redis import RunningValkey, running_valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[RunningValkey]:
    with running_valkey(tmp_path, keep_data=True) as server:
        yield server


@pytest.fixture
async def link(valkey: RunningValkey) -> AsyncIterator[RedisLink]:
    link = RedisLink(valkey.url, max_connections=4, max_waiting=8)
    yield link
    await link.aclose()


@pytest.fixture
def store(link: RedisLink) -> RedisStore:
    return RedisStore(link, Limits(), now=lambda: NOW_S)


async def seconds_until_whole(store: RedisStore) -> float:
    began = time.monotonic()
    async with asyncio.timeout(10):
        while True:
            try:
                await store.read_actor(KEY, 0, Deadline.after(0.05))
                return time.monotonic() - began
            except ShortlistError:
                await asyncio.sleep(0.005)


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


async def test_events_that_could_not_be_counted_are_stored_and_said_to_be_uncounted(
    valkey: RunningValkey, store: RedisStore
) -> None:
    valkey.command("SET", "sl:{i:}:counts", "not a hash")
    result = await store.append_events(KEY, [event("a")], soon())
    assert list(result.added) == [True]
    assert store.lost_counts == 1
    assert (await store.read_actor(KEY, 0, soon())).known


async def test_writers_in_different_processes_lose_nothing(valkey: RunningValkey) -> None:
    links = [RedisLink(valkey.url) for _ in range(4)]
    stores = [RedisStore(link, Limits(), now=lambda: NOW_S) for link in links]
    writes = [
        store.append_events(
            KEY, [Event("i", 1.0, NOW_S, event_id=f"{at // 2}"), event("j", event_id=f"{n}/{at}")], soon()
        )
        for n, store in enumerate(stores)
        for at in range(20)
    ]
    results = await asyncio.gather(*writes)
    assert sum(sum(result.added) for result in results) == 80 + 10
    assert len((await stores[0].read_actor(KEY, 0, soon())).item_ids) == 90
    totals = await stores[0].read_items("", ["i", "j"], soon())
    assert [total and total.count for total in totals] == [10.0, 80.0]
    for link in links:
        await link.aclose()


async def test_a_watcher_is_told_that_redis_is_gone_and_resumes_after_it_is_back(
    valkey: RunningValkey, store: RedisStore
) -> None:
    await store.append_events(KEY, [event("a", 3.0)], soon())
    stream = store.watch_items("", "")
    first = await anext(stream)
    valkey.kill()
    with pytest.raises(UpstreamFailed):
        await asyncio.wait_for(anext(stream), 5)
    valkey.restart()
    await store.append_events(KEY, [event("b", 4.0)], soon())
    step = await asyncio.wait_for(anext(store.watch_items("", first.cursor)), 5)
    assert not step.is_snapshot
    assert [delta.item_id for delta in step.deltas] == ["b"]


async def test_a_watcher_whose_redis_was_emptied_gets_a_snapshot(valkey: RunningValkey, store: RedisStore) -> None:
    await store.append_events(KEY, [event("a", 3.0)], soon())
    stream = store.watch_items("", "")
    await anext(stream)
    valkey.command("FLUSHALL")
    step = await asyncio.wait_for(anext(stream), 5)
    assert (step.is_snapshot, list(step.deltas)) == (True, [])


async def test_closing_a_watcher_closes_its_connection(valkey: RunningValkey, store: RedisStore) -> None:
    await store.append_events(KEY, [event("a", 3.0)], soon())
    stream = store.watch_items("", "")
    await anext(stream)
    before = valkey.command("INFO", "clients")
    await stream.aclose()
    await asyncio.sleep(0.05)
    assert _clients(valkey.command("INFO", "clients")) == _clients(before) - 1


@pytest.mark.parametrize(("method", "times"), [("add", 1), ("read", 2)])
async def test_what_may_have_been_counted_is_not_sent_again_and_what_is_read_is(method: str, times: int) -> None:
    received: list[bytes] = []

    async def answer_the_ping_and_break_after_the_rest(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while command := await reader.read(1 << 16):
            if b"PING" not in command:
                received.append(command)
                break
            writer.write(b"+PONG\r\n")
        writer.close()

    server = await asyncio.start_server(answer_the_ping_and_break_after_the_rest, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    store = RedisStore(RedisLink(f"redis://{host}:{port}/0"), Limits())
    await store.ping(soon())
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "add": lambda: store.add_to_items("", [ItemDelta("a", 1.0, 1.0)], None, soon()),
        "read": lambda: store.read_items("", ["a"], soon()),
    }
    with pytest.raises(UpstreamFailed):
        await calls[method]()
    assert len(received) == times
    await store.aclose()
    server.close()
    await server.wait_closed()


async def test_kills_in_the_middle_of_writing_lose_nothing_acknowledged_and_count_nothing_twice(
    valkey: RunningValkey, store: RedisStore
) -> None:
    acknowledged: set[str] = set()
    tried: set[str] = set()
    is_over = False

    async def write(writer: int) -> None:
        number = 0
        while not is_over:
            event_id = f"{writer}/{number}"
            tried.add(event_id)
            try:
                await store.append_events(
                    ActorKey("", f"u/{writer}"), [event("i", event_id=event_id)], Deadline.after(2.0)
                )
            except (UpstreamFailed, BudgetExceeded):
                await asyncio.sleep(0.01)  # and again, with the same id
            else:
                acknowledged.add(event_id)
                number += 1

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    for _ in range(3):
        await asyncio.sleep(0.2)
        valkey.kill()
        valkey.restart()
        await seconds_until_whole(store)
    await asyncio.sleep(0.1)
    is_over = True
    await asyncio.gather(*writers)

    stored = 0
    for writer in range(4):
        stored += len((await store.read_actor(ActorKey("", f"u/{writer}"), 0, soon())).item_ids)
    (total,) = await store.read_items("", ["i"], soon())
    assert len(acknowledged) > 100
    assert len(acknowledged) <= stored <= len(tried)
    assert total is not None
    assert stored - 3 * 4 <= total.count <= stored


async def test_an_actor_is_read_in_one_round_trip(valkey: RunningValkey, store: RedisStore) -> None:
    writes = 0

    class Counting(RedisLink):
        async def exchange(self, commands, deadline, work, *, is_repeatable=True):  # type: ignore[no-untyped-def]
            nonlocal writes
            writes += 1
            return await super().exchange(commands, deadline, work)

    link = Counting(valkey.url)
    await RedisStore(link, Limits()).read_actor(KEY, 0, soon())
    await link.aclose()
    assert writes == 1


def _clients(info: bytes) -> int:
    (line,) = [line for line in info.split(b"\r\n") if line.startswith(b"connected_clients:")]
    return int(line.split(b":")[1])
