"""Filter trees off the wire and onto it: what the doors of gateway and retrieval share."""

from __future__ import annotations

import math
from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_domain.errors import Violation
from shortlist_domain.filters import (
    EVERYTHING,
    MAX_EVENT_TYPES,
    All,
    Any,
    Comparison,
    History,
    Moment,
    Node,
    Not,
    Operator,
    Parameter,
    Value,
)

MAX_FIELD_BYTES = 256
MAX_TEXT_BYTES = 1024
LONGEST_S = 315_576_000_000.0
"""Longest time that a ``Duration`` can say: 10,000 years."""

MAX_PARAMETER_BYTES = 64

_OPERATORS = {
    selection_pb2.COMPARISON_OPERATOR_EQUAL: Operator.EQUAL,
    selection_pb2.COMPARISON_OPERATOR_NOT_EQUAL: Operator.NOT_EQUAL,
    selection_pb2.COMPARISON_OPERATOR_LESS: Operator.LESS,
    selection_pb2.COMPARISON_OPERATOR_LESS_OR_EQUAL: Operator.LESS_OR_EQUAL,
    selection_pb2.COMPARISON_OPERATOR_GREATER: Operator.GREATER,
    selection_pb2.COMPARISON_OPERATOR_GREATER_OR_EQUAL: Operator.GREATER_OR_EQUAL,
    selection_pb2.COMPARISON_OPERATOR_HAS: Operator.HAS,
    selection_pb2.COMPARISON_OPERATOR_PRESENT: Operator.PRESENT,
}
_NUMBERS = {operator: number for number, operator in _OPERATORS.items()}


def node_of(message: selection_pb2.FilterNode, path: str, violations: list[Violation]) -> Node:
    """Return the tree that ``message``, the field ``path`` of a request, describes; it may have parameters.

    ``violations`` gets everything that is wrong; where it got something, the tree returned is of no use.
    """
    form = message.WhichOneof("node")
    if form == "all":
        return All(_nodes(message.all, f"{path}.all", violations))
    if form == "any":
        return Any(_nodes(message.any, f"{path}.any", violations))
    if form == "negation":
        return Not(node_of(message.negation, f"{path}.negation", violations))
    if form == "comparison":
        return _comparison(message.comparison, f"{path}.comparison", violations)
    if form == "history":
        return _history(message.history, f"{path}.history", violations)
    violations.append(Violation(path, "must be one of all, any, negation, comparison and history"))
    return EVERYTHING


def node_message(node: Node) -> selection_pb2.FilterNode:
    """Return ``node``, bound to attributes, for the wire."""
    if isinstance(node, All):
        return selection_pb2.FilterNode(all=selection_pb2.FilterNodes(nodes=map(node_message, node.nodes)))
    if isinstance(node, Any):
        return selection_pb2.FilterNode(any=selection_pb2.FilterNodes(nodes=map(node_message, node.nodes)))
    if isinstance(node, Not):
        return selection_pb2.FilterNode(negation=node_message(node.node))
    if isinstance(node, History):
        history = selection_pb2.HistoryPredicate(event_types=node.event_types)
        if node.lookback_s is not None:
            history.lookback.CopyFrom(Duration(seconds=int(node.lookback_s), nanos=int(node.lookback_s % 1.0 * 1e9)))
        return selection_pb2.FilterNode(history=history)
    message = selection_pb2.Comparison(field=node.field, operator=_NUMBERS[node.operator])
    _set_value(message, node.value)
    return selection_pb2.FilterNode(comparison=message)


def _nodes(message: selection_pb2.FilterNodes, path: str, violations: list[Violation]) -> tuple[Node, ...]:
    if not message.nodes:
        violations.append(Violation(f"{path}.nodes", "is empty; it must have a node at least"))
    return tuple(node_of(node, f"{path}.nodes[{n}]", violations) for n, node in enumerate(message.nodes))


def _comparison(message: selection_pb2.Comparison, path: str, violations: list[Violation]) -> Comparison:
    size = len(message.field.encode())
    if not 1 <= size <= MAX_FIELD_BYTES:
        violations.append(Violation(f"{path}.field", f"is {size} bytes long; 1 to {MAX_FIELD_BYTES} are allowed"))
    operator = _OPERATORS.get(message.operator)
    if operator is None:
        known = ", ".join(selection_pb2.ComparisonOperator.Name(number) for number in _OPERATORS)
        violations.append(Violation(f"{path}.operator", f"is {message.operator}; it must be one of {known}"))
        operator = Operator.EQUAL
    return Comparison(message.field, operator, _value(message, operator, path, violations))


