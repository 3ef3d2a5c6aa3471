"""When items came: by an attribute of the items, or else with their first event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.simulate import simulate
from shortlist_trainer.item_times import added_item_times, item_times


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return simulate(users=40, items=60, events=300, seed=3)


def test_an_item_came_with_its_first_event_and_one_without_events_at_no_time_that_is_known(dataset: Dataset) -> None:
    known, times_s = item_times(dataset).T
    for row in range(len(dataset.item_ids)):
        met = dataset.times_s[dataset.item_rows == row]
        assert known[row] == bool(len(met))
        assert times_s[row] == (met.min() if len(met) else 0.0)


def test_an_attribute_wins_where_it_says_something(dataset: Dataset) -> None:
    added = [datetime(2030, 1, 1, tzinfo=UTC), None] * (len(dataset.item_ids) // 2)
    column = pl.Series("added", added, pl.Datetime("us", "UTC"))
    table = item_times(replace(dataset, items=dataset.items.with_columns(column)), "added")
    assert (table[::2] == [1.0, datetime(2030, 1, 1, tzinfo=UTC).timestamp()]).all()
    np.testing.assert_array_equal(table[1::2], item_times(dataset)[1::2])


@pytest.mark.parametrize("attribute", ["added", "item_id"])
def test_an_attribute_that_says_no_times_is_refused_with_those_that_do(dataset: Dataset, attribute: str) -> None:
    items = dataset.items.with_columns(released=pl.lit(datetime(2000, 1, 1, tzinfo=UTC)))
    with pytest.raises(DataRefused, match=rf"newest\.attribute={attribute} is no column of times.*there are released"):
        item_times(replace(dataset, items=items), attribute)


def test_an_added_item_comes_when_it_says_so_and_else_now() -> None:
    added = pl.Series("added", [datetime(2029, 1, 1, tzinfo=UTC), None], pl.Datetime("us", "UTC"))
    items = pl.DataFrame({"item_id": ["a", "b"], "added": added, "title": ["x", "y"]})
    then_s = datetime(2029, 1, 1, tzinfo=UTC).timestamp()
    assert added_item_times(items, "added", 2e9).tolist() == [[1.0, then_s], [1.0, 2e9]]
    for attribute in ("", "title", "unheard of"):
        assert added_item_times(items, attribute, 2e9).tolist() == [[1.0, 2e9]] * 2
