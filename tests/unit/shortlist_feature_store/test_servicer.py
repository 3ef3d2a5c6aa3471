"""The feature store over gRPC."""

from __future__ import annotations

import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from prometheus_client import CollectorRegistry

from shortlist.common.v1 import actor_pb2
from shortlist.common.v1.slate_record_pb2 import SlateRecord
from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import (
    FeatureStoreServiceStub,
    add_FeatureStoreServiceServicer_to_server,
)
from shortlist_domain.deadline import Deadline
from shortlist_domain.features import FEATURES, Entity
from shortlist_domain.stages import ActorKey, Event, ItemDelta, ItemDeltas
from shortlist_feature_store import wire
from shortlist_feature_store.memory_store import MemoryStore
from shortlist_feature_store.servicer import FeatureStoreServicer
from shortlist_feature_store.store import FeatureStore, Limits
from shortlist_rpc.server import serving
from shortlist_rpc.settings import ServerSettings
from shortlist_telemetry.catalogue import Metrics

NOW_S = 1_700_000_000.0
KEY = pb.ActorKey(actor_id="u/1")


@dataclass
class Service:
    """The servicer over a store that is there."""

    store: FeatureStore
    rpc_names = ("shortlist.featurestore.v1.FeatureStoreService",)

    def add_to(self, server: grpc.aio.Server) -> None:
        add_FeatureStoreServiceServicer_to_server(FeatureStoreServicer(lambda: self.store, lambda: NOW_S), server)

    async def start(self) -> None: ...

    def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        await self.store.aclose()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(Limits(), now=lambda: NOW_S)


@pytest.fixture
async def stub(store: MemoryStore) -> AsyncIterator[Any]:
    service = Service(store)
    async with (
        serving(service, ServerSettings(port=0), Metrics(CollectorRegistry())) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield FeatureStoreServiceStub(channel)


def at(time_s: float) -> Timestamp:
    message = Timestamp()
    message.FromMicroseconds(round(time_s * 1e6))
    return message


def fields_of(error: grpc.aio.AioRpcError) -> list[str]:
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (raw,) = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    bad = error_details_pb2.BadRequest()
    status_pb2.Status.FromString(raw if isinstance(raw, bytes) else raw.encode()).details[0].Unpack(bad)
    return [violation.field for violation in bad.field_violations]


async def test_what_is_written_is_read(stub: Any) -> None:
    events = [
        actor_pb2.Event(item_id="a", value=3.5, event_time=at(NOW_S - 10), event_id="1"),
        actor_pb2.Event(item_id="b", event_type="click"),
        actor_pb2.Event(item_id="c", value=0.0, event_time=at(NOW_S - 20.5), event_id="1"),
    ]
    appended = await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=events))
    assert (appended.version, list(appended.added)) == (1, [True, True, False])
    attributes = [actor_pb2.Attribute(name="age", text="30"), actor_pb2.Attribute(name="sex", text="F")]
    await stub.WriteFeatures(pb.WriteFeaturesRequest(key=KEY, attributes=attributes))
    older = pb.WriteFeaturesRequest(key=KEY, attributes=attributes[:1], event_time=at(NOW_S - 1))
    written = await stub.WriteFeatures(older)
    assert (written.written, written.outdated, written.version) == (0, 1, 2)

    state = await stub.ReadActor(pb.ReadActorRequest(key=KEY, min_version=2))
    assert (state.known, state.version, state.caught_up) == (True, 2, True)
    assert {attribute.name: attribute.text for attribute in state.attributes} == {"age": "30", "sex": "F"}
    assert list(state.item_ids) == ["a", "b"]
    assert list(state.event_types) == ["rating", "click"]
    assert struct.unpack("<2f", state.values) == (3.5, 1.0)
    assert struct.unpack("<2d", state.times_s) == (NOW_S - 10, NOW_S)


