"""Lifts of items among segments: against shares counted by hand, and what they must not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shortlist_data.dataset import Dataset
from shortlist_trainer.config import ContentConfig, PopularConfig, SplitConfig
from shortlist_trainer.prepare import Prepared, prepare, prepare_whole
from shortlist_trainer.segment_lifts import segment_lifts

from .conftest import dataset_of


@pytest.fixture(scope="module")
def prepared(world: Dataset) -> Prepared:
    return prepare(world, SplitConfig(), ContentConfig())


@pytest.mark.parametrize("prior", [1.0, 500.0])
def test_a_lift_is_the_logarithm_of_two_shares(prepared: Prepared, prior: float) -> None:
    lifts = segment_lifts(prepared, PopularConfig(lift_prior_events=prior))
    assert lifts is not None
    end, dataset = prepared.split.train_end, prepared.dataset
    everybody = (np.bincount(dataset.item_rows[:end], minlength=prepared.n_items) + 1.0) / (end + prepared.n_items)
    row = 0
    for attribute, values in zip(prepared.categories.names, prepared.categories.values, strict=True):
        of_users = dataset.users[attribute].to_list()
        for value in values:
            is_member = np.array([of_users[user] == value for user in dataset.user_rows[:end]])
            counts = np.bincount(dataset.item_rows[:end][is_member], minlength=prepared.n_items)
            share = (counts + prior * everybody) / (counts.sum() + prior)
            np.testing.assert_allclose(lifts.table[row], np.log(share / everybody), atol=0.004)
            row += 1
    assert row == len(lifts.table)


def test_few_events_say_little(prepared: Prepared) -> None:
    sizes = [
        float(np.abs(lifts.table).mean())
        for m in (10.0, 1e4, 1e8)
        if (lifts := segment_lifts(prepared, PopularConfig(lift_prior_events=m)))
    ]
    assert sizes[0] > 2 * sizes[1] > 2 * sizes[2]
    assert sizes[2] < 0.001


def test_what_comes_after_the_training_window_is_not_looked_at(prepared: Prepared) -> None:
    dataset, end = prepared.dataset, prepared.split.train_end
    items = dataset.item_rows.copy()
    items[end:] = 0
    other = replace(prepared, dataset=replace(dataset, item_rows=items))
    found, again = (segment_lifts(each, PopularConfig()) for each in (prepared, other))
    assert found is not None
    assert again is not None
    np.testing.assert_array_equal(found.table, again.table)


def test_users_without_attributes_have_none() -> None:
    events = [(f"u{n % 9}", f"i{n % 7}", 1.0, 60.0 * n) for n in range(400)]
    assert segment_lifts(prepare_whole(dataset_of(events)), PopularConfig()) is None
