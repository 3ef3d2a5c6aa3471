import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shortlist.common.v1 import actor_features_pb2 as _actor_features_pb2
from shortlist.common.v1 import selection_pb2 as _selection_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetrieveCandidatesRequest(_message.Message):
    __slots__ = ("bundle_id", "actor", "candidate_count", "exclude_rows", "allow_rows", "restrict", "quotas", "anchor_rows", "filter", "request_id", "sources", "weights")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ROWS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_ROWS_FIELD_NUMBER: _ClassVar[int]
    RESTRICT_FIELD_NUMBER: _ClassVar[int]
    QUOTAS_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_ROWS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    actor: _actor_features_pb2.ActorFeatures
    candidate_count: int
    exclude_rows: bytes
    allow_rows: bytes
    restrict: bool
    quotas: _containers.RepeatedCompositeFieldContainer[SourceQuota]
    anchor_rows: bytes
    filter: _selection_pb2.Filter
    request_id: str
    sources: _containers.RepeatedScalarFieldContainer[str]
    weights: _containers.RepeatedCompositeFieldContainer[SourceWeight]
    def __init__(self, bundle_id: _Optional[str] = ..., actor: _Optional[_Union[_actor_features_pb2.ActorFeatures, _Mapping]] = ..., candidate_count: _Optional[int] = ..., exclude_rows: _Optional[bytes] = ..., allow_rows: _Optional[bytes] = ..., restrict: _Optional[bool] = ..., quotas: _Optional[_Iterable[_Union[SourceQuota, _Mapping]]] = ..., anchor_rows: _Optional[bytes] = ..., filter: _Optional[_Union[_selection_pb2.Filter, _Mapping]] = ..., request_id: _Optional[str] = ..., sources: _Optional[_Iterable[str]] = ..., weights: _Optional[_Iterable[_Union[SourceWeight, _Mapping]]] = ...) -> None: ...

class SourceWeight(_message.Message):
    __slots__ = ("source", "weight")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    source: str
    weight: float
    def __init__(self, source: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class SourceQuota(_message.Message):
    __slots__ = ("source", "share")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    source: str
    share: float
    def __init__(self, source: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class RetrieveCandidatesResponse(_message.Message):
    __slots__ = ("bundle_id", "rows", "scores", "sources", "actor_embedding", "failed_sources")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    FAILED_SOURCES_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    rows: bytes
    scores: bytes
    sources: _containers.RepeatedCompositeFieldContainer[SourceCandidates]
    actor_embedding: bytes
    failed_sources: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, bundle_id: _Optional[str] = ..., rows: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., sources: _Optional[_Iterable[_Union[SourceCandidates, _Mapping]]] = ..., actor_embedding: _Optional[bytes] = ..., failed_sources: _Optional[_Iterable[str]] = ...) -> None: ...

class SourceCandidates(_message.Message):
    __slots__ = ("source", "candidates", "ranks", "scores", "anchors")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    ANCHORS_FIELD_NUMBER: _ClassVar[int]
    source: str
    candidates: bytes
    ranks: bytes
    scores: bytes
    anchors: bytes
    def __init__(self, source: _Optional[str] = ..., candidates: _Optional[bytes] = ..., ranks: _Optional[bytes] = ..., scores: _Optional[bytes] = ..., anchors: _Optional[bytes] = ...) -> None: ...

class RetrieveUsersRequest(_message.Message):
    __slots__ = ("bundle_id", "actor", "user_row", "user_count", "exclude_rows", "request_id", "item_rows")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    USER_ROW_FIELD_NUMBER: _ClassVar[int]
    USER_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ROWS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ROWS_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    actor: _actor_features_pb2.ActorFeatures
    user_row: int
    user_count: int
    exclude_rows: bytes
    request_id: str
    item_rows: bytes
    def __init__(self, bundle_id: _Optional[str] = ..., actor: _Optional[_Union[_actor_features_pb2.ActorFeatures, _Mapping]] = ..., user_row: _Optional[int] = ..., user_count: _Optional[int] = ..., exclude_rows: _Optional[bytes] = ..., request_id: _Optional[str] = ..., item_rows: _Optional[bytes] = ...) -> None: ...

class RetrieveUsersResponse(_message.Message):
    __slots__ = ("bundle_id", "rows", "similarities", "lifts")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SIMILARITIES_FIELD_NUMBER: _ClassVar[int]
    LIFTS_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    rows: bytes
    similarities: bytes
    lifts: bytes
    def __init__(self, bundle_id: _Optional[str] = ..., rows: _Optional[bytes] = ..., similarities: _Optional[bytes] = ..., lifts: _Optional[bytes] = ...) -> None: ...

class EmbedActorRequest(_message.Message):
    __slots__ = ("bundle_id", "actor")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    actor: _actor_features_pb2.ActorFeatures
    def __init__(self, bundle_id: _Optional[str] = ..., actor: _Optional[_Union[_actor_features_pb2.ActorFeatures, _Mapping]] = ...) -> None: ...

class EmbedActorResponse(_message.Message):
    __slots__ = ("bundle_id", "embedding")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    embedding: bytes
    def __init__(self, bundle_id: _Optional[str] = ..., embedding: _Optional[bytes] = ...) -> None: ...

class EmbedItemsRequest(_message.Message):
    __slots__ = ("bundle_id", "item_features")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_FEATURES_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    item_features: bytes
    def __init__(self, bundle_id: _Optional[str] = ..., item_features: _Optional[bytes] = ...) -> None: ...

class EmbedItemsResponse(_message.Message):
    __slots__ = ("bundle_id", "embeddings")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    embeddings: bytes
    def __init__(self, bundle_id: _Optional[str] = ..., embeddings: _Optional[bytes] = ...) -> None: ...

class DescribeIndexRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeIndexResponse(_message.Message):
    __slots__ = ("indexes",)
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedCompositeFieldContainer[IndexDescription]
    def __init__(self, indexes: _Optional[_Iterable[_Union[IndexDescription, _Mapping]]] = ...) -> None: ...

class IndexDescription(_message.Message):
    __slots__ = ("bundle_id", "generation", "kind", "size", "dimension", "measured_recall", "sources", "ready_since", "item_feed_age", "users", "added_items", "item_columns")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RECALL_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    READY_SINCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FEED_AGE_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    ADDED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    ITEM_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    generation: int
    kind: str
    size: int
    dimension: int
    measured_recall: float
    sources: _containers.RepeatedScalarFieldContainer[str]
    ready_since: _timestamp_pb2.Timestamp
    item_feed_age: _duration_pb2.Duration
    users: int
    added_items: int
    item_columns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, bundle_id: _Optional[str] = ..., generation: _Optional[int] = ..., kind: _Optional[str] = ..., size: _Optional[int] = ..., dimension: _Optional[int] = ..., measured_recall: _Optional[float] = ..., sources: _Optional[_Iterable[str]] = ..., ready_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., item_feed_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., users: _Optional[int] = ..., added_items: _Optional[int] = ..., item_columns: _Optional[_Iterable[str]] = ...) -> None: ...
