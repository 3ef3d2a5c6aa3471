"""What callers make requests of, out of plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from shortlist.common.v1 import actor_pb2, selection_pb2


def rating(item_id: str, value: float, *, event_id: str = "", time_s: float | None = None) -> actor_pb2.Event:
    """Return an event of type ``rating``.

    Args:
        item_id: Item that was rated.
        value: Rating on the data set's own scale.
        event_id: As of :func:`event`.
        time_s: As of :func:`event`.

    Raises:
        ValueError: ``value`` is not finite.
    """
    return event("rating", item_id, value, event_id=event_id, time_s=time_s)


def event(
    event_type: str,
    item_id: str,
    value: float = 1.0,
    *,
    event_id: str = "",
    time_s: float | None = None,
    surface: str = "",
) -> actor_pb2.Event:
    """Return an event.

    Args:
        event_type: What was done, as in ``view`` or ``purchase``.
        item_id: Item that it was done to.
        value: Strength of it on the data set's own scale.
        event_id: Makes repeating the write harmless; empty: derived from the rest by the server.
        time_s: When it happened, seconds since 1970 UTC; ``None``: on arrival.
        surface: Page, panel or placement where it happened.

    Raises:
        ValueError: ``value`` is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"value is {value}; that of a {event_type} must be a finite number")
    made = actor_pb2.Event(item_id=item_id, value=value, event_type=event_type, event_id=event_id, surface=surface)
    if time_s is not None:
        made.event_time.FromMicroseconds(round(time_s * 1e6))
    return made


Value = str | float | bool | datetime | timedelta | Sequence[str]


def named_filter(name: str, /, **values: Value) -> selection_pb2.NamedFilter:
    """Return a filter that the serving config keeps, with a value for each of its parameters.

    Args:
        name: Its name.
        values: By parameter. Texts, numbers, booleans, moments with their offset, lengths of time, or several texts.

    Raises:
        ValueError: A number is not finite, or a moment has no offset.
    """
    return selection_pb2.NamedFilter(name=name, parameters=[attribute(n, value) for n, value in values.items()])


def attribute(name: str, value: Value) -> actor_pb2.Attribute:
    """Return a named value of the kind that ``value`` is.

    Raises:
        ValueError: A number is not finite, or a moment has no offset.
    """
    if isinstance(value, str):
        return actor_pb2.Attribute(name=name, text=value)
    if isinstance(value, bool):  # before numbers: it is one to Python
        return actor_pb2.Attribute(name=name, flag=value)
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}; it must be a finite number")
        return actor_pb2.Attribute(name=name, number=value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} is {value}, which has no offset")
        made = actor_pb2.Attribute(name=name)
        made.time.FromDatetime(value)
        return made
    if isinstance(value, timedelta):
        made = actor_pb2.Attribute(name=name)
        made.duration.FromTimedelta(value)
        return made
    return actor_pb2.Attribute(name=name, texts=actor_pb2.TextList(values=value))
