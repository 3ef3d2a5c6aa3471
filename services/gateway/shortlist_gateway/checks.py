"""Checks requests field by field and collects everything that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import Message

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.ids import actor_id, control_violation, id_violation
from shortlist_domain.stages import CLOCK_SKEW_S, EARLIEST_S, IMPRESSION, ActorKey, Event

MAX_LIST_IDS = 1000
MAX_SLATE = 1000
MAX_TEXTS = 100
MAX_SURFACE_BYTES = 256
DEFAULT_SLATE = 10


class Checks:
    """Violations of one request, as they are found."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def wrong(self, field: str, description: str) -> None:
        """Note that ``field`` is wrong."""
        self.violations.append(Violation(field, description))

    def done(self) -> None:
        """End the checks.

        Raises:
            InvalidRequest: Anything was wrong.
        """
        if self.violations:
            raise InvalidRequest(*self.violations)

    def unsupported(self, message: Message, path: str, names: Iterable[str]) -> None:
        """Refuse fields that this release does not honour, by name, instead of ignoring them."""
        if given := message.ListFields():
            set_fields = {descriptor.name for descriptor, _ in given}
            for name in names:
                if name in set_fields:
                    self.wrong(f"{path}{name}", "is not honoured by this release; leave it unset")

    def text(self, field: str, value: str, max_bytes: int) -> str:
        """Check a text that is recorded, not interpreted."""
        if len(value.encode()) > max_bytes:
            self.wrong(field, f"is {len(value.encode())} bytes long; at most {max_bytes} are allowed")
        return value

    def request_id(self, value: str, max_bytes: int = 256) -> str:
        """Check the id of a request, which stands in every log line of it, and return it."""
        self.text("request_id", value, max_bytes)
        if violation := control_violation("request_id", value):
            self.violations.append(violation)
        return value

    def item_id(self, field: str, value: str) -> str:
        """Check one external id."""
        violation = id_violation(field, value)
        if violation:
            self.violations.append(violation)
        return value

    def item_ids(self, field: str, values: Iterable[str], most: int, *, required: bool = False) -> tuple[str, ...]:
        """Check a list of external ids; a repeat is harmless and dropped."""
        ids = tuple(values)
        if required and not ids:
            self.wrong(field, f"is required: 1 to {most} ids")
        if len(ids) > most:
            self.wrong(field, f"has {len(ids)} ids; at most {most} are allowed")
            return ()
        for index, value in enumerate(ids):
            self.item_id(f"{field}[{index}]", value)
        return tuple(dict.fromkeys(ids))

    def actor(self, request: Message, actor: actor_pb2.Actor, *, required: bool = True) -> ActorKey | None:
        """Check who the request is for."""
        if not request.HasField("actor"):
            if required:
                self.wrong("actor", "is required, with a user_id, a visitor_id or a session_id")
            return None
        for name in ("tenant", "user_id", "visitor_id", "session_id"):
            violation = id_violation(f"actor.{name}", getattr(actor, name), required=False)
            if violation:
                self.violations.append(violation)
        if not (actor.user_id or actor.visitor_id or actor.session_id):
            if required:
                self.wrong("actor.user_id", "is required where visitor_id and session_id are empty")
            return None
        return key_of(actor)

    def slate_size(self, value: int, field: str = "slate_size", default: int = DEFAULT_SLATE) -> int:
        """Check the number of results wanted, and return it: ``default`` where it is 0."""
        if not 0 <= value <= MAX_SLATE:
            self.wrong(field, f"is {value}; it must be in [1, {MAX_SLATE}], or 0 for {default}")
        return value or default

    def attributes(
        self, field: str, attributes: Iterable[actor_pb2.Attribute], most: int
    ) -> tuple[Mapping[str, str], Mapping[str, Sequence[str]]]:
        """Check attributes of an actor and return those of one value, and those of several texts.

        Models read text, so that numbers and flags are written as text.
        """
        found: dict[str, str] = {}
        several: dict[str, Sequence[str]] = {}
        listed = tuple(attributes)
        if len(listed) > most:
            self.wrong(field, f"has {len(listed)} entries; at most {most} are allowed")
        for index, attribute in enumerate(listed[:most]):
            path = f"{field}[{index}]"
            if not attribute.name or len(attribute.name.encode()) > 64:
                self.wrong(f"{path}.name", "must be 1 to 64 bytes long")
            elif attribute.name in found or attribute.name in several:
                self.wrong(f"{path}.name", f"is {attribute.name!r} a second time; each name is allowed once")
            kind = attribute.WhichOneof("value")
            if kind == "text":
                found[attribute.name] = self.text(f"{path}.text", attribute.text, 1024)
            elif kind == "texts":
                several[attribute.name] = self._texts(f"{path}.texts.values", attribute.texts.values)
            elif kind == "number" and math.isfinite(attribute.number):
                found[attribute.name] = number_text(attribute.number)
            elif kind == "number":
                self.wrong(f"{path}.number", f"is {attribute.number}; it must be a finite number")
            elif kind == "flag":
                found[attribute.name] = "true" if attribute.flag else "false"
            else:
                self.wrong(f"{path}.{kind or 'value'}", "must be a text, several texts, a finite number or a flag")
        return found, several

    def _texts(self, field: str, values: Sequence[str]) -> tuple[str, ...]:
        if len(values) > MAX_TEXTS:
            self.wrong(field, f"has {len(values)} entries; at most {MAX_TEXTS} are allowed")
            return ()
        return tuple(dict.fromkeys(self.text(f"{field}[{n}]", value, 1024) for n, value in enumerate(values)))

    def event(self, path: str, event: actor_pb2.Event, now_s: float, *, attributable: bool = False) -> Event:
        """Check one event but for its attribution token; what the caller left out takes its default."""
        self.item_id(f"{path}.item_id", event.item_id)
        for name, most in (("event_id", 256), ("event_type", 64)):
            violation = id_violation(f"{path}.{name}", getattr(event, name), required=False)
            if violation:
                self.violations.append(violation)
            self.text(f"{path}.{name}", getattr(event, name), most)
        value = event.value if event.HasField("value") else 1.0
        if not math.isfinite(value):
            self.wrong(f"{path}.value", f"is {value}; it must be a finite number")
        time_s = now_s
        if event.HasField("event_time"):
            time_s = event.event_time.seconds + event.event_time.nanos / 1e9
            if not 0 <= event.event_time.nanos < 1_000_000_000:
                self.wrong(f"{path}.event_time", f"has {event.event_time.nanos} nanoseconds; [0, 10^9) is allowed")
            if time_s < EARLIEST_S:
                self.wrong(f"{path}.event_time", f"is {event.event_time.seconds} s; it must not be before the year 1")
            if time_s > now_s + CLOCK_SKEW_S:
                self.wrong(
                    f"{path}.event_time", f"lies {time_s - now_s:.0f} s ahead; at most {CLOCK_SKEW_S:.0f} s are allowed"
                )
        if not attributable:
            self.unsupported(event, f"{path}.", ("attribution_token",))
        surface = self.text(f"{path}.surface", event.surface, MAX_SURFACE_BYTES)
        if event.event_type == IMPRESSION and not attributable:
            self.wrong(f"{path}.event_type", f"is {IMPRESSION!r}, which is no part of a history; leave the event out")
        return Event(event.item_id, value, time_s, event.event_type or "rating", event.event_id, surface)

    def minimum_click_probability(self, constraints: selection_pb2.Constraints) -> float | None:
        """Check the minimum score, ``None`` where there is none."""
        if not constraints.HasField("minimum_click_probability"):
            return None
        least = constraints.minimum_click_probability
        if not 0.0 <= least <= 1.0:
            self.wrong("constraints.minimum_click_probability", f"is {least:g}; it must be in [0, 1]")
        return least


def key_of(actor: actor_pb2.Actor) -> ActorKey:
    """Return the key of an actor that is right."""
    named = actor_id(actor.user_id, actor.visitor_id, actor.session_id)
    return ActorKey(actor.tenant, named, actor.session_id if actor.user_id or actor.visitor_id else "")


def number_text(number: float) -> str:
    """Return a finite number as text, whole ones without a point, that reads as the same number again."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
