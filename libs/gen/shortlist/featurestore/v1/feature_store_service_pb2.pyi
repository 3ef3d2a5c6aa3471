import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shortlist.common.v1 import actor_pb2 as _actor_pb2
from shortlist.common.v1 import slate_record_pb2 as _slate_record_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeatureEntity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_ENTITY_UNSPECIFIED: _ClassVar[FeatureEntity]
    FEATURE_ENTITY_USER: _ClassVar[FeatureEntity]
    FEATURE_ENTITY_ITEM: _ClassVar[FeatureEntity]

class FeatureStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_STATUS_UNSPECIFIED: _ClassVar[FeatureStatus]
    FEATURE_STATUS_PRESENT: _ClassVar[FeatureStatus]
    FEATURE_STATUS_DEFAULTED: _ClassVar[FeatureStatus]
    FEATURE_STATUS_MISSING: _ClassVar[FeatureStatus]
    FEATURE_STATUS_STALE: _ClassVar[FeatureStatus]
FEATURE_ENTITY_UNSPECIFIED: FeatureEntity
FEATURE_ENTITY_USER: FeatureEntity
FEATURE_ENTITY_ITEM: FeatureEntity
FEATURE_STATUS_UNSPECIFIED: FeatureStatus
FEATURE_STATUS_PRESENT: FeatureStatus
FEATURE_STATUS_DEFAULTED: FeatureStatus
FEATURE_STATUS_MISSING: FeatureStatus
FEATURE_STATUS_STALE: FeatureStatus

class ActorKey(_message.Message):
    __slots__ = ("tenant", "actor_id", "session_id")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    actor_id: str
    session_id: str
    def __init__(self, tenant: _Optional[str] = ..., actor_id: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class ReadActorRequest(_message.Message):
    __slots__ = ("key", "min_version", "with_impressions", "min_session_version")
    KEY_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    WITH_IMPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    MIN_SESSION_VERSION_FIELD_NUMBER: _ClassVar[int]
    key: ActorKey
    min_version: int
    with_impressions: bool
    min_session_version: int
    def __init__(self, key: _Optional[_Union[ActorKey, _Mapping]] = ..., min_version: _Optional[int] = ..., with_impressions: _Optional[bool] = ..., min_session_version: _Optional[int] = ...) -> None: ...

class ReadActorResponse(_message.Message):
    __slots__ = ("known", "attributes", "item_ids", "event_types", "values", "times_s", "version", "caught_up")
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TIMES_S_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CAUGHT_UP_FIELD_NUMBER: _ClassVar[int]
    known: bool
    attributes: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Attribute]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    event_types: _containers.RepeatedScalarFieldContainer[str]
    values: bytes
    times_s: bytes
    version: int
    caught_up: bool
    def __init__(self, known: _Optional[bool] = ..., attributes: _Optional[_Iterable[_Union[_actor_pb2.Attribute, _Mapping]]] = ..., item_ids: _Optional[_Iterable[str]] = ..., event_types: _Optional[_Iterable[str]] = ..., values: _Optional[bytes] = ..., times_s: _Optional[bytes] = ..., version: _Optional[int] = ..., caught_up: _Optional[bool] = ...) -> None: ...

class GetFeaturesRequest(_message.Message):
    __slots__ = ("tenant", "entity", "entity_ids", "feature_names")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_IDS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_NAMES_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    entity: FeatureEntity
    entity_ids: _containers.RepeatedScalarFieldContainer[str]
    feature_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant: _Optional[str] = ..., entity: _Optional[_Union[FeatureEntity, str]] = ..., entity_ids: _Optional[_Iterable[str]] = ..., feature_names: _Optional[_Iterable[str]] = ...) -> None: ...

class GetFeaturesResponse(_message.Message):
    __slots__ = ("columns",)
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedCompositeFieldContainer[FeatureColumn]
    def __init__(self, columns: _Optional[_Iterable[_Union[FeatureColumn, _Mapping]]] = ...) -> None: ...

class FeatureColumn(_message.Message):
    __slots__ = ("name", "values", "statuses", "ages_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    AGES_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: bytes
    statuses: _containers.RepeatedScalarFieldContainer[FeatureStatus]
    ages_s: bytes
    def __init__(self, name: _Optional[str] = ..., values: _Optional[bytes] = ..., statuses: _Optional[_Iterable[_Union[FeatureStatus, str]]] = ..., ages_s: _Optional[bytes] = ...) -> None: ...

class WriteFeaturesRequest(_message.Message):
    __slots__ = ("key", "attributes", "event_time")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    key: ActorKey
    attributes: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Attribute]
    event_time: _timestamp_pb2.Timestamp
    def __init__(self, key: _Optional[_Union[ActorKey, _Mapping]] = ..., attributes: _Optional[_Iterable[_Union[_actor_pb2.Attribute, _Mapping]]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WriteFeaturesResponse(_message.Message):
    __slots__ = ("written", "outdated", "version")
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    OUTDATED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    written: int
    outdated: int
    version: int
    def __init__(self, written: _Optional[int] = ..., outdated: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class AppendEventsRequest(_message.Message):
    __slots__ = ("key", "events")
    KEY_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    key: ActorKey
    events: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Event]
    def __init__(self, key: _Optional[_Union[ActorKey, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_actor_pb2.Event, _Mapping]]] = ...) -> None: ...

class AppendEventsResponse(_message.Message):
    __slots__ = ("version", "added")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    version: int
    added: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, version: _Optional[int] = ..., added: _Optional[_Iterable[bool]] = ...) -> None: ...

