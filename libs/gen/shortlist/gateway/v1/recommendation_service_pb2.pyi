import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shortlist.common.v1 import actor_pb2 as _actor_pb2
from shortlist.common.v1 import answer_pb2 as _answer_pb2
from shortlist.common.v1 import selection_pb2 as _selection_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DebugLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEBUG_LEVEL_UNSPECIFIED: _ClassVar[DebugLevel]
    DEBUG_LEVEL_FULL: _ClassVar[DebugLevel]

class ItemOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ITEM_OUTCOME_UNSPECIFIED: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_SHOWN: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_BELOW_SLATE: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_CONSTRAINED: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_BELOW_MINIMUM: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_NOT_A_CANDIDATE: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_SEEN: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_EXCLUDED: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_NOT_INCLUDED: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_NOT_IN_CATALOGUE: _ClassVar[ItemOutcome]
    ITEM_OUTCOME_FILTERED: _ClassVar[ItemOutcome]
DEBUG_LEVEL_UNSPECIFIED: DebugLevel
DEBUG_LEVEL_FULL: DebugLevel
ITEM_OUTCOME_UNSPECIFIED: ItemOutcome
ITEM_OUTCOME_SHOWN: ItemOutcome
ITEM_OUTCOME_BELOW_SLATE: ItemOutcome
ITEM_OUTCOME_CONSTRAINED: ItemOutcome
ITEM_OUTCOME_BELOW_MINIMUM: ItemOutcome
ITEM_OUTCOME_NOT_A_CANDIDATE: ItemOutcome
ITEM_OUTCOME_SEEN: ItemOutcome
ITEM_OUTCOME_EXCLUDED: ItemOutcome
ITEM_OUTCOME_NOT_INCLUDED: ItemOutcome
ITEM_OUTCOME_NOT_IN_CATALOGUE: ItemOutcome
ITEM_OUTCOME_FILTERED: ItemOutcome

class Debug(_message.Message):
    __slots__ = ("actor", "results")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    actor: ActorInputs
    results: _containers.RepeatedCompositeFieldContainer[StageScores]
    def __init__(self, actor: _Optional[_Union[ActorInputs, _Mapping]] = ..., results: _Optional[_Iterable[_Union[StageScores, _Mapping]]] = ...) -> None: ...

