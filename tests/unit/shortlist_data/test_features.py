"""Point-in-time features against the catalogue's own functions, event by event."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset, ReadReport
from shortlist_data.features import item_static, item_totals, point_in_time, visible_events
from shortlist_domain.features import context_numbers, item_numbers, user_numbers


def dataset_of(events: list[tuple[str, str, float, float]], items: pl.DataFrame | None = None) -> Dataset:
    frame = pl.DataFrame(
        events,
        schema={"user_id": pl.String, "item_id": pl.String, "value": pl.Float64, "time_s": pl.Float64},
        orient="row",
    )
    columns = items if items is not None else pl.DataFrame(schema={"item_id": pl.String})
    attributes = tuple(name for name in ("genres", "maker") if name in columns.columns)
    numbers = tuple(name for name in ("year", "price") if name in columns.columns)
    return assemble(
        "test",
        frame,
        pl.DataFrame(schema={"user_id": pl.String}),
        columns,
        item_attributes=attributes,
        item_numbers=numbers,
        report=ReadReport("test"),
    )


def slow_reference(dataset: Dataset) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for event in range(dataset.events):
        earlier = [e for e in range(dataset.events) if dataset.times_s[e] < dataset.times_s[event]]
        own = [float(dataset.values[e]) for e in earlier if dataset.user_rows[e] == dataset.user_rows[event]]
        item = [float(dataset.values[e]) for e in earlier if dataset.item_rows[e] == dataset.item_rows[event]]
        numbers = {
            **user_numbers(own),
            **item_numbers(len(item), sum(item)),
            **context_numbers(float(dataset.times_s[event])),
        }
        for name, value in numbers.items():
            found.setdefault(name, []).append(value)
    return found


EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("xyz"),
        st.floats(-100, 100, width=32),
        st.integers(0, 6).map(lambda step: 950_000_000.0 + step * 40_000.5),
    ),
    min_size=1,
    max_size=30,
)


@given(EVENTS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_feature_is_what_the_catalogue_says_before_that_moment(
    events: list[tuple[str, str, float, float]],
) -> None:
    dataset = dataset_of(events)
    features = point_in_time(dataset)
    for name, expected in slow_reference(dataset).items():
        np.testing.assert_allclose(features.column(name), expected, rtol=1e-5, atol=2e-5, err_msg=name)


def test_events_of_the_same_moment_do_not_see_each_other() -> None:
    features = point_in_time(dataset_of([("a", "x", 5, 100), ("a", "y", 1, 100), ("a", "x", 3, 200)]))
    assert features.user_count.tolist() == [0, 0, 2]
    assert features.user_mean.tolist() == [0, 0, 3]
    assert features.user_deviation.tolist() == [0, 0, 2]
    assert features.item_count.tolist() == [0, 0, 1]
    assert features.item_mean.tolist() == [0, 0, 5]


def test_equal_values_deviate_by_exactly_zero_whatever_their_size() -> None:
    features = point_in_time(dataset_of([("a", f"i{n}", 16_777_215.3, n) for n in range(50)]))
    assert features.user_deviation.tolist() == [0.0] * 50


def test_a_later_event_changes_no_earlier_feature() -> None:
    events = [("a", "x", 4.0, 10.0), ("b", "x", 2.0, 20.0), ("a", "y", 1.0, 30.0)]
    before, after = point_in_time(dataset_of(events)), point_in_time(dataset_of([*events, ("a", "x", 5.0, 40.0)]))
    for name in ("user_count", "user_mean", "user_deviation", "item_count", "item_mean"):
        np.testing.assert_array_equal(before.column(name), after.column(name)[:3])


@pytest.mark.parametrize("time_s", [0.0, -1.0, 951_782_399.9999999, 951_782_400.0, 1_709_164_800.25, 4_102_444_799.0])
def test_context_agrees_with_the_calendar_at_its_edges(time_s: float) -> None:
    features = point_in_time(dataset_of([("a", "x", 1.0, time_s)]))
    expected = context_numbers(time_s)
    assert {name: float(features.column(name)[0]) for name in expected} == expected


def test_an_unknown_feature_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="neighbour_score"):
        point_in_time(dataset_of([("a", "x", 1, 1)])).column("neighbour_score")


def test_no_events_have_no_features() -> None:
    assert point_in_time(dataset_of([])).user_mean.shape == (0,)


def test_visible_events_are_those_strictly_before_the_moment() -> None:
    assert visible_events(np.array([1.0, 1.0, 2.0, 3.0, 3.0])).tolist() == [0, 0, 2, 3, 3]


def test_item_totals_count_and_add_up_to_the_cut_only() -> None:
    dataset = dataset_of([("a", "x", 4, 1), ("b", "x", 3, 2), ("a", "y", 5, 3), ("b", "y", 5, 4)])
    assert item_totals(dataset, 3).tolist() == [[2, 7], [1, 5]]
    assert item_totals(dataset, 0).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="until_event 5"):
        item_totals(dataset, 5)


def test_static_columns_are_genres_and_scaled_numbers_with_a_flag_where_missing() -> None:
    items = pl.DataFrame(
        {
            "item_id": ["y", "x", "z"],
            "title": ["", "", ""],
            "genres": [["Drama"], ["Comedy", "Drama"], None],
            "maker": ["acme", None, "acme"],
            "year": [1995.0, None, 2000.0],
            "price": [10.0, 30.0, None],
        }
    )
    matrix, names = item_static(dataset_of([("a", "x", 1, 1)], items))
    assert names == (
        "genres=Comedy",
        "genres=Drama",
        "maker=acme",
        "year",
        "year_missing",
        "price",
        "price_missing",
    )
    expected = np.array([[1, 1, 0, 0, 1, 1, 0], [0, 1, 1, 0.95, 0, -1, 0], [0, 0, 1, 1.0, 0, 0, 1]])
    np.testing.assert_allclose(matrix, expected, rtol=1e-6)


def test_only_the_most_frequent_values_of_an_attribute_get_a_column() -> None:
    many = [f"g{n:03d}" for n in range(250)]
    items = pl.DataFrame({"item_id": ["x", "y"], "title": ["", ""], "genres": [many, many[100:]]})
    _, names = item_static(dataset_of([("a", "x", 1, 1)], items))
    assert len(names) == 200
    assert {f"genres={g}" for g in many[100:]} <= set(names)


def test_items_without_attributes_have_no_columns() -> None:
    matrix, names = item_static(dataset_of([("a", "x", 1, 1), ("a", "y", 1, 2)]))
    assert matrix.shape == (2, 0)
    assert names == ()
