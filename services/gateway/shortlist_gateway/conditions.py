"""The conditions of a query, its filter and those of its rules: what they say in the bundle that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shortlist_domain.filters import Node, Schema
from shortlist_gateway.filters.condition import bound_condition, moved
from shortlist_gateway.query import Query
from shortlist_gateway.slate.rules import Boost, Promotion


@dataclass(frozen=True, slots=True)
class Conditions:
    """Canonical trees over items with the attributes of one bundle."""

    filter: Node | None
    promotions: Sequence[Node]
    """One each promotion."""

    boosts: Sequence[Node]
    """One each boost."""


def bound_conditions(query: Query, schema: Schema) -> Conditions:
    """Return the conditions of ``query`` in a bundle whose items have the attributes of ``schema``.

    Raises:
        InvalidRequest: One does not suit them.
    """
    rules = query.rules
    return Conditions(
        bound_condition(query.filter, schema), _bound(rules.promotions, schema), _bound(rules.boosts, schema)
    )


def _bound(rules: Sequence[Promotion | Boost], schema: Schema) -> list[Node]:
    return [node for rule in rules if (node := bound_condition(rule.condition, schema)) is not None]


def moved_conditions(query: Query, path: str) -> Query:
    """Return ``query`` of a request that is itself the field ``path`` of another: its conditions are found there."""
    rules = query.rules
    if rules.promotions or rules.boosts:
        rules = replace(
            rules,
            promotions=tuple(replace(p, condition=moved(p.condition, path) or p.condition) for p in rules.promotions),
            boosts=tuple(replace(b, condition=moved(b.condition, path) or b.condition) for b in rules.boosts),
        )
    return replace(query, filter=moved(query.filter, path), rules=rules)
