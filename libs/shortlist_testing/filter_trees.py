"""Any filter tree over a tiny bundle's attributes, and what it means, item by item, the slow and obvious way."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any as Anything

from hypothesis import strategies as st

from shortlist_domain.filters import ID, All, Any, Comparison, Moment, Node, Not, Operator, Schema
from shortlist_testing.tiny_bundle import GENRES, NOW_S, item_ids, tiny_attributes

N_ITEMS = 60
SCHEMA: Schema = {name: kind for name, (kind, _) in tiny_attributes(N_ITEMS).items()}
ITEMS: Sequence[Mapping[str, Anything]] = [
    {ID: item_id, **{name: column[row] for name, (_, column) in tiny_attributes(N_ITEMS).items()}}
    for row, item_id in enumerate(item_ids(N_ITEMS))
]
"""Each item's attributes by name, ``None`` where there is none."""

_ORDERS: Mapping[Operator, Callable[[Anything, Anything], bool]] = {
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}
_EQUALITIES = (Operator.EQUAL, Operator.NOT_EQUAL, Operator.HAS)


def truth(node: Node, item: Mapping[str, Anything]) -> bool | None:
    """Return what ``node``, bound, is of ``item``: true, false, or ``None`` where that is unknown. Kleene's logic."""
    if isinstance(node, All | Any):
        found = [truth(child, item) for child in node.nodes]
        decisive = isinstance(node, Any)
        return decisive if decisive in found else None if None in found else not decisive
    if isinstance(node, Not):
        inner = truth(node.node, item)
        return None if inner is None else not inner
    if not isinstance(node, Comparison):
        raise TypeError("an item knows no history")
    return _compared(node, item[node.field])


def _compared(node: Comparison, own: Anything) -> bool | None:
    values = node.value if isinstance(node.value, tuple) else (node.value,)
    if isinstance(own, list):
        return bool(own) if node.operator is Operator.PRESENT else any(value in own for value in values)
    if node.operator is Operator.PRESENT:
        return own is not None
    if own is None:
        return None
    plain = [value.time_s if isinstance(value, Moment) else value for value in values]
    if node.operator in _ORDERS:
        pair = (own.encode(), str(plain[0]).encode()) if isinstance(own, str) else (own, plain[0])
        return _ORDERS[node.operator](*pair)
    return own != plain[0] if node.operator is Operator.NOT_EQUAL else own in plain


def comparisons() -> st.SearchStrategy[Comparison]:
    """Any comparison that suits the attributes, with values that items have and values that none has."""
    ids = st.sampled_from([*item_ids(N_ITEMS)[:12], "nowhere", ""])
    titles = st.sampled_from(["Film 3 (1983)", "Film 40 (1980)", "Film", "Z", "日本"])
    languages = st.sampled_from(["en", "de", "日本語", "fr", ""])
    single = (*_EQUALITIES, *_ORDERS)
    return st.one_of(
        _of(ID, ids, _EQUALITIES, is_listed=True),
        _of("title", titles, single, is_listed=True),
        _of("language", languages, single, is_listed=True),
        _of("genres", st.sampled_from([*GENRES, "Noir"]), (Operator.HAS,), is_listed=True),
        _of("tags", st.sampled_from(["t1", "t2", "t3"]), (Operator.HAS,), is_listed=True),
        _of("year", st.sampled_from([1979.0, 1985.0, 1999.5, 2010.0, 2019.0]), single),
        _of("in_colour", st.booleans(), _EQUALITIES),
        _of("released", st.integers(-1, N_ITEMS).map(lambda d: Moment(NOW_S - 86_400.0 * d)), single),
        st.sampled_from([ID, *SCHEMA]).map(lambda name: Comparison(name, Operator.PRESENT)),
    )


def trees(leaves: st.SearchStrategy[Anything] | None = None) -> st.SearchStrategy[Node]:
    """Any tree over ``leaves``, :func:`comparisons` where none are given."""
    return st.recursive(
        leaves if leaves is not None else comparisons(),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=1, max_size=3).map(tuple).map(All),
            st.lists(inner, min_size=1, max_size=3).map(tuple).map(Any),
        ),
        max_leaves=8,
    )


def _of(
    name: str, values: st.SearchStrategy[Anything], operators: tuple[Operator, ...], *, is_listed: bool = False
) -> st.SearchStrategy[Comparison]:
    plain = st.builds(Comparison, st.just(name), st.sampled_from(operators), values)
    if not is_listed:
        return plain
    listed = tuple(sign for sign in operators if sign in (Operator.EQUAL, Operator.HAS))
    several = st.lists(values, min_size=1, max_size=3).map(tuple)
    return plain | st.builds(Comparison, st.just(name), st.sampled_from(listed), several)
