"""Ids by row and rows by id, in whatever order the rows are."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist_bundle.blob_table import BlobTable, encode
from shortlist_bundle.item_ids import ItemIds, order_of
from shortlist_domain.errors import BundleInvalid

IDS = st.lists(st.binary(min_size=1, max_size=6), max_size=30, unique=True)


def ids_of(rows: list[bytes], order: list[int]) -> ItemIds:
    return ItemIds(BlobTable(encode(rows)), memoryview(struct.pack(f"<{len(order)}I", *order)).cast("I"))


@given(rows=IDS, other=st.binary(min_size=1, max_size=6))
def test_every_id_is_found_in_its_row_and_no_other_is(rows: list[bytes], other: bytes) -> None:
    ids = ids_of(rows, order_of(rows))
    ids.check_order()
    assert len(ids) == len(rows)
    assert [ids.find(one) for one in rows] == list(range(len(rows)))
    assert [ids[row] for row in range(len(rows))] == rows
    assert ids.find(other) == (rows.index(other) if other in rows else None)


@given(rows=IDS)
def test_ascending_ids_need_no_order(rows: list[bytes]) -> None:
    ids = ItemIds(BlobTable(encode(sorted(rows))))
    ids.check_order()
    assert [ids.find(one) for one in sorted(rows)] == list(range(len(rows)))


@pytest.mark.parametrize(
    "order",
    [[0, 1], [0, 1, 2, 0], [0, 1, 3], []],
    ids=["too short", "too long", "a row that there is not", "none"],
)
def test_what_is_no_order_of_the_rows_is_refused_at_once(order: list[int]) -> None:
    with pytest.raises(BundleInvalid, match="is not an order of 3 items"):
        ids_of([b"b", b"c", b"a"], order)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [2, 0, 0], [2, 2, 1]], ids=str)
def test_an_order_that_is_not_ascending_is_refused_when_it_is_looked_at(order: list[int]) -> None:
    with pytest.raises(BundleInvalid, match="are not ascending"):
        ids_of([b"b", b"c", b"a"], order).check_order()
