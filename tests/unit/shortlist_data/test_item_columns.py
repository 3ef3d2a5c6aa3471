"""One encoder for the items of a training and for those that come after it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from shortlist_data.errors import DataRefused
from shortlist_data.item_columns import (
    MAX_VALUES_PER_ATTRIBUTE,
    NO_ATTRIBUTES,
    ItemEncoder,
    static_columns,
    unknown_values,
)

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["A", "B", None, "D"],
        "genres": [["x", "y"], [], None, ["y"]],
        "maker": ["m", None, "n", "m"],
        "year": [1990.0, None, 2010.0, 1950.0],
        "price": [1.0, 3.0, None, 5.0],
        "nothing": pl.Series([None] * 4, dtype=pl.Float64),
        "is_new": [True, None, False, True],
    }
)
ENCODER = ItemEncoder.fitted(ITEMS, ["genres", "maker"], ["year", "price", "nothing"])
NAMES = (
    "genres=x", "genres=y", "maker=m", "maker=n", "year", "year_missing", "price", "price_missing", "nothing",
    "nothing_missing",
)  # fmt: skip


def test_columns_are_values_and_scaled_numbers_with_flags() -> None:
    deviation = np.std([1.0, 3.0, 5.0])
    assert ENCODER.columns == NAMES
    expected = [
        [1, 1, 1, 0, 0.9, 0, -2 / deviation, 0, 0, 1],
        [0, 0, 0, 0, 0.0, 1, 0.0, 0, 0, 1],
        [0, 0, 0, 1, 1.1, 0, 0.0, 1, 0, 1],
        [0, 1, 1, 0, 0.5, 0, 2 / deviation, 0, 0, 1],
    ]
    np.testing.assert_allclose(ENCODER.encode(ITEMS), np.array(expected, np.float64), rtol=1e-6)


def test_an_item_is_encoded_alone_as_among_all() -> None:
    """Mean, deviation and frequent values are those of the training, whatever else is encoded."""
    together = ENCODER.encode(ITEMS)
    for row in range(len(ITEMS)):
        np.testing.assert_array_equal(ENCODER.encode(ITEMS[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(ENCODER.encode(ITEMS[::-1]), together[::-1])


def test_what_no_item_of_the_training_had_is_as_if_it_were_missing() -> None:
    new = ITEMS[:1].with_columns(genres=pl.Series([["z", "y"]]), maker=pl.lit("q"), nothing=pl.lit(7.0))
    encoded = dict(zip(NAMES, ENCODER.encode(new)[0].tolist(), strict=True))
    assert [encoded[name] for name in NAMES[:4]] == [0.0, 1.0, 0.0, 0.0]
    assert (encoded["nothing"], encoded["nothing_missing"]) == (0.0, 1.0)
    assert unknown_values(ENCODER, new) == {"genres": ["z"], "maker": ["q"]}
    assert unknown_values(ENCODER, ITEMS) == {}


def test_an_absurd_number_is_clipped() -> None:
    new = ITEMS[:1].with_columns(price=pl.lit(1e12), year=pl.lit(-1e12))
    encoded = dict(zip(NAMES, ENCODER.encode(new)[0].tolist(), strict=True))
    assert (encoded["price"], encoded["year"]) == (8.0, -8.0)


def test_the_encoder_of_a_bundle_is_had_from_its_items_and_columns() -> None:
    found = static_columns(ITEMS, NAMES, ENCODER.encode(ITEMS))
    assert found.encoder == ENCODER
    np.testing.assert_array_equal(found.encode(ITEMS), ENCODER.encode(ITEMS))


def test_order_of_attributes_is_that_of_the_bundle_whatever_the_tables() -> None:
    encoder = ItemEncoder.fitted(ITEMS, ["maker", "genres"], ["price", "year"])
    found = static_columns(ITEMS, encoder.columns, encoder.encode(ITEMS))
    assert found.encoder == encoder


@pytest.mark.parametrize(
    ("others", "of_new"),
    [
        (("content_text_00", "content_text_01", "content_text_missing"), [0.0, 0.0, 1.0]),
        (("content_image_00", "content_image_missing", "content_text_missing"), [0.0, 1.0, 1.0]),
    ],
)
def test_content_is_missing_of_what_nobody_embedded(others: tuple[str, ...], of_new: list[float]) -> None:
    content = np.full((4, len(others)), 0.25, np.float32)
    trained = np.concatenate([ENCODER.encode(ITEMS), content], axis=1)
    encoded = static_columns(ITEMS, (*NAMES, *others), trained).encode(ITEMS[:2])
    np.testing.assert_array_equal(encoded[:, : len(NAMES)], ENCODER.encode(ITEMS[:2]))
    assert encoded[:, len(NAMES) :].tolist() == [of_new, of_new]


def test_items_without_attributes_have_the_one_column() -> None:
    bare = ITEMS.select("item_id", "title")
    found = static_columns(bare, (NO_ATTRIBUTES,), np.ones((4, 1), np.float32))
    assert found.encode(bare[:2]).tolist() == [[1.0], [1.0]]


def test_columns_that_come_out_otherwise_are_refused() -> None:
    trained = ENCODER.encode(ITEMS)
    trained[2, 4] += 0.01
    with pytest.raises(DataRefused, match="come out differently"):
        static_columns(ITEMS, NAMES, trained)
    for names in (("genres=q", *NAMES[1:]), (*NAMES, "popularity"), NAMES[1:]):
        with pytest.raises(DataRefused, match="not those that this release makes"):
            static_columns(ITEMS, names, ENCODER.encode(ITEMS))


def test_rare_values_have_no_column() -> None:
    many = [f"v{n:03d}" for n in range(MAX_VALUES_PER_ATTRIBUTE + 5)]
    items = pl.DataFrame({"item_id": [*many, *many[:-5]], "maker": [*many, *many[:-5]]})
    encoder = ItemEncoder.fitted(items, ["maker"], [])
    assert encoder.columns == tuple(f"maker={value}" for value in many[:-5])
    assert encoder.encode(items)[MAX_VALUES_PER_ATTRIBUTE].sum() == 0.0