def _value(message: selection_pb2.Comparison, operator: Operator, path: str, violations: list[Violation]) -> Value:
    form = message.WhichOneof("value")
    if (form is None) is not (operator is Operator.PRESENT):
        said = "takes no value" if form else "needs one of text, number, flag, texts, time and parameter"
        violations.append(Violation(f"{path}.{form or 'value'}", f"the operator {operator} {said}"))
        return None
    if form == "text":
        _check_texts([message.text], f"{path}.text", violations)
        return message.text
    if form == "texts":
        if not message.texts.values:
            violations.append(Violation(f"{path}.texts", "is empty; it must have a text at least"))
        _check_texts(message.texts.values, f"{path}.texts.values", violations)
        return tuple(message.texts.values)
    if form == "number":
        if not math.isfinite(message.number):
            violations.append(Violation(f"{path}.number", f"is {message.number}; it must be a finite number"))
        return message.number
    if form == "parameter":
        _check_parameter(message.parameter, f"{path}.parameter", violations)
        return Parameter(message.parameter)
    if form == "time":
        return moment_of(message.time, f"{path}.time", violations)
    return message.flag if form == "flag" else None


def _check_parameter(name: str, path: str, violations: list[Violation]) -> None:
    size = len(name.encode())
    if not 1 <= size <= MAX_PARAMETER_BYTES:
        violations.append(Violation(path, f"is {size} bytes long; 1 to {MAX_PARAMETER_BYTES} are allowed"))


def _check_texts(texts: Iterable[str], path: str, violations: list[Violation]) -> None:
    for n, text in enumerate(texts):
        if (size := len(text.encode())) > MAX_TEXT_BYTES:
            place = path if path.endswith(".text") else f"{path}[{n}]"
            violations.append(Violation(place, f"is {size} bytes long; at most {MAX_TEXT_BYTES} are allowed"))


def _history(message: selection_pb2.HistoryPredicate, path: str, violations: list[Violation]) -> History:
    types = tuple(message.event_types)
    if len(types) > MAX_EVENT_TYPES:
        violations.append(
            Violation(f"{path}.event_types", f"has {len(types)} types; at most {MAX_EVENT_TYPES} are allowed")
        )
        types = types[:MAX_EVENT_TYPES]
    if "" in types:
        violations.append(Violation(f"{path}.event_types[{types.index('')}]", "is empty"))
    names = tuple(message.parameters)
    for n, name in enumerate(names):
        _check_parameter(name, f"{path}.parameters[{n}]", violations)
    if message.lookback_parameter:
        _check_parameter(message.lookback_parameter, f"{path}.lookback_parameter", violations)
        if message.HasField("lookback"):
            violations.append(Violation(f"{path}.lookback", "is given beside `lookback_parameter`; leave one unset"))
        return History(types, None, names, message.lookback_parameter)
    if not message.HasField("lookback"):
        return History(types, None, names)
    return History(types, duration_of(message.lookback, f"{path}.lookback", violations), names)


def duration_of(message: Duration, path: str, violations: list[Violation]) -> float:
    """Return the seconds of ``message``, the field ``path`` of a request; ``violations`` gets what is wrong."""
    seconds, nanos = message.seconds, message.nanos
    duration_s = seconds + nanos / 1e9
    if abs(nanos) >= 1_000_000_000 or seconds * nanos < 0 or not 0.0 < duration_s <= LONGEST_S:
        violations.append(Violation(path, f"is {seconds} s and {nanos} ns; it must be in (0 s, {LONGEST_S:.0f} s]"))
    return duration_s


def moment_of(time: Timestamp, path: str, violations: list[Violation]) -> Moment:
    """Return the moment that ``time``, the field ``path`` of a request, is; ``violations`` gets what is wrong."""
    try:
        time.ToJsonString()  # knows the range, years 1 to 9999
    except ValueError:
        violations.append(Violation(path, f"of {time.seconds} s and {time.nanos} ns is no time of the years 1 to 9999"))
    return Moment((time.seconds * 1_000_000 + time.nanos // 1000) / 1e6)


def _set_value(message: selection_pb2.Comparison, value: Value) -> None:
    if isinstance(value, bool):
        message.flag = value
    elif isinstance(value, str):
        message.text = value
    elif isinstance(value, float):
        message.number = value
    elif isinstance(value, Moment):
        message.time.FromMicroseconds(round(value.time_s * 1e6))
    elif isinstance(value, tuple):
        message.texts.CopyFrom(actor_pb2.TextList(values=map(str, value)))
