"""The gateway's and the feed's clients against the feature store on a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry

from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, UpstreamFailed
from shortlist_domain.stages import ActorKey, Event, ItemDelta
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.clients import FeatureStoreClient
from shortlist_rpc.channel import open_channel
from shortlist_rpc.item_feed import ItemFeedClient
from shortlist_rpc.server import RunningServer, serving
from shortlist_telemetry.catalogue import Metrics

KEY = ActorKey("shop", "u/{1} ж")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = FeatureStoreSettings(port=0, valkey_folder=tmp_path)
    service = FeatureStoreService(settings)
    async with serving(service, settings, Metrics(CollectorRegistry())) as running:
        async with asyncio.timeout(10):
            while not service.is_ready():
                await asyncio.sleep(0.01)
        yield running


@pytest.fixture
async def channel(server: RunningServer) -> AsyncIterator[grpc.aio.Channel]:
    channel = open_channel(server.address)
    yield channel
    await channel.close()


async def test_the_gateway_reads_what_it_appended(channel: grpc.aio.Channel) -> None:
    client = FeatureStoreClient(channel)
    events = [Event("a", 3.5, 1_700_000_000.25, event_id="1"), Event("б", 1.0, 1_700_000_001.5, "click")]
    first = await client.append_events(KEY, events, Deadline.after(2))
    again = await client.append_events(KEY, events, Deadline.after(2))
    assert (first.version, list(first.added), again.version, list(again.added)) == (1, [True, True], 1, [False, False])
    state = await client.read_actor(KEY, first.version, Deadline.after(2))
    assert (state.known, state.caught_up, state.version) == (True, True, 1)
    assert list(state.item_ids) == ["a", "б"]
    assert list(state.event_types) == ["rating", "click"]
    assert list(state.values) == [3.5, 1.0]
    assert list(state.times_s) == [1_700_000_000.25, 1_700_000_001.5]


async def test_the_gateway_is_told_which_field_was_wrong(channel: grpc.aio.Channel) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await FeatureStoreClient(channel).append_events(KEY, [Event("a", float("nan"), 0.0)], Deadline.after(2))
    assert [violation.field for violation in refused.value.violations] == ["events[0].value"]


async def test_the_feed_follows_the_counters(channel: grpc.aio.Channel) -> None:
    client, feed = FeatureStoreClient(channel), ItemFeedClient(channel)
    await client.append_events(KEY, [Event("a", 3.0, 1.0)], Deadline.after(2))
    stream = feed.watch_items("shop", "")
    first = await asyncio.wait_for(anext(stream), 5)
    assert (first.is_snapshot, list(first.deltas)) == (True, [ItemDelta("a", 1.0, 3.0)])
    await client.append_events(KEY, [Event("a", 2.0, 2.0)], Deadline.after(2))
    second = await asyncio.wait_for(anext(stream), 5)
    assert (second.is_snapshot, list(second.deltas)) == (False, [ItemDelta("a", 2.0, 5.0)])


async def test_the_feed_breaks_when_the_server_ends(tmp_path: Path) -> None:
    settings = FeatureStoreSettings(port=0, valkey_folder=tmp_path)
    service = FeatureStoreService(settings)
    async with serving(service, settings, Metrics(CollectorRegistry())) as running:
        while not service.is_ready():
            await asyncio.sleep(0.01)
        channel = open_channel(running.address)
        stream = ItemFeedClient(channel).watch_items("", "")
        await asyncio.wait_for(anext(stream), 5)
    with pytest.raises(UpstreamFailed):
        await asyncio.wait_for(anext(stream), 5)
    await channel.close()
