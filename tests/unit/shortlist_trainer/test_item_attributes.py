"""The items table as columns that filters compare."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import polars as pl

from shortlist_bundle.item_attributes import ItemAttributes
from shortlist_domain.filters import AttributeKind
from shortlist_trainer.item_attributes import attributes_file
from shortlist_trainer.item_files import shown_fields

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "title": ["A", None, "C"],
        "genres": [["x", "y"], [], None],
        "year": [1990.0, float("nan"), None],
        "pages": [1, None, 3],
        "new": [True, None, False],
        "added": [datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC), None, datetime(1970, 1, 2, tzinfo=UTC)],
        "day": [date(1970, 1, 2), None, date(1969, 12, 31)],
        "id": ["other", "ids", "here"],
        "actor.age": [1, 2, 3],
        "nested": [{"a": 1}, {"a": 2}, {"a": 3}],
    }
)


def test_columns_have_the_kinds_of_their_types_and_reserved_names_are_left_out() -> None:
    found = ItemAttributes(attributes_file(ITEMS), 3)
    assert found.schema == {
        "title": AttributeKind.TEXT,
        "genres": AttributeKind.TEXTS,
        "year": AttributeKind.NUMBER,
        "pages": AttributeKind.NUMBER,
        "new": AttributeKind.FLAG,
        "added": AttributeKind.TIME,
        "day": AttributeKind.TIME,
    }
    values = {name: [v if v == v else None for v in column.values] for name, column in found.columns.items()}
    assert values["year"] == [1990.0, None, None]
    assert values["pages"] == [1.0, None, 3.0]
    assert values["new"] == [1, -1, 0]
    assert values["added"] == [1.5, None, 86_400.0]
    assert values["day"] == [86_400.0, None, -86_400.0]
    assert found.columns["genres"].code("y") == 1


def test_the_same_table_gives_the_same_bytes() -> None:
    assert attributes_file(ITEMS) == attributes_file(ITEMS.clone())


def test_what_is_shown_of_a_time_is_its_rfc_3339_form() -> None:
    shown = [json.loads(blob) for blob in shown_fields(ITEMS.drop("nested"))]
    assert shown[0]["added"] == "1970-01-01T00:00:01.500000Z"
    assert shown[0]["day"] == "1970-01-02"
    assert shown[0]["new"] is True
    assert "added" not in shown[1]
