"""Bad input, from the tables to the bundle: each kind is refused with what is missing, or has a stated meaning."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shortlist_bundle import golden, layout
from shortlist_bundle.feature_list import FeatureList
from shortlist_data.assemble import assemble
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.item_columns import NO_ATTRIBUTES
from shortlist_data.prepared import load, save
from shortlist_data.simulate import simulate
from shortlist_data.summary import warnings
from shortlist_data.tables import read_tables
from shortlist_trainer.checkpoints import CheckpointRefused
from shortlist_trainer.train import TrainResult, train

from .conftest import flat_index, quick

Row = tuple[object, ...]

SCHEMA = "name: shop\ninteractions: {path: events.csv, user: who, item: what, value: stars, time: at}\n"
ITEMS = "items: {path: items.csv, id: sku, attributes: {genres: multi, year: number}}\n"
FEW = "limits: {users: 2, items: 2}\n"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return what a healthy table would hold: user, item, value, time."""
    world = simulate(users=120, items=60, events=3_000, seed=5)
    columns = (world.user_rows, world.item_rows, world.values.tolist(), world.times_s.tolist())
    return [(world.user_ids[u], world.item_ids[i], v, t) for u, i, v, t in zip(*columns, strict=True)]


def imported(folder: Path, rows: Sequence[Row], schema: str = SCHEMA, items: str = "") -> Dataset:
    """Return the data set as ``shortlist data import`` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(str(field) for field in row) for row in rows]
    (folder / "events.csv").write_text("\n".join(["who,what,stars,at", *lines]) + "\n")
    (folder / "items.csv").write_text(items)
    (folder / "schema.yaml").write_text(schema)
    save(read_tables(folder / "schema.yaml"), folder / "prepared")
    return load(folder / "prepared")


def trained(folder: Path, dataset: Dataset) -> TrainResult:
    return train(dataset, quick(), folder / "run", flat_index)


def array(result: TrainResult, name: str) -> np.ndarray:
    found: np.ndarray = np.load(io.BytesIO(result.files[name]), allow_pickle=False)
    return found


def refusal(folder: Path, rows: Sequence[Row], schema: str = SCHEMA) -> str:
    with pytest.raises(DataRefused) as refused:
        trained(folder, imported(folder, rows, schema))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_one_user_is_refused_with_how_many_are_missing(rows: list[Row], tmp_path: Path) -> None:
    told = refusal(tmp_path, [("me", item, value, at) for at, (_, item, value, _) in enumerate(rows)])
    assert told == "shop is too small: 1 users with events where 10 are needed (9 more)"


def test_one_item_is_refused_with_how_many_are_missing(rows: list[Row], tmp_path: Path) -> None:
    told = refusal(tmp_path, [(user, "it", value, at) for user, _, value, at in rows])
    assert told == "shop is too small: 1 items with events where 10 are needed (9 more)"


def test_limits_that_were_lowered_do_not_let_rubbish_through(rows: list[Row], tmp_path: Path) -> None:
    two = [(f"u{n % 2}", item, value, n) for n, (_, item, value, _) in enumerate(rows)]
    told = refusal(tmp_path, two, SCHEMA + FEW)
    assert "ranking has 0, validation has 0, test has 0 on items new to their user, where 50 are needed" in told
    assert "2,880 events are on items that their user had met before" in told


def test_too_few_events_say_how_many_it_takes(rows: list[Row], tmp_path: Path) -> None:
    told = refusal(tmp_path, rows[:130])
    assert "of its 130 events, too few are left" in told
    assert "ranking has 11, validation has 13, test has 13" in told
    assert "about 591 events are needed in all" in told
    with pytest.raises(DataRefused, match="too few are left"):
        trained(tmp_path / "less", imported(tmp_path / "less", rows[:580]))
    trained(tmp_path / "enough", imported(tmp_path / "enough", rows[:700]))


@pytest.mark.parametrize("value", [3.0, 0.0, -2.5])
def test_equal_ratings_are_pointed_out_and_predicted_as_they_are(rows: list[Row], tmp_path: Path, value: float) -> None:
    dataset = imported(tmp_path, [(user, item, value, at) for user, item, _, at in rows])
    assert warnings(dataset) == [f"Every event has the value {value:g}: predicted ratings will say nothing."]
    result = trained(tmp_path, dataset)
    ratings = [rating for request in golden.from_json(result.files[layout.GOLDEN]) for rating in request.rating]
    assert ratings == pytest.approx([value] * len(ratings), abs=1e-5)
    assert result.metrics["rolling/pipeline/ndcg@10"] > result.metrics["rolling/popular/ndcg@10"]


def test_rows_that_repeat_change_nothing(rows: list[Row], tmp_path: Path) -> None:
    once, twice = imported(tmp_path / "once", rows), imported(tmp_path / "twice", [*rows, *rows])
    assert [(s.reason, s.count) for s in twice.report.skipped] == [("repeats an earlier event", len(rows))]
    assert trained(tmp_path / "once", once).files == trained(tmp_path / "twice", twice).files


def test_an_item_rated_again_is_another_event_and_is_never_recommended_again(rows: list[Row], tmp_path: Path) -> None:
    again = [(user, item, 9.0 - float(str(value)), at) for user, item, value, at in rows]
    dataset = imported(tmp_path, [*rows, *again])
    assert dataset.events == 2 * len(rows)
    assert array(trained(tmp_path, dataset), layout.ITEM_COUNTERS)[:, 0].sum() == dataset.events


def test_rows_out_of_the_order_of_time_make_the_same_bundle(rows: list[Row], tmp_path: Path) -> None:
    timed = [(*row[:3], 1_000 + 60 * n) for n, row in enumerate(rows)]
    shuffled = [timed[n] for n in np.random.default_rng(0).permutation(len(timed))]
    ordered, mixed = (imported(tmp_path / name, each) for name, each in (("a", timed), ("b", shuffled)))
    assert trained(tmp_path / "a", ordered).files == trained(tmp_path / "b", mixed).files


@pytest.mark.parametrize(
    ("field", "content", "reason"),
    [(3, "", "time is missing"), (2, "nan", "value is NaN or infinite"), (2, "inf", "value is NaN or infinite")],
)
def test_a_few_bad_fields_are_left_out_and_many_are_refused(
    rows: list[Row], tmp_path: Path, field: int, content: str, reason: str
) -> None:
    def spoilt(every: int) -> list[Row]:
        return [(*row[:field], content, *row[field + 1 :]) if n % every == 0 else row for n, row in enumerate(rows)]

    few = imported(tmp_path / "few", spoilt(100))
    assert [(s.reason, s.count) for s in few.report.skipped] == [(reason, 30)]
    assert np.isfinite(list(trained(tmp_path / "few", few).metrics.values())).all()
    told = refusal(tmp_path / "many", spoilt(3))
    assert f"1,000 of 3,000 rows of interactions are bad (33.3%, at most 5.0% may be): 1,000 x {reason}" in told


def test_events_of_one_moment_are_refused(rows: list[Row], tmp_path: Path) -> None:
    told = refusal(tmp_path, [(user, item, value, 5) for user, item, value, _ in rows])
    assert "its events have 1 distinct times" in told


def test_ids_that_are_whole_numbers_are_their_digits(rows: list[Row], tmp_path: Path) -> None:
    numbered = [(int(str(user)[1:]), int(str(item)[1:]), value, at) for user, item, value, at in rows]
    dataset = imported(tmp_path, numbered)
    assert set(dataset.user_ids) == {str(row[0]) for row in numbered}
    assert dataset.user_ids[:3] == ("0", "1", "10")
    trained(tmp_path, dataset)


def test_ids_written_differently_in_two_tables_are_refused(rows: list[Row], tmp_path: Path) -> None:
    damaged = [(user, float(str(item)[1:]), value, at) for user, item, value, at in rows]
    items = "sku,genres,year\n" + "".join(f"{n},a|b,1990\n" for n in range(60))
    with pytest.raises(DataRefused) as refused:
        imported(tmp_path, damaged, SCHEMA + ITEMS, items)
    assert "items.csv has none of the 60 item ids of events.csv: they read" in str(refused.value)
    assert "write ids alike in both" in str(refused.value)


def test_an_item_without_attributes_is_served_like_the_others(rows: list[Row], tmp_path: Path) -> None:
    items = "sku,genres,year\ni00,,\ni01,a|b,1990\ni02,b,\n"
    dataset = imported(tmp_path, rows, SCHEMA + ITEMS, items)
    result = trained(tmp_path, dataset)
    columns = FeatureList.from_json(result.files[layout.FEATURE_LIST]).item_columns
    assert columns == ("genres=a", "genres=b", "year", "year_missing")
    features = array(result, layout.ITEM_FEATURES)
    expected = np.array([[0, 0, 0, 1], [1, 1, 0.9, 0], [0, 1, 0, 1], [0, 0, 0, 1]], np.float32)
    np.testing.assert_array_equal(features[:4], expected)
    assert np.isfinite(array(result, layout.ITEM_EMBEDDINGS)).all()


def test_items_that_all_lack_attributes_train_and_say_so(rows: list[Row], tmp_path: Path) -> None:
    items = "sku,genres,year\n" + "".join(f"i{n:02d},,\n" for n in range(60))
    dataset = imported(tmp_path, rows, SCHEMA + ITEMS, items)
    assert warnings(dataset) == [
        f"The attribute {name} has no value anywhere: models learn nothing from it." for name in ("genres", "year")
    ]
    trained(tmp_path, dataset)
    without = replace(dataset, item_attributes=(), item_numbers=())
    columns = FeatureList.from_json(trained(tmp_path / "b", without).files[layout.FEATURE_LIST]).item_columns
    assert columns == (NO_ATTRIBUTES,)


def test_one_absurd_number_of_an_item_carries_nothing_away(rows: list[Row], tmp_path: Path) -> None:
    items = "sku,genres,year\n" + "".join(f"i{n:02d},a,{1e11 if n == 7 else 1990}\n" for n in range(60))
    result = trained(tmp_path, imported(tmp_path, rows, SCHEMA + ITEMS, items))
    assert np.abs(array(result, layout.ITEM_FEATURES)).max() == 8.0
    assert np.isfinite(array(result, layout.ITEM_EMBEDDINGS)).all()


def test_one_absurd_value_is_pointed_out(rows: list[Row], tmp_path: Path) -> None:
    dataset = imported(tmp_path, [(*rows[0][:2], 1e9, rows[0][3]), *rows[1:]])
    (told,) = warnings(dataset)
    assert told.startswith("99% of the values are within 5, the largest is 1e+09")
    assert np.isfinite(list(trained(tmp_path, dataset).metrics.values())).all()
    beyond = imported(tmp_path / "beyond", [(*rows[0][:2], 1e13, rows[0][3]), *rows[1:]])
    assert [s.reason for s in beyond.report.skipped] == ["value is beyond 1e+12"]


def grown(dataset: Dataset) -> Dataset:
    """Return ``dataset`` with an event of a new user, who is of a new kind, on a new item."""
    events = pl.DataFrame(
        {
            "user_id": [*dataset.users["user_id"].gather(dataset.user_rows), "zoe"],
            "item_id": [*dataset.items["item_id"].gather(dataset.item_rows), "zz"],
            "value": [*dataset.values.tolist(), 4.0],
            "time_s": [*dataset.times_s.tolist(), float(dataset.times_s[-1]) + 1.0],
        }
    )
    new = pl.DataFrame({"user_id": ["zoe"], "taste": ["t99"], "region": ["r0"]})
    return assemble(
        dataset.name,
        events,
        pl.concat([dataset.users, new]),
        dataset.items,
        user_attributes=dataset.user_attributes,
        item_attributes=dataset.item_attributes,
        item_numbers=dataset.item_numbers,
        report=dataset.report,
    )


def test_a_run_is_not_resumed_on_a_vocabulary_that_outgrew_it(tmp_path: Path) -> None:
    world = simulate(users=120, items=60, events=3_000, seed=5)
    trained(tmp_path, world)
    with pytest.raises(CheckpointRefused) as refused:
        train(grown(world), quick(), tmp_path / "run", flat_index, resume=True)
    assert (
        "(made from simulated-5: 3,000 events, 120 users, 60 items; now simulated-5: 3,001 events, 121 users, 61 items)"
        in str(refused.value)
    )


def test_a_run_is_not_resumed_on_other_attributes(tmp_path: Path) -> None:
    world = simulate(users=120, items=60, events=3_000, seed=5)
    trained(tmp_path, world)
    other = replace(world, items=world.items.with_columns(year=pl.col("year") + 1.0))
    with pytest.raises(CheckpointRefused, match="other data or settings"):
        train(other, quick(), tmp_path / "run", flat_index, resume=True)


def test_a_grown_data_set_trains_anew_and_knows_what_is_new(tmp_path: Path) -> None:
    world = simulate(users=120, items=60, events=3_000, seed=5)
    result = trained(tmp_path, grown(world))
    features = FeatureList.from_json(result.files[layout.FEATURE_LIST])
    assert "t99" in features.user_categories[0].values
    assert len(array(result, layout.ITEM_EMBEDDINGS)) == 61


def test_every_row_of_the_table_names_tests_that_exist() -> None:
    root = Path(__file__).parents[3]
    text = (root / "services" / "trainer" / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Bad input\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    named = [set(re.findall(r"`(test_\w+)`", row)) for row in rows]
    there = "".join(path.read_text(encoding="utf-8") for path in (root / "tests").rglob("test_*.py"))
    assert len(rows) >= 12
    assert all(named)
    assert {name for names in named for name in names if f"def {name}(" not in there} == set()
