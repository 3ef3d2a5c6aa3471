"""Splits by time, prepared folders, and the simulated world."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset, ReadReport, Skipped
from shortlist_data.errors import DataRefused
from shortlist_data.prepared import load, save
from shortlist_data.simulate import simulate
from shortlist_data.split import global_time_split


def dataset_at(times: list[float]) -> Dataset:
    n = len(times)
    events = pl.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(n)],
            "item_id": [f"i{i}" for i in range(n)],
            "value": [1.0] * n,
            "time_s": times,
        }
    )
    users, items = pl.DataFrame(schema={"user_id": pl.String}), pl.DataFrame(schema={"item_id": pl.String})
    return assemble("times", events, users, items, report=ReadReport("test"))


def test_cuts_lie_at_the_wanted_shares_where_all_times_differ() -> None:
    split = global_time_split(dataset_at([float(t) for t in range(100)]))
    assert (split.train_end, split.validation_end) == (80, 90)


def test_no_moment_lies_on_both_sides_of_a_cut() -> None:
    dataset = dataset_at([1.0] * 75 + [2.0] * 8 + [3.0] * 10 + [4.0] * 7)
    split = global_time_split(dataset)
    assert (split.train_end, split.validation_end) == (83, 93)


def test_every_part_gets_something_however_lopsided_the_times_are() -> None:
    split = global_time_split(dataset_at([1.0] * 98 + [2.0, 3.0]))
    assert (split.train_end, split.validation_end) == (98, 99)
    split = global_time_split(dataset_at([1.0, 2.0] + [3.0] * 98))
    assert (split.train_end, split.validation_end) == (1, 2)


@pytest.mark.parametrize("times", [[5.0] * 40, [1.0] * 20 + [2.0] * 20])
def test_events_of_fewer_than_three_moments_are_refused(times: list[float]) -> None:
    with pytest.raises(DataRefused, match="distinct times"):
        global_time_split(dataset_at(times))


@pytest.mark.parametrize(("train", "validation"), [(0.0, 0.1), (1.0, 0.1), (0.9, 0.1), (0.5, 0.0), (float("nan"), 0.1)])
def test_shares_that_leave_a_part_empty_are_refused(train: float, validation: float) -> None:
    with pytest.raises(ValueError, match="shares"):
        global_time_split(dataset_at([1.0, 2.0, 3.0]), train, validation)


def test_events_are_sorted_by_time_and_ties_keep_their_order() -> None:
    dataset = dataset_at([3.0, 1.0, 3.0, 1.0, 2.0])
    assert [dataset.user_ids[row] for row in dataset.user_rows] == ["u1", "u3", "u4", "u0", "u2"]
    assert dataset.times_s.tolist() == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_rows_are_in_the_order_of_utf8_bytes() -> None:
    ids = ["é", "z", "10", "9", "Z", "日", "😀", "\ufffd"]
    events = pl.DataFrame({"user_id": ids, "item_id": ids, "value": [1.0] * 8, "time_s": [1.0] * 8})
    users, items = pl.DataFrame(schema={"user_id": pl.String}), pl.DataFrame({"item_id": ["aa", "ZZ"]})
    dataset = assemble("bytes", events, users, items, report=ReadReport("test"))
    assert dataset.user_ids == tuple(sorted(ids, key=str.encode))
    assert dataset.item_ids == tuple(sorted([*ids, "aa", "ZZ"], key=str.encode))
    assert [dataset.item_ids[row] for row in dataset.item_rows] == ids
    assert dataset.items["item_id"].to_list() == list(dataset.item_ids)


def assert_equal(a: Dataset, b: Dataset) -> None:
    for name in ("name", "user_ids", "item_ids", "user_attributes", "item_attributes", "item_numbers", "report"):
        assert getattr(a, name) == getattr(b, name), name
    for name in ("user_rows", "item_rows", "values", "times_s"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    assert a.users.equals(b.users)
    assert a.users.schema == b.users.schema
    assert a.items.equals(b.items)
    assert a.items.schema == b.items.schema


def test_a_prepared_data_set_comes_back_equal(tmp_path: Path) -> None:
    world = simulate(50, 40, 600, seed=3)
    report = ReadReport("tést", {"interactions": 7}, (Skipped("items", "no id", 2, ("a:1: ''",), is_bad=False),))
    dataset = Dataset(**{name: getattr(world, name) for name in Dataset.__slots__ if name != "report"}, report=report)
    save(dataset, tmp_path / "deep" / "world")
    assert_equal(load(tmp_path / "deep" / "world"), dataset)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["world"]


def test_saving_again_replaces_the_data_set(tmp_path: Path) -> None:
    save(simulate(20, 20, 100, seed=1), tmp_path / "world")
    other = simulate(20, 20, 150, seed=2)
    save(other, tmp_path / "world")
    assert_equal(load(tmp_path / "world"), other)


def test_a_folder_with_other_things_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(DataRefused, match="is not a prepared data set; choose another"):
        save(simulate(20, 20, 100, seed=1), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "three years"


@pytest.mark.parametrize("file", ["interactions.parquet", "users.parquet", "items.parquet", "dataset.json"])
@pytest.mark.parametrize("content", [b"", b"PAR1 rubbish PAR1", b"\x00" * 100, b"{}", b"[]"])
def test_a_damaged_folder_is_refused_in_one_line(tmp_path: Path, file: str, content: bytes) -> None:
    save(simulate(20, 20, 100, seed=1), tmp_path / "world")
    (tmp_path / "world" / file).write_bytes(content)
    with pytest.raises(DataRefused, match="world is damaged"):
        load(tmp_path / "world")


def test_a_changed_table_is_refused_though_it_can_be_read(tmp_path: Path) -> None:
    save(simulate(20, 20, 100, seed=1), tmp_path / "world")
    path = tmp_path / "world" / "interactions.parquet"
    pl.read_parquet(path).with_columns(value=pl.lit(9.0, pl.Float32)).write_parquet(path)
    with pytest.raises(DataRefused, match=r"interactions\.parquet is not the file that was written"):
        load(tmp_path / "world")


def test_events_with_ids_that_the_tables_lack_are_refused(tmp_path: Path) -> None:
    save(simulate(20, 20, 100, seed=1), tmp_path / "world")
    users = pl.read_parquet(tmp_path / "world" / "users.parquet")
    users.head(5).write_parquet(tmp_path / "world" / "users.parquet")
    path = tmp_path / "world" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": {}}))
    with pytest.raises(DataRefused, match="is damaged"):
        load(tmp_path / "world")


def test_another_version_and_an_empty_folder_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="shortlist data get"):
        load(tmp_path)
    save(simulate(20, 20, 100, seed=1), tmp_path / "world")
    path = tmp_path / "world" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    with pytest.raises(DataRefused, match="format version 99"):
        load(tmp_path / "world")


class TestSimulate:
    def test_the_same_seed_makes_the_same_world_and_another_one_does_not(self) -> None:
        assert_equal(simulate(60, 40, 900, seed=5, drift=0.3), simulate(60, 40, 900, seed=5, drift=0.3))
        assert simulate(60, 40, 900, seed=5).item_rows.tolist() != simulate(60, 40, 900, seed=6).item_rows.tolist()

    def test_it_has_what_was_asked_for_and_nobody_meets_an_item_twice(self) -> None:
        world = simulate(60, 40, 1200, seed=5)
        assert (world.events, len(world.user_ids), len(world.item_ids)) == (1200, 60, 40)
        assert len(set(zip(world.user_rows.tolist(), world.item_rows.tolist(), strict=True))) == 1200
        assert set(np.unique(world.user_rows)) == set(range(60))

    def test_popularity_is_skewed(self) -> None:
        counts = np.sort(np.bincount(simulate(400, 200, 12_000, seed=1).item_rows, minlength=200))
        assert counts[-20:].sum() > 3 * counts[:20].sum()

    def test_the_successor_follows_far_more_often_than_any_other_item(self) -> None:
        world = simulate(400, 100, 12_000, seed=1)
        order = np.argsort(world.user_rows, kind="stable")
        users, items = world.user_rows[order], world.item_rows[order]
        pairs = np.zeros((100, 100))
        np.add.at(pairs, (items[:-1][users[1:] == users[:-1]], items[1:][users[1:] == users[:-1]]), 1)
        share = pairs.max(axis=1).sum() / pairs.sum()
        assert 0.3 < share < 0.6

    def test_the_taste_attribute_carries_signal(self) -> None:
        world = simulate(400, 160, 12_000, seed=1)
        genres = [set(g) for g in world.items["genre"].to_list()]

        def match(taste: list[str]) -> float:
            pairs = zip(world.user_rows, world.item_rows, strict=True)
            return float(np.mean([f"g{taste[user][1:]}" in genres[item] for user, item in pairs]))

        taste = world.users["taste"].to_list()
        assert match(taste) > 1.5 * match(taste[1:] + taste[:1])

    def test_drift_moves_users_to_other_clusters_half_way(self) -> None:
        def change(drift: float) -> float:
            world = simulate(300, 160, 9_000, seed=2, drift=drift)
            genre = [g[0] for g in world.items["genre"].to_list()]
            differences = []
            for user in range(300):
                own = [genre[i] for i in world.item_rows[world.user_rows == user]]
                half = len(own) // 2
                tops = [max(set(part), key=part.count) for part in (own[:half], own[half:]) if part]
                differences.append(len(set(tops)) == 2)
            return float(np.mean(differences))

        assert change(1.0) > change(0.0) + 0.15

    def test_a_crowded_world_still_comes_to_an_end(self) -> None:
        assert simulate(16, 16, 128, seed=1).events == 128

    @pytest.mark.parametrize(
        ("users", "items", "events", "drift"),
        [(0, 20, 5, 0), (5, 15, 5, 0), (5, 20, 51, 0), (5, 20, 0, 0), (5, 20, 5, 2)],
    )
    def test_impossible_worlds_are_refused(self, users: int, items: int, events: int, drift: float) -> None:
        with pytest.raises(ValueError, match="out of range"):
            simulate(users, items, events, seed=0, drift=drift)


def test_importing_every_module_needs_neither_torch_nor_pandas() -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        "import shortlist_data, shortlist_evaluation, shortlist_cli.data_commands as commands\n"
        "heavy = {'numpy', 'polars'} & set(sys.modules) - {'numpy'}\n"
        "for package in (shortlist_data, shortlist_evaluation):\n"
        "    for module in pkgutil.iter_modules(package.__path__):\n"
        "        importlib.import_module(f'{package.__name__}.{module.name}')\n"
        "print(sorted({'torch', 'pandas', 'onnxruntime', 'recbole'} & set(sys.modules)), sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[] []"
