from shortlist.common.v1 import answer_pb2 as _answer_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SlateRecord(_message.Message):
    __slots__ = ("schema_version", "slate_id", "made_ms", "request_id", "tenant", "actor_id", "rpc", "bundle_id", "serving_config", "variants", "candidate_digest", "candidate_count", "items", "degradation_level", "degradation_causes", "logged_share", "serving_config_version", "is_variant_forced", "surface", "session_id")
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    MADE_MS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    RPC_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DEGRADATION_LEVEL_FIELD_NUMBER: _ClassVar[int]
    DEGRADATION_CAUSES_FIELD_NUMBER: _ClassVar[int]
    LOGGED_SHARE_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_VARIANT_FORCED_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    schema_version: int
    slate_id: str
    made_ms: int
    request_id: str
    tenant: str
    actor_id: str
    rpc: str
    bundle_id: str
    serving_config: str
    variants: _containers.RepeatedScalarFieldContainer[str]
    candidate_digest: bytes
    candidate_count: int
    items: _containers.RepeatedCompositeFieldContainer[LoggedItem]
    degradation_level: _answer_pb2.DegradationLevel
    degradation_causes: _containers.RepeatedScalarFieldContainer[_answer_pb2.DegradationCause]
    logged_share: float
    serving_config_version: int
    is_variant_forced: bool
    surface: str
    session_id: str
    def __init__(self, schema_version: _Optional[int] = ..., slate_id: _Optional[str] = ..., made_ms: _Optional[int] = ..., request_id: _Optional[str] = ..., tenant: _Optional[str] = ..., actor_id: _Optional[str] = ..., rpc: _Optional[str] = ..., bundle_id: _Optional[str] = ..., serving_config: _Optional[str] = ..., variants: _Optional[_Iterable[str]] = ..., candidate_digest: _Optional[bytes] = ..., candidate_count: _Optional[int] = ..., items: _Optional[_Iterable[_Union[LoggedItem, _Mapping]]] = ..., degradation_level: _Optional[_Union[_answer_pb2.DegradationLevel, str]] = ..., degradation_causes: _Optional[_Iterable[_Union[_answer_pb2.DegradationCause, str]]] = ..., logged_share: _Optional[float] = ..., serving_config_version: _Optional[int] = ..., is_variant_forced: _Optional[bool] = ..., surface: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class LoggedItem(_message.Message):
    __slots__ = ("item_id", "position", "score", "propensity")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    position: int
    score: float
    propensity: float
    def __init__(self, item_id: _Optional[str] = ..., position: _Optional[int] = ..., score: _Optional[float] = ..., propensity: _Optional[float] = ...) -> None: ...
