"""What a filter says of the actor, put as what it says of items: constants, rows, and the conditions that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shortlist_domain.filters import (
    ACTOR_PREFIX,
    EVERYTHING,
    ID,
    NOTHING,
    All,
    Any,
    Comparison,
    History,
    Node,
    Not,
    Operator,
    Word,
    canonical,
)
from shortlist_domain.filters.binding import number_of
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Resolved:
    """A filter about items alone."""

    node: Node
    """Canonical tree of the conditions on attributes; :data:`EVERYTHING` and :data:`NOTHING` where none is left."""

    excluded: frozenset[int] = frozenset()
    """Rows that do not pass."""

    allowed: frozenset[int] | None = None
    """Rows that alone pass, ``None`` for all."""


def resolved(node: Node, actor: KnownActor, catalogue: Catalogue) -> Resolved:
    """Return the canonical tree ``node`` as it is for ``actor``.

    A history that must or must not hold becomes rows; one among alternatives becomes a list of ids. An attribute that
    the actor does not have is a missing value.
    """
    if not speaks_of_actors(node):
        return Resolved(node)
    kept: list[Node] = []
    excluded: frozenset[int] = frozenset()
    allowed: frozenset[int] | None = None
    for child in node.nodes if isinstance(node, All) else (node,):
        if isinstance(child, History):
            rows = actor.seen(child.event_types, child.lookback_s)
            allowed = rows if allowed is None else allowed & rows
        elif isinstance(child, Not) and isinstance(child.node, History):
            excluded |= actor.seen(child.node.event_types, child.node.lookback_s)
        else:
            kept.append(_about_items(child, actor, catalogue))
    return Resolved(canonical(All(tuple(kept)), catalogue.attributes.schema), excluded, allowed)


def speaks_of_actors(node: Node) -> bool:
    """Return whether ``node`` depends on who asks."""
    if isinstance(node, All | Any):
        return any(map(speaks_of_actors, node.nodes))
    if isinstance(node, Not):
        return speaks_of_actors(node.node)
    return isinstance(node, History) or node.field.startswith(ACTOR_PREFIX)


def asks_for_history(node: Node) -> bool:
    """Return whether ``node`` depends on what the actor has done."""
    if isinstance(node, All | Any):
        return any(map(asks_for_history, node.nodes))
    return asks_for_history(node.node) if isinstance(node, Not) else isinstance(node, History)


def _about_items(node: Node, actor: KnownActor, catalogue: Catalogue) -> Node:
    if isinstance(node, All | Any):
        return type(node)(tuple(_about_items(child, actor, catalogue) for child in node.nodes))
    is_negated = isinstance(node, Not)
    leaf = node.node if isinstance(node, Not) else node
    if isinstance(leaf, History):
        ids = tuple(map(catalogue.item_id, actor.seen(leaf.event_types, leaf.lookback_s)))
        form: Node = Comparison(ID, Operator.EQUAL, ids) if ids else NOTHING
        return Not(form) if is_negated else form
    if isinstance(leaf, Comparison) and leaf.field.startswith(ACTOR_PREFIX):
        holds = _holds(leaf, actor)
        return EVERYTHING if holds is not None and holds is not is_negated else NOTHING
    return node


def _holds(leaf: Comparison, actor: KnownActor) -> bool | None:
    """Return whether ``leaf`` is true of the actor, ``None`` where it is neither true nor false."""
    name = leaf.field[len(ACTOR_PREFIX) :]
    several = actor.features_in_truth.chosen.get(name)
    own = actor.features_in_truth.attributes.get(name)
    if leaf.operator is Operator.PRESENT:
        return own is not None or bool(several)
    if several is not None:
        if leaf.operator is not Operator.HAS:
            return None
        return any(_is_one_of(leaf, each) for each in several)
    if own is None:
        return None
    if leaf.operator in _ORDER:
        number, value = number_of(own), _number(leaf)
        return None if number is None or value is None else _ORDER[leaf.operator](number, value)
    found = _is_one_of(leaf, own)
    return not found if leaf.operator is Operator.NOT_EQUAL else found


def _is_one_of(leaf: Comparison, own: str) -> bool:
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    return any(_is_same(own, value) for value in values)


def _is_same(own: str, value: object) -> bool:
    """Return whether an attribute, kept as text, is ``value``; numbers are compared as such where both are."""
    if isinstance(value, bool):
        return own == ("true" if value else "false")
    if isinstance(value, str):
        return own == value
    if isinstance(value, Word):
        number = number_of(value.text)
        return own == value.text or (number is not None and number_of(own) == number)
    return number_of(own) == value


def _number(leaf: Comparison) -> float | None:
    if isinstance(leaf.value, Word | str):
        return number_of(leaf.value if isinstance(leaf.value, str) else leaf.value.text)
    return leaf.value if isinstance(leaf.value, float) else None


_ORDER: dict[Operator, Callable[[float, float], bool]] = {
    Operator.LESS: lambda one, other: one < other,
    Operator.LESS_OR_EQUAL: lambda one, other: one <= other,
    Operator.GREATER: lambda one, other: one > other,
    Operator.GREATER_OR_EQUAL: lambda one, other: one >= other,
}
