from shortlist.common.v1 import actor_pb2 as _actor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Durability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DURABILITY_UNSPECIFIED: _ClassVar[Durability]
    DURABILITY_STORED: _ClassVar[Durability]
    DURABILITY_QUEUED: _ClassVar[Durability]
DURABILITY_UNSPECIFIED: Durability
DURABILITY_STORED: Durability
DURABILITY_QUEUED: Durability

class WriteEventsRequest(_message.Message):
    __slots__ = ("actor", "events", "durability", "request_id", "attribution_token")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    actor: _actor_pb2.Actor
    events: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Event]
    durability: Durability
    request_id: str
    attribution_token: str
    def __init__(self, actor: _Optional[_Union[_actor_pb2.Actor, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_actor_pb2.Event, _Mapping]]] = ..., durability: _Optional[_Union[Durability, str]] = ..., request_id: _Optional[str] = ..., attribution_token: _Optional[str] = ...) -> None: ...

class WriteEventsResponse(_message.Message):
    __slots__ = ("written", "duplicates", "rejections", "missing_ids", "consistency_token", "request_id", "impressions", "attributed")
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    MISSING_IDS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    IMPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTED_FIELD_NUMBER: _ClassVar[int]
    written: int
    duplicates: int
    rejections: _containers.RepeatedCompositeFieldContainer[EventRejection]
    missing_ids: _containers.RepeatedScalarFieldContainer[str]
    consistency_token: str
    request_id: str
    impressions: int
    attributed: int
    def __init__(self, written: _Optional[int] = ..., duplicates: _Optional[int] = ..., rejections: _Optional[_Iterable[_Union[EventRejection, _Mapping]]] = ..., missing_ids: _Optional[_Iterable[str]] = ..., consistency_token: _Optional[str] = ..., request_id: _Optional[str] = ..., impressions: _Optional[int] = ..., attributed: _Optional[int] = ...) -> None: ...

class EventRejection(_message.Message):
    __slots__ = ("index", "field", "description")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    index: int
    field: str
    description: str
    def __init__(self, index: _Optional[int] = ..., field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
