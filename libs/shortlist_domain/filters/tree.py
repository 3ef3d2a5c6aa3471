"""The tree that a filter is, whichever way it was written.

A condition is three-valued, as in SQL: a comparison with a value that an item does not have is neither true nor false,
its negation is not either, and only what is true lets an item pass. An attribute of several texts is never missing: an
item without any contains none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

ID = "id"
"""The attribute that every item has: its external id."""

ACTOR_PREFIX = "actor."
"""What the names of the actor's attributes begin with."""

MAX_DEPTH = 16
"""Levels of a tree; a comparison alone is one."""

MAX_CHILDREN = 100
"""Children of one node."""

MAX_NODES = 1000
"""Nodes of a tree, all levels together."""

MAX_TEXTS = 1000
"""Texts of one comparison."""

MAX_EVENT_TYPES = 100
"""Types of event of one history."""

MAX_EXPRESSION_BYTES = 5000
"""Length of an expression in UTF-8."""


class AttributeKind(StrEnum):
    """What an item attribute holds."""

    TEXT = "text"
    TEXTS = "texts"
    """Several texts, a set."""

    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"


Schema: TypeAlias = Mapping[str, AttributeKind]
"""Attributes that can be filtered by, without :data:`ID`."""


class Operator(StrEnum):
    """How an attribute and a value are compared, by their signs in expressions."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    HAS = ":"
    """Several texts contain the value; of one value: it equals it."""

    PRESENT = ":*"
    """There is a value; none is given to compare with."""


@dataclass(frozen=True, slots=True)
class Word:
    """An unquoted value of an expression. It is of the kind of what it is compared with."""

    text: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time."""

    time_s: float
    """Seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The place of a value that comes later; see :mod:`shortlist_domain.filters.parameters`."""

    name: str
    """Without the ``$`` that it has in expressions."""


Value: TypeAlias = "str | float | bool | Moment | Word | Parameter | tuple[str | Word | Parameter, ...] | None"
"""What an attribute is compared with; several texts: one of them. ``None`` belongs to PRESENT."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute compared with a value."""

    field: str
    """Name of an item attribute, or of the actor's after :data:`ACTOR_PREFIX`."""

    operator: Operator
    value: Value = None
    position: int | None = dataclasses.field(default=None, compare=False)
    """Where it begins in the expression that it was written in, from 0; for messages alone."""


@dataclass(frozen=True, slots=True)
class History:
    """The actor has an event on the item."""

    event_types: tuple[str, ...] = ()
    """Types that count; empty: every type."""

    lookback_s: float | None = None
    """How far back, above 0; ``None``: for ever."""

    parameters: tuple[str, ...] = ()
    """Names of the parameters that stand for further types."""

    lookback_parameter: str = ""
    """Name of the parameter that stands for the lookback; empty: none does."""


@dataclass(frozen=True, slots=True)
class All:
    """Every node holds."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one node holds."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The node does not hold."""

    node: Node


Node: TypeAlias = "All | Any | Not | Comparison | History"

EVERYTHING = All(())
"""What every item passes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a tree may be."""

    depth: int = MAX_DEPTH
    children: int = MAX_CHILDREN
    nodes: int = MAX_NODES
    texts: int = MAX_TEXTS


CALLERS = Limits()
"""For trees as callers write them."""


def limit_violation(node: Node, limits: Limits = CALLERS) -> str | None:
    """Return what is too large of ``node``, or ``None``. Works on a tree of any depth."""
    level, depth, count = [node], 0, 0
    while level:
        depth += 1
        count += len(level)
        if depth > limits.depth:
            return f"is nested deeper than {limits.depth} levels"
        if count > limits.nodes:
            return f"has more than {limits.nodes} conditions"
        below: list[Node] = []
        for each in level:
            if isinstance(each, All | Any):
                if len(each.nodes) > limits.children:
                    return f"joins {len(each.nodes)} conditions at one place; at most {limits.children} are allowed"
                below.extend(each.nodes)
            elif isinstance(each, Not):
                below.append(each.node)
            elif isinstance(each, History) and len(each.event_types) > MAX_EVENT_TYPES:
                return (
                    f"names {len(each.event_types)} types of event at one place; at most {MAX_EVENT_TYPES} are allowed"
                )
            elif isinstance(each, Comparison) and isinstance(each.value, tuple) and len(each.value) > limits.texts:
                return f"compares {each.field!r} with {len(each.value)} texts; at most {limits.texts} are allowed"
        level = below
    return None
