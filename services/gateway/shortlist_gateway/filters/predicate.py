"""Whether items pass a filter, read from the bundle's columns: one by one, or many a column at a time."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from typing import Any as Anything

from shortlist_bundle.item_attributes import Column
from shortlist_domain.filters import (
    ID,
    All,
    Any,
    AttributeKind,
    Comparison,
    Moment,
    Node,
    Not,
    Operator,
)
from shortlist_gateway.catalogue import Catalogue

Predicate = Callable[[int], bool]
"""Row of an item to whether it passes."""

_NAN_IS_MISSING = (AttributeKind.NUMBER, AttributeKind.TIME)

_COMPARED: Mapping[Operator, Callable[[Anything, Anything], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}


def predicate(node: Node, catalogue: Catalogue) -> Predicate:
    """Return what ``node``, a canonical tree about items alone, lets pass: just what retrieval lets pass."""
    if isinstance(node, All | Any):
        parts = [predicate(child, catalogue) for child in node.nodes]
        of_parts = all if isinstance(node, All) else any
        return lambda row: of_parts(part(row) for part in parts)
    leaf, wanted = _leaf(node)
    truth = _by_id(leaf, catalogue) if leaf.field == ID else _truth(leaf, catalogue.attributes.columns[leaf.field])
    return lambda row: truth(row) is wanted


def passing(node: Node, catalogue: Catalogue, rows: Collection[int]) -> set[int]:
    """Return those of ``rows`` of which :func:`predicate` of the same tree is true, in a fraction of the time."""
    if isinstance(node, All):
        left = set(rows)
        for child in node.nodes:
            left = passing(child, catalogue, left)
        return left
    if isinstance(node, Any):
        found: set[int] = set()
        for child in node.nodes:
            found |= passing(child, catalogue, set(rows) - found)
        return found
    leaf, wanted = _leaf(node)
    if leaf.field == ID:
        passes = _by_id(leaf, catalogue)
        return {row for row in rows if passes(row) is wanted}
    column = catalogue.attributes.columns[leaf.field]
    values = column.values
    if column.kind is AttributeKind.TEXTS:
        contains = _contains(leaf, column)
        return {row for row in rows if contains(row) is wanted}
    if column.kind in _NAN_IS_MISSING:
        known = [(row, own) for row in rows if (own := values[row]) == own]
    else:
        known = [(row, own) for row in rows if (own := values[row]) >= 0]
    if leaf.operator is Operator.PRESENT:
        present = {row for row, _ in known}
        return present if wanted else set(rows) - present
    holds = _holds(leaf, column)
    return {row for row, own in known if holds(own) is wanted}


def _leaf(node: Node) -> tuple[Comparison, bool]:
    """Return the comparison of a leaf, and what it has to be."""
    leaf = node.node if isinstance(node, Not) else node
    if not isinstance(leaf, Comparison):
        raise TypeError(f"{type(leaf).__name__} is not a leaf of a canonical tree about items")
    return leaf, not isinstance(node, Not)


def _by_id(leaf: Comparison, catalogue: Catalogue) -> Callable[[int], bool | None]:
    if leaf.operator is Operator.PRESENT:
        return lambda row: True
    texts = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    rows = set(catalogue.rows([str(text) for text in texts]))
    is_among = leaf.operator is not Operator.NOT_EQUAL
    return lambda row: (row in rows) is is_among


def _truth(leaf: Comparison, column: Column) -> Callable[[int], bool | None]:
    """Return what ``leaf`` is of a row: true, false, or ``None`` where the value is missing."""
    if column.kind is AttributeKind.TEXTS:
        return _contains(leaf, column)
    values = column.values
    if column.kind in _NAN_IS_MISSING:
        is_known: Predicate = lambda row: values[row] == values[row]  # noqa: E731 - NaN is missing
    else:
        is_known = lambda row: values[row] >= 0  # noqa: E731
    if leaf.operator is Operator.PRESENT:
        return is_known
    holds = _holds(leaf, column)
    return lambda row: holds(values[row]) if is_known(row) else None


def _holds(leaf: Comparison, column: Column) -> Callable[[Anything], bool]:
    """Return what ``leaf`` is of a value of ``column`` that is there."""
    if column.kind is not AttributeKind.TEXT:
        compare = _COMPARED[leaf.operator]
        value = leaf.value.time_s if isinstance(leaf.value, Moment) else leaf.value
        return lambda own: compare(own, value)
    if isinstance(leaf.value, tuple):
        codes = {column.code(str(text)) for text in leaf.value}
        return lambda own: own in codes
    low, high = column.codes(leaf.operator, str(leaf.value))
    is_inside = leaf.operator is not Operator.NOT_EQUAL
    return lambda own: (low <= own < high) is is_inside


def _contains(leaf: Comparison, column: Column) -> Predicate:
    rows = column.rows
    if rows is None:
        return lambda row: False
    if leaf.operator is Operator.PRESENT:
        having = set(rows)
        return lambda row: row in having
    texts = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    codes = [code for text in texts if (code := column.code(str(text))) is not None]
    ranges = [(column.values[code], column.values[code + 1]) for code in codes]

    def holds(row: int) -> bool:
        for low, high in ranges:
            at = bisect_left(rows, row, low, high)
            if at < high and rows[at] == row:
                return True
        return False

    return holds
