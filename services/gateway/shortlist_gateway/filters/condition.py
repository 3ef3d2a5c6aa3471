"""A request's filter: read from its message, then held against the attributes of the bundle that answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from shortlist.common.v1 import selection_pb2
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.filters import (
    EVERYTHING,
    All,
    Any,
    AttributeKind,
    History,
    Node,
    Not,
    Schema,
    bound,
    canonical,
    limit_violation,
)
from shortlist_domain.stages import IMPRESSION
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.expression import CACHED_EXPRESSIONS, ExpressionRefused, parsed
from shortlist_rpc.filter_message import node_of

_POLICIES = (
    selection_pb2.EMPTY_POLICY_UNSPECIFIED,
    selection_pb2.EMPTY_POLICY_RETURN_EMPTY,
    selection_pb2.EMPTY_POLICY_RELAX_FILTER,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter whose form is right; whether its attributes are there is the bundle's to say."""

    path: str
    """Field of the request that it came from."""

    node: Node
    """Its tree, as written."""

    expression: str | None = None
    """The text it was written as, ``None`` where it came as a tree."""

    is_relaxed: bool = False
    """Whether it is dropped where nothing passes."""

    needs_impressions: bool = False
    """Whether it depends on what the actor was shown."""


def condition_of(message: selection_pb2.Filter, path: str, checks: Checks) -> Condition:
    """Return the filter that ``message``, the field ``path`` of a request, describes; ``checks`` gets what is wrong."""
    if message.on_empty == selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG:
        checks.wrong(f"{path}.on_empty", "EMPTY_POLICY_FALLBACK_CONFIG is not honoured by this release")
    elif message.on_empty not in _POLICIES:
        checks.wrong(f"{path}.on_empty", f"is {message.on_empty}; it must be RETURN_EMPTY or RELAX_FILTER")
    is_relaxed = message.on_empty == selection_pb2.EMPTY_POLICY_RELAX_FILTER
    form = message.WhichOneof("condition")
    if form == "expression":
        path = f"{path}.expression"
        try:
            node = parsed(message.expression)
        except ExpressionRefused as error:
            checks.wrong(path, str(error))
            return Condition(path, EVERYTHING)
        return Condition(path, node, message.expression, is_relaxed, _asks_for_impressions(node))
    if form == "ast":
        path = f"{path}.ast"
        node = node_of(message.ast, path, checks.violations)
        if said := limit_violation(node):
            checks.wrong(path, said)
            return Condition(path, EVERYTHING)
        return Condition(path, node, None, is_relaxed, _asks_for_impressions(node))
    if form == "named":
        checks.wrong(f"{path}.named", "is not honoured by this release; use expression or ast")
    else:
        checks.wrong(path, "must be one of expression and ast")
    return Condition(path, EVERYTHING)


def _asks_for_impressions(node: Node) -> bool:
    if isinstance(node, All | Any):
        return any(map(_asks_for_impressions, node.nodes))
    if isinstance(node, Not):
        return _asks_for_impressions(node.node)
    return isinstance(node, History) and IMPRESSION in node.event_types


def moved(condition: Condition | None, path: str) -> Condition | None:
    """Return ``condition`` of a request that is itself the field ``path`` of another."""
    return None if condition is None else replace(condition, path=f"{path}.{condition.path}")


def bound_condition(condition: Condition | None, schema: Schema) -> Node | None:
    """Return the canonical tree of ``condition`` over items with the attributes of ``schema``; of none, none.

    Raises:
        InvalidRequest: It names an attribute that there is not, or compares one with a value of another kind.
    """
    if condition is None:
        return None
    if condition.expression is not None:
        return _of_expression(condition.path, condition.expression, tuple(sorted(schema.items())))
    return _bound(condition.node, schema, f"{condition.path}.{{}}")


@lru_cache(maxsize=CACHED_EXPRESSIONS)
def _of_expression(path: str, expression: str, schema: tuple[tuple[str, AttributeKind], ...]) -> Node:
    return _bound(parsed(expression), dict(schema), path)


def _bound(node: Node, schema: Schema, path: str) -> Node:
    violations: list[Violation] = []
    tied = bound(node, schema, path.format, violations)
    if violations:
        raise InvalidRequest(*violations)
    return canonical(tied, schema)
