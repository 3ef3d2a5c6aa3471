"""Slices of new users and new items: who is in them, and what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shortlist_data.dataset import Dataset
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.cold_start import after_first_events, new_item_places, new_users
from shortlist_trainer.config import SplitConfig
from shortlist_trainer.evaluate import met_first, sampled
from shortlist_trainer.fit_towers import fit_towers
from shortlist_trainer.prepare import Prepared, prepare
from shortlist_trainer.sequences import sequences_of

from .conftest import dataset_of, quick

VALUES = zip("abcdefg", (5.0, 1.0, 3.0, 4.0, 2.0, 5.0, 1.0), strict=True)
LATE: list[tuple[str, str, float, float]] = [("new", item, value, 20.0 + at) for at, (item, value) in enumerate(VALUES)]
EVENTS = [("old", "a", 3.0, 0.0), ("old", "b", 3.0, 1.0), *LATE, ("brief", "a", 1.0, 40.0), ("brief", "b", 1.0, 41.0)]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return dataset_of(EVENTS)


def test_new_users_have_no_event_before_the_cut_and_enough_after_what_is_known(data: Dataset) -> None:
    sequences = sequences_of(data)
    new = data.user_ids.index("new")
    assert new_users(sequences, 2, 0).tolist() == [new]
    assert new_users(sequences, 2, 2).tolist() == [new]
    assert new_users(sequences, 2, 3).tolist() == []
    assert new_users(sequences, 3, 0).tolist() == []


def test_items_met_again_do_not_count_as_met_later() -> None:
    sequences = sequences_of(dataset_of([("u", item, 1, at) for at, item in enumerate("abcabcdef")]))
    assert met_first(sequences, 0, 2, 9).tolist() == [2, 3, 4, 5]
    assert new_users(sequences, 0, 3).tolist() == []
    assert new_users(sequences, 0, 1).tolist() == [0]


@pytest.mark.parametrize(("known", "mean"), [(0, 0.0), (1, 5.0), (3, 3.0)])
def test_exactly_the_first_events_are_known(data: Dataset, known: int, mean: float) -> None:
    sequences = sequences_of(data)
    users = new_users(sequences, 2, 0)
    moments = after_first_events(sequences, users, known)
    assert (moments.known - sequences.start[users]).tolist() == [known]
    assert moments.now_s.tolist() == [20.0 + known]
    assert moments.numbers[0, :2].tolist() == pytest.approx([known, mean] if known else moments.numbers[0, :2].tolist())


def test_moments_are_in_order_of_time() -> None:
    early = [("z", item, 1, 5 + at) for at, item in enumerate("abcdef")]
    late = [("a", item, 1, 50 + at) for at, item in enumerate("abcdef")]
    sequences = sequences_of(dataset_of([*early, *late]))
    moments = after_first_events(sequences, np.array([0, 1], np.int32), 1)
    assert np.all(np.diff(moments.now_s) > 0)
    assert moments.users.tolist() == [1, 0]


@pytest.fixture(scope="module")
def without_some(world: Dataset) -> Prepared:
    """Return a data set in which four items have no event before the models' own."""
    from dataclasses import replace

    cut = int(0.85 * world.events)
    kept = (world.item_rows >= 4) | (np.arange(world.events) >= cut)
    columns = {name: getattr(world, name)[kept] for name in ("user_rows", "item_rows", "values", "times_s")}
    return prepare(replace(world, **columns), SplitConfig())


def test_new_items_are_those_that_retrieval_was_not_fitted_on(without_some: Prepared) -> None:
    places = new_item_places(without_some, without_some.split.validation_end)
    assert set(without_some.sequences.items[places].tolist()) == {0, 1, 2, 3}
    assert without_some.sequences.event[places].min() >= without_some.split.validation_end


def test_new_items_are_embedded_by_their_features(
    without_some: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = quick("two_tower.epochs=1")
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"), "", resume=False)
    towers = fit_towers(without_some, config.two_tower, 1, checkpoints, lambda *_: None)
    features = torch.from_numpy(without_some.item_features)
    with torch.no_grad():
        by_features, whole = towers.items(features), towers.items.table(features)
    assert torch.equal(towers.table[:4], by_features[:4])
    assert torch.equal(towers.table[4:], whole[4:])
    assert not torch.equal(by_features[:4], whole[:4])


def test_a_sample_keeps_the_order_and_the_bound() -> None:
    places = np.arange(100, dtype=np.int64) * 3
    assert sampled(places, 100, seed=1) is places
    some = sampled(places, 10, seed=1)
    assert len(some) == 10
    assert np.all(np.diff(some) > 0)
    assert set(some.tolist()) <= set(places.tolist())
    assert some.tolist() == sampled(places, 10, seed=1).tolist() != sampled(places, 10, seed=2).tolist()
