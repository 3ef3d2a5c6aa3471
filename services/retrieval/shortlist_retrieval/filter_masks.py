"""Filters over all items of a bundle at once: a tree of conditions to a mask of rows.

A tree in canonical form has its negations at the leaves, so that it is enough to know where a leaf is true: what is
unknown, being about a value that is missing, is false there, negated or not.
"""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.item_attributes import Column, ItemAttributes
from shortlist_bundle.item_ids import ItemIds
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.filters import (
    ACTOR_PREFIX,
    ID,
    All,
    AttributeKind,
    Comparison,
    History,
    Limits,
    Moment,
    Node,
    Not,
    Operator,
    bound,
    canonical,
    limit_violation,
)
from shortlist_domain.filters import Any as AnyOf

Mask = NDArray[np.bool_]

CACHED_BYTES = 64 << 20
"""Masks kept of one bundle; one takes a byte an item."""

LIMITS = Limits(depth=32, children=10_000, nodes=10_000, texts=100_000)
"""Above those of callers: canonical forms join what callers nest, and histories become lists of ids."""

_MOST_CACHED = 1024

_COMPARED: Mapping[Operator, Callable[[Any, Any], Mask]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}
_DTYPES: Mapping[AttributeKind, np.dtype[Any]] = {
    AttributeKind.NUMBER: np.dtype("<f8"),
    AttributeKind.TIME: np.dtype("<f8"),
    AttributeKind.FLAG: np.dtype("<i1"),
    AttributeKind.TEXT: np.dtype("<i4"),
    AttributeKind.TEXTS: np.dtype("<u8"),
}


class FilterMasks:
    """Masks over the items of one bundle, the last ones kept. Used by several threads at once."""

    def __init__(self, attributes: ItemAttributes, ids: ItemIds) -> None:
        self._attributes = attributes
        self._ids = ids
        self._n = attributes.n_items
        self._most = max(1, min(_MOST_CACHED, CACHED_BYTES // max(1, self._n)))
        self._masks: OrderedDict[str, Mask] = OrderedDict()
        self._lock = threading.Lock()

    def checked(self, node: Node) -> Node:
        """Return the canonical form of ``node``.

        Raises:
            InvalidRequest: It is too large, names an attribute that there is not, compares one with a value of another
                kind, or speaks of the actor, of whom nothing is known here.
        """
        if said := limit_violation(node, LIMITS):
            raise InvalidRequest(Violation("filter.ast", said))
        violations: list[Violation] = []
        tied = bound(node, self._attributes.schema, "filter.ast.{}".format, violations)
        violations.extend(Violation("filter.ast", said) for said in _about_actors(tied))
        if violations:
            raise InvalidRequest(*violations)
        return canonical(tied, self._attributes.schema)

    def mask(self, node: Node) -> Mask:
        """Return where ``node``, a canonical tree, is true: ``(n,)``, not to be written to."""
        if _names_ids(node):  # often those of one actor: kept are only the parts without
            return self._evaluated(node)
        key = repr(node)
        with self._lock:
            kept = self._masks.get(key)
            if kept is not None:
                self._masks.move_to_end(key)
                return kept
        mask = self._evaluated(node)
        mask.flags.writeable = False
        with self._lock:
            self._masks[key] = mask
            while len(self._masks) > self._most:
                self._masks.popitem(last=False)
        return mask

    def _evaluated(self, node: Node) -> Mask:
        if isinstance(node, All | AnyOf):
            is_all = isinstance(node, All)
            mask = np.full(self._n, is_all)
            part = self.mask if _names_ids(node) else self._evaluated
            for child in node.nodes:
                (np.logical_and if is_all else np.logical_or)(mask, part(child), out=mask)
            return mask
        negated = isinstance(node, Not)
        leaf = node.node if isinstance(node, Not) else node
        if not isinstance(leaf, Comparison):
            raise TypeError(f"{type(leaf).__name__} is not a leaf of a canonical tree about items")
        true, known = self._by_id(leaf) if leaf.field == ID else self._compared(leaf)
        if not negated:
            return true
        return ~true if known is None else ~true & known

    def _by_id(self, leaf: Comparison) -> tuple[Mask, None]:
        if leaf.operator is Operator.PRESENT:
            return np.ones(self._n, np.bool_), None
        mask = np.zeros(self._n, np.bool_)
        texts = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        rows = (self._ids.find(str(text).encode("utf-8", "surrogatepass")) for text in texts)
        mask[[row for row in rows if row is not None]] = True
        return (~mask if leaf.operator is Operator.NOT_EQUAL else mask), None

    def _compared(self, leaf: Comparison) -> tuple[Mask, Mask | None]:
        """Return where ``leaf`` is true, and where it is known (``None``: everywhere)."""
        column = self._attributes.columns[leaf.field]
        if column.kind is AttributeKind.TEXTS:
            return self._contains(leaf, column), None
        values: NDArray[Any] = np.frombuffer(column.values, _DTYPES[column.kind])
        known: Mask = ~np.isnan(values) if values.dtype.kind == "f" else values >= 0
        if leaf.operator is Operator.PRESENT:
            return known, None
        if column.kind is AttributeKind.TEXT:
            return _text_mask(leaf, column, values) & known, known
        value = leaf.value.time_s if isinstance(leaf.value, Moment) else leaf.value
        return _COMPARED[leaf.operator](values, value) & known, known

    def _contains(self, leaf: Comparison, column: Column) -> Mask:
        mask = np.zeros(self._n, np.bool_)
        rows = np.frombuffer(column.rows if column.rows is not None else b"", "<u4")
        if leaf.operator is Operator.PRESENT:
            mask[rows] = True
            return mask
        for text in leaf.value if isinstance(leaf.value, tuple) else (leaf.value,):
            code = column.code(str(text))
            if code is not None:
                mask[rows[column.values[code] : column.values[code + 1]]] = True
        return mask


def _text_mask(leaf: Comparison, column: Column, codes: NDArray[Any]) -> Mask:
    """Return where the comparison holds; what it says where the text is missing means nothing."""
    if isinstance(leaf.value, tuple):
        found = [code for text in leaf.value if (code := column.code(str(text))) is not None]
        return np.isin(codes, np.array(found, np.int32))
    low, high = column.codes(leaf.operator, str(leaf.value))
    inside: Mask = (codes >= low) & (codes < high)
    return ~inside if leaf.operator is Operator.NOT_EQUAL else inside


def _names_ids(node: Node) -> bool:
    if isinstance(node, All | AnyOf):
        return any(map(_names_ids, node.nodes))
    if isinstance(node, Not):
        return _names_ids(node.node)
    return isinstance(node, Comparison) and node.field == ID


def _about_actors(node: Node) -> list[str]:
    """Return what is said of the leaves of ``node`` that are about an actor."""
    if isinstance(node, All | AnyOf):
        return [said for child in node.nodes for said in _about_actors(child)]
    if isinstance(node, Not):
        return _about_actors(node.node)
    if isinstance(node, History):
        return ["has a history, which is not known here; put the rows into exclude_rows or allow_rows"]
    if isinstance(node, Comparison) and node.field.startswith(ACTOR_PREFIX):
        return [f"compares {node.field!r}, which is not known here"]
    return []