class ActorInputs(_message.Message):
    __slots__ = ("as_of", "attributes", "chosen", "features", "history")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    as_of: _timestamp_pb2.Timestamp
    attributes: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Attribute]
    chosen: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Attribute]
    features: _containers.RepeatedCompositeFieldContainer[FeatureValue]
    history: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Event]
    def __init__(self, as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attributes: _Optional[_Iterable[_Union[_actor_pb2.Attribute, _Mapping]]] = ..., chosen: _Optional[_Iterable[_Union[_actor_pb2.Attribute, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[FeatureValue, _Mapping]]] = ..., history: _Optional[_Iterable[_Union[_actor_pb2.Event, _Mapping]]] = ...) -> None: ...

class FeatureValue(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class StageScores(_message.Message):
    __slots__ = ("item_id", "retrieval_rank", "retrieval_score", "ranking_rank", "ranking_score", "item_features", "boost")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_RANK_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    RANKING_RANK_FIELD_NUMBER: _ClassVar[int]
    RANKING_SCORE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FEATURES_FIELD_NUMBER: _ClassVar[int]
    BOOST_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    retrieval_rank: int
    retrieval_score: float
    ranking_rank: int
    ranking_score: float
    item_features: _containers.RepeatedCompositeFieldContainer[FeatureValue]
    boost: float
    def __init__(self, item_id: _Optional[str] = ..., retrieval_rank: _Optional[int] = ..., retrieval_score: _Optional[float] = ..., ranking_rank: _Optional[int] = ..., ranking_score: _Optional[float] = ..., item_features: _Optional[_Iterable[_Union[FeatureValue, _Mapping]]] = ..., boost: _Optional[float] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("actor", "slate_size", "serving_config", "context", "filter", "constraints", "consistency_token", "validate_only", "debug_level", "item_fields", "bundle_id", "candidate_count", "request_id", "experiment_override")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SLATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    DEBUG_LEVEL_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELDS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    actor: _actor_pb2.Actor
    slate_size: int
    serving_config: str
    context: _actor_pb2.Context
    filter: _selection_pb2.Filter
    constraints: _selection_pb2.Constraints
    consistency_token: str
    validate_only: bool
    debug_level: DebugLevel
    item_fields: _containers.RepeatedScalarFieldContainer[str]
    bundle_id: str
    candidate_count: int
    request_id: str
    experiment_override: str
    def __init__(self, actor: _Optional[_Union[_actor_pb2.Actor, _Mapping]] = ..., slate_size: _Optional[int] = ..., serving_config: _Optional[str] = ..., context: _Optional[_Union[_actor_pb2.Context, _Mapping]] = ..., filter: _Optional[_Union[_selection_pb2.Filter, _Mapping]] = ..., constraints: _Optional[_Union[_selection_pb2.Constraints, _Mapping]] = ..., consistency_token: _Optional[str] = ..., validate_only: _Optional[bool] = ..., debug_level: _Optional[_Union[DebugLevel, str]] = ..., item_fields: _Optional[_Iterable[str]] = ..., bundle_id: _Optional[str] = ..., candidate_count: _Optional[int] = ..., request_id: _Optional[str] = ..., experiment_override: _Optional[str] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("results", "meta", "debug")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_answer_pb2.Result]
    meta: _answer_pb2.AnswerMeta
    debug: Debug
    def __init__(self, results: _Optional[_Iterable[_Union[_answer_pb2.Result, _Mapping]]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ..., debug: _Optional[_Union[Debug, _Mapping]] = ...) -> None: ...

class RecommendNextRequest(_message.Message):
    __slots__ = ("next_token", "slate_size", "request", "request_id")
    NEXT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SLATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    next_token: str
    slate_size: int
    request: RecommendRequest
    request_id: str
    def __init__(self, next_token: _Optional[str] = ..., slate_size: _Optional[int] = ..., request: _Optional[_Union[RecommendRequest, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class RecommendNextResponse(_message.Message):
    __slots__ = ("results", "meta", "debug")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_answer_pb2.Result]
    meta: _answer_pb2.AnswerMeta
    debug: Debug
    def __init__(self, results: _Optional[_Iterable[_Union[_answer_pb2.Result, _Mapping]]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ..., debug: _Optional[_Union[Debug, _Mapping]] = ...) -> None: ...

class ExplainRecommendationRequest(_message.Message):
    __slots__ = ("request", "attribution_token", "item_id", "what_if", "request_id")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    WHAT_IF_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request: RecommendRequest
    attribution_token: str
    item_id: str
    what_if: WhatIf
    request_id: str
    def __init__(self, request: _Optional[_Union[RecommendRequest, _Mapping]] = ..., attribution_token: _Optional[str] = ..., item_id: _Optional[str] = ..., what_if: _Optional[_Union[WhatIf, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class WhatIf(_message.Message):
    __slots__ = ("dropped_features", "without_history", "bundle_id", "serving_config")
    DROPPED_FEATURES_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_HISTORY_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    dropped_features: _containers.RepeatedScalarFieldContainer[str]
    without_history: bool
    bundle_id: str
    serving_config: str
    def __init__(self, dropped_features: _Optional[_Iterable[str]] = ..., without_history: _Optional[bool] = ..., bundle_id: _Optional[str] = ..., serving_config: _Optional[str] = ...) -> None: ...

class ExplainRecommendationResponse(_message.Message):
    __slots__ = ("explanation", "what_if", "meta")
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    WHAT_IF_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    explanation: Explanation
    what_if: Explanation
    meta: _answer_pb2.AnswerMeta
    def __init__(self, explanation: _Optional[_Union[Explanation, _Mapping]] = ..., what_if: _Optional[_Union[Explanation, _Mapping]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("item_id", "outcome", "rank", "provenance", "reasons", "scores", "heads", "is_relaxed", "candidate_count", "bundle_id", "causes", "actor", "serving_config")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    IS_RELAXED_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    outcome: ItemOutcome
    rank: int
    provenance: _containers.RepeatedCompositeFieldContainer[_answer_pb2.Provenance]
    reasons: _containers.RepeatedCompositeFieldContainer[_answer_pb2.Reason]
    scores: StageScores
    heads: _answer_pb2.Heads
    is_relaxed: bool
    candidate_count: int
    bundle_id: str
    causes: _containers.RepeatedScalarFieldContainer[_answer_pb2.DegradationCause]
    actor: ActorInputs
    serving_config: str
    def __init__(self, item_id: _Optional[str] = ..., outcome: _Optional[_Union[ItemOutcome, str]] = ..., rank: _Optional[int] = ..., provenance: _Optional[_Iterable[_Union[_answer_pb2.Provenance, _Mapping]]] = ..., reasons: _Optional[_Iterable[_Union[_answer_pb2.Reason, _Mapping]]] = ..., scores: _Optional[_Union[StageScores, _Mapping]] = ..., heads: _Optional[_Union[_answer_pb2.Heads, _Mapping]] = ..., is_relaxed: _Optional[bool] = ..., candidate_count: _Optional[int] = ..., bundle_id: _Optional[str] = ..., causes: _Optional[_Iterable[_Union[_answer_pb2.DegradationCause, str]]] = ..., actor: _Optional[_Union[ActorInputs, _Mapping]] = ..., serving_config: _Optional[str] = ...) -> None: ...

class CompareBundlesRequest(_message.Message):
    __slots__ = ("request", "base_bundle_id", "other_bundle_id", "request_id")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    BASE_BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    OTHER_BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request: RecommendRequest
    base_bundle_id: str
    other_bundle_id: str
    request_id: str
    def __init__(self, request: _Optional[_Union[RecommendRequest, _Mapping]] = ..., base_bundle_id: _Optional[str] = ..., other_bundle_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CompareBundlesResponse(_message.Message):
    __slots__ = ("base", "other", "overlap_at", "moves")
    BASE_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_AT_FIELD_NUMBER: _ClassVar[int]
    MOVES_FIELD_NUMBER: _ClassVar[int]
    base: RecommendResponse
    other: RecommendResponse
    overlap_at: _containers.RepeatedScalarFieldContainer[float]
    moves: _containers.RepeatedCompositeFieldContainer[Move]
    def __init__(self, base: _Optional[_Union[RecommendResponse, _Mapping]] = ..., other: _Optional[_Union[RecommendResponse, _Mapping]] = ..., overlap_at: _Optional[_Iterable[float]] = ..., moves: _Optional[_Iterable[_Union[Move, _Mapping]]] = ...) -> None: ...

class Move(_message.Message):
    __slots__ = ("item_id", "base_rank", "other_rank")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_RANK_FIELD_NUMBER: _ClassVar[int]
    OTHER_RANK_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    base_rank: int
    other_rank: int
    def __init__(self, item_id: _Optional[str] = ..., base_rank: _Optional[int] = ..., other_rank: _Optional[int] = ...) -> None: ...

class BatchRecommendRequest(_message.Message):
    __slots__ = ("actors", "request", "resume_token", "request_id")
    ACTORS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    actors: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Actor]
    request: RecommendRequest
    resume_token: str
    request_id: str
    def __init__(self, actors: _Optional[_Iterable[_Union[_actor_pb2.Actor, _Mapping]]] = ..., request: _Optional[_Union[RecommendRequest, _Mapping]] = ..., resume_token: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class BatchRecommendResponse(_message.Message):
    __slots__ = ("index", "actor", "answer", "error", "resume_token")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    index: int
    actor: _actor_pb2.Actor
    answer: RecommendResponse
    error: BatchError
    resume_token: str
    def __init__(self, index: _Optional[int] = ..., actor: _Optional[_Union[_actor_pb2.Actor, _Mapping]] = ..., answer: _Optional[_Union[RecommendResponse, _Mapping]] = ..., error: _Optional[_Union[BatchError, _Mapping]] = ..., resume_token: _Optional[str] = ...) -> None: ...

class BatchError(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class SimilarItemsRequest(_message.Message):
    __slots__ = ("item_ids", "actor", "slate_size", "serving_config", "filter", "constraints", "item_fields", "bundle_id", "request_id", "validate_only")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SLATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELDS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    actor: _actor_pb2.Actor
    slate_size: int
    serving_config: str
    filter: _selection_pb2.Filter
    constraints: _selection_pb2.Constraints
    item_fields: _containers.RepeatedScalarFieldContainer[str]
    bundle_id: str
    request_id: str
    validate_only: bool
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., actor: _Optional[_Union[_actor_pb2.Actor, _Mapping]] = ..., slate_size: _Optional[int] = ..., serving_config: _Optional[str] = ..., filter: _Optional[_Union[_selection_pb2.Filter, _Mapping]] = ..., constraints: _Optional[_Union[_selection_pb2.Constraints, _Mapping]] = ..., item_fields: _Optional[_Iterable[str]] = ..., bundle_id: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class SimilarItemsResponse(_message.Message):
    __slots__ = ("results", "meta")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_answer_pb2.Result]
    meta: _answer_pb2.AnswerMeta
    def __init__(self, results: _Optional[_Iterable[_Union[_answer_pb2.Result, _Mapping]]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ...) -> None: ...

class SimilarUsersRequest(_message.Message):
    __slots__ = ("actor", "user_count", "context", "consistency_token", "bundle_id", "request_id", "validate_only")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    USER_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    actor: _actor_pb2.Actor
    user_count: int
    context: _actor_pb2.Context
    consistency_token: str
    bundle_id: str
    request_id: str
    validate_only: bool
    def __init__(self, actor: _Optional[_Union[_actor_pb2.Actor, _Mapping]] = ..., user_count: _Optional[int] = ..., context: _Optional[_Union[_actor_pb2.Context, _Mapping]] = ..., consistency_token: _Optional[str] = ..., bundle_id: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class SimilarUsersResponse(_message.Message):
    __slots__ = ("results", "meta")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SimilarUser]
    meta: _answer_pb2.AnswerMeta
    def __init__(self, results: _Optional[_Iterable[_Union[SimilarUser, _Mapping]]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ...) -> None: ...

class SimilarUser(_message.Message):
    __slots__ = ("user_id", "rank", "similarity")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    rank: int
    similarity: float
    def __init__(self, user_id: _Optional[str] = ..., rank: _Optional[int] = ..., similarity: _Optional[float] = ...) -> None: ...

class RecommendUsersRequest(_message.Message):
    __slots__ = ("item_ids", "user_count", "tenant", "exclude_user_ids", "bundle_id", "request_id", "validate_only")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    USER_COUNT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_USER_IDS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    user_count: int
    tenant: str
    exclude_user_ids: _containers.RepeatedScalarFieldContainer[str]
    bundle_id: str
    request_id: str
    validate_only: bool
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., user_count: _Optional[int] = ..., tenant: _Optional[str] = ..., exclude_user_ids: _Optional[_Iterable[str]] = ..., bundle_id: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class RecommendUsersResponse(_message.Message):
    __slots__ = ("results", "meta")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RecommendedUser]
    meta: _answer_pb2.AnswerMeta
    def __init__(self, results: _Optional[_Iterable[_Union[RecommendedUser, _Mapping]]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ...) -> None: ...

class RecommendedUser(_message.Message):
    __slots__ = ("user_id", "rank", "lift")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LIFT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    rank: int
    lift: float
    def __init__(self, user_id: _Optional[str] = ..., rank: _Optional[int] = ..., lift: _Optional[float] = ...) -> None: ...

class RerankItemsRequest(_message.Message):
    __slots__ = ("actor", "item_ids", "context", "serving_config", "item_fields", "consistency_token", "bundle_id", "request_id", "validate_only")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELDS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    actor: _actor_pb2.Actor
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    context: _actor_pb2.Context
    serving_config: str
    item_fields: _containers.RepeatedScalarFieldContainer[str]
    consistency_token: str
    bundle_id: str
    request_id: str
    validate_only: bool
    def __init__(self, actor: _Optional[_Union[_actor_pb2.Actor, _Mapping]] = ..., item_ids: _Optional[_Iterable[str]] = ..., context: _Optional[_Union[_actor_pb2.Context, _Mapping]] = ..., serving_config: _Optional[str] = ..., item_fields: _Optional[_Iterable[str]] = ..., consistency_token: _Optional[str] = ..., bundle_id: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class RerankItemsResponse(_message.Message):
    __slots__ = ("results", "meta")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_answer_pb2.Result]
    meta: _answer_pb2.AnswerMeta
    def __init__(self, results: _Optional[_Iterable[_Union[_answer_pb2.Result, _Mapping]]] = ..., meta: _Optional[_Union[_answer_pb2.AnswerMeta, _Mapping]] = ...) -> None: ...