async def test_types_are_left_out_where_all_are_ratings(stub: Any) -> None:
    await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=[actor_pb2.Event(item_id="a")]))
    assert list((await stub.ReadActor(pb.ReadActorRequest(key=KEY))).event_types) == []


async def test_an_unknown_actor_is_an_empty_answer(stub: Any) -> None:
    state = await stub.ReadActor(pb.ReadActorRequest(key=KEY))
    assert (state.known, state.version, state.caught_up, state.values) == (False, 0, True, b"")


async def test_history_is_newest_first_and_says_whether_there_is_more(stub: Any) -> None:
    events = [actor_pb2.Event(item_id=str(n), event_time=at(NOW_S - n)) for n in range(5)]
    await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=events))
    page = await stub.GetHistory(pb.GetHistoryRequest(key=KEY, limit=2))
    assert [event.item_id for event in page.events] == ["0", "1"]
    assert page.events[1].event_time == at(NOW_S - 1)
    assert page.has_more
    page = await stub.GetHistory(pb.GetHistoryRequest(key=KEY))
    assert (len(page.events), page.has_more) == (5, False)
    shown = [actor_pb2.Event(item_id="7", event_type="impression", event_time=at(NOW_S))]
    await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=shown))
    page = await stub.GetHistory(pb.GetHistoryRequest(key=KEY, impressions=True))
    assert [(event.item_id, event.event_type) for event in page.events] == [("7", "impression")]
    assert len((await stub.GetHistory(pb.GetHistoryRequest(key=KEY))).events) == 5


async def test_features_come_in_columns_with_status_and_age(stub: Any) -> None:
    events = [actor_pb2.Event(item_id="a", value=value, event_time=at(NOW_S - value)) for value in (2.0, 4.0)]
    await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=events))
    request = pb.GetFeaturesRequest(
        entity=pb.FEATURE_ENTITY_USER, entity_ids=["v/9", "u/1"], feature_names=["user_mean", "user_count"]
    )
    mean, count = (await stub.GetFeatures(request)).columns
    assert (mean.name, struct.unpack("<2d", mean.values)) == ("user_mean", (0.0, 3.0))
    assert struct.unpack("<2d", count.values) == (0.0, 2.0)
    assert list(mean.statuses) == [pb.FEATURE_STATUS_MISSING, pb.FEATURE_STATUS_PRESENT]
    missing, age = struct.unpack("<2d", mean.ages_s)
    assert missing != missing
    assert age == 2.0
    request = pb.GetFeaturesRequest(entity=pb.FEATURE_ENTITY_ITEM, entity_ids=["a"], feature_names=["item_count"])
    (count,) = (await stub.GetFeatures(request)).columns
    assert struct.unpack("<d", count.values) == (2.0,)


async def test_the_views_are_the_catalogue(stub: Any) -> None:
    views = (await stub.DescribeViews(pb.DescribeViewsRequest())).views
    assert [view.name for view in views] == [
        spec.name for spec in FEATURES if spec.entity in (Entity.USER, Entity.ITEM)
    ]
    assert views[0].max_age.seconds == 30 * 86_400


async def test_freshness_is_unset_until_there_is_something(stub: Any) -> None:
    fresh = await stub.GetFreshness(pb.GetFreshnessRequest())
    assert not fresh.HasField("newest_event")
    assert not fresh.HasField("last_write")
    events = [actor_pb2.Event(item_id="a", event_time=at(NOW_S - 9))]
    await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=events))
    fresh = await stub.GetFreshness(pb.GetFreshnessRequest())
    assert (fresh.newest_event, fresh.last_write) == (at(NOW_S - 9), at(NOW_S))


async def test_erasing_says_what_it_deleted_and_looked_afterwards(stub: Any) -> None:
    await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=[actor_pb2.Event(item_id="a")]))
    erased = await stub.EraseActor(pb.EraseActorRequest(key=KEY))
    assert (erased.events, erased.attributes, erased.verified) == (1, 0, True)
    assert not (await stub.ReadActor(pb.ReadActorRequest(key=KEY))).known


