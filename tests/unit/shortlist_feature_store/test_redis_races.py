"""What is stored and counted when Redis breaks in the middle, writers collide, and watchers are cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, UpstreamFailed
from shortlist_domain.stages import ActorKey, Event, ItemDelta
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.store import Limits
from shortlist_testing.feature_store_contract import KEY, NOW_S, event, seconds_until_whole, soon
from shortlist_testing.redis import RunningValkey


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
