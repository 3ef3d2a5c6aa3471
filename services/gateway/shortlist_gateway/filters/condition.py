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
    parameters_of,
)
from shortlist_domain.stages import IMPRESSION
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.expression import CACHED_EXPRESSIONS, ExpressionRefused, parsed
from shortlist_gateway.filters.named import named_node
from shortlist_gateway.filters.templates import NO_TEMPLATES, Templates
from shortlist_rpc.filter_message import node_of


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter whose form is right; whether its attributes are there is the bundle's to say."""

    path: str
    """Field of the request that it came from."""

    node: Node
    """Its tree, as written."""

    expression: str | None = None
    """The text it was written as, ``None`` where it came otherwise."""

    is_relaxed: bool = False
    """Whether it is dropped where nothing passes."""

    needs_impressions: bool = False
    """Whether it depends on what the actor was shown."""

    place: str = ""
    """What follows the path where a place in the tree is named: ``.{}``."""

    named: Condition | None = None
    """The named filter that holds as well, where the request has both."""


def condition_of(
    message: selection_pb2.Filter, path: str, checks: Checks, templates: Templates = NO_TEMPLATES
) -> Condition:
    """Return the filter that ``message``, the field ``path`` of a request, describes; ``checks`` gets what is wrong.

    Args:
        message: The filter.
        path: Where it stands.
        checks: Gets what is wrong.
        templates: Filters that the request may name.
    """
    if message.on_empty not in selection_pb2.EmptyPolicy.values():
        allowed = "RETURN_EMPTY, RELAX_FILTER or FALLBACK_CONFIG"
        checks.wrong(f"{path}.on_empty", f"is {message.on_empty}; it must be {allowed}")
    is_relaxed = message.on_empty == selection_pb2.EMPTY_POLICY_RELAX_FILTER
    own = _own(message, path, checks)
    if not message.HasField("named"):
        if own is None:
            checks.wrong(
                path, "must be one of expression and ast, or named, or both; an empty expression lets everything pass"
            )
            own = Condition(path, EVERYTHING)
        return replace(own, is_relaxed=True) if is_relaxed else own
    at = f"{path}.named"
    node = named_node(message.named, templates, at, checks)
    named = Condition(at, node, is_relaxed=is_relaxed, needs_impressions=_asks_for_impressions(node))
    if own is None:
        return named
    needs_impressions = own.needs_impressions or named.needs_impressions
    return replace(own, is_relaxed=is_relaxed, needs_impressions=needs_impressions, named=named)


def _own(message: selection_pb2.Filter, path: str, checks: Checks) -> Condition | None:
    """Return what the request itself says, ``None`` where it names a filter alone."""
    form = message.WhichOneof("condition")
    if form is None:
        return None
    path = f"{path}.{form}"
    node: Node = EVERYTHING
    if form == "expression":
        try:
            node = parsed(message.expression)
        except ExpressionRefused as error:
            checks.wrong(path, str(error))
    else:
        node = node_of(message.ast, path, checks.violations)
        if said := limit_violation(node):
            checks.wrong(path, said)
            return Condition(path, EVERYTHING)
    if names := list(parameters_of(node)):
        said = f"names the parameter ${names[0]}; only filters that a serving config keeps have parameters"
        checks.wrong(path, said if form == "ast" else f"{said}, and a text that begins so is quoted")
        return Condition(path, EVERYTHING)
    expression, place = (message.expression, "") if form == "expression" else (None, ".{}")
    return Condition(path, node, expression, needs_impressions=_asks_for_impressions(node), place=place)


def _asks_for_impressions(node: Node) -> bool:
    if isinstance(node, All | Any):
        return any(map(_asks_for_impressions, node.nodes))
    if isinstance(node, Not):
        return _asks_for_impressions(node.node)
    return isinstance(node, History) and IMPRESSION in node.event_types


def moved(condition: Condition | None, path: str) -> Condition | None:
    """Return ``condition`` of a request that is itself the field ``path`` of another."""
    if condition is None:
        return None
    return replace(condition, path=f"{path}.{condition.path}", named=moved(condition.named, path))


def bound_condition(condition: Condition | None, schema: Schema) -> Node | None:
    """Return the canonical tree of ``condition`` over items with the attributes of ``schema``; of none, none.

    Raises:
        InvalidRequest: It names an attribute that there is not, or compares one with a value of another kind.
    """
    if condition is None:
        return None
    if condition.expression is not None:
        own = _of_expression(condition.path, condition.expression, tuple(sorted(schema.items())))
    else:
        own = _bound(condition.node, schema, condition.path + condition.place)
    named = bound_condition(condition.named, schema)
    return own if named is None else canonical(All((own, named)), schema)


@lru_cache(maxsize=CACHED_EXPRESSIONS)
def _of_expression(path: str, expression: str, schema: tuple[tuple[str, AttributeKind], ...]) -> Node:
    return _bound(parsed(expression), dict(schema), path)


def _bound(node: Node, schema: Schema, path: str) -> Node:
    violations: list[Violation] = []
    tied = bound(node, schema, path.format, violations)
    if violations:
        raise InvalidRequest(*violations)
    return canonical(tied, schema)