async def test_items_are_streamed_as_a_snapshot_and_changes(stub: Any) -> None:
    append = pb.AppendEventsRequest(key=KEY, events=[actor_pb2.Event(item_id="a", value=3.0, event_id="1")])
    await stub.AppendEvents(append)
    stream = stub.WatchItems(pb.WatchItemsRequest())
    first = await stream.read()
    assert first.is_snapshot
    assert [(item.item_id, item.count, item.value_sum) for item in first.items] == [("a", 1.0, 3.0)]
    append.events[0].event_id = "2"
    await stub.AppendEvents(append)
    second = await stream.read()
    assert not second.is_snapshot
    assert [(item.item_id, item.count, item.value_sum) for item in second.items] == [("a", 2.0, 6.0)]
    stream.cancel()
    resumed = await stub.WatchItems(pb.WatchItemsRequest(cursor=first.cursor)).read()
    assert resumed == second


def test_a_long_snapshot_goes_in_parts_that_cannot_be_resumed_halfway() -> None:
    n = wire.ITEMS_PER_MESSAGE * 2 + 1
    deltas = [ItemDelta(str(at), 1.0, 1.0) for at in range(n)]
    messages = list(wire.step_messages(ItemDeltas(deltas, "end", is_snapshot=True)))
    assert [message.is_snapshot for message in messages] == [True, False, False]
    assert [message.cursor for message in messages] == ["", "", "end"]
    assert sum(len(message.items) for message in messages) == n


def test_an_empty_snapshot_is_a_message() -> None:
    (message,) = wire.step_messages(ItemDeltas([], "here", is_snapshot=True))
    assert (message.is_snapshot, message.cursor) == (True, "here")


