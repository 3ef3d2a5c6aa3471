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

class RankCandidatesRequest(_message.Message):
    __slots__ = ("bundle_id", "actor", "rows", "actor_embedding", "request_id", "heads", "retrieval_scores", "with_item_numbers", "spread", "head_weights")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_SCORES_FIELD_NUMBER: _ClassVar[int]
    WITH_ITEM_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    HEAD_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    actor: _actor_features_pb2.ActorFeatures
    rows: bytes
    actor_embedding: bytes
    request_id: str
    heads: _containers.RepeatedScalarFieldContainer[str]
    retrieval_scores: bytes
    with_item_numbers: bool
    spread: Spread
    head_weights: _containers.RepeatedCompositeFieldContainer[HeadWeight]
    def __init__(self, bundle_id: _Optional[str] = ..., actor: _Optional[_Union[_actor_features_pb2.ActorFeatures, _Mapping]] = ..., rows: _Optional[bytes] = ..., actor_embedding: _Optional[bytes] = ..., request_id: _Optional[str] = ..., heads: _Optional[_Iterable[str]] = ..., retrieval_scores: _Optional[bytes] = ..., with_item_numbers: _Optional[bool] = ..., spread: _Optional[_Union[Spread, _Mapping]] = ..., head_weights: _Optional[_Iterable[_Union[HeadWeight, _Mapping]]] = ...) -> None: ...

class Spread(_message.Message):
    __slots__ = ("method", "strength", "count", "held", "kept", "minimum_click_probability", "boosts")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    BOOSTS_FIELD_NUMBER: _ClassVar[int]
    method: _selection_pb2.DiversityMethod
    strength: float
    count: int
    held: bytes
    kept: bytes
    minimum_click_probability: float
    boosts: bytes
    def __init__(self, method: _Optional[_Union[_selection_pb2.DiversityMethod, str]] = ..., strength: _Optional[float] = ..., count: _Optional[int] = ..., held: _Optional[bytes] = ..., kept: _Optional[bytes] = ..., minimum_click_probability: _Optional[float] = ..., boosts: _Optional[bytes] = ...) -> None: ...

class RankCandidatesResponse(_message.Message):
    __slots__ = ("bundle_id", "scores", "click", "rating", "item_numbers", "order", "is_spread")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    CLICK_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    ITEM_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    IS_SPREAD_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    scores: bytes
    click: bytes
    rating: bytes
    item_numbers: _containers.RepeatedCompositeFieldContainer[NumberColumn]
    order: bytes
    is_spread: bool
    def __init__(self, bundle_id: _Optional[str] = ..., scores: _Optional[bytes] = ..., click: _Optional[bytes] = ..., rating: _Optional[bytes] = ..., item_numbers: _Optional[_Iterable[_Union[NumberColumn, _Mapping]]] = ..., order: _Optional[bytes] = ..., is_spread: _Optional[bool] = ...) -> None: ...

class NumberColumn(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: bytes
    def __init__(self, name: _Optional[str] = ..., values: _Optional[bytes] = ...) -> None: ...

class DescribeModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeModelResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ModelDescription]
    def __init__(self, models: _Optional[_Iterable[_Union[ModelDescription, _Mapping]]] = ...) -> None: ...

class ModelDescription(_message.Message):
    __slots__ = ("bundle_id", "generation", "model", "inputs", "features", "head_weights", "ready_since", "item_feed_age", "prior")
    BUNDLE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    HEAD_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    READY_SINCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FEED_AGE_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    bundle_id: str
    generation: int
    model: str
    inputs: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedCompositeFieldContainer[FeatureDefault]
    head_weights: _containers.RepeatedCompositeFieldContainer[HeadWeight]
    ready_since: _timestamp_pb2.Timestamp
    item_feed_age: _duration_pb2.Duration
    prior: PriorWeights
    def __init__(self, bundle_id: _Optional[str] = ..., generation: _Optional[int] = ..., model: _Optional[str] = ..., inputs: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[_Union[FeatureDefault, _Mapping]]] = ..., head_weights: _Optional[_Iterable[_Union[HeadWeight, _Mapping]]] = ..., ready_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., item_feed_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., prior: _Optional[_Union[PriorWeights, _Mapping]] = ...) -> None: ...

class FeatureDefault(_message.Message):
    __slots__ = ("name", "default_value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    default_value: float
    def __init__(self, name: _Optional[str] = ..., default_value: _Optional[float] = ...) -> None: ...

class PriorWeights(_message.Message):
    __slots__ = ("retrieval", "newcomer_retrieval", "newcomer_popularity", "half_life_events", "newcomer_segment")
    RETRIEVAL_FIELD_NUMBER: _ClassVar[int]
    NEWCOMER_RETRIEVAL_FIELD_NUMBER: _ClassVar[int]
    NEWCOMER_POPULARITY_FIELD_NUMBER: _ClassVar[int]
    HALF_LIFE_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEWCOMER_SEGMENT_FIELD_NUMBER: _ClassVar[int]
    retrieval: float
    newcomer_retrieval: float
    newcomer_popularity: float
    half_life_events: float
    newcomer_segment: float
    def __init__(self, retrieval: _Optional[float] = ..., newcomer_retrieval: _Optional[float] = ..., newcomer_popularity: _Optional[float] = ..., half_life_events: _Optional[float] = ..., newcomer_segment: _Optional[float] = ...) -> None: ...

class HeadWeight(_message.Message):
    __slots__ = ("head", "weight")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    head: str
    weight: float
    def __init__(self, head: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...
