"""One tree for all that mean the same by their form: negations at the leaves, joins flat, sorted, without repeats.

Negations move down by De Morgan's laws, which hold in three-valued logic too. At the leaves, ``Not`` of an order
becomes the opposite order; of a value that is missing, both are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable

from shortlist_domain.filters.tree import (
    ACTOR_PREFIX,
    EVERYTHING,
    All,
    Any,
    AttributeKind,
    Comparison,
    Node,
    Not,
    Operator,
    Schema,
)

NOTHING = Any(())
"""What no item passes."""

_OPPOSITE = {
    Operator.EQUAL: Operator.NOT_EQUAL,
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.LESS: Operator.GREATER_OR_EQUAL,
    Operator.GREATER_OR_EQUAL: Operator.LESS,
    Operator.GREATER: Operator.LESS_OR_EQUAL,
    Operator.LESS_OR_EQUAL: Operator.GREATER,
}


def canonical(node: Node, schema: Schema) -> Node:
    """Return the canonical form of a bound tree; equal forms let the same items pass.

    ``Not`` is left only over HAS and PRESENT and over comparisons with several texts, and over histories.
    """
    return _form(node, schema, is_negated=False)


def _form(node: Node, schema: Schema, *, is_negated: bool) -> Node:
    if isinstance(node, Not):
        return _form(node.node, schema, is_negated=not is_negated)
    if isinstance(node, All | Any):
        children = (_form(child, schema, is_negated=is_negated) for child in node.nodes)
        return _joined(children, is_all=isinstance(node, All) is not is_negated)
    if isinstance(node, Comparison):
        return _comparison(node, schema, is_negated=is_negated)
    return Not(node) if is_negated else node


def _comparison(node: Comparison, schema: Schema, *, is_negated: bool) -> Node:
    operator, value = node.operator, node.value
    if isinstance(value, tuple):
        texts = tuple(sorted(set(value), key=repr))
        value = texts[0] if len(texts) == 1 else texts
    is_single = schema.get(node.field) is not AttributeKind.TEXTS and not node.field.startswith(ACTOR_PREFIX)
    if operator is Operator.HAS and is_single:
        operator = Operator.EQUAL  # the same thing where there is one value
    if is_negated and operator in _OPPOSITE and not isinstance(value, tuple):
        return Comparison(node.field, _OPPOSITE[operator], value)
    form = Comparison(node.field, operator, value)
    return Not(form) if is_negated else form


def _joined(children: Iterable[Node], *, is_all: bool) -> Node:
    kind, other = (All, Any) if is_all else (Any, All)
    flat: dict[str, Node] = {}
    for child in children:
        if isinstance(child, other) and not child.nodes:
            return child  # NOTHING among all, EVERYTHING among any
        for part in child.nodes if isinstance(child, kind) else (child,):
            flat[repr(part)] = part  # by form: 1.0 equals True
    if len(flat) == 1:
        return next(iter(flat.values()))
    if not flat:
        return EVERYTHING if is_all else NOTHING
    return kind(tuple(flat[key] for key in sorted(flat)))
