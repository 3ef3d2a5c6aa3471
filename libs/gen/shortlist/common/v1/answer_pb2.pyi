import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shortlist.common.v1 import actor_pb2 as _actor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReasonKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_KIND_UNSPECIFIED: _ClassVar[ReasonKind]
    REASON_KIND_TASTE: _ClassVar[ReasonKind]
    REASON_KIND_SIMILAR_ITEM: _ClassVar[ReasonKind]
    REASON_KIND_POPULAR: _ClassVar[ReasonKind]
    REASON_KIND_POPULAR_SEGMENT: _ClassVar[ReasonKind]
    REASON_KIND_REQUESTED: _ClassVar[ReasonKind]
    REASON_KIND_SIMILAR_CONTENT: _ClassVar[ReasonKind]
    REASON_KIND_NEWEST: _ClassVar[ReasonKind]
    REASON_KIND_ALIKE: _ClassVar[ReasonKind]

class DegradationLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_LEVEL_UNSPECIFIED: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_NONE: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_PARTIAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_FALLBACK: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_STATIC: _ClassVar[DegradationLevel]

class DegradationCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_CAUSE_UNSPECIFIED: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_FEATURES_TIMEOUT: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_FEATURES_DOWN: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_FEATURES_STALE: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_RETRIEVAL_TIMEOUT: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_RETRIEVAL_DOWN: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_RETRIEVAL_PARTIAL: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_RANKING_TIMEOUT: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_RANKING_DOWN: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_RANKING_PARTIAL: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_FEWER_CANDIDATES: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_BUNDLE_MISMATCH: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_LOAD_SHED: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_SHORT_SLATE: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_EMPTY_SELECTION: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_FILTER_RELAXED: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_FALLBACK_CONFIG: _ClassVar[DegradationCause]
    DEGRADATION_CAUSE_CONFIG_UNFIT: _ClassVar[DegradationCause]

class StageOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_OUTCOME_UNSPECIFIED: _ClassVar[StageOutcome]
    STAGE_OUTCOME_FULL: _ClassVar[StageOutcome]
    STAGE_OUTCOME_PARTIAL: _ClassVar[StageOutcome]
    STAGE_OUTCOME_FALLBACK: _ClassVar[StageOutcome]
    STAGE_OUTCOME_SKIPPED: _ClassVar[StageOutcome]
REASON_KIND_UNSPECIFIED: ReasonKind
REASON_KIND_TASTE: ReasonKind
REASON_KIND_SIMILAR_ITEM: ReasonKind
REASON_KIND_POPULAR: ReasonKind
REASON_KIND_POPULAR_SEGMENT: ReasonKind
REASON_KIND_REQUESTED: ReasonKind
REASON_KIND_SIMILAR_CONTENT: ReasonKind
REASON_KIND_NEWEST: ReasonKind
REASON_KIND_ALIKE: ReasonKind
DEGRADATION_LEVEL_UNSPECIFIED: DegradationLevel
DEGRADATION_LEVEL_NONE: DegradationLevel
DEGRADATION_LEVEL_PARTIAL: DegradationLevel
DEGRADATION_LEVEL_FALLBACK: DegradationLevel
DEGRADATION_LEVEL_STATIC: DegradationLevel
DEGRADATION_CAUSE_UNSPECIFIED: DegradationCause
DEGRADATION_CAUSE_FEATURES_TIMEOUT: DegradationCause
DEGRADATION_CAUSE_FEATURES_DOWN: DegradationCause
DEGRADATION_CAUSE_FEATURES_STALE: DegradationCause
DEGRADATION_CAUSE_RETRIEVAL_TIMEOUT: DegradationCause
DEGRADATION_CAUSE_RETRIEVAL_DOWN: DegradationCause
DEGRADATION_CAUSE_RETRIEVAL_PARTIAL: DegradationCause
DEGRADATION_CAUSE_RANKING_TIMEOUT: DegradationCause
DEGRADATION_CAUSE_RANKING_DOWN: DegradationCause
DEGRADATION_CAUSE_RANKING_PARTIAL: DegradationCause
DEGRADATION_CAUSE_FEWER_CANDIDATES: DegradationCause
DEGRADATION_CAUSE_BUNDLE_MISMATCH: DegradationCause
DEGRADATION_CAUSE_LOAD_SHED: DegradationCause
DEGRADATION_CAUSE_SHORT_SLATE: DegradationCause
DEGRADATION_CAUSE_EMPTY_SELECTION: DegradationCause
DEGRADATION_CAUSE_FILTER_RELAXED: DegradationCause
DEGRADATION_CAUSE_FALLBACK_CONFIG: DegradationCause
DEGRADATION_CAUSE_CONFIG_UNFIT: DegradationCause
STAGE_OUTCOME_UNSPECIFIED: StageOutcome
STAGE_OUTCOME_FULL: StageOutcome
STAGE_OUTCOME_PARTIAL: StageOutcome
STAGE_OUTCOME_FALLBACK: StageOutcome
STAGE_OUTCOME_SKIPPED: StageOutcome