bad_event = actor_pb2.Event


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("ReadActor", pb.ReadActorRequest(), ["key.actor_id"]),
        ("ReadActor", pb.ReadActorRequest(key=pb.ActorKey(actor_id="1")), ["key.actor_id"]),
        ("ReadActor", pb.ReadActorRequest(key=pb.ActorKey(actor_id="u/")), ["key.actor_id"]),
        ("ReadActor", pb.ReadActorRequest(key=pb.ActorKey(actor_id="u/" + "1" * 257)), ["key.actor_id"]),
        ("ReadActor", pb.ReadActorRequest(key=pb.ActorKey(actor_id="u/1", tenant="\n")), ["key.tenant"]),
        ("ReadActor", pb.ReadActorRequest(key=KEY, min_version=-1), ["min_version"]),
        ("AppendEvents", pb.AppendEventsRequest(key=KEY), ["events"]),
        ("AppendEvents", pb.AppendEventsRequest(key=KEY, events=[bad_event(item_id="a")] * 1001), ["events"]),
        (
            "AppendEvents",
            pb.AppendEventsRequest(
                key=KEY,
                events=[
                    bad_event(item_id="a", value=float("nan")),
                    bad_event(),
                    bad_event(item_id="a", event_time=Timestamp(nanos=-1)),
                    bad_event(item_id="a", event_time=Timestamp(seconds=1 << 62)),
                    bad_event(item_id="a", event_time=at(NOW_S + 301)),
                    bad_event(item_id="a", attribution_token="t", surface="s" * 257),
                ],
            ),
            [
                "events[0].value",
                "events[1].item_id",
                "events[2].event_time.nanos",
                "events[3].event_time.seconds",
                "events[4].event_time",
                "events[5].attribution_token",
                "events[5].surface",
            ],
        ),
        ("GetHistory", pb.GetHistoryRequest(key=KEY, limit=5001), ["limit"]),
        ("GetHistory", pb.GetHistoryRequest(key=KEY, limit=-1), ["limit"]),
        ("WriteFeatures", pb.WriteFeaturesRequest(key=KEY), ["attributes"]),
        (
            "WriteFeatures",
            pb.WriteFeaturesRequest(
                key=KEY,
                attributes=[
                    actor_pb2.Attribute(name="a"),
                    actor_pb2.Attribute(name="b", number=1),
                    actor_pb2.Attribute(name="c", text="x"),
                    actor_pb2.Attribute(name="c", text="y"),
                ],
            ),
            ["attributes[0].value", "attributes[1].number", "attributes[3].name"],
        ),
        ("GetFeatures", pb.GetFeaturesRequest(entity_ids=["a"], feature_names=["item_mean"]), ["entity"]),
        (
            "GetFeatures",
            pb.GetFeaturesRequest(
                entity=pb.FEATURE_ENTITY_USER, entity_ids=["1"], feature_names=["item_mean", "nothing", "user_mean"]
            ),
            ["entity_ids[0]", "feature_names[0]", "feature_names[1]"],
        ),
        ("GetFeatures", pb.GetFeaturesRequest(entity=pb.FEATURE_ENTITY_ITEM), ["entity_ids", "feature_names"]),
        ("GetFreshness", pb.GetFreshnessRequest(tenant="\t"), ["tenant"]),
        ("EraseActor", pb.EraseActorRequest(), ["key.actor_id"]),
    ],
)
async def test_every_field_that_is_wrong_is_named(stub: Any, method: str, request_: Any, fields: list[str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(stub, method)(request_)
    assert fields_of(refused.value) == fields


async def test_a_refused_append_writes_nothing(stub: Any) -> None:
    events = [actor_pb2.Event(item_id="a"), actor_pb2.Event()]
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.AppendEvents(pb.AppendEventsRequest(key=KEY, events=events))
    assert not (await stub.ReadActor(pb.ReadActorRequest(key=KEY))).known


async def test_a_thousand_actors_are_read_in_one_call(stub: Any) -> None:
    ids = [f"u/{n}" for n in range(1000)]
    request = pb.GetFeaturesRequest(entity=pb.FEATURE_ENTITY_USER, entity_ids=ids, feature_names=["user_count"])
    began = time.monotonic()
    (column,) = (await stub.GetFeatures(request)).columns
    assert time.monotonic() - began < 0.5
    assert len(column.statuses) == 1000


def test_times_survive_the_wire_to_the_microsecond() -> None:
    request = pb.AppendEventsRequest(key=KEY, events=[actor_pb2.Event(item_id="a", event_time=at(NOW_S - 0.123456))])
    (event,) = wire.events_of(request, NOW_S)
    assert event == Event("a", 1.0, NOW_S - 0.123456)
    assert wire.actor_key(KEY) == ActorKey("", "u/1")


async def test_slates_are_logged_as_they_came(stub: Any, store: MemoryStore) -> None:
    records = [SlateRecord(schema_version=1, slate_id=f"s{at}", variants=["a"], logged_share=0.5) for at in range(3)]
    await stub.AppendSlates(pb.AppendSlatesRequest(slates=records))
    entries = await store.take_slates("one", 10, Deadline.after(5.0))
    assert [SlateRecord.FromString(entry.record or b"") for entry in entries] == records


@pytest.mark.parametrize(
    ("slates", "field"),
    [
        ([], "slates"),
        ([SlateRecord(schema_version=1, slate_id="s")] * 1_001, "slates"),
        ([SlateRecord(schema_version=1)], "slates[0].slate_id"),
        ([SlateRecord(schema_version=1, slate_id="s" * 65)], "slates[0].slate_id"),
        ([SlateRecord(schema_version=1, slate_id="s"), SlateRecord(slate_id="s")], "slates[1].schema_version"),
    ],
)
async def test_one_bad_slate_refuses_the_call_and_is_named(
    stub: Any, store: MemoryStore, slates: list[SlateRecord], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.AppendSlates(pb.AppendSlatesRequest(slates=slates))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in (refused.value.details() or "")
    assert await store.take_slates("one", 10, Deadline.after(5.0)) == []
