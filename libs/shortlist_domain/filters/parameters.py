"""Parameters of filters: places in a tree for values that come later, and stay values whatever they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Anything

from shortlist_domain.filters.tree import (
    All,
    Any,
    AttributeKind,
    Comparison,
    History,
    Moment,
    Node,
    Not,
    Parameter,
    Value,
)

SAMPLES: Mapping[AttributeKind, Value] = {
    AttributeKind.TEXT: "a text",
    AttributeKind.TEXTS: ("a text", "another text"),
    AttributeKind.NUMBER: 0.0,
    AttributeKind.FLAG: True,
    AttributeKind.TIME: Moment(0.0),
}
"""A value of each kind, to hold a tree against attributes before there are values, and to say what does not suit."""


@dataclass(frozen=True, slots=True)
class Template:
    """A tree with parameters."""

    node: Node
    parameters: Mapping[str, AttributeKind]
    """Kind of each by its name; every one that stands in the tree."""

    type_parameters: frozenset[str] = frozenset()
    """Those that stand for types of event: a text is not empty there."""

    def sample(self) -> Node:
        """Return the tree with some value for every parameter."""
        return with_values(self.node, {name: SAMPLES[kind] for name, kind in self.parameters.items()})


def parameters_of(node: Node) -> tuple[str, ...]:
    """Return the names of the parameters in ``node``, each once, in the order in which they stand there."""
    return tuple(dict.fromkeys(_names(node)))


def type_parameters_of(node: Node) -> frozenset[str]:
    """Return the names of the parameters in ``node`` that stand for types of event."""
    return frozenset(name for leaf in _leaves(node) if isinstance(leaf, History) for name in leaf.parameters)


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
    if not node.parameters:
        return node
    types = (*node.event_types, *map(Parameter, node.parameters))
    return History(tuple(map(str, _listed(types, values))), node.lookback_s)


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


def _names(node: Node) -> Iterator[str]:
    for leaf in _leaves(node):
        if isinstance(leaf, History):
            yield from leaf.parameters
        else:
            listed = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
            yield from (value.name for value in listed if isinstance(value, Parameter))


def _leaves(node: Node) -> Iterator[Comparison | History]:
    if isinstance(node, All | Any):
        for child in node.nodes:
            yield from _leaves(child)
    elif isinstance(node, Not):
        yield from _leaves(node.node)
    else:
        yield node
