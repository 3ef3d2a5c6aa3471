"""Columns of item attributes: what is written is read, and what is something else is refused."""

from __future__ import annotations

import pytest

from shortlist_bundle import blob_table
from shortlist_bundle.item_attributes import ItemAttributes, item_attributes_file
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.filters import AttributeKind, Operator

CONTENT = item_attributes_file(
    4,
    {
        "genres": (AttributeKind.TEXTS, [["b", "a", "b"], None, ["b"], []]),
        "year": (AttributeKind.NUMBER, [1.0, None, 2.5, -3.0]),
        "lang": (AttributeKind.TEXT, ["x", None, "é", "x"]),
        "new": (AttributeKind.FLAG, [True, None, False, True]),
        "at": (AttributeKind.TIME, [0.0, None, 1.5, -1.0]),
    },
)


def test_every_kind_is_read_as_it_was_written() -> None:
    found = ItemAttributes(CONTENT, 4)
    assert {name: kind.value for name, kind in found.schema.items()} == {
        "genres": "texts", "year": "number", "lang": "text", "new": "flag", "at": "time",
    }  # fmt: skip
    year, lang, new, genres = (found.columns[name] for name in ("year", "lang", "new", "genres"))
    assert [v if v == v else None for v in year.values] == [1.0, None, 2.5, -3.0]
    assert lang.vocabulary is not None
    assert [lang.vocabulary[c].decode() if c >= 0 else None for c in lang.values] == ["x", None, "é", "x"]
    assert list(new.values) == [1, -1, 0, 1]
    assert genres.rows is not None
    code = genres.code("b")
    assert code is not None
    assert list(genres.rows[genres.values[code] : genres.values[code + 1]]) == [0, 2]
    assert genres.code("c") is None


def test_text_order_is_that_of_bytes() -> None:
    lang = ItemAttributes(CONTENT, 4).columns["lang"]
    assert lang.codes(Operator.LESS, "y") == (0, 1)
    assert lang.codes(Operator.GREATER_OR_EQUAL, "x") == (0, 2)
    assert lang.codes(Operator.GREATER, "x") == (1, 2)
    assert lang.codes(Operator.LESS_OR_EQUAL, "a") == (0, 0)
    assert lang.codes(Operator.EQUAL, "é") == (1, 2)


def test_a_catalogue_without_items_and_one_without_attributes_are_fine() -> None:
    kinds: dict[str, tuple[AttributeKind, list[object]]] = {kind.value: (kind, []) for kind in AttributeKind}
    assert set(ItemAttributes(item_attributes_file(0, kinds), 0).schema.values()) == set(AttributeKind)
    assert ItemAttributes(item_attributes_file(3, {}), 3).schema == {}
    assert ItemAttributes(b"", 3).schema == {}


@pytest.mark.parametrize(
    ("content", "n_items"),
    [
        (CONTENT, 5),
        (CONTENT[:-8], 4),
        (b"something else", 4),
        (blob_table.encode([b"not json"]), 4),
        (blob_table.encode([b'{"version":2,"items":4,"attributes":[]}']), 4),
        (blob_table.encode([b'{"version":1,"items":4,"attributes":[{"name":"a","kind":"colour"}]}']), 4),
        (blob_table.encode([b'{"version":1,"items":4,"attributes":[{"name":"a","kind":"number"}]}']), 4),
        (blob_table.encode([b'{"version":1,"items":4,"attributes":[{"name":"a","kind":"number"}]}', b"\0" * 24]), 4),
        (
            blob_table.encode(
                [
                    b'{"version":1,"items":1,"attributes":[{"name":"a","kind":"text"}]}',
                    (7).to_bytes(8, "little"),
                    blob_table.encode([b"x"]),
                ]
            ),
            1,
        ),
        (
            blob_table.encode(
                [
                    b'{"version":1,"items":1,"attributes":[{"name":"a","kind":"texts"}]}',
                    (0).to_bytes(8, "little") + (1).to_bytes(8, "little"),
                    (9).to_bytes(8, "little"),
                    blob_table.encode([b"x"]),
                ]
            ),
            1,
        ),
    ],
    ids=["items", "cut", "else", "json", "version", "kind", "missing", "short", "codes", "rows"],
)
def test_what_is_not_these_columns_is_refused(content: bytes, n_items: int) -> None:
    with pytest.raises(BundleInvalid):
        ItemAttributes(content, n_items)


def test_a_column_of_another_length_is_not_written() -> None:
    with pytest.raises(ValueError, match="'year' has 1 values for 2 items"):
        item_attributes_file(2, {"year": (AttributeKind.NUMBER, [1.0])})
