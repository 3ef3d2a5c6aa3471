"""Benchmark tables: what is held out stays sealed, cuts are what they say, results survive."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.candidates import Histories, Popularity
from shortlist_trainer.benchmarks import TABLES, results
from shortlist_trainer.benchmarks.candidates import blend, candidate
from shortlist_trainer.benchmarks.run import UnknownModel, remember, run_table
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run, Sealed, Table, TestIsSealed
from shortlist_trainer.benchmarks.towers import two_tower
from shortlist_trainer.histories import HeldOut, histories_of, only, scored

TEST_DATA = Path(os.environ.get("SHORTLIST_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
ON_DATASETS = sorted(TABLES.keys() - {"ncf", "ml-1m-ctr", "ml-100k-rankers"})
"""Tables whose whole is a data set and whose users are asked about once."""


def quiet(part: str, done: int, total: int, loss: float) -> None:
    """Report to nobody."""


def ran(table: Table[Any], whole: Any, folder: Path, **options: Any) -> list[dict[str, Any]]:
    return list(run_table(table, whole, (), (1, 2), folder, quiet, **options))


def pairs(dataset: Dataset) -> set[tuple[int, int, float]]:
    return set(zip(dataset.user_rows.tolist(), dataset.item_rows.tolist(), dataset.times_s.tolist(), strict=True))


def test_what_is_held_out_cannot_be_read_before_it_is_unsealed() -> None:
    sealed = Sealed([1, 2])
    with pytest.raises(TestIsSealed, match="before the final evaluation"):
        sealed.read()
    sealed.unseal()
    assert sealed.read() == [1, 2]


@pytest.mark.parametrize("validate", [False, True])
def test_a_model_that_looks_at_the_test_part_while_it_is_fitted_ends_the_run(
    world: Dataset, tmp_path: Path, validate: bool
) -> None:
    table = TABLES["ml-1m-sequential"]
    cuts: list[Sealed[Any]] = []

    def cut(whole: Dataset, seed: int) -> tuple[Dataset, Sealed[Any]]:
        known, held_out = table.cut(whole, seed)
        cuts.append(held_out)
        return known, held_out

    def fit(known: Dataset, run: Run) -> Predictor:
        cuts[-1].read()
        raise AssertionError("the test part could be read")

    spying = replace(table, cut=cut, entries={"spy": Entry("looks", {}, fit)})
    with pytest.raises(TestIsSealed):
        ran(spying, world, tmp_path, validate=validate)


def test_a_validation_never_opens_the_test_part(world: Dataset, tmp_path: Path) -> None:
    table = TABLES["ml-1m-sequential"]
    cuts: list[Sealed[Any]] = []

    def cut(whole: Dataset, seed: int) -> tuple[Dataset, Sealed[Any]]:
        known, held_out = table.cut(whole, seed)
        cuts.append(held_out)
        return known, held_out

    watched = replace(table, cut=cut, entries={"popularity": candidate("events", Popularity, {})})
    (row,) = ran(watched, world, tmp_path, validate=True)
    assert row["part"] == "validation"
    test, validation = cuts
    assert validation.read()
    with pytest.raises(TestIsSealed):
        test.read()


@pytest.mark.parametrize("name", ON_DATASETS)
def test_no_event_that_is_held_out_is_known(world: Dataset, name: str) -> None:
    known, sealed = TABLES[name].cut(world, 1)
    sealed.unseal()
    held_out: HeldOut = sealed.read()
    assert 0 < known.events < world.events
    assert pairs(known) <= pairs(world)
    rest = pairs(world) - pairs(known)
    left = {(user, item) for user, item, _ in rest}
    owner = np.repeat(held_out.users, np.diff(held_out.indptr))
    assert set(zip(owner.tolist(), held_out.rows.tolist(), strict=True)) <= left
    assert np.all(np.diff(known.times_s) >= 0)


def test_a_protocol_that_holds_nothing_out_is_refused(world: Dataset) -> None:
    first = np.zeros(world.events, np.bool_)
    first[np.unique(world.user_rows, return_index=True)[1]] = True
    with pytest.raises(DataRefused, match=r"of its 400 events by 400 users, the protocol holds out 0, .* more events"):
        TABLES["ml-1m-sequential"].cut(only(world, first), 1)


@pytest.mark.parametrize("name", ON_DATASETS)
def test_the_known_part_can_be_cut_again(world: Dataset, name: str) -> None:
    known, _ = TABLES[name].cut(world, 1)
    less, _ = TABLES[name].cut(known, 1)
    assert 0 < less.events < known.events


def test_the_last_event_of_every_user_is_held_out(world: Dataset) -> None:
    known, sealed = TABLES["ml-1m-sequential"].cut(world, 1)
    sealed.unseal()
    held_out: HeldOut = sealed.read()
    assert np.diff(held_out.indptr).tolist() == [1] * len(held_out.users)
    for user, row, now in zip(held_out.users[:50], held_out.rows[:50], held_out.now_s[:50], strict=True):
        mine = np.flatnonzero(world.user_rows == user)
        assert world.item_rows[mine[-1]] == row
        assert now == world.times_s[mine[-1]] >= known.times_s[known.user_rows == user].max()


def test_nothing_known_is_later_than_what_is_held_out_by_time(world: Dataset) -> None:
    known, sealed = TABLES["ml-1m-time"].cut(world, 1)
    sealed.unseal()
    held_out: HeldOut = sealed.read()
    assert known.times_s.max() < held_out.now_s.min()
    assert set(held_out.users.tolist()) <= set(known.user_rows.tolist())
    assert set(held_out.rows.tolist()) <= set(known.item_rows.tolist())


def test_three_quarters_of_each_users_events_are_known(world: Dataset) -> None:
    known, _ = TABLES["ml-100k"].cut(world, 1)
    counts = np.bincount(world.user_rows, minlength=len(world.user_ids))
    expected = np.round(0.75 * counts)
    assert np.bincount(known.user_rows, minlength=len(world.user_ids)).tolist() == expected.tolist()
    other, _ = TABLES["ml-100k"].cut(world, 2)
    assert pairs(other) != pairs(known)


def test_histories_are_in_order_and_asked_about_as_wanted(world: Dataset) -> None:
    users = np.array([7, 3])
    histories = histories_of(world, users, np.array([2e9, 3e9]))
    assert histories.users.tolist() == [7, 3]
    assert histories.now_s.tolist() == [2e9, 3e9]
    for at, user in enumerate(users):
        mine = world.user_rows == user
        events = slice(histories.indptr[at], histories.indptr[at + 1])
        assert histories.rows[events].tolist() == world.item_rows[mine].tolist()
        assert histories.times_s[events].tolist() == world.times_s[mine].tolist()


def test_seen_items_are_never_scored(world: Dataset) -> None:
    known, sealed = TABLES["ml-100k"].cut(world, 1)
    sealed.unseal()
    held_out: HeldOut = sealed.read()

    def ones(histories: Histories) -> NDArray[np.float32]:
        return np.ones((len(histories), histories.n_items), np.float32)

    for part, scores in scored(known, held_out, ones):
        for user, row in zip(held_out.users[part], scores, strict=True):
            seen = np.unique(known.item_rows[known.user_rows == user])
            assert np.flatnonzero(np.isneginf(row)).tolist() == seen.tolist()


def test_the_two_tower_is_asked_as_it_is_fitted_and_beats_popularity(world: Dataset, tmp_path: Path) -> None:
    settings = {"width": 16, "history_length": 20, "epochs": 8, "queries_per_batch": 256, "learning_rate": 0.01}
    both = {
        "popularity": candidate("events", Popularity, {}),
        "two_tower": two_tower("small", {**settings, "share": 1.0, "far_share": 0.0, "visit_share": 0.0}),
    }
    table = replace(TABLES["ml-1m-sequential"], entries=both)
    rows = list(run_table(table, world, (), (1,), tmp_path, quiet))
    found = {row["model"]: row["metrics"]["hit@10"]["mean"] for row in rows}
    assert found["two_tower"] > found["popularity"]


def test_a_blend_of_one_ranks_like_it(world: Dataset, tmp_path: Path) -> None:
    popularity = candidate("events", Popularity, {})
    entries = {"popularity": popularity, "blend": blend("alone", {"popularity": 2.0}, {"popularity": popularity})}
    alone, blended = run_table(replace(TABLES["ml-1m-time"], entries=entries), world, (), (1,), tmp_path, quiet)
    assert alone["metrics"] == blended["metrics"]


def test_what_makes_no_difference_is_run_once(world: Dataset, tmp_path: Path) -> None:
    entries = {"popularity": candidate("events", Popularity, {})}
    fixed = ran(replace(TABLES["ml-1m-time"], entries=entries), world, tmp_path)
    drawn = ran(replace(TABLES["ml-100k"], entries=entries), world, tmp_path)
    assert [row["seed"] for row in fixed] == [1]
    assert [row["seed"] for row in drawn] == [1, 2]


def test_an_unknown_model_is_refused_by_name(world: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="has no model 'slim'; there are popularity"):
        list(run_table(TABLES["ml-100k"], world, ("slim",), (1,), tmp_path, quiet))


def test_results_are_kept_by_model_and_seed(tmp_path: Path) -> None:
    table, path = TABLES["ml-100k"], tmp_path / "tables" / "ml-100k.json"

    def put(model: str, seed: int, ndcg: float) -> None:
        entry = Entry("note", {}, lambda known, run: lambda queries: queries)
        values = {metric: np.full(5, ndcg) for metric in table.metrics}
        row = results.row_of(model, entry, Run(seed, Path(), quiet), values, {"fit": 1.0}, "test")
        remember(path, table, lambda: results.read(path), row)

    for model, seed, ndcg in (("ease", 2, 0.1), ("popularity", 1, 0.2), ("ease", 1, 0.3), ("ease", 2, 0.5)):
        put(model, seed, ndcg)
    rows = results.read(path)
    assert [(row["model"], row["seed"]) for row in rows] == [("popularity", 1), ("ease", 1), ("ease", 2)]
    assert results.over_seeds(rows, "ease", "ndcg@10") == pytest.approx((0.4, 0.3, 0.5, 2))
    assert json.loads(path.read_text())["protocol"] == table.protocol


@pytest.mark.skipif(not (TEST_DATA / "ml-1m.zip").is_file(), reason="ml-1m.zip is not at hand (SHORTLIST_TEST_DATA)")
def test_popularity_comes_out_as_published_under_the_global_time_split(tmp_path: Path) -> None:
    table = TABLES["ml-1m-time"]
    (row,) = run_table(table, table.load(TEST_DATA / "ml-1m.zip"), ("popularity",), (1,), tmp_path, quiet)
    assert row["metrics"]["ndcg@10"]["mean"] == pytest.approx(0.2438, abs=0.005)
    assert row["metrics"]["hit@10"]["mean"] == pytest.approx(0.6453, abs=0.01)
