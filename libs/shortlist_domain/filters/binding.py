"""Holds a tree against the attributes that there are: names, kinds, and what unquoted words mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime

from shortlist_domain.errors import Violation
from shortlist_domain.filters.tree import (
    ACTOR_PREFIX,
    ID,
    All,
    Any,
    AttributeKind,
    Comparison,
    Moment,
    Node,
    Not,
    Operator,
    Schema,
    Value,
    Word,
)

_ORDER = (Operator.LESS, Operator.LESS_OR_EQUAL, Operator.GREATER, Operator.GREATER_OR_EQUAL)
_LISTED = (Operator.EQUAL, Operator.HAS)
_SHOWN_NAMES = 50

_EXPECTED = {
    AttributeKind.TEXT: 'a text, as in "abc"',
    AttributeKind.TEXTS: 'a text, as in "abc"',
    AttributeKind.NUMBER: "a number without quotes, as in 1990",
    AttributeKind.FLAG: "true or false, without quotes",
    AttributeKind.TIME: "a time with its offset, as in 2024-01-31T12:00:00Z, or a date",
}


def bound(node: Node, schema: Schema, path: Callable[[str], str], violations: list[Violation]) -> Node:
    """Return ``node`` with every value of the kind of its attribute.

    Comparisons of the actor's attributes and histories stay as they are.

    Args:
        node: Tree within the limits, see :func:`shortlist_domain.filters.limit_violation`.
        schema: Attributes of the items.
        path: Turns a place in the tree, ``all.nodes[0].comparison.field``, into the path of a request's field.
        violations: Gets everything that is wrong; where it got something, the tree returned is of no use.
    """
    return _Binding(schema, path, violations).node(node, "")


class _Binding:
    def __init__(self, schema: Schema, path: Callable[[str], str], violations: list[Violation]) -> None:
        self._schema = schema
        self._path = path
        self._violations = violations
        self._position: int | None = None

    def node(self, node: Node, at: str) -> Node:
        if isinstance(node, All):
            return All(tuple(self.node(child, f"{at}all.nodes[{n}].") for n, child in enumerate(node.nodes)))
        if isinstance(node, Any):
            return Any(tuple(self.node(child, f"{at}any.nodes[{n}].") for n, child in enumerate(node.nodes)))
        if isinstance(node, Not):
            return Not(self.node(node.node, f"{at}negation."))
        if isinstance(node, Comparison):
            at, self._position = f"{at}comparison.", node.position
            return self._actors(node, at) if node.field.startswith(ACTOR_PREFIX) else self._items(node, at)
        return node

    def _wrong(self, at: str, description: str) -> None:
        where = "" if self._position is None else f" (at character {self._position + 1})"
        self._violations.append(Violation(self._path(at), description + where))

    def _actors(self, node: Comparison, at: str) -> Comparison:
        if isinstance(node.value, Moment):
            self._wrong(f"{at}time", f"compares {node.field!r} with a time; attributes of actors are texts")
        elif isinstance(node.value, tuple) and node.operator not in _LISTED:
            self._wrong(f"{at}texts", f"compares {node.field!r} with several texts by {node.operator}; = and : can")
        return node

    def _items(self, node: Comparison, at: str) -> Node:
        kind = AttributeKind.TEXT if node.field == ID else self._schema.get(node.field)
        if kind is None:
            self._wrong(f"{at}field", f"there is no attribute {node.field!r} to filter by; {self._known()}")
            return node
        if node.operator is Operator.PRESENT:
            return node
        if not self._can(node, kind, at):
            return node
        if not isinstance(node.value, tuple):
            return Comparison(node.field, node.operator, self._value(node, node.value, kind, at))
        values = tuple(self._value(node, value, kind, at) for value in node.value)
        if kind in (AttributeKind.TEXT, AttributeKind.TEXTS):
            return Comparison(node.field, node.operator, tuple(str(value) for value in values))
        return Any(tuple(Comparison(node.field, node.operator, value) for value in values))

    def _can(self, node: Comparison, kind: AttributeKind, at: str) -> bool:
        """Return whether attributes of ``kind`` can be compared by the operator, and note where not."""
        said = ""
        if kind is AttributeKind.TEXTS and node.operator is not Operator.HAS:
            said = f'{node.field!r} has several texts; write {node.field}:"..." for items that have one of them'
            if node.operator is Operator.NOT_EQUAL:
                said += f', NOT {node.field}:"..." for items that do not'
        elif node.operator in _ORDER and (kind is AttributeKind.FLAG or node.field == ID):
            said = f"{node.field!r} has no order; it can be compared by =, != and :"
        elif isinstance(node.value, tuple) and node.operator not in _LISTED:
            said = f"{node.field!r} is compared with several values by {node.operator}; = and : can do so"
        if said:
            self._wrong(f"{at}operator", said)
        return not said

    def _value(self, node: Comparison, value: Value, kind: AttributeKind, at: str) -> Value:
        found: Value
        if isinstance(value, Word):
            found = word_value(value.text, kind)
        else:
            is_time = kind is AttributeKind.TIME and isinstance(value, str)
            found = time_of(str(value)) if is_time else value if _is_of(value, kind) else None
        if found is None:
            given = value.text if isinstance(value, Word) else value
            described = f"{kind.value}" if kind is not AttributeKind.TEXTS else "list of texts"
            self._wrong(
                f"{at}{_form_of(node.value)}",
                f"{node.field!r} is a {described}: it is compared with {_EXPECTED[kind]}, not with {_shown(given)}",
            )
            return value
        return found

    def _known(self) -> str:
        names = [ID, *sorted(self._schema)]
        listed = ", ".join(f"{n} ({self._schema[n].value})" if n in self._schema else n for n in names[:_SHOWN_NAMES])
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        none = "; the bundle was made without item attributes to filter by" if len(names) == 1 else ""
        return f"there are {listed}{more}, and actor.<attribute>{none}"


def word_value(text: str, kind: AttributeKind) -> Value:
    """Return what the unquoted ``text`` means for an attribute of ``kind``, ``None`` where it means nothing."""
    if kind in (AttributeKind.TEXT, AttributeKind.TEXTS):
        return text
    if kind is AttributeKind.FLAG:
        return {"true": True, "false": False}.get(text)
    if kind is AttributeKind.NUMBER:
        return number_of(text)
    return time_of(text)


def number_of(text: str) -> float | None:
    """Return the finite number that ``text`` is, or ``None``."""
    if "_" in text:  # Python reads 1_000, nobody else does
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def time_of(text: str) -> Moment | None:
    """Return the moment that ``text`` is by RFC 3339 (a date alone: its midnight, UTC), or ``None``."""
    try:
        if len(text) == len("2024-01-31"):
            day = date.fromisoformat(text)
            return Moment(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else Moment(moment.timestamp())
    except (ValueError, OverflowError):
        return None


def _is_of(value: Value, kind: AttributeKind) -> bool:
    if kind is AttributeKind.NUMBER:
        return isinstance(value, float) and math.isfinite(value)
    if kind is AttributeKind.FLAG:
        return isinstance(value, bool)
    return isinstance(value, Moment if kind is AttributeKind.TIME else str)


def _form_of(value: Value) -> str:
    """Return the field of a comparison's message that holds ``value``."""
    if isinstance(value, tuple):
        return "texts"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, float):
        return "number"
    return "time" if isinstance(value, Moment) else "text"


def _shown(value: object) -> str:
    if isinstance(value, Moment):
        return "a time"
    text = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 80 else f"{text[:77]}..."
