"""Inputs in batches are those that serving builds one by one."""

from array import array

import numpy as np
import pytest

from shortlist_bundle.actor_inputs import actor_inputs
from shortlist_bundle.feature_list import FeatureList, Vocabulary
from shortlist_data.dataset import Dataset
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures
from shortlist_models.inputs import CONTEXT_NUMBERS, USER_NUMBERS
from shortlist_trainer.actors import before_events, categories_of, frozen_at, history_inputs
from shortlist_trainer.sequences import Sequences, sequences_of

LENGTH = 12


@pytest.fixture(scope="module")
def sequences(world: Dataset) -> Sequences:
    return sequences_of(world)


def served(dataset: Dataset, user: int, before_s: float, now_s: float) -> ActorFeatures:
    """Return an actor as the feature store would give it, from the events of the user before ``before_s``."""
    mine = np.flatnonzero((dataset.user_rows == user) & (dataset.times_s < before_s))
    attributes = {name: dataset.users[name][user] for name in dataset.user_attributes}
    return ActorFeatures(
        now_s=now_s,
        attributes={name: value for name, value in attributes.items() if value is not None},
        numbers=user_numbers(dataset.values[mine].tolist()),
        history_rows=array("I", dataset.item_rows[mine].tolist()),
        history_values=array("f", dataset.values[mine].tolist()),
        history_times_s=array("d", dataset.times_s[mine].tolist()),
    )


def features(dataset: Dataset) -> FeatureList:
    categories = categories_of(dataset)
    vocabularies = zip(categories.names, categories.values, strict=True)
    return FeatureList(
        LENGTH, tuple(Vocabulary(n, v) for n, v in vocabularies), USER_NUMBERS, CONTEXT_NUMBERS, (), (), {}, {}
    )


def test_the_inputs_before_an_event_are_those_that_serving_would_build(world: Dataset, sequences: Sequences) -> None:
    places = np.random.default_rng(0).choice(len(sequences.event), 200, replace=False)
    moments = before_events(sequences, places)
    rows, values, ages = history_inputs(sequences, moments, LENGTH)
    categories = categories_of(world)
    for i, place in enumerate(places):
        now = float(sequences.times_s[place])
        expected = actor_inputs(served(world, int(sequences.users[place]), now, now), features(world))
        np.testing.assert_array_equal(rows[i], expected["history_rows"][0])
        np.testing.assert_array_equal(values[i], expected["history_values"][0])
        np.testing.assert_allclose(ages[i], expected["history_ages_s"][0], rtol=1e-6)
        np.testing.assert_allclose(ages[i, -1], expected["age_s"][0], rtol=1e-6)
        assert (rows[i, -1] >= 0) == expected["has_history"][0]
        np.testing.assert_array_equal(categories.index[moments.users[i]], expected["user_categories"][0])
        np.testing.assert_allclose(moments.numbers[i], expected["user_numbers"][0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(moments.context[i], expected["context"][0])


def test_the_inputs_at_a_cut_are_those_that_serving_would_build(world: Dataset, sequences: Sequences) -> None:
    cut = 7_000
    now = float(world.times_s[cut - 1])
    users = np.arange(0, 400, 13)
    moments = frozen_at(sequences, users, cut, now)
    rows, _, ages = history_inputs(sequences, moments, LENGTH)
    for i, user in enumerate(users):
        expected = actor_inputs(served(world, int(user), float(world.times_s[cut]), now), features(world))
        np.testing.assert_array_equal(rows[i], expected["history_rows"][0])
        np.testing.assert_allclose(ages[i], expected["history_ages_s"][0], rtol=1e-6)
        np.testing.assert_allclose(ages[i, -1], expected["age_s"][0], rtol=1e-6)
        assert (rows[i, -1] >= 0) == expected["has_history"][0]
        np.testing.assert_allclose(moments.numbers[i], expected["user_numbers"][0], rtol=1e-5)
        np.testing.assert_array_equal(moments.context[i], expected["context"][0])


def test_rare_values_of_an_attribute_are_unknown(world: Dataset) -> None:
    categories = categories_of(world, most=3)
    assert [len(values) for values in categories.values] == [3, 3]
    assert categories.index.max() == 3
    assert (categories.index == 0).any()