class Provenance(_message.Message):
    __slots__ = ("source", "source_rank", "source_score")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_RANK_FIELD_NUMBER: _ClassVar[int]
    SOURCE_SCORE_FIELD_NUMBER: _ClassVar[int]
    source: str
    source_rank: int
    source_score: float
    def __init__(self, source: _Optional[str] = ..., source_rank: _Optional[int] = ..., source_score: _Optional[float] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("kind", "anchor_item_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    kind: ReasonKind
    anchor_item_id: str
    def __init__(self, kind: _Optional[_Union[ReasonKind, str]] = ..., anchor_item_id: _Optional[str] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("item_id", "rank", "score", "heads", "propensity", "provenance", "reasons", "fields")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    rank: int
    score: float
    heads: Heads
    propensity: float
    provenance: _containers.RepeatedCompositeFieldContainer[Provenance]
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    fields: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Attribute]
    def __init__(self, item_id: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., heads: _Optional[_Union[Heads, _Mapping]] = ..., propensity: _Optional[float] = ..., provenance: _Optional[_Iterable[_Union[Provenance, _Mapping]]] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., fields: _Optional[_Iterable[_Union[_actor_pb2.Attribute, _Mapping]]] = ...) -> None: ...

class Heads(_message.Message):
    __slots__ = ("click_probability", "rating")
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    click_probability: float
    rating: float
    def __init__(self, click_probability: _Optional[float] = ..., rating: _Optional[float] = ...) -> None: ...

class Bundle(_message.Message):
    __slots__ = ("bundle_id", "generation", "retrieval_model", "index", "ranking_model", "data_until")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_MODEL_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RANKING_MODEL_FIELD_NUMBER: _ClassVar[int]
    DATA_UNTIL_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    generation: int
    retrieval_model: str
    index: str
    ranking_model: str
    data_until: _timestamp_pb2.Timestamp
    def __init__(self, bundle_id: _Optional[str] = ..., generation: _Optional[int] = ..., retrieval_model: _Optional[str] = ..., index: _Optional[str] = ..., ranking_model: _Optional[str] = ..., data_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Degradation(_message.Message):
    __slots__ = ("level", "causes", "ranked_fraction", "features_present_fraction", "max_feature_age")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    RANKED_FRACTION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_PRESENT_FRACTION_FIELD_NUMBER: _ClassVar[int]
    MAX_FEATURE_AGE_FIELD_NUMBER: _ClassVar[int]
    level: DegradationLevel
    causes: _containers.RepeatedScalarFieldContainer[DegradationCause]
    ranked_fraction: float
    features_present_fraction: float
    max_feature_age: _duration_pb2.Duration
    def __init__(self, level: _Optional[_Union[DegradationLevel, str]] = ..., causes: _Optional[_Iterable[_Union[DegradationCause, str]]] = ..., ranked_fraction: _Optional[float] = ..., features_present_fraction: _Optional[float] = ..., max_feature_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StageReport(_message.Message):
    __slots__ = ("stage", "outcome", "reason", "budget", "spent", "items_in", "items_out")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_IN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_OUT_FIELD_NUMBER: _ClassVar[int]
    stage: str
    outcome: StageOutcome
    reason: str
    budget: _duration_pb2.Duration
    spent: _duration_pb2.Duration
    items_in: int
    items_out: int
    def __init__(self, stage: _Optional[str] = ..., outcome: _Optional[_Union[StageOutcome, str]] = ..., reason: _Optional[str] = ..., budget: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., spent: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., items_in: _Optional[int] = ..., items_out: _Optional[int] = ...) -> None: ...

class AnswerMeta(_message.Message):
    __slots__ = ("request_id", "slate_id", "attribution_token", "serving_config", "variants", "bundle", "missing_ids", "warnings", "degradation", "stages", "next_token", "actor_known", "next_token_expire_time", "serving_config_version", "is_variant_forced")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SLATE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    MISSING_IDS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    DEGRADATION_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACTOR_KNOWN_FIELD_NUMBER: _ClassVar[int]
    NEXT_TOKEN_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_VARIANT_FORCED_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    slate_id: str
    attribution_token: str
    serving_config: str
    variants: _containers.RepeatedScalarFieldContainer[str]
    bundle: Bundle
    missing_ids: _containers.RepeatedScalarFieldContainer[str]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    degradation: Degradation
    stages: _containers.RepeatedCompositeFieldContainer[StageReport]
    next_token: str
    actor_known: bool
    next_token_expire_time: _timestamp_pb2.Timestamp
    serving_config_version: int
    is_variant_forced: bool
    def __init__(self, request_id: _Optional[str] = ..., slate_id: _Optional[str] = ..., attribution_token: _Optional[str] = ..., serving_config: _Optional[str] = ..., variants: _Optional[_Iterable[str]] = ..., bundle: _Optional[_Union[Bundle, _Mapping]] = ..., missing_ids: _Optional[_Iterable[str]] = ..., warnings: _Optional[_Iterable[str]] = ..., degradation: _Optional[_Union[Degradation, _Mapping]] = ..., stages: _Optional[_Iterable[_Union[StageReport, _Mapping]]] = ..., next_token: _Optional[str] = ..., actor_known: _Optional[bool] = ..., next_token_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., serving_config_version: _Optional[int] = ..., is_variant_forced: _Optional[bool] = ...) -> None: ...
