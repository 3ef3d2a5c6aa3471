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

class EmptyPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMPTY_POLICY_UNSPECIFIED: _ClassVar[EmptyPolicy]
    EMPTY_POLICY_RETURN_EMPTY: _ClassVar[EmptyPolicy]
    EMPTY_POLICY_RELAX_FILTER: _ClassVar[EmptyPolicy]
    EMPTY_POLICY_FALLBACK_CONFIG: _ClassVar[EmptyPolicy]

class ParameterKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARAMETER_KIND_UNSPECIFIED: _ClassVar[ParameterKind]
    PARAMETER_KIND_TEXT: _ClassVar[ParameterKind]
    PARAMETER_KIND_NUMBER: _ClassVar[ParameterKind]
    PARAMETER_KIND_FLAG: _ClassVar[ParameterKind]
    PARAMETER_KIND_TIME: _ClassVar[ParameterKind]
    PARAMETER_KIND_TEXTS: _ClassVar[ParameterKind]
    PARAMETER_KIND_DURATION: _ClassVar[ParameterKind]

class ComparisonOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARISON_OPERATOR_UNSPECIFIED: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_EQUAL: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_NOT_EQUAL: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_LESS: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_LESS_OR_EQUAL: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_GREATER: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_GREATER_OR_EQUAL: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_HAS: _ClassVar[ComparisonOperator]
    COMPARISON_OPERATOR_PRESENT: _ClassVar[ComparisonOperator]

class DiversityMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIVERSITY_METHOD_UNSPECIFIED: _ClassVar[DiversityMethod]
    DIVERSITY_METHOD_MMR: _ClassVar[DiversityMethod]
    DIVERSITY_METHOD_DPP: _ClassVar[DiversityMethod]

class ExplorationMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLORATION_METHOD_UNSPECIFIED: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_EPSILON_GREEDY: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_SOFTMAX: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_THOMPSON: _ClassVar[ExplorationMethod]
EMPTY_POLICY_UNSPECIFIED: EmptyPolicy
EMPTY_POLICY_RETURN_EMPTY: EmptyPolicy
EMPTY_POLICY_RELAX_FILTER: EmptyPolicy
EMPTY_POLICY_FALLBACK_CONFIG: EmptyPolicy
PARAMETER_KIND_UNSPECIFIED: ParameterKind
PARAMETER_KIND_TEXT: ParameterKind
PARAMETER_KIND_NUMBER: ParameterKind
PARAMETER_KIND_FLAG: ParameterKind
PARAMETER_KIND_TIME: ParameterKind
PARAMETER_KIND_TEXTS: ParameterKind
PARAMETER_KIND_DURATION: ParameterKind
COMPARISON_OPERATOR_UNSPECIFIED: ComparisonOperator
COMPARISON_OPERATOR_EQUAL: ComparisonOperator
COMPARISON_OPERATOR_NOT_EQUAL: ComparisonOperator
COMPARISON_OPERATOR_LESS: ComparisonOperator
COMPARISON_OPERATOR_LESS_OR_EQUAL: ComparisonOperator
COMPARISON_OPERATOR_GREATER: ComparisonOperator
COMPARISON_OPERATOR_GREATER_OR_EQUAL: ComparisonOperator
COMPARISON_OPERATOR_HAS: ComparisonOperator
COMPARISON_OPERATOR_PRESENT: ComparisonOperator
DIVERSITY_METHOD_UNSPECIFIED: DiversityMethod
DIVERSITY_METHOD_MMR: DiversityMethod
DIVERSITY_METHOD_DPP: DiversityMethod
EXPLORATION_METHOD_UNSPECIFIED: ExplorationMethod
EXPLORATION_METHOD_EPSILON_GREEDY: ExplorationMethod
EXPLORATION_METHOD_SOFTMAX: ExplorationMethod
EXPLORATION_METHOD_THOMPSON: ExplorationMethod

