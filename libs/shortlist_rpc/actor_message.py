"""Columns and actors off the wire, checked: what the doors of retrieval and ranking share."""

from __future__ import annotations

import sys
from array import array
from typing import TypeVar

from shortlist.common.v1.actor_features_pb2 import ActorFeatures as ActorMessage
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.stages import ActorFeatures

N = TypeVar("N", int, float)


def rows_of(raw: bytes, field: str) -> array[int]:
    """Return the uint32 column ``raw``; raises as :func:`filled`."""
    return filled(array("I"), raw, field)


def floats_of(raw: bytes, field: str) -> array[float]:
    """Return the float32 column ``raw``; raises as :func:`filled`."""
    return filled(array("f"), raw, field)


def filled(column: array[N], raw: bytes, field: str) -> array[N]:
    """Return ``column`` filled from little-endian ``raw``.

    Raises:
        InvalidRequest: The bytes are no whole number of values; names ``field``.
    """
    if len(raw) % column.itemsize:
        raise InvalidRequest(Violation(field, f"has {len(raw)} bytes; a value takes {column.itemsize}"))
    column.frombytes(raw)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def actor_of(message: ActorMessage) -> ActorFeatures:
    """Return the actor that ``message``, the field ``actor`` of a request, describes.

    Raises:
        InvalidRequest: A column of its history is no whole number of values.
    """
    return ActorFeatures(
        now_s=message.now_s,
        attributes={a.name: a.value for a in message.attributes},
        numbers={n.name: n.value for n in message.numbers},
        history_rows=rows_of(message.history_rows, "actor.history_rows"),
        history_values=floats_of(message.history_values, "actor.history_values"),
        history_times_s=filled(array("d"), message.history_times_s, "actor.history_times_s"),
        chosen=_chosen(message) if message.chosen else {},
    )


def _chosen(message: ActorMessage) -> dict[str, tuple[str, ...]]:
    chosen: dict[str, tuple[str, ...]] = {}
    for each in message.chosen:
        chosen[each.name] = (*chosen.get(each.name, ()), each.value)
    return chosen
