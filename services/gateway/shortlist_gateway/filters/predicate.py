"""Whether single items pass a filter, read from the bundle's columns: for lists that do not come from retrieval."""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Callable, Mapping
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
    is_negated = isinstance(node, Not)
    leaf = node.node if isinstance(node, Not) else node
    if not isinstance(leaf, Comparison):
        raise TypeError(f"{type(leaf).__name__} is not a leaf of a canonical tree about items")
    truth = _by_id(leaf, catalogue) if leaf.field == ID else _truth(leaf, catalogue.attributes.columns[leaf.field])
    wanted = not is_negated
    return lambda row: truth(row) is wanted


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
    if column.kind in (AttributeKind.NUMBER, AttributeKind.TIME):
        is_known: Predicate = lambda row: values[row] == values[row]  # noqa: E731 - NaN is missing
    else:
        is_known = lambda row: values[row] >= 0  # noqa: E731
    if leaf.operator is Operator.PRESENT:
        return is_known
    holds = _text_holds(leaf, column) if column.kind is AttributeKind.TEXT else _value_holds(leaf, column)
    return lambda row: holds(row) if is_known(row) else None


def _value_holds(leaf: Comparison, column: Column) -> Predicate:
    values, compare = column.values, _COMPARED[leaf.operator]
    value = leaf.value.time_s if isinstance(leaf.value, Moment) else leaf.value
    return lambda row: compare(values[row], value)


def _text_holds(leaf: Comparison, column: Column) -> Predicate:
    values = column.values
    if isinstance(leaf.value, tuple):
        codes = {column.code(str(text)) for text in leaf.value}
        return lambda row: values[row] in codes
    low, high = column.codes(leaf.operator, str(leaf.value))
    is_inside = leaf.operator is not Operator.NOT_EQUAL
    return lambda row: (low <= values[row] < high) is is_inside


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
