"""Events and attributes as stored: checked, named and packed."""

from __future__ import annotations

import hashlib
import math
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.ids import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_NAME_BYTES, id_violation
from shortlist_domain.stages import CLOCK_SKEW_S, EARLIEST_S, ActorState, Event

MAX_EVENT_TYPE_BYTES = 64
MAX_SURFACE_BYTES = 256

_LARGEST_FLOAT32 = 3.4028234663852886e38
_HEAD = struct.Struct("<dfB")
_TIME = struct.Struct("<d")
_FLOAT32 = struct.Struct("<f")
_MORE = struct.Struct("<H")
_IS_COPY = 0x8000

_HAS_MORE = 0x80
"""In the byte with the length of the type, which is 64 at most: more than type and item is kept."""

Row = tuple[float, bytes, float, bytes]
"""A stored event: time, id, value, and all else as one blob, see :func:`pack_event`. Sorts by time, then id."""


def event_violations(path: str, event: Event, now_s: float) -> list[Violation]:
    """Return what is wrong with ``event``, found at ``path`` in the request."""
    found = [
        id_violation(f"{path}.item_id", event.item_id),
        id_violation(f"{path}.event_id", event.event_id, required=False),
        _name_violation(f"{path}.event_type", event.event_type, MAX_EVENT_TYPE_BYTES),
        time_violation(f"{path}.event_time", event.time_s, now_s),
    ]
    if len(event.surface.encode()) > MAX_SURFACE_BYTES:
        said = f"is {len(event.surface.encode())} bytes long; at most {MAX_SURFACE_BYTES} are allowed"
        found.append(Violation(f"{path}.surface", said))
    if not abs(event.value) <= _LARGEST_FLOAT32:  # also false for NaN
        found.append(Violation(f"{path}.value", f"is {event.value}; a finite number in the range of float32 is needed"))
    return [violation for violation in found if violation is not None]


def time_violation(path: str, time_s: float, now_s: float) -> Violation | None:
    """Return what is wrong with the moment ``time_s``, seconds since 1970 UTC, or ``None``."""
    if not math.isfinite(time_s):
        return Violation(path, f"is {time_s}; a finite number of seconds since 1970 is needed")
    if time_s < EARLIEST_S:
        return Violation(path, f"is {time_s:.0f} s since 1970; it must not be before the year 1")
    if time_s > now_s + CLOCK_SKEW_S:
        ahead = time_s - now_s
        return Violation(path, f"lies {ahead:.0f} s ahead of the clock; at most {CLOCK_SKEW_S:.0f} s are allowed")
    return None


def check_attributes(attributes: Mapping[str, str], time_s: float, now_s: float) -> None:
    """Refuse attributes that cannot be stored, as of ``time_s``.

    Raises:
        InvalidRequest: Names each by its position.
    """
    found = [time_violation("event_time", time_s, now_s)]
    for at, (name, text) in enumerate(attributes.items()):
        path = f"attributes[{at}]"
        found.append(_name_violation(f"{path}.name", name, MAX_ATTRIBUTE_NAME_BYTES))
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            found.append(Violation(f"{path}.text", "is not valid Unicode"))
            continue
        if size > MAX_ATTRIBUTE_BYTES:
            said = f"is {size} bytes long; at most {MAX_ATTRIBUTE_BYTES} are allowed"
            found.append(Violation(f"{path}.text", said))
    if violations := [violation for violation in found if violation is not None]:
        raise InvalidRequest(*violations)


def checked_events(events: Sequence[Event], now_s: float) -> list[Event]:
    """Return ``events`` with every id filled in and every value rounded to float32, as it is stored and counted.

    Raises:
        InvalidRequest: Some of them cannot be stored.
    """
    violations = [
        violation for at, event in enumerate(events) for violation in event_violations(f"events[{at}]", event, now_s)
    ]
    if violations:
        raise InvalidRequest(*violations)
    return [_completed(event) for event in events]


def derived_id(event: Event) -> str:
    """Return the id of an event that came without one: made from the rest, so that an exact repetition is the same."""
    parts = (event.event_type.encode(), event.item_id.encode(), _HEAD.pack(event.time_s, event.value, 0))
    digest = hashlib.blake2b(digest_size=10)
    for part in parts:
        digest.update(len(part).to_bytes(2, "little"))
        digest.update(part)
    return f"~{digest.hexdigest()}"


def pack_event(event: Event, *, is_copy: bool = False) -> bytes:
    """Return the bytes that stand for a checked event: time float64, value float32, type length, type, item.

    Of an event with a surface, and of a copy, the highest bit of the type length is set, and the surface follows, then
    a uint16: its length, and in the highest bit whether it is a copy. Little-endian.

    Args:
        event: Checked.
        is_copy: Whether it is counted for its item where another actor's history has it: see ``append_events``.
    """
    event_type, surface = event.event_type.encode(), event.surface.encode()
    if not surface and not is_copy:
        return _HEAD.pack(event.time_s, event.value, len(event_type)) + event_type + event.item_id.encode()
    head = _HEAD.pack(event.time_s, event.value, len(event_type) | _HAS_MORE)
    more = surface + _MORE.pack(len(surface) | (_IS_COPY if is_copy else 0))
    return head + event_type + event.item_id.encode() + more


