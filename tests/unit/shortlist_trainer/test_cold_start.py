"""Slices of new users and new items: who is in them, and what is known of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.chosen_values import is_value
from shortlist_trainer.cold_start import (
    _by_chance,
    after_first_events,
    among_new_items,
    is_new_item,
    met_later,
    new_item_places,
    new_users,
    onboarding_choices,
    onboarding_slice,
    without,
)
from shortlist_trainer.config import SplitConfig
from shortlist_trainer.evaluate import list_values, met_first, sampled
from shortlist_trainer.fit import Clock, fit
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


def test_what_comes_after_an_event_can_be_left_out(data: Dataset) -> None:
    sequences = sequences_of(data)
    new = data.user_ids.index("new")
    assert new_users(sequences, 2, 0, until_event=7).tolist() == [new]
    assert new_users(sequences, 2, 0, until_event=6).tolist() == []
    moments = after_first_events(sequences, np.array([new], np.int32), 2)
    assert [rows.tolist() for rows in met_later(sequences, moments, 6)] == [[2, 3]]
    assert [rows.tolist() for rows in met_later(sequences, moments)] == [[2, 3, 4, 5, 6]]


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


def test_the_first_liked_events_tell_what_was_chosen_and_nothing_later_does(world: Dataset) -> None:
    prepared = prepare(world, SplitConfig())
    sequences, values = prepared.sequences, is_value(prepared.item_columns)
    users = np.arange(50, dtype=np.int32)
    chosen, told_by = onboarding_choices(prepared, users)
    assert chosen[:, ~values].sum() == 0
    liked_from = world.values[: prepared.split.train_end].mean()
    for user, columns, items in zip(users, chosen, told_by, strict=True):
        mine = slice(sequences.start[user], sequences.start[user + 1])
        liked = sequences.items[mine][sequences.values[mine] >= liked_from][:3]
        assert items.tolist() == liked.tolist()
        counts = prepared.item_features[items][:, values].sum(axis=0)
        assert 0 < columns.sum() == min(3, np.count_nonzero(counts)) or not len(items)
        assert counts[columns[values]].min(initial=9) >= np.delete(counts, np.flatnonzero(columns[values])).max()
    later = {
        item for user in users for item in sequences.items[sequences.start[user + 1] - 1 : sequences.start[user + 1]]
    }
    features = prepared.item_features.copy()
    untouched = np.setdiff1d(sorted(later), np.concatenate(told_by))
    features[untouched] = 1.0 - features[untouched]
    again, _ = onboarding_choices(replace(prepared, item_features=features), users)
    assert np.array_equal(again, chosen)


def test_lists_lose_some_rows_and_close_up() -> None:
    lists = np.array([[3, 1, 2, -1], [0, 1, 2, 3]], np.int32)
    left = without(lists, [np.array([1], np.int32), np.array([], np.int32)])
    assert left.tolist() == [[3, 2, -1, -1], [0, 1, 2, 3]]


def test_what_told_the_choices_is_neither_relevant_nor_listed(world: Dataset, tmp_path: Path) -> None:
    fitted = fit(world, quick(), Checkpoints(tmp_path, "", resume=False), lambda *_: None, Clock())
    cut = world.events // 2  # nobody is new for long in this world
    seen: dict[str, Any] = {}

    def watch(rows: Any, relevant: Any, recall_at: int) -> Any:
        seen.setdefault("lists", []).append(rows)
        seen["relevant"] = relevant
        return list_values(rows, relevant, recall_at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shortlist_trainer.cold_start.list_values", watch)
        (found,) = onboarding_slice(fitted.pipeline, cut, 20, lambda *_: None)
    _, told_by = onboarding_choices(fitted.prepared, found.groups)
    assert len(found.groups) >= 5
    for lists in seen["lists"]:
        assert not any(np.isin(mine, rows).any() for mine, rows in zip(lists, told_by, strict=True))
    assert not any(np.isin(mine, rows).any() for mine, rows in zip(seen["relevant"], told_by, strict=True))


def test_a_chosen_value_moves_the_query_of_those_without_events_alone(world: Dataset, tmp_path: Path) -> None:
    fitted = fit(world, quick(), Checkpoints(tmp_path, "", resume=False), lambda *_: None, Clock())
    prepared, retrieval = fitted.prepared, fitted.pipeline.retrieval
    users = np.arange(4, dtype=np.int32)
    fresh = after_first_events(prepared.sequences, users, 0)
    chosen = np.zeros((4, len(prepared.item_columns)), np.bool_)
    column = prepared.item_columns.index("genre=g1")
    chosen[1, column] = True
    totals = item_totals(world, world.events)[None]
    plain = retrieval.candidates(fresh, totals)
    moved = retrieval.candidates(replace(fresh, chosen=chosen), totals)
    table, has = retrieval.table, prepared.item_features[:, column] > 0
    expected = 4.0 * (table[has].mean(axis=0) - table.mean(axis=0))
    expected[-1] = 0.0
    np.testing.assert_allclose(moved.embedding[1] - plain.embedding[1], expected, atol=1e-5)
    np.testing.assert_array_equal(moved.embedding[[0, 2, 3]], plain.embedding[[0, 2, 3]])
    share = [has[c.lists["two_tower"][1, :20]].mean() for c in (plain, moved)]
    assert share[1] > share[0]
    known = after_first_events(prepared.sequences, users, 2)
    np.testing.assert_array_equal(
        retrieval.candidates(replace(known, chosen=chosen), totals).embedding,
        retrieval.candidates(known, totals).embedding,
    )


def test_a_sample_keeps_the_order_and_the_bound() -> None:
    places = np.arange(100, dtype=np.int64) * 3
    assert sampled(places, 100, seed=1) is places
    some = sampled(places, 10, seed=1)
    assert len(some) == 10
    assert np.all(np.diff(some) > 0)
    assert set(some.tolist()) <= set(places.tolist())
    assert some.tolist() == sampled(places, 10, seed=1).tolist() != sampled(places, 10, seed=2).tolist()


@pytest.fixture(scope="module")
def withheld(world: Dataset) -> Dataset:
    """Return a data set in which four items come in with the last tenth of the events."""
    cut = int(0.9 * world.events)
    kept = (world.item_rows >= 4) | (np.arange(world.events) >= cut)
    columns = {name: getattr(world, name)[kept] for name in ("user_rows", "item_rows", "values", "times_s")}
    return replace(world, **columns)


def test_new_items_among_themselves_compete_with_nothing_else(withheld: Dataset, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "", resume=False)
    fitted = fit(withheld, quick("two_tower.epochs=1"), checkpoints, lambda *_: None, Clock())
    prepared, cut = fitted.prepared, int(np.flatnonzero(withheld.item_rows < 4)[0])
    assert np.flatnonzero(is_new_item(prepared, cut)).tolist() == [0, 1, 2, 3]
    (found,) = among_new_items(fitted.pipeline, cut, 2, lambda *_: None)
    users = np.unique(withheld.user_rows[cut:][withheld.item_rows[cut:] < 4])
    assert sorted(found.groups.tolist()) == users.tolist()
    # Four items fill a list of ten: all of them are in it. Item neighbours know none of them.
    for name in ("two_tower", "fusion", "pipeline"):
        assert found.values[name]["hit@10"].tolist() == [1.0] * len(users)
    assert found.values["item_neighbours"]["hit@10"].tolist() == [0.0] * len(users)
    # By chance half of the relevant ones are among the first two of four.
    assert found.values["popular"]["recall@2"] == pytest.approx(np.full(len(users), 0.5))


def test_the_order_of_chance_is_the_mean_over_all_orders() -> None:
    found = _by_chance([1, 2], 4, 2)
    orders = list(permutations(range(4)))
    for user, relevant in enumerate(([0], [0, 1])):
        values = list_values(np.array(orders, np.int32), [np.array(relevant, np.int32)] * len(orders), 2)
        for metric, each in values.items():
            assert found[metric][user] == pytest.approx(each.mean())


def test_without_new_items_there_is_no_slice_of_them(world: Dataset, tmp_path: Path) -> None:
    fitted = fit(world, quick("two_tower.epochs=1"), Checkpoints(tmp_path, "", resume=False), lambda *_: None, Clock())
    assert list(among_new_items(fitted.pipeline, int(0.9 * world.events), 4, lambda *_: None)) == []
