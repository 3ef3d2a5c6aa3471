from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ActorFeatures(_message.Message):
    __slots__ = ("now_s", "attributes", "numbers", "history_rows", "history_values", "history_times_s", "chosen")
    NOW_S_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_ROWS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_VALUES_FIELD_NUMBER: _ClassVar[int]
    HISTORY_TIMES_S_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    now_s: float
    attributes: _containers.RepeatedCompositeFieldContainer[TextFeature]
    numbers: _containers.RepeatedCompositeFieldContainer[NumberFeature]
    history_rows: bytes
    history_values: bytes
    history_times_s: bytes
    chosen: _containers.RepeatedCompositeFieldContainer[TextFeature]
    def __init__(self, now_s: _Optional[float] = ..., attributes: _Optional[_Iterable[_Union[TextFeature, _Mapping]]] = ..., numbers: _Optional[_Iterable[_Union[NumberFeature, _Mapping]]] = ..., history_rows: _Optional[bytes] = ..., history_values: _Optional[bytes] = ..., history_times_s: _Optional[bytes] = ..., chosen: _Optional[_Iterable[_Union[TextFeature, _Mapping]]] = ...) -> None: ...

class TextFeature(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class NumberFeature(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