class GetHistoryRequest(_message.Message):
    __slots__ = ("key", "limit", "impressions")
    KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    IMPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    key: ActorKey
    limit: int
    impressions: bool
    def __init__(self, key: _Optional[_Union[ActorKey, _Mapping]] = ..., limit: _Optional[int] = ..., impressions: _Optional[bool] = ...) -> None: ...

class GetHistoryResponse(_message.Message):
    __slots__ = ("events", "has_more")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Event]
    has_more: bool
    def __init__(self, events: _Optional[_Iterable[_Union[_actor_pb2.Event, _Mapping]]] = ..., has_more: _Optional[bool] = ...) -> None: ...

class WatchItemsRequest(_message.Message):
    __slots__ = ("tenant", "cursor")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    cursor: str
    def __init__(self, tenant: _Optional[str] = ..., cursor: _Optional[str] = ...) -> None: ...

class WatchItemsResponse(_message.Message):
    __slots__ = ("items", "cursor", "is_snapshot")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    IS_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ItemCounter]
    cursor: str
    is_snapshot: bool
    def __init__(self, items: _Optional[_Iterable[_Union[ItemCounter, _Mapping]]] = ..., cursor: _Optional[str] = ..., is_snapshot: _Optional[bool] = ...) -> None: ...

class ItemCounter(_message.Message):
    __slots__ = ("item_id", "count", "value_sum")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    VALUE_SUM_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    count: float
    value_sum: float
    def __init__(self, item_id: _Optional[str] = ..., count: _Optional[float] = ..., value_sum: _Optional[float] = ...) -> None: ...

class DescribeViewsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeViewsResponse(_message.Message):
    __slots__ = ("views",)
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    views: _containers.RepeatedCompositeFieldContainer[FeatureView]
    def __init__(self, views: _Optional[_Iterable[_Union[FeatureView, _Mapping]]] = ...) -> None: ...

class FeatureView(_message.Message):
    __slots__ = ("name", "entity", "unit", "meaning", "default_value", "max_age")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    entity: FeatureEntity
    unit: str
    meaning: str
    default_value: float
    max_age: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., entity: _Optional[_Union[FeatureEntity, str]] = ..., unit: _Optional[str] = ..., meaning: _Optional[str] = ..., default_value: _Optional[float] = ..., max_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GetFreshnessRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class GetFreshnessResponse(_message.Message):
    __slots__ = ("newest_event", "last_write")
    NEWEST_EVENT_FIELD_NUMBER: _ClassVar[int]
    LAST_WRITE_FIELD_NUMBER: _ClassVar[int]
    newest_event: _timestamp_pb2.Timestamp
    last_write: _timestamp_pb2.Timestamp
    def __init__(self, newest_event: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_write: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EraseActorRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: ActorKey
    def __init__(self, key: _Optional[_Union[ActorKey, _Mapping]] = ...) -> None: ...

class EraseActorResponse(_message.Message):
    __slots__ = ("events", "attributes", "verified")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    events: int
    attributes: int
    verified: bool
    def __init__(self, events: _Optional[int] = ..., attributes: _Optional[int] = ..., verified: _Optional[bool] = ...) -> None: ...

class AppendSlatesRequest(_message.Message):
    __slots__ = ("slates",)
    SLATES_FIELD_NUMBER: _ClassVar[int]
    slates: _containers.RepeatedCompositeFieldContainer[_slate_record_pb2.SlateRecord]
    def __init__(self, slates: _Optional[_Iterable[_Union[_slate_record_pb2.SlateRecord, _Mapping]]] = ...) -> None: ...

class AppendSlatesResponse(_message.Message):
    __slots__ = ("lost",)
    LOST_FIELD_NUMBER: _ClassVar[int]
    lost: int
    def __init__(self, lost: _Optional[int] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("name", "version", "write_time", "content", "is_deleted", "is_damaged")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WRITE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    IS_DELETED_FIELD_NUMBER: _ClassVar[int]
    IS_DAMAGED_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    write_time: _timestamp_pb2.Timestamp
    content: bytes
    is_deleted: bool
    is_damaged: bool
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., write_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., content: _Optional[bytes] = ..., is_deleted: _Optional[bool] = ..., is_damaged: _Optional[bool] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("documents",)
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    def __init__(self, documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ...) -> None: ...

class ReadDocumentRequest(_message.Message):
    __slots__ = ("collection", "name", "version")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    version: int
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ReadDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class WriteDocumentRequest(_message.Message):
    __slots__ = ("collection", "name", "content", "expected_version", "is_deletion")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_DELETION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    content: bytes
    expected_version: int
    is_deletion: bool
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ..., content: _Optional[bytes] = ..., expected_version: _Optional[int] = ..., is_deletion: _Optional[bool] = ...) -> None: ...

class WriteDocumentResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: Document
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ...) -> None: ...

class ListDocumentVersionsRequest(_message.Message):
    __slots__ = ("collection", "name")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ListDocumentVersionsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[Document]
    def __init__(self, versions: _Optional[_Iterable[_Union[Document, _Mapping]]] = ...) -> None: ...
