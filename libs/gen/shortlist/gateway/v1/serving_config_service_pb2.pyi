import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from shortlist.common.v1 import selection_pb2 as _selection_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Ranker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RANKER_UNSPECIFIED: _ClassVar[Ranker]
    RANKER_NONE: _ClassVar[Ranker]

class ServingConfigOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVING_CONFIG_ORIGIN_UNSPECIFIED: _ClassVar[ServingConfigOrigin]
    SERVING_CONFIG_ORIGIN_BUILT_IN: _ClassVar[ServingConfigOrigin]
    SERVING_CONFIG_ORIGIN_STORE: _ClassVar[ServingConfigOrigin]
    SERVING_CONFIG_ORIGIN_FILE: _ClassVar[ServingConfigOrigin]
RANKER_UNSPECIFIED: Ranker
RANKER_NONE: Ranker
SERVING_CONFIG_ORIGIN_UNSPECIFIED: ServingConfigOrigin
SERVING_CONFIG_ORIGIN_BUILT_IN: ServingConfigOrigin
SERVING_CONFIG_ORIGIN_STORE: ServingConfigOrigin
SERVING_CONFIG_ORIGIN_FILE: ServingConfigOrigin

class ServingConfig(_message.Message):
    __slots__ = ("name", "description", "sources", "candidate_count", "head_weights", "slate_size", "constraints", "on_empty", "fallback_config", "experiment", "filters", "ranker")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEAD_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    SLATE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    ON_EMPTY_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_CONFIG_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    RANKER_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    sources: _containers.RepeatedCompositeFieldContainer[ConfiguredSource]
    candidate_count: int
    head_weights: _containers.RepeatedCompositeFieldContainer[ConfiguredHead]
    slate_size: int
    constraints: _selection_pb2.Constraints
    on_empty: _selection_pb2.EmptyPolicy
    fallback_config: str
    experiment: ServingExperiment
    filters: _containers.RepeatedCompositeFieldContainer[_selection_pb2.FilterDefinition]
    ranker: Ranker
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., sources: _Optional[_Iterable[_Union[ConfiguredSource, _Mapping]]] = ..., candidate_count: _Optional[int] = ..., head_weights: _Optional[_Iterable[_Union[ConfiguredHead, _Mapping]]] = ..., slate_size: _Optional[int] = ..., constraints: _Optional[_Union[_selection_pb2.Constraints, _Mapping]] = ..., on_empty: _Optional[_Union[_selection_pb2.EmptyPolicy, str]] = ..., fallback_config: _Optional[str] = ..., experiment: _Optional[_Union[ServingExperiment, _Mapping]] = ..., filters: _Optional[_Iterable[_Union[_selection_pb2.FilterDefinition, _Mapping]]] = ..., ranker: _Optional[_Union[Ranker, str]] = ...) -> None: ...

class ConfiguredSource(_message.Message):
    __slots__ = ("source", "quota", "weight")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    source: str
    quota: float
    weight: float
    def __init__(self, source: _Optional[str] = ..., quota: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...

class ConfiguredHead(_message.Message):
    __slots__ = ("head", "weight")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    head: str
    weight: float
    def __init__(self, head: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class ServingExperiment(_message.Message):
    __slots__ = ("name", "variants")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    variants: _containers.RepeatedCompositeFieldContainer[ServingVariant]
    def __init__(self, name: _Optional[str] = ..., variants: _Optional[_Iterable[_Union[ServingVariant, _Mapping]]] = ...) -> None: ...

class ServingVariant(_message.Message):
    __slots__ = ("name", "weight", "serving_config")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SERVING_CONFIG_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: int
    serving_config: str
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[int] = ..., serving_config: _Optional[str] = ...) -> None: ...

class ServingConfigRecord(_message.Message):
    __slots__ = ("config", "version", "write_time", "origin", "file", "problems", "is_deleted")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WRITE_TIME_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    IS_DELETED_FIELD_NUMBER: _ClassVar[int]
    config: ServingConfig
    version: int
    write_time: _timestamp_pb2.Timestamp
    origin: ServingConfigOrigin
    file: str
    problems: _containers.RepeatedScalarFieldContainer[str]
    is_deleted: bool
    def __init__(self, config: _Optional[_Union[ServingConfig, _Mapping]] = ..., version: _Optional[int] = ..., write_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., origin: _Optional[_Union[ServingConfigOrigin, str]] = ..., file: _Optional[str] = ..., problems: _Optional[_Iterable[str]] = ..., is_deleted: _Optional[bool] = ...) -> None: ...

class ListServingConfigsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListServingConfigsResponse(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[ServingConfigRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[ServingConfigRecord, _Mapping]]] = ...) -> None: ...

class GetServingConfigRequest(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetServingConfigResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: ServingConfigRecord
    def __init__(self, record: _Optional[_Union[ServingConfigRecord, _Mapping]] = ...) -> None: ...

class PutServingConfigRequest(_message.Message):
    __slots__ = ("config", "expected_version", "validate_only")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    config: ServingConfig
    expected_version: int
    validate_only: bool
    def __init__(self, config: _Optional[_Union[ServingConfig, _Mapping]] = ..., expected_version: _Optional[int] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class PutServingConfigResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: ServingConfigRecord
    def __init__(self, record: _Optional[_Union[ServingConfigRecord, _Mapping]] = ...) -> None: ...

class DeleteServingConfigRequest(_message.Message):
    __slots__ = ("name", "expected_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    expected_version: int
    def __init__(self, name: _Optional[str] = ..., expected_version: _Optional[int] = ...) -> None: ...

class DeleteServingConfigResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListServingConfigVersionsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListServingConfigVersionsResponse(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[ServingConfigRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[ServingConfigRecord, _Mapping]]] = ...) -> None: ...

class RollbackServingConfigRequest(_message.Message):
    __slots__ = ("name", "version", "expected_version", "validate_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    expected_version: int
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., expected_version: _Optional[int] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class RollbackServingConfigResponse(_message.Message):
    __slots__ = ("record",)
    RECORD_FIELD_NUMBER: _ClassVar[int]
    record: ServingConfigRecord
    def __init__(self, record: _Optional[_Union[ServingConfigRecord, _Mapping]] = ...) -> None: ...
