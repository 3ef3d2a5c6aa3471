"""Blob tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist_bundle.blob_table import BlobTable, encode
from shortlist_domain.errors import BundleInvalid

BLOBS = st.lists(st.binary(max_size=12), max_size=20)


@given(BLOBS)
def test_rows_come_back_as_they_were(blobs: list[bytes]) -> None:
    table = BlobTable(encode(blobs))
    assert [table[row] for row in range(len(table))] == blobs


@given(st.sets(st.binary(max_size=6), max_size=20), st.binary(max_size=6))
def test_find_is_a_dictionary_over_ascending_rows(blobs: set[bytes], wanted: bytes) -> None:
    rows = sorted(blobs)
    table = BlobTable(encode(rows))
    assert table.find(wanted) == (rows.index(wanted) if wanted in rows else None)
    assert [table.find(blob) for blob in rows] == list(range(len(rows)))


@given(BLOBS, st.data())
def test_a_table_cut_short_is_refused(blobs: list[bytes], data: st.DataObject) -> None:
    content = encode(blobs)
    with pytest.raises(BundleInvalid):
        BlobTable(content[: data.draw(st.integers(0, len(content) - 1))])


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_outside_is_an_index_error(row: int) -> None:
    with pytest.raises(IndexError, match=str(row)):
        BlobTable(encode([b"a", b"b"]))[row]
