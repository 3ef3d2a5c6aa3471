"""Item attributes that filters compare, by columns: written once, mapped, read without numpy.

``item_attributes.blobs`` is a blob table (:mod:`shortlist_bundle.blob_table`) of which every blob is padded to 8 bytes,
so that columns can be read in place: a JSON header and then the blobs of each attribute, in the header's order. Columns
by kind, little-endian, ``n`` items:

- ``number`` and ``time``: ``float64 (n)``, NaN where there is none; times are seconds since 1970 UTC.
- ``flag``: ``int8 (n)``, -1 where there is none.
- ``text``: ``int32 (n)``, the position of the text in the vocabulary, -1 where there is none; then the vocabulary, a
  blob table in ascending byte order.
- ``texts``: ``uint64 (v + 1)`` bounds and ``uint32`` rows, ascending: the rows that have each text of the vocabulary;
  then the vocabulary.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shortlist_bundle import layout
from shortlist_bundle.blob_table import BlobTable, encode
from shortlist_bundle.bundle import Bundle
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.filters import AttributeKind, Operator, Schema

_VERSION = 1
_TYPECODES: Mapping[AttributeKind, str] = {
    AttributeKind.NUMBER: "d",
    AttributeKind.TIME: "d",
    AttributeKind.FLAG: "b",
    AttributeKind.TEXT: "i",
}
_BLOBS = {
    AttributeKind.NUMBER: 1,
    AttributeKind.TIME: 1,
    AttributeKind.FLAG: 1,
    AttributeKind.TEXT: 2,
    AttributeKind.TEXTS: 3,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of all items."""

    kind: AttributeKind
    values: memoryview[Any]
    """One value an item, or the bounds in ``rows``; types as the module says."""

    rows: memoryview[Any] | None = None
    """``uint32``; of several texts only."""

    vocabulary: BlobTable | None = None
    """Of texts only."""

    def code(self, text: str) -> int | None:
        """Return the position of ``text`` in the vocabulary, ``None`` where no item has it."""
        return None if self.vocabulary is None else self.vocabulary.find(text.encode("utf-8", "surrogatepass"))

    def codes(self, operator: Operator, text: str) -> tuple[int, int]:
        """Return the first code and the one past the last that compare to ``text`` so; of NOT_EQUAL, those that do not.

        Texts are in the order of their UTF-8 bytes, and so are the codes.
        """
        texts = self.vocabulary
        if texts is None:
            return 0, 0
        value = text.encode("utf-8", "surrogatepass")
        low, high = bisect_left(texts, value), bisect_right(texts, value)
        return {
            Operator.LESS: (0, low),
            Operator.LESS_OR_EQUAL: (0, high),
            Operator.GREATER: (high, len(texts)),
            Operator.GREATER_OR_EQUAL: (low, len(texts)),
        }.get(operator, (low, high))


class ItemAttributes:
    """The columns of one bundle."""

    def __init__(self, content: bytes | memoryview, n_items: int) -> None:
        """Wrap ``content``, which stays referenced.

        Args:
            content: Content of the file; empty where the bundle has none.
            n_items: Items of the bundle.

        Raises:
            BundleInvalid: It is something else, or about another number of items.
        """
        self.n_items = n_items
        self.columns: Mapping[str, Column] = _columns(BlobTable(content), n_items) if len(content) else {}
        """By name."""

        self.schema: Schema = {name: column.kind for name, column in self.columns.items()}


def load_item_attributes(bundle: Bundle, n_items: int) -> ItemAttributes:
    """Return the attributes of ``bundle``; none where it was made before there were any.

    Raises:
        BundleInvalid: As :class:`ItemAttributes`.
    """
    has_any = layout.ITEM_ATTRIBUTES in bundle.manifest.files
    return ItemAttributes(bundle.map(layout.ITEM_ATTRIBUTES) if has_any else b"", n_items)