class Filter(_message.Message):
    __slots__ = ("expression", "ast", "named", "on_empty")
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    AST_FIELD_NUMBER: _ClassVar[int]
    NAMED_FIELD_NUMBER: _ClassVar[int]
    ON_EMPTY_FIELD_NUMBER: _ClassVar[int]
    expression: str
    ast: FilterNode
    named: NamedFilter
    on_empty: EmptyPolicy
    def __init__(self, expression: _Optional[str] = ..., ast: _Optional[_Union[FilterNode, _Mapping]] = ..., named: _Optional[_Union[NamedFilter, _Mapping]] = ..., on_empty: _Optional[_Union[EmptyPolicy, str]] = ...) -> None: ...

class NamedFilter(_message.Message):
    __slots__ = ("name", "parameters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    parameters: _containers.RepeatedCompositeFieldContainer[_actor_pb2.Attribute]
    def __init__(self, name: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[_actor_pb2.Attribute, _Mapping]]] = ...) -> None: ...

class FilterDefinition(_message.Message):
    __slots__ = ("name", "expression", "ast", "parameters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    AST_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    expression: str
    ast: FilterNode
    parameters: _containers.RepeatedCompositeFieldContainer[FilterParameter]
    def __init__(self, name: _Optional[str] = ..., expression: _Optional[str] = ..., ast: _Optional[_Union[FilterNode, _Mapping]] = ..., parameters: _Optional[_Iterable[_Union[FilterParameter, _Mapping]]] = ...) -> None: ...

class FilterParameter(_message.Message):
    __slots__ = ("name", "kind")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: ParameterKind
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[ParameterKind, str]] = ...) -> None: ...

class FilterNode(_message.Message):
    __slots__ = ("all", "any", "negation", "comparison", "history")
    ALL_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    NEGATION_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    all: FilterNodes
    any: FilterNodes
    negation: FilterNode
    comparison: Comparison
    history: HistoryPredicate
    def __init__(self, all: _Optional[_Union[FilterNodes, _Mapping]] = ..., any: _Optional[_Union[FilterNodes, _Mapping]] = ..., negation: _Optional[_Union[FilterNode, _Mapping]] = ..., comparison: _Optional[_Union[Comparison, _Mapping]] = ..., history: _Optional[_Union[HistoryPredicate, _Mapping]] = ...) -> None: ...

