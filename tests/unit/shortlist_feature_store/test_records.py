"""How events and attributes are packed, named and keyed."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_domain.stages import ActorKey, Event
from shortlist_feature_store.breaker import Breaker
from shortlist_feature_store.keys import changes_key, counts_key, events_key, freshness_key, state_key, sums_key
from shortlist_feature_store.records import (
    attribute_text,
    attribute_time,
    below_floor,
    checked_events,
    derived_id,
    events_state,
    history_columns,
    pack_attribute,
    pack_event,
    pack_floor,
    split_row,
    unpack_row,
    unpack_rows,
)
from shortlist_feature_store.store import Limits

text = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
short_text = text.filter(lambda some: len(some.encode()) <= 64)


@given(item_id=text, event_type=short_text, value=st.floats(width=32, allow_nan=False))
@settings(derandomize=True)
def test_an_event_comes_back_as_it_was_packed(item_id: str, event_type: str, value: float) -> None:
    row = unpack_row(b"id", pack_event(Event(item_id, value, 1_700_000_000.25, event_type, "id")))
    assert row[:3] == (1_700_000_000.25, b"id", value)
    assert split_row(row) == (event_type, item_id)


@given(item_id=text, event_type=short_text, surface=text)
@settings(derandomize=True)
def test_a_surface_comes_back_and_stands_in_nobodys_way(item_id: str, event_type: str, surface: str) -> None:
    placed = Event(item_id, 2.0, 2.0, event_type, "b", surface)
    rows = unpack_rows([b"b", b"a"], [pack_event(placed), pack_event(Event(item_id, 1.0, 1.0, "t", "a"))])
    assert split_row(rows[1]) == (event_type, item_id)
    state = events_state(rows)
    assert list(state.item_ids) == [item_id, item_id]
    assert list(state.event_types) == ["t", event_type]
    assert list(state.surfaces) == ["", surface]


def test_records_of_before_there_were_surfaces_are_read_and_written_as_they_were() -> None:
    # Bytes as earlier releases wrote them: time float64, value float32, length of the type, type, item.
    old = struct.pack("<dfB", 12.5, 4.0, 6) + b"rating" + "ключ".encode()
    assert pack_event(Event("ключ", 4.0, 12.5, "rating", "e")) == old
    assert list(events_state([unpack_row(b"e", old)]).surfaces) == [""]
    longest = struct.pack("<dfB", 12.5, 4.0, 64) + b"t" * 64 + b"i" * 256
    rows = unpack_rows([b"e", b"f"], [old, longest])
    assert history_columns(rows)[:2] == (["ключ", "i" * 256], ["rating", "t" * 64])
    beside = pack_event(Event("a", 1.0, 13.0, "view", "g", "home"))
    rows = unpack_rows([b"e", b"g"], [old, beside])
    assert history_columns(rows)[:2] == (["ключ", "a"], ["rating", "view"])
    assert history_columns(rows)[2].tolist() == [4.0, 1.0]


def test_a_surface_is_no_part_of_an_events_id() -> None:
    assert derived_id(Event("a", 1.0, 0.0, surface="home")) == derived_id(Event("a", 1.0, 0.0))


def test_an_attribute_comes_back_as_it_was_packed() -> None:
    packed = pack_attribute(-12.5, "ключ")
    assert (attribute_time(packed), attribute_text(packed)) == (-12.5, "ключ")


def test_a_value_is_kept_as_float32() -> None:
    (event,) = checked_events([Event("a", 0.1, 0.0)], now_s=0.0)
    assert event.value == 0.10000000149011612


def test_the_id_of_an_event_without_one_never_changes() -> None:
    # A change would store every repeated event a second time. Length, then bytes, of type, item, and time and value.
    numbers = struct.pack("<d", 978_300_760.0) + struct.pack("<f", 5.0) + b"\0"
    said = b"\6\0rating" + b"\4\0001193" + b"\15\0" + numbers
    expected = hashlib.blake2b(said, digest_size=10).hexdigest()
    assert derived_id(Event("1193", 5.0, 978_300_760.0, "rating")) == f"~{expected}"


def test_ids_made_from_parts_do_not_run_into_each_other() -> None:
    assert derived_id(Event("bc", 1.0, 0.0, "a")) != derived_id(Event("c", 1.0, 0.0, "ab"))


def test_what_comes_at_or_before_the_cut_is_below_it() -> None:
    floor = pack_floor((10.0, b"m", 1.0, b""))
    assert below_floor(Event("a", 1.0, 10.0, event_id="m"), floor)
    assert below_floor(Event("a", 1.0, 9.0, event_id="z"), floor)
    assert not below_floor(Event("a", 1.0, 10.0, event_id="n"), floor)
    assert not below_floor(Event("a", 1.0, 11.0, event_id="a"), floor)
    assert not below_floor(Event("a", 1.0, 0.0, event_id="a"), None)


def tag(key: str) -> str:
    """What a cluster hashes: between the first brace and the first closing one after it."""
    start = key.index("{")
    return key[start + 1 : key.index("}", start)]


@given(tenant=text, actor_id=text, other=text)
@settings(derandomize=True)
def test_keys_of_one_transaction_share_a_hash_tag_and_no_id_reaches_into_another(
    tenant: str, actor_id: str, other: str
) -> None:
    key = ActorKey(tenant, actor_id)
    assert tag(events_key(key)) == tag(state_key(key)) != ""
    assert len({tag(name(tenant)) for name in (counts_key, sums_key, changes_key, freshness_key)}) == 1
    assert tag(counts_key(tenant)) != tag(events_key(key))
    assert (events_key(ActorKey(tenant, other)) == events_key(key)) == (other == actor_id)
    assert (events_key(ActorKey(other, actor_id)) == events_key(key)) == (other == tenant)


def test_the_default_tenant_has_a_hash_tag_too() -> None:
    assert tag(counts_key("")) == "i:"


@pytest.mark.parametrize(
    "arguments", [{"max_events_per_actor": 0}, {"max_impressions_per_actor": 0}, {"item_change_log_length": 0}]
)
def test_limits_that_keep_nothing_are_refused_by_name(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Limits(**arguments)


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(3, clock=lambda: 7.0)
    for _ in range(2):
        breaker.failed("gone")
    breaker.succeeded()
    for _ in range(2):
        breaker.failed("gone")
    assert not breaker.is_open
    breaker.failed("gone again")
    breaker.failed("gone again")
    assert breaker.is_open
    assert (breaker.last_reason, breaker.opened_count, breaker.opened_at_s) == ("gone again", 1, 7.0)
    breaker.succeeded()
    assert not breaker.is_open