def item_attributes_file(n_items: int, values: Mapping[str, tuple[AttributeKind, Sequence[Any]]]) -> bytes:
    """Return the content of the file.

    Args:
        n_items: Number of items.
        values: Kind and one value an item, by attribute: ``str``, a sequence of ``str``, a finite ``float`` (of times:
            seconds since 1970 UTC) or ``bool``; ``None`` where there is none.
    """
    header = {
        "version": _VERSION,
        "items": n_items,
        "attributes": [{"name": name, "kind": kind.value} for name, (kind, _) in values.items()],
    }
    blobs = [json.dumps(header, ensure_ascii=False).encode()]
    for name, (kind, column) in values.items():
        if len(column) != n_items:
            raise ValueError(f"{name!r} has {len(column)} values for {n_items} items")
        blobs += _encoded(kind, column)
    # A JSON text may end in spaces; the ends of columns and vocabularies are told by their own counts.
    return encode([blobs[0].ljust(_padded(len(blobs[0]))), *(b.ljust(_padded(len(b)), b"\0") for b in blobs[1:])])


def _encoded(kind: AttributeKind, column: Sequence[Any]) -> list[bytes]:
    if kind in (AttributeKind.NUMBER, AttributeKind.TIME):
        return [array("d", [float("nan") if value is None else float(value) for value in column]).tobytes()]
    if kind is AttributeKind.FLAG:
        return [array("b", [-1 if value is None else int(value) for value in column]).tobytes()]
    if kind is AttributeKind.TEXT:
        vocabulary = sorted({value.encode() for value in column if value is not None})
        code_of = {text.decode(): code for code, text in enumerate(vocabulary)}
        codes = array("i", [-1 if value is None else code_of[value] for value in column])
        return [codes.tobytes(), encode(vocabulary)]
    rows_of: dict[str, list[int]] = {}
    for row, values in enumerate(column):
        for value in dict.fromkeys(values or ()):
            rows_of.setdefault(value, []).append(row)
    vocabulary = sorted(value.encode() for value in rows_of)
    bounds, rows = array("Q", [0]), array("I")
    for text in vocabulary:
        rows.extend(rows_of[text.decode()])
        bounds.append(len(rows))
    return [bounds.tobytes(), rows.tobytes(), encode(vocabulary)]


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _columns(table: BlobTable, n_items: int) -> dict[str, Column]:
    try:
        header = json.loads(bytes(table.view(0)))
        if header["version"] != _VERSION or header["items"] != n_items:
            raise BundleInvalid(f"item attributes of version {header['version']} about {header['items']} items")
        columns: dict[str, Column] = {}
        at = 1
        for attribute in header["attributes"]:
            kind = AttributeKind(attribute["kind"])
            columns[str(attribute["name"])] = _column(kind, [table.view(at + n) for n in range(_BLOBS[kind])], n_items)
            at += _BLOBS[kind]
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise BundleInvalid(f"item attributes cannot be read: {error!r}") from error
    return columns


def _column(kind: AttributeKind, blobs: list[memoryview], n_items: int) -> Column:
    if kind is not AttributeKind.TEXTS:
        size = array(_TYPECODES[kind]).itemsize * n_items
        raw = blobs[0][:size]
        values: memoryview[Any]
        if kind is AttributeKind.TEXT:
            values = raw.cast("i")
        else:
            values = raw.cast("b") if kind is AttributeKind.FLAG else raw.cast("d")
        if len(values) != n_items:
            raise ValueError(f"a column has {len(values)} values for {n_items} items")
        vocabulary = BlobTable(blobs[1], is_padded=True) if kind is AttributeKind.TEXT else None
        if vocabulary is not None and n_items and not -1 <= min(values) <= max(values) < len(vocabulary):
            raise ValueError("a column has codes outside its vocabulary")
        return Column(kind, values, vocabulary=vocabulary)
    vocabulary = BlobTable(blobs[2], is_padded=True)
    bounds = blobs[0].cast("Q")
    if len(bounds) != len(vocabulary) + 1 or bounds[0] or list(bounds) != sorted(bounds):
        raise ValueError("the bounds of a column do not fit its vocabulary")
    rows = blobs[1][: 4 * bounds[len(vocabulary)]].cast("I")
    if len(rows) != bounds[len(vocabulary)] or (len(rows) and max(rows) >= n_items):
        raise ValueError("a column has rows outside the catalogue")
    return Column(kind, bounds, rows, vocabulary)
