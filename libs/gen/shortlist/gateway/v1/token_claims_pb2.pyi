from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AttributionClaims(_message.Message):
    __slots__ = ("slate_id", "tenant", "actor_id", "serving_config", "variants", "bundle_id", "item_ids", "first_rank", "propensities", "made_ms", "rpc", "request_id", "serving_config_version", "is_fallback", "is_variant_forced", "surface", "session_id", "slate_size")
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    FIRST_RANK_FIELD_NUMBER: _ClassVar[int]
    PROPENSITIES_FIELD_NUMBER: _ClassVar[int]
    MADE_MS_FIELD_NUMBER: _ClassVar[int]
    RPC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    IS_VARIANT_FORCED_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SLATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    slate_id: str
    tenant: str
    actor_id: str
    serving_config: str
    variants: _containers.RepeatedScalarFieldContainer[str]
    bundle_id: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    first_rank: int
    propensities: _containers.RepeatedScalarFieldContainer[float]
    made_ms: int
    rpc: str
    request_id: str
    serving_config_version: int
    is_fallback: bool
    is_variant_forced: bool
    surface: str
    session_id: str
    slate_size: int
    def __init__(self, slate_id: _Optional[str] = ..., tenant: _Optional[str] = ..., actor_id: _Optional[str] = ..., serving_config: _Optional[str] = ..., variants: _Optional[_Iterable[str]] = ..., bundle_id: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ..., first_rank: _Optional[int] = ..., propensities: _Optional[_Iterable[float]] = ..., made_ms: _Optional[int] = ..., rpc: _Optional[str] = ..., request_id: _Optional[str] = ..., serving_config_version: _Optional[int] = ..., is_fallback: _Optional[bool] = ..., is_variant_forced: _Optional[bool] = ..., surface: _Optional[str] = ..., session_id: _Optional[str] = ..., slate_size: _Optional[int] = ...) -> None: ...

class ContinuationClaims(_message.Message):
    __slots__ = ("request", "request_digest", "bundle_id", "shown_row_steps", "started_s", "serving_config", "serving_config_version", "variants", "is_fallback", "is_variant_forced")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    SHOWN_ROW_STEPS_FIELD_NUMBER: _ClassVar[int]
    STARTED_S_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_VERSION_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    IS_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    IS_VARIANT_FORCED_FIELD_NUMBER: _ClassVar[int]
    request: bytes
    request_digest: bytes
    bundle_id: str
    shown_row_steps: _containers.RepeatedScalarFieldContainer[int]
    started_s: float
    serving_config: str
    serving_config_version: int
    variants: _containers.RepeatedScalarFieldContainer[str]
    is_fallback: bool
    is_variant_forced: bool
    def __init__(self, request: _Optional[bytes] = ..., request_digest: _Optional[bytes] = ..., bundle_id: _Optional[str] = ..., shown_row_steps: _Optional[_Iterable[int]] = ..., started_s: _Optional[float] = ..., serving_config: _Optional[str] = ..., serving_config_version: _Optional[int] = ..., variants: _Optional[_Iterable[str]] = ..., is_fallback: _Optional[bool] = ..., is_variant_forced: _Optional[bool] = ...) -> None: ...