def unpack_row(event_id: bytes, packed: bytes) -> Row:
    """Return the stored event as a row that sorts in the order of history."""
    time_s, value, _ = _HEAD.unpack_from(packed)
    return (time_s, event_id, value, packed[12:])


def unpack_rows(event_ids: Iterable[bytes], packed: Iterable[bytes]) -> list[Row]:
    """Return stored events in the order of history. Runs over all events of every actor read: loops are flat."""
    unpack = _HEAD.unpack_from
    rows = [(*unpack(p), i, p) for i, p in zip(event_ids, packed, strict=True)]
    return sorted([(time_s, event_id, value, p[12:]) for time_s, value, _, event_id, p in rows])


def history_columns(rows: Sequence[Row]) -> tuple[list[str], list[str], array[float], array[float]]:
    """Return the items, types, values and times of ``rows``."""
    if not rows:
        return [], [], array("f"), array("d")
    times_s, _, values, blobs = zip(*rows, strict=True)
    if max(blobs)[0] >= _HAS_MORE:  # the byte that blobs sort by first
        blobs = tuple(map(_plain, blobs))
    item_ids = [blob[blob[0] + 1 :].decode() for blob in blobs]
    event_types = [blob[1 : blob[0] + 1].decode() for blob in blobs]
    return item_ids, event_types, array("f", values), array("d", times_s)


def events_state(rows: Sequence[Row]) -> ActorState:
    """Return ``rows`` as they are shown, with surfaces."""
    item_ids, event_types, values, times_s = history_columns(rows)
    return ActorState(
        item_ids=item_ids, event_types=event_types, values=values, times_s=times_s, surfaces=surfaces(rows)
    )


def surfaces(rows: Iterable[Row]) -> list[str]:
    """Return where the events of ``rows`` happened, empty where that is not known."""
    return [_more(blob)[0].decode() if blob[0] >= _HAS_MORE else "" for _, _, _, blob in rows]


def split_row(row: Row) -> tuple[str, str]:
    """Return the event's type and item."""
    blob = _plain(row[3])
    end = blob[0] + 1
    return blob[1:end].decode(), blob[end:].decode()


def pack_attribute(time_s: float, text: str) -> bytes:
    """Return the bytes that stand for an attribute set at ``time_s``."""
    return _TIME.pack(time_s) + text.encode()


def attribute_time(packed: bytes) -> float:
    """Return when the attribute was set."""
    (time_s,) = _TIME.unpack_from(packed)
    return float(time_s)


def attribute_text(packed: bytes) -> str:
    """Return the attribute's value."""
    return packed[_TIME.size :].decode()


def wins(time_s: float, text: str, stored: bytes | None) -> bool:
    """Whether an attribute set as of ``time_s`` stands against the ``stored`` one; the same again does."""
    if stored is None:
        return True
    return (time_s, text.encode()) >= (attribute_time(stored), stored[_TIME.size :])


def pack_floor(row: Row) -> bytes:
    """Return the bytes that stand for the newest event that was cut from a history."""
    return _TIME.pack(row[0]) + row[1]


def below_floor(event: Event, floor: bytes | None) -> bool:
    """Whether ``event`` comes at or before the newest event that was cut."""
    if floor is None:
        return False
    return (event.time_s, event.event_id.encode()) <= (attribute_time(floor), floor[_TIME.size :])


def is_copy(row: Row) -> bool:
    """Return whether the event is counted where another history has it."""
    blob = row[3]
    return blob[0] >= _HAS_MORE and bool(_MORE.unpack_from(blob, len(blob) - _MORE.size)[0] & _IS_COPY)


def merged(rows: Sequence[Row], of_session: Sequence[Row]) -> Sequence[Row]:
    """Return an actor's events and those of the session that it is in, none twice, oldest first.

    Of two with one id the actor's own stays.
    """
    if not of_session:
        return rows
    by_id = {row[1]: row for row in of_session}
    by_id.update((row[1], row) for row in rows)
    return sorted(by_id.values())


def _more(blob: bytes) -> tuple[bytes, int]:
    """Return the surface of a blob that has one, and where it begins."""
    end = len(blob) - _MORE.size
    start = end - (_MORE.unpack_from(blob, end)[0] & ~_IS_COPY)
    return blob[start:end], start


def _plain(blob: bytes) -> bytes:
    """Return a blob with type length, type and item alone."""
    if blob[0] < _HAS_MORE:
        return blob
    return bytes((blob[0] - _HAS_MORE,)) + blob[1 : _more(blob)[1]]


def _completed(event: Event) -> Event:
    (value,) = _FLOAT32.unpack(_FLOAT32.pack(event.value))
    if event.event_id and value == event.value:
        return event
    return replace(event, value=value, event_id=event.event_id or derived_id(event))


def _name_violation(path: str, name: str, max_bytes: int) -> Violation | None:
    violation = id_violation(path, name)
    if violation is None and len(name.encode()) > max_bytes:
        return Violation(path, f"is {len(name.encode())} bytes long; at most {max_bytes} are allowed")
    return violation
