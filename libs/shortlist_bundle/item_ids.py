"""Items of a bundle by row and by external id. No numpy: the gateway reads them.

Rows of a trained bundle are in the ascending order of the ids, so that id to row is a binary search. Items that are
added afterwards get the rows behind, as the models go by the rows of what they were fitted on; then ``item_order.rows``
says which rows the ids are in ascending order of.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from shortlist_bundle import layout
from shortlist_bundle.blob_table import BlobTable
from shortlist_bundle.bundle import Bundle
from shortlist_domain.errors import BundleInvalid


class ItemIds:
    """External ids of a bundle's items, mapped."""

    def __init__(self, ids: BlobTable, order: memoryview[Any] | None = None) -> None:
        """Wrap a table.

        Args:
            ids: External id of each row.
            order: Rows in ascending order of their ids, ``uint32``; ``None``: the rows are in that order.

        Raises:
            BundleInvalid: ``order`` is of another length, or has rows outside the table.
        """
        self._ids = ids
        self._order = order
        if order is not None and (len(order) != len(ids) or (len(order) and max(order) >= len(ids))):
            raise BundleInvalid(f"{layout.ITEM_ORDER} of {len(order)} rows is not an order of {len(ids)} items")

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: int) -> bytes:
        """Return the id of ``row``, UTF-8; raises as :class:`shortlist_bundle.blob_table.BlobTable`."""
        return self._ids[row]

    def find(self, item_id: bytes) -> int | None:
        """Return the row of ``item_id``, ``None`` where the bundle does not have it."""
        if self._order is None:
            return self._ids.find(item_id)
        ids, order = self._ids, self._order
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            if ids[order[middle]] < item_id:
                low = middle + 1
            else:
                high = middle
        return order[low] if low < len(order) and ids[order[low]] == item_id else None

    def check_order(self) -> None:
        """Look at every id.

        Raises:
            BundleInvalid: They are not ascending, and so some cannot be found.
        """
        before, row_before = b"", -1
        for row in range(len(self._ids)) if self._order is None else self._order:
            one = self._ids[row]
            if one <= before:
                raise BundleInvalid(f"the ids of rows {row_before} and {row} are not ascending")
            before, row_before = one, row


def load_item_ids(bundle: Bundle) -> ItemIds:
    """Return the ids of ``bundle``; their order is not looked at.

    Raises:
        BundleInvalid: A file is damaged, or the order is not one of these ids.
    """
    ids = BlobTable(bundle.map(layout.ITEM_IDS))
    if layout.ITEM_ORDER not in bundle.manifest.files:
        return ItemIds(ids)
    content = bundle.map(layout.ITEM_ORDER)
    if sys.byteorder != "little" or len(content) % 4:
        raise BundleInvalid(f"{layout.ITEM_ORDER} of {len(content)} bytes holds no rows, 4 bytes each, little-endian")
    return ItemIds(ids, content.cast("I"))


def order_of(ids: Iterable[bytes]) -> list[int]:
    """Return the rows of ``ids`` in ascending order of the ids: the content of ``item_order.rows``."""
    rows = list(ids)
    return sorted(range(len(rows)), key=rows.__getitem__)
