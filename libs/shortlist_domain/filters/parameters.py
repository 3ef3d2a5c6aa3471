"""Parameters of filters: places in a tree for values that come later, and stay values whatever they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any as Anything

from shortlist_domain.filters.tree import (
    All,
    Any,
    Comparison,
    History,
    Moment,
    Node,
    Not,
    Parameter,
    Value,
)


class ParameterKind(StrEnum):
    """What a parameter's values are: those of attributes, and durations."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"
    DURATION = "duration"
    """In seconds, above 0."""


class Role(StrEnum):
    """What a parameter stands for, in words."""

    VALUE = "what an attribute is compared with"
    TYPE = "a type of event"
    LOOKBACK = "a lookback"


ROLES: Mapping[Role, frozenset[ParameterKind]] = {
    Role.VALUE: frozenset(ParameterKind) - {ParameterKind.DURATION},
    Role.TYPE: frozenset((ParameterKind.TEXT, ParameterKind.TEXTS)),
    Role.LOOKBACK: frozenset((ParameterKind.DURATION,)),
}
"""Kinds that suit each."""

SAMPLES: Mapping[ParameterKind, Value] = {
    ParameterKind.TEXT: "a text",
    ParameterKind.TEXTS: ("a text", "another text"),
    ParameterKind.NUMBER: 0.0,
    ParameterKind.FLAG: True,
    ParameterKind.TIME: Moment(0.0),
    ParameterKind.DURATION: 1.0,
}
"""A value of each kind, to hold a tree against attributes before there are values, and to say what does not suit."""


@dataclass(frozen=True, slots=True)
class Template:
    """A tree with parameters."""

    node: Node
    parameters: Mapping[str, ParameterKind]
    """Kind of each by its name; every one that stands in the tree."""

    type_parameters: frozenset[str] = frozenset()
    """Those that stand for types of event: a text is not empty there."""

    def sample(self) -> Node:
        """Return the tree with some value for every parameter."""
        return with_values(self.node, {name: SAMPLES[kind] for name, kind in self.parameters.items()})


def parameters_of(node: Node) -> Mapping[str, frozenset[Role]]:
    """Return what the parameters in ``node`` stand for, by name, in the order in which they stand there."""
    roles: dict[str, frozenset[Role]] = {}
    for name, role in _named(node):
        roles[name] = roles.get(name, frozenset()) | {role}
    return roles


def with_values(node: Node, values: Mapping[str, Value]) -> Node:
    """Return ``node`` with the value of each parameter in its place.

    A value becomes a value of the tree, never a part of its form: no text in it is read as one of the language. Several
    texts in the place of one among several become some of these.

    Args:
        node: Tree within the limits, see :func:`shortlist_domain.filters.limit_violation`; so need what is returned be.
        values: By name, of every parameter in the tree.
    """
    if isinstance(node, All):
        return All(tuple(with_values(child, values) for child in node.nodes))
    if isinstance(node, Any):
        return Any(tuple(with_values(child, values) for child in node.nodes))
    if isinstance(node, Not):
        return Not(with_values(node.node, values))
    if isinstance(node, Comparison):
        return Comparison(node.field, node.operator, _filled(node.value, values))
    if not node.parameters and not node.lookback_parameter:
        return node
    types = (*node.event_types, *map(Parameter, node.parameters))
    given = values[node.lookback_parameter] if node.lookback_parameter else None
    return History(tuple(map(str, _listed(types, values))), given if isinstance(given, float) else node.lookback_s)


def _filled(value: Value, values: Mapping[str, Value]) -> Value:
    if isinstance(value, Parameter):
        return values[value.name]
    return _listed(value, values) if isinstance(value, tuple) else value


def _listed(several: tuple[Anything, ...], values: Mapping[str, Value]) -> tuple[Anything, ...]:
    listed: list[Anything] = []
    for each in several:
        given = values[each.name] if isinstance(each, Parameter) else each
        listed.extend(given if isinstance(given, tuple) else (given,))
    return tuple(listed)


def _named(node: Node) -> Iterator[tuple[str, Role]]:
    for leaf in _leaves(node):
        if isinstance(leaf, History):
            yield from ((name, Role.TYPE) for name in leaf.parameters)
            if leaf.lookback_parameter:
                yield leaf.lookback_parameter, Role.LOOKBACK
        else:
            listed = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
            yield from ((value.name, Role.VALUE) for value in listed if isinstance(value, Parameter))


def _leaves(node: Node) -> Iterator[Comparison | History]:
    if isinstance(node, All | Any):
        for child in node.nodes:
            yield from _leaves(child)
    elif isinstance(node, Not):
        yield from _leaves(node.node)
    else:
        yield node
