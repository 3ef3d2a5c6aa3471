"""Messages of the feature store to values and back. What is not honoured is refused by name."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_pb2
from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.features import FEATURE_BY_NAME, Entity, FeatureSpec, Freshness
from shortlist_domain.ids import id_violation
from shortlist_domain.stages import ActorKey, ActorState, Event, ItemDeltas
from shortlist_feature_store.records import event_violations
from shortlist_feature_store.views import KEPT_ENTITIES, Column, kept_features

DEFAULT_EVENT_TYPE = "rating"
MAX_EVENTS = 1_000
MAX_SLATES = 1_000
MAX_SLATE_ID_BYTES = 64
MAX_ATTRIBUTES = 100
MAX_ENTITIES = 1_000
MAX_FEATURES = 100
MAX_HISTORY = 5_000
DEFAULT_HISTORY = 100

ITEMS_PER_MESSAGE = 50_000
"""Items in one message of the stream; some 2 MB, below the limit of a default client."""

_ENTITIES = {pb.FEATURE_ENTITY_USER: Entity.USER, pb.FEATURE_ENTITY_ITEM: Entity.ITEM}
_ENTITY_NUMBERS = {entity: number for number, entity in _ENTITIES.items()}
_STATUSES = {
    Freshness.PRESENT: pb.FEATURE_STATUS_PRESENT,
    Freshness.DEFAULTED: pb.FEATURE_STATUS_DEFAULTED,
    Freshness.MISSING: pb.FEATURE_STATUS_MISSING,
    Freshness.STALE: pb.FEATURE_STATUS_STALE,
}


def actor_key(message: pb.ActorKey) -> ActorKey:
    """Return the actor that ``message`` names.

    Raises:
        InvalidRequest: It names none.
    """
    found = [id_violation(f"key.{name}", getattr(message, name), required=False) for name in ("tenant", "session_id")]
    if message.session_id and message.actor_id.startswith("s/"):
        found.append(Violation("key.session_id", "must be empty where the actor is a session itself"))
    _refuse([*found, *_actor_violations("key.actor_id", message.actor_id)])
    return ActorKey(message.tenant, message.actor_id, message.session_id)


def events_of(request: pb.AppendEventsRequest, now_s: float) -> list[Event]:
    """Return the request's events, with what was left out filled in.

    Raises:
        InvalidRequest: With every violation found.
    """
    violations: list[Violation | None] = [_count_violation("events", len(request.events), MAX_EVENTS)]
    events: list[Event] = []
    for at, message in enumerate(request.events):
        path = f"events[{at}]"
        if message.attribution_token:
            violations.append(Violation(f"{path}.attribution_token", "is not kept by this version; leave it empty"))
        time_s, violation = _moment(f"{path}.event_time", message, now_s)
        violations.append(violation)
        event = Event(
            item_id=message.item_id,
            value=message.value if message.HasField("value") else 1.0,
            time_s=time_s,
            event_type=message.event_type or DEFAULT_EVENT_TYPE,
            event_id=message.event_id,
            surface=message.surface,
        )
        violations += event_violations(path, event, now_s)
        events.append(event)
    _refuse(violations)
    return events


def slates_of(request: pb.AppendSlatesRequest) -> list[bytes]:
    """Return the request's records, serialized.

    Raises:
        InvalidRequest: With every violation found.
    """
    violations: list[Violation | None] = [_count_violation("slates", len(request.slates), MAX_SLATES)]
    for at, record in enumerate(request.slates):
        length = len(record.slate_id.encode())
        if not 1 <= length <= MAX_SLATE_ID_BYTES:
            violations.append(
                Violation(f"slates[{at}].slate_id", f"has {length} bytes; it must have 1 to {MAX_SLATE_ID_BYTES}")
            )
        if record.schema_version < 1:
            violations.append(
                Violation(f"slates[{at}].schema_version", f"is {record.schema_version}; 1 or more is needed")
            )
    _refuse(violations)
    return [record.SerializeToString() for record in request.slates]


def attributes_of(request: pb.WriteFeaturesRequest, now_s: float) -> tuple[dict[str, str], float]:
    """Return the request's attributes and the moment as of which they hold.

    Raises:
        InvalidRequest: None, too many, one twice, or one that is no text.
    """
    violations: list[Violation | None] = [_count_violation("attributes", len(request.attributes), MAX_ATTRIBUTES)]
    attributes: dict[str, str] = {}
    for at, attribute in enumerate(request.attributes):
        kind = attribute.WhichOneof("value")
        if kind is None:
            violations.append(Violation(f"attributes[{at}].value", "is required: a `text`"))
        elif kind != "text":
            violations.append(Violation(f"attributes[{at}].{kind}", "is not kept; only text is kept by this version"))
        if attribute.name in attributes:
            violations.append(Violation(f"attributes[{at}].name", f"{attribute.name!r} is there twice"))
        attributes[attribute.name] = attribute.text
    time_s, violation = _moment("event_time", request, now_s)
    _refuse([*violations, violation])
    return attributes, time_s


def features_asked(request: pb.GetFeaturesRequest) -> Entity:
    """Return what the request asks about.

    Raises:
        InvalidRequest: An unknown feature, an id that is none, too many of them.
    """
    violations = [id_violation("tenant", request.tenant, required=False)]
    violations.append(_count_violation("entity_ids", len(request.entity_ids), MAX_ENTITIES))
    violations.append(_count_violation("feature_names", len(request.feature_names), MAX_FEATURES))
    entity = _ENTITIES.get(request.entity)
    if entity is None:
        violations.append(Violation("entity", f"is {request.entity}; USER or ITEM is needed"))
        raise InvalidRequest(*(violation for violation in violations if violation is not None))
    for at, entity_id in enumerate(request.entity_ids):
        path = f"entity_ids[{at}]"
        violations += _actor_violations(path, entity_id) if entity is Entity.USER else [id_violation(path, entity_id)]
    known = [spec.name for spec in kept_features(entity)]
    for at, name in enumerate(request.feature_names):
        if name not in known:
            what = "is kept for something else" if name in FEATURE_BY_NAME else "is unknown"
            violations.append(
                Violation(f"feature_names[{at}]", f"{name!r} {what}; kept for {entity}s: {', '.join(known)}")
            )
    _refuse(violations)
    return entity


def history_limit(request: pb.GetHistoryRequest) -> int:
    """Return how many events are wanted.

    Raises:
        InvalidRequest: Out of range.
    """
    if not 0 <= request.limit <= MAX_HISTORY:
        raise InvalidRequest(Violation("limit", f"is {request.limit}; 0 to {MAX_HISTORY} is needed"))
    return request.limit or DEFAULT_HISTORY


def tenant_of(tenant: str) -> str:
    """Return ``tenant`` where it may be one.

    Raises:
        InvalidRequest: It may not.
    """
    _refuse([id_violation("tenant", tenant, required=False)])
    return tenant


def actor_message(state: ActorState) -> pb.ReadActorResponse:
    """Return ``state`` for the wire."""
    all_default = all(event_type == DEFAULT_EVENT_TYPE for event_type in state.event_types)
    return pb.ReadActorResponse(
        known=state.known,
        attributes=[actor_pb2.Attribute(name=name, text=text) for name, text in state.attributes.items()],
        item_ids=state.item_ids,
        event_types=() if all_default else state.event_types,
        values=packed(state.values),
        times_s=packed(state.times_s),
        version=state.version,
        caught_up=state.caught_up,
    )


def history_message(state: ActorState, limit: int) -> pb.GetHistoryResponse:
    """Return the newest ``limit`` events of ``state`` for the wire, newest first. Their ids are not kept in columns."""
    columns = (state.item_ids, state.event_types, state.values, state.times_s, state.surfaces)
    rows = list(zip(*columns, strict=True))[-limit:]
    return pb.GetHistoryResponse(
        events=[
            actor_pb2.Event(
                item_id=item_id, event_type=event_type, value=value, event_time=timestamp(time_s), surface=surface
            )
            for item_id, event_type, value, time_s, surface in reversed(rows)
        ],
        has_more=len(state.item_ids) > limit,
    )


def column_message(column: Column) -> pb.FeatureColumn:
    """Return ``column`` for the wire."""
    return pb.FeatureColumn(
        name=column.name,
        values=packed(column.values),
        statuses=[_STATUSES[status] for status in column.statuses],
        ages_s=packed(column.ages_s),
    )


def view_messages() -> Iterator[pb.FeatureView]:
    """Return the features that are kept, for the wire."""
    for spec in (spec for entity in KEPT_ENTITIES for spec in kept_features(entity)):
        yield _view(spec)


def step_messages(step: ItemDeltas) -> Iterator[pb.WatchItemsResponse]:
    """Return ``step`` for the wire, in several messages where it is long.

    Only the first of a snapshot says so, the rest follow as changes; only the last has a cursor, so that who stops
    between them starts anew.
    """
    starts: Sequence[int] = range(0, len(step.deltas), ITEMS_PER_MESSAGE) or (0,)
    for start in starts:
        part = step.deltas[start : start + ITEMS_PER_MESSAGE]
        yield pb.WatchItemsResponse(
            items=[pb.ItemCounter(item_id=d.item_id, count=d.count, value_sum=d.value_sum) for d in part],
            cursor=step.cursor if start == starts[-1] else "",
            is_snapshot=step.is_snapshot and start == 0,
        )


def packed(values: array[float]) -> bytes:
    """Return ``values`` as little-endian bytes."""
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def timestamp(time_s: float) -> Timestamp:
    """Return a moment, seconds since 1970 UTC, for the wire; exact to the microsecond."""
    message = Timestamp()
    message.FromMicroseconds(round(time_s * 1e6))
    return message


def _view(spec: FeatureSpec) -> pb.FeatureView:
    view = pb.FeatureView(
        name=spec.name,
        entity=_ENTITY_NUMBERS[spec.entity],
        unit=spec.unit,
        meaning=spec.meaning,
        default_value=spec.default,
    )
    if spec.max_age_s is not None:
        view.max_age.FromMicroseconds(round(spec.max_age_s * 1e6))
    return view


def _moment(
    path: str, message: actor_pb2.Event | pb.WriteFeaturesRequest, now_s: float
) -> tuple[float, Violation | None]:
    if not message.HasField("event_time"):
        return now_s, None
    moment = message.event_time
    if not 0 <= moment.nanos < 1_000_000_000:
        return now_s, Violation(f"{path}.nanos", f"is {moment.nanos}; 0 to 999,999,999 is needed")
    if abs(moment.seconds) > 253_402_300_799:
        return now_s, Violation(f"{path}.seconds", f"is {moment.seconds}; a year up to 9999 is needed")
    return moment.seconds + moment.nanos / 1e9, None


def _actor_violations(path: str, actor_id: str) -> list[Violation | None]:
    space, _, external_id = actor_id.partition("/")
    if space not in ("u", "v", "s") or not external_id:
        said = "`u/`, `v/` or `s/` and the id of a user, visitor or session is needed"
        return [Violation(path, f"is {actor_id!r}; {said}")]
    return [id_violation(path, external_id)]


def _count_violation(path: str, n: int, most: int) -> Violation | None:
    return None if 1 <= n <= most else Violation(path, f"has {n} entries; 1 to {most} are needed")


def _refuse(violations: Iterable[Violation | None]) -> None:
    found = [violation for violation in violations if violation is not None]
    if found:
        raise InvalidRequest(*found)
