"""Fitting of the NCF family: what batches hold, that it learns, that it resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shortlist_data.errors import DataRefused
from shortlist_models.ncf import NCF_MODELS
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit_ncf import NcfConfig, Positives, batches, fit_ncf

CONFIG = NcfConfig(factors=8, epochs=25, pretrained_epochs=3, learning_rate=0.01, positives_per_batch=64)


def quiet(part: str, done: int, total: int, loss: float) -> None:
    """Report to nobody."""


def two_tastes(n_users: int = 60, n_items: int = 40) -> Positives:
    """Return users of two kinds, each of whom met 12 of the 20 items of their kind."""
    random = np.random.default_rng(1)
    pairs = [
        (user, item)
        for user in range(n_users)
        for item in random.choice(n_items // 2, 12, replace=False) + (user % 2) * (n_items // 2)
    ]
    users, items = np.array(pairs).T
    return Positives.of(users, items, n_users, n_items)


def test_an_epoch_shows_each_positive_once_with_items_that_its_user_did_not_meet() -> None:
    positives = two_tastes()
    met = set(zip(positives.users.tolist(), positives.items.tolist(), strict=True))
    seen = []
    for users, items in batches(positives, CONFIG, np.random.default_rng(2)):
        assert items.shape == (len(users), 1 + CONFIG.negatives)
        seen += list(zip(users.tolist(), items[:, 0].tolist(), strict=True))
        drawn = {(u, i) for u, row in zip(users.tolist(), items[:, 1:].tolist(), strict=True) for i in row}
        assert not drawn & met
    assert sorted(seen) == sorted(met)


def test_negatives_are_uniform_over_what_a_user_did_not_meet() -> None:
    positives = Positives.of(np.zeros(4000, np.int64), np.arange(4000) % 3, 1, 10)
    assert len(positives.users) == 3
    config = NcfConfig(negatives=7000)
    (_, items), *_ = batches(positives, config, np.random.default_rng(3))
    counts = np.bincount(items[:, 1:].ravel(), minlength=10)
    assert counts[:3].sum() == 0
    assert counts[3:].min() > 0.9 * counts[3:].mean()


@pytest.mark.parametrize("name", NCF_MODELS)
def test_it_learns_what_separates_two_kinds_of_users(name: str, tmp_path: Path) -> None:
    positives = two_tastes()
    model, share = fit_ncf(name, positives, CONFIG, 1, Checkpoints(tmp_path, "x", resume=False), quiet)
    met = np.zeros((positives.n_users, positives.n_items), bool)
    met[positives.users, positives.items] = True
    with torch.no_grad():
        scores = model(torch.arange(positives.n_users)[:, None], torch.arange(positives.n_items)).numpy()
    own_kind = (np.arange(positives.n_users)[:, None] % 2) == (np.arange(positives.n_items) // 20)
    unmet_own, unmet_other = scores[~met & own_kind], scores[~met & ~own_kind]
    assert np.quantile(unmet_own, 0.25) > np.quantile(unmet_other, 0.75)
    assert 0.0 < share <= 1.0


def test_a_run_that_resumes_ends_like_one_that_never_stopped(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(part: str, done: int, total: int, loss: float) -> None:
        if part == "mlp" and done > total // 2:
            raise Stopped

    positives = two_tastes()
    whole, _ = fit_ncf("neumf", positives, CONFIG, 1, Checkpoints(tmp_path / "a", "x", resume=True), quiet)
    with pytest.raises(Stopped):
        fit_ncf("neumf", positives, CONFIG, 1, Checkpoints(tmp_path / "b", "x", resume=True), stop)
    parts: set[str] = set()
    resumed, _ = fit_ncf(
        "neumf",
        positives,
        CONFIG,
        1,
        Checkpoints(tmp_path / "b", "x", resume=True),
        lambda part, done, total, loss: parts.add(part),
    )
    assert parts == {"mlp", "neumf"}
    for (name, left), right in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0, msg=name)


def test_a_user_who_met_everything_is_left_out() -> None:
    positives = Positives.of(np.array([0, 0, 1]), np.array([0, 1, 1]), 2, 2)
    assert positives.users.tolist() == [1]


def test_nothing_to_learn_from_is_refused() -> None:
    none = np.zeros(0, np.int64)
    with pytest.raises(DataRefused, match="0 events of 3 users on 3 items"):
        Positives.of(none, none, 3, 3)
    with pytest.raises(DataRefused, match="nobody met some items"):
        Positives.of(np.array([0, 0]), np.array([0, 1]), 1, 2)
