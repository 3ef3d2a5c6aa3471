"""Parameters of filters: places in a tree for values that come later, and stay values whatever they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Anything

from shortlist_domain.filters.tree import All, Any, AttributeKind, Comparison, Moment, Node, Not, Parameter, Value

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

    def sample(self) -> Node:
        """Return the tree with some value for every parameter."""
        return with_values(self.node, {name: SAMPLES[kind] for name, kind in self.parameters.items()})


def parameters_of(node: Node) -> tuple[str, ...]:
    """Return the names of the parameters in ``node``, each once, in the order in which they stand there."""
    return tuple(dict.fromkeys(_names(node)))


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
    return node


def _filled(value: Value, values: Mapping[str, Value]) -> Value:
    if isinstance(value, Parameter):
        return values[value.name]
    if isinstance(value, tuple):
        several: list[Anything] = []
        for each in value:
            given = values[each.name] if isinstance(each, Parameter) else each
            several.extend(given if isinstance(given, tuple) else (given,))
        return tuple(several)
    return value


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, All | Any):
        for child in node.nodes:
            yield from _names(child)
    elif isinstance(node, Not):
        yield from _names(node.node)
    elif isinstance(node, Comparison):
        for value in node.value if isinstance(node.value, tuple) else (node.value,):
            if isinstance(value, Parameter):
                yield value.name