class FilterNodes(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[FilterNode]
    def __init__(self, nodes: _Optional[_Iterable[_Union[FilterNode, _Mapping]]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("field", "operator", "text", "number", "flag", "texts", "time", "parameter")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_FIELD_NUMBER: _ClassVar[int]
    field: str
    operator: ComparisonOperator
    text: str
    number: float
    flag: bool
    texts: _actor_pb2.TextList
    time: _timestamp_pb2.Timestamp
    parameter: str
    def __init__(self, field: _Optional[str] = ..., operator: _Optional[_Union[ComparisonOperator, str]] = ..., text: _Optional[str] = ..., number: _Optional[float] = ..., flag: _Optional[bool] = ..., texts: _Optional[_Union[_actor_pb2.TextList, _Mapping]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., parameter: _Optional[str] = ...) -> None: ...

class HistoryPredicate(_message.Message):
    __slots__ = ("event_types", "lookback", "parameters", "lookback_parameter")
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    LOOKBACK_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    LOOKBACK_PARAMETER_FIELD_NUMBER: _ClassVar[int]
    event_types: _containers.RepeatedScalarFieldContainer[str]
    lookback: _duration_pb2.Duration
    parameters: _containers.RepeatedScalarFieldContainer[str]
    lookback_parameter: str
    def __init__(self, event_types: _Optional[_Iterable[str]] = ..., lookback: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., parameters: _Optional[_Iterable[str]] = ..., lookback_parameter: _Optional[str] = ...) -> None: ...

class Constraints(_message.Message):
    __slots__ = ("exclude_item_ids", "include_item_ids", "exclude_seen", "attribute_caps", "pins", "promotions", "diversity", "rotation", "minimum_click_probability", "exploration", "boosts")
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_CAPS_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    PROMOTIONS_FIELD_NUMBER: _ClassVar[int]
    DIVERSITY_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    BOOSTS_FIELD_NUMBER: _ClassVar[int]
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    include_item_ids: _containers.RepeatedScalarFieldContainer[str]
    exclude_seen: ExcludeSeen
    attribute_caps: _containers.RepeatedCompositeFieldContainer[AttributeCap]
    pins: _containers.RepeatedCompositeFieldContainer[Pin]
    promotions: _containers.RepeatedCompositeFieldContainer[Promotion]
    diversity: Diversity
    rotation: Rotation
    minimum_click_probability: float
    exploration: Exploration
    boosts: _containers.RepeatedCompositeFieldContainer[Boost]
    def __init__(self, exclude_item_ids: _Optional[_Iterable[str]] = ..., include_item_ids: _Optional[_Iterable[str]] = ..., exclude_seen: _Optional[_Union[ExcludeSeen, _Mapping]] = ..., attribute_caps: _Optional[_Iterable[_Union[AttributeCap, _Mapping]]] = ..., pins: _Optional[_Iterable[_Union[Pin, _Mapping]]] = ..., promotions: _Optional[_Iterable[_Union[Promotion, _Mapping]]] = ..., diversity: _Optional[_Union[Diversity, _Mapping]] = ..., rotation: _Optional[_Union[Rotation, _Mapping]] = ..., minimum_click_probability: _Optional[float] = ..., exploration: _Optional[_Union[Exploration, _Mapping]] = ..., boosts: _Optional[_Iterable[_Union[Boost, _Mapping]]] = ...) -> None: ...

class ExcludeSeen(_message.Message):
    __slots__ = ("disabled", "event_types", "lookback")
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    LOOKBACK_FIELD_NUMBER: _ClassVar[int]
    disabled: bool
    event_types: _containers.RepeatedScalarFieldContainer[str]
    lookback: _duration_pb2.Duration
    def __init__(self, disabled: _Optional[bool] = ..., event_types: _Optional[_Iterable[str]] = ..., lookback: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AttributeCap(_message.Message):
    __slots__ = ("attribute", "maximum")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    maximum: int
    def __init__(self, attribute: _Optional[str] = ..., maximum: _Optional[int] = ...) -> None: ...

class Pin(_message.Message):
    __slots__ = ("item_id", "position")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    position: int
    def __init__(self, item_id: _Optional[str] = ..., position: _Optional[int] = ...) -> None: ...

class Promotion(_message.Message):
    __slots__ = ("filter", "share", "slots")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    filter: Filter
    share: float
    slots: int
    def __init__(self, filter: _Optional[_Union[Filter, _Mapping]] = ..., share: _Optional[float] = ..., slots: _Optional[int] = ...) -> None: ...

class Boost(_message.Message):
    __slots__ = ("filter", "factor")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    filter: Filter
    factor: float
    def __init__(self, filter: _Optional[_Union[Filter, _Mapping]] = ..., factor: _Optional[float] = ...) -> None: ...

class Diversity(_message.Message):
    __slots__ = ("method", "strength")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    method: DiversityMethod
    strength: float
    def __init__(self, method: _Optional[_Union[DiversityMethod, str]] = ..., strength: _Optional[float] = ...) -> None: ...

class Rotation(_message.Message):
    __slots__ = ("rate", "half_life")
    RATE_FIELD_NUMBER: _ClassVar[int]
    HALF_LIFE_FIELD_NUMBER: _ClassVar[int]
    rate: float
    half_life: _duration_pb2.Duration
    def __init__(self, rate: _Optional[float] = ..., half_life: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Exploration(_message.Message):
    __slots__ = ("method", "slots", "strength")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    method: ExplorationMethod
    slots: int
    strength: float
    def __init__(self, method: _Optional[_Union[ExplorationMethod, str]] = ..., slots: _Optional[int] = ..., strength: _Optional[float] = ...) -> None: ...
