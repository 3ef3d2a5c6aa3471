"""The NCF table: lists of one relevant item and 99 others, ranked as the publication's evaluation does."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_models.candidates import Popularity
from shortlist_trainer.benchmarks import TABLES
from shortlist_trainer.benchmarks.candidates import candidate
from shortlist_trainer.benchmarks.ncf import NEGATIVES, LeaveOneOut, Lists, cut, listed, measure, ncf
from shortlist_trainer.benchmarks.run import run_table
from shortlist_trainer.ncf_config import NcfConfig

TEST_DATA = Path(os.environ.get("SHORTLIST_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
TABLE = TABLES["ncf"]


def quiet(part: str, done: int, total: int, loss: float) -> None:
    """Report to nobody."""


def unsealed(whole: LeaveOneOut, seed: int = 1) -> tuple[LeaveOneOut, Lists]:
    known, sealed = cut(whole, seed)
    sealed.unseal()
    return known, sealed.read()


def test_what_is_given_is_held_out_and_a_further_cut_draws_its_own(world: Dataset) -> None:
    whole = LeaveOneOut(world)
    known, drawn = unsealed(whole)
    assert drawn.rows.shape == (len(drawn.histories), 1 + NEGATIVES)
    for user, rows in zip(drawn.histories.users, drawn.rows, strict=True):
        mine = world.item_rows[world.user_rows == user]
        assert rows[0] == mine[-1]
        assert not set(rows[1:].tolist()) & set(mine.tolist())
        assert known.events.item_rows[known.events.user_rows == user].tolist() == mine[:-1].tolist()
    again, given = unsealed(LeaveOneOut(known.events, drawn))
    assert given is drawn
    assert again.given is None


def test_an_item_competes_once_and_never_against_itself(world: Dataset) -> None:
    known, drawn = unsealed(LeaveOneOut(world))
    lists = Lists(drawn.histories.take(0, 3), np.array([[5, 1, 2, 3], [5, 5, 2, 3], [5, 1, 1, 1]], np.int32))

    def by_row(asked: Lists) -> NDArray[np.float32]:
        return -np.abs(asked.rows.astype(np.float32) - 1)  # item 1 first, then 2, 3, 5

    reciprocal = 1.0 / np.log2([5.0, 4.0, 3.0])
    np.testing.assert_allclose(measure(known, lists, by_row)["ndcg@10"], reciprocal)


def test_scores_of_the_catalogue_become_scores_of_lists(world: Dataset, tmp_path: Path) -> None:
    entries = {"popularity": listed(candidate("events", Popularity, {}))}
    (row,) = run_table(replace(TABLE, entries=entries), LeaveOneOut(world), (), (1,), tmp_path, quiet)
    known, drawn = unsealed(LeaveOneOut(world))
    counts = np.bincount(known.events.item_rows, minlength=len(world.item_ids)).astype(np.float32)
    expected = measure(known, drawn, lambda asked: counts[asked.rows])
    assert row["metrics"]["hit@10"]["mean"] == pytest.approx(expected["hit@10"].mean(), abs=1e-5)


@pytest.mark.parametrize("model", ["gmf", "mlp", "neumf"])
def test_the_models_beat_popularity(world: Dataset, tmp_path: Path, model: str) -> None:
    config = NcfConfig(factors=8, epochs=15, pretrained_epochs=3, learning_rate=0.01, positives_per_batch=128)
    entries = {"popularity": listed(candidate("events", Popularity, {})), model: ncf("small", model, config)}
    rows = list(run_table(replace(TABLE, entries=entries), LeaveOneOut(world), (), (1,), tmp_path, quiet))
    found = {row["model"]: row["metrics"]["hit@10"]["mean"] for row in rows}
    assert found[model] > found["popularity"]


@pytest.mark.skipif(not (TEST_DATA / "ncf-ml-1m.zip").is_file(), reason="ncf-ml-1m.zip is not at hand")
def test_popularity_comes_out_as_published_on_the_ncf_split(tmp_path: Path) -> None:
    (row,) = run_table(TABLE, TABLE.load(TEST_DATA / "ncf-ml-1m.zip"), ("popularity",), (1,), tmp_path, quiet)
    assert row["evaluated"] == 6040
    assert row["metrics"]["hit@10"]["mean"] == pytest.approx(0.4535, abs=0.001)
    assert row["metrics"]["ndcg@10"]["mean"] == pytest.approx(0.2543, abs=0.001)
