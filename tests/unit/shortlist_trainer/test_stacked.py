"""Candidate models ranked by a network: it learns which of them to trust, from earlier cuts and nothing later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.candidates import Ease, Histories, Popularity
from shortlist_trainer.benchmarks.candidates import candidate
from shortlist_trainer.benchmarks.stacked import StackedConfig, stacked
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.histories import apart, histories_of
from shortlist_trainer.holdouts import latest

CONFIG = StackedConfig(cuts=(0.5, 0.7), candidates=20, networks=2, hidden=8, epochs=6)


def quiet(part: str, done: int, total: int, loss: float) -> None:
    """Report to nobody."""


def noise(known: Dataset, run: Run) -> Predictor:
    """Fit nothing: scores are drawn."""

    def score(histories: Histories) -> NDArray[np.float32]:
        random = np.random.default_rng(histories.users)
        return random.random((len(histories), histories.n_items), dtype=np.float32)

    return score


PARTS = {
    "noise": Entry("noise", {}, noise),
    "popularity": candidate("events counted", Popularity, {}),
    "ease": candidate("EASE", Ease, {"regularisation": 20.0}),
}


def hits(scores: NDArray[np.float32], asked: Histories, after: list[NDArray[np.int32]]) -> float:
    """Return the mean number of later items among the best five that were not met before."""
    found = []
    for user in range(len(asked)):
        mine = scores[user].copy()
        mine[asked.rows[asked.indptr[user] : asked.indptr[user + 1]]] = -np.inf
        found.append(len(np.intersect1d(np.argsort(-mine)[:5], after[user])))
    return float(np.mean(found))


def test_a_part_that_knows_nothing_does_little_harm(world: Dataset, tmp_path: Path) -> None:
    known, held_out = apart(world, latest(world, 0.2))
    asked = histories_of(known, held_out.users)
    after = np.split(held_out.rows, held_out.indptr[1:-1])
    run = Run(1, tmp_path, quiet)
    scores = stacked("", PARTS, CONFIG).fit(known, run)(asked)
    assert np.isfinite(scores).all()
    drawn = hits(noise(known, run)(asked), asked, after)
    popular = hits(PARTS["popularity"].fit(known, run)(asked), asked, after)
    assert hits(scores, asked, after) > max(1.2 * drawn, 0.9 * popular)


def test_equal_known_parts_give_equal_scores_whatever_comes_later(world: Dataset, tmp_path: Path) -> None:
    known, held_out = apart(world, latest(world, 0.2))
    later = ~np.isin(np.arange(world.events), np.arange(known.events))
    turned = replace(world, item_rows=np.where(later, world.item_rows[::-1], world.item_rows))
    same, _ = apart(turned, latest(turned, 0.2))
    asked = histories_of(known, held_out.users)
    scores = [stacked("", PARTS, CONFIG).fit(part, Run(1, tmp_path, quiet))(asked) for part in (known, same)]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_cuts_after_which_nobody_comes_back_are_refused(world: Dataset, tmp_path: Path) -> None:
    once = np.unique(world.user_rows, return_index=True)[1]
    alone = np.isin(np.arange(world.events), once)
    lonely = replace(
        world,
        user_rows=world.user_rows[alone],
        item_rows=world.item_rows[alone],
        values=world.values[alone],
        times_s=world.times_s[alone],
    )
    with pytest.raises(DataRefused):
        stacked("", PARTS, CONFIG).fit(lonely, Run(1, tmp_path, quiet))
