"""Blob tables: row number to bytes, mapped from disk, and back by binary search where the rows are sorted.

Layout, little-endian: 8 bytes magic, ``uint64`` n, ``uint64`` offsets (n + 1), then the blobs end to end. A process
that only needs a few rows of a large catalogue touches a few pages of it and builds no dictionary.
"""

import struct
import sys
from collections.abc import Iterable

from shortlist_domain.errors import BundleInvalid

MAGIC = b"SLBLOBS1"
_HEAD = struct.Struct("<8sQ")


def encode(blobs: Iterable[bytes]) -> bytes:
    """Return the file content for ``blobs``, row 0 first."""
    rows = list(blobs)
    offsets = [0]
    for blob in rows:
        offsets.append(offsets[-1] + len(blob))
    return b"".join((_HEAD.pack(MAGIC, len(rows)), struct.pack(f"<{len(offsets)}Q", *offsets), *rows))


class BlobTable:
    """A read-only table over a buffer that holds :func:`encode`'s output."""

    def __init__(self, buffer: bytes | memoryview, *, is_padded: bool = False) -> None:
        """Wrap ``buffer``, which stays referenced.

        Args:
            buffer: The table.
            is_padded: Whether bytes may follow it.

        Raises:
            BundleInvalid: The buffer is not a blob table or is cut short.
        """
        if sys.byteorder != "little":  # offsets are read in place
            raise BundleInvalid("blob tables need a little-endian machine")
        view = memoryview(buffer)
        if len(view) < _HEAD.size:
            raise BundleInvalid("blob table is cut short")
        magic, n = _HEAD.unpack_from(view)[0], int(_HEAD.unpack_from(view)[1])
        start = _HEAD.size + 8 * (n + 1)
        if magic != MAGIC or len(view) < start:
            raise BundleInvalid("not a blob table, or cut short")
        self._offsets = view[_HEAD.size : start].cast("Q")
        self._data = view[start:]
        self._n = n
        if is_padded:
            self._data = self._data[: self._offsets[n]]
        if self._offsets[n] != len(self._data):
            raise BundleInvalid(f"blob table holds {len(self._data)} bytes, its offsets say {self._offsets[n]}")

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, row: int) -> bytes:
        """Return the blob of ``row``.

        Raises:
            IndexError: ``row`` is not in [0, n).
        """
        if not 0 <= row < self._n:
            raise IndexError(f"row {row} is not in [0, {self._n})")
        return bytes(self._data[self._offsets[row] : self._offsets[row + 1]])

    def view(self, row: int) -> memoryview:
        """Return the blob of ``row`` where it lies; raises as ``table[row]``."""
        if not 0 <= row < self._n:
            raise IndexError(f"row {row} is not in [0, {self._n})")
        return self._data[self._offsets[row] : self._offsets[row + 1]]

    def find(self, blob: bytes) -> int | None:
        """Return the row that holds ``blob``, or ``None``. The rows must be in ascending byte order."""
        low, high = 0, self._n
        while low < high:
            middle = (low + high) // 2
            if self[middle] < blob:
                low = middle + 1
            else:
                high = middle
        return low if low < self._n and self[low] == blob else None
