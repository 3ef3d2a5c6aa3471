"""Fitting of the NCF family: what batches hold, that it learns, that it resumes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shortlist_data.errors import DataRefused
from shortlist_models.ncf import NCF_MODELS, NeuMf
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit_ncf import LOSSES, Positives, batches, fit_ncf
from shortlist_trainer.ncf_config import NcfConfig

CONFIG = NcfConfig(factors=8, epochs=25, pretrained_epochs=3, learning_rate=0.01, positives_per_batch=64)
SOFTMAX = replace(
    CONFIG,
    loss="softmax",
    negatives=8,
    half_life=6.0,
    averaging=0.9,
    gmf=replace(CONFIG, loss="softmax", epochs=20),
    share=0.3,
)


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
    for users, items, _ in batches(positives, CONFIG, np.random.default_rng(2)):
        assert items.shape == (len(users), 1 + CONFIG.negatives)
        seen += list(zip(users.tolist(), items[:, 0].tolist(), strict=True))
        drawn = {(u, i) for u, row in zip(users.tolist(), items[:, 1:].tolist(), strict=True) for i in row}
        assert not drawn & met
    assert sorted(seen) == sorted(met)


def test_negatives_are_uniform_over_what_a_user_did_not_meet() -> None:
    positives = Positives.of(np.zeros(4000, np.int64), np.arange(4000) % 3, 1, 10)
    assert len(positives.users) == 3
    config = NcfConfig(negatives=7000)
    (_, items, _), *_ = batches(positives, config, np.random.default_rng(3))
    counts = np.bincount(items[:, 1:].ravel(), minlength=10)
    assert counts[:3].sum() == 0
    assert counts[3:].min() > 0.9 * counts[3:].mean()


def slow_loss(loss: str, logits: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the loss pair by pair, as its formula reads."""
    total = 0.0
    for row, weight in zip(logits, weights, strict=True):
        if loss == "softmax":
            total += weight * -math.log(math.exp(row[0]) / sum(math.exp(z) for z in row))
        else:
            chances = [1.0 / (1.0 + math.exp(-z)) for z in row]
            total -= weight * (math.log(chances[0]) + sum(math.log(1.0 - c) for c in chances[1:])) / len(row)
    return total / len(weights)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_that_of_its_formula_pair_by_pair(loss: str) -> None:
    random = np.random.default_rng(4)
    logits, weights = random.normal(size=(7, 5)), random.uniform(0.1, 3.0, 7)
    found = LOSSES[loss](torch.from_numpy(logits), torch.from_numpy(weights))
    assert float(found) == pytest.approx(slow_loss(loss, logits, weights), rel=1e-12)


def test_every_loss_of_the_settings_is_there_and_no_other() -> None:
    assert set(LOSSES) == set(get_args(get_type_hints(NcfConfig)["loss"]))


def test_a_positive_weighs_half_as_much_for_each_half_life_of_later_ones_down_to_the_least() -> None:
    users = np.array([1, 0, 1, 1, 0, 1])
    items = np.array([5, 2, 0, 5, 1, 3])  # the user 1 met 0, then 5 once more, then 3
    positives = Positives.of(users, items, 2, 9)
    pairs = list(zip(positives.users.tolist(), positives.items.tolist(), strict=True))
    later = dict(zip(pairs, positives.later.tolist(), strict=True))
    assert later == {(0, 1): 0, (0, 2): 1, (1, 3): 0, (1, 5): 1, (1, 0): 2}
    expected = np.array([1.0, 0.5, 0.4, 1.0, 0.5])  # of items 1, 2, 0, 3, 5; a quarter is below the least
    found = positives.weights(1.0, 0.4)
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-6)
    assert positives.weights(0.0, 0.4).tolist() == [1.0] * 5


def test_each_positive_comes_with_its_own_weight() -> None:
    positives = two_tastes()
    config = replace(CONFIG, half_life=3.0)
    weights = positives.weights(config.half_life, config.least_weight)
    expected = dict(zip(positives.keys.tolist(), weights.tolist(), strict=True))
    assert len(set(expected.values())) > 5
    for users, items, given in batches(positives, config, np.random.default_rng(2)):
        assert given.tolist() == [expected[key] for key in (users * positives.n_items + items[:, 0]).tolist()]


def test_with_a_half_life_what_users_meet_last_comes_first(tmp_path: Path) -> None:
    # Everybody meets any 12 of 30 items, in ascending order.
    random = np.random.default_rng(5)
    items = np.concatenate([np.sort(random.choice(30, 12, replace=False)) for _ in range(60)])
    positives = Positives.of(np.repeat(np.arange(60), 12), items, 60, 30)
    lead = {}
    for half_life in (0.0, 2.0):
        config = replace(CONFIG, loss="softmax", half_life=half_life, least_weight=0.0)
        folder = tmp_path / str(half_life)
        model, _ = fit_ncf("gmf", positives, config, 1, Checkpoints(folder, "x", resume=False), quiet)
        with torch.no_grad():
            scores = model(torch.arange(60)[:, None], torch.arange(30)).mean(dim=0).numpy()
        lead[half_life] = scores[20:].mean() - scores[:10].mean()
    assert lead[2.0] > 1.0
    assert abs(lead[0.0]) < 0.5


@pytest.mark.parametrize("config", [CONFIG, SOFTMAX], ids=["bce", "softmax"])
@pytest.mark.parametrize("name", NCF_MODELS)
def test_it_learns_what_separates_two_kinds_of_users(name: str, config: NcfConfig, tmp_path: Path) -> None:
    positives = two_tastes()
    model, share = fit_ncf(name, positives, config, 1, Checkpoints(tmp_path, "x", resume=False), quiet)
    met = np.zeros((positives.n_users, positives.n_items), bool)
    met[positives.users, positives.items] = True
    with torch.no_grad():
        scores = model(torch.arange(positives.n_users)[:, None], torch.arange(positives.n_items)).numpy()
    own_kind = (np.arange(positives.n_users)[:, None] % 2) == (np.arange(positives.n_items) // 20)
    unmet_own, unmet_other = scores[~met & own_kind], scores[~met & ~own_kind]
    assert np.quantile(unmet_own, 0.25) > np.quantile(unmet_other, 0.75)
    assert 0.0 < share <= 1.0


@pytest.mark.parametrize("config", [CONFIG, SOFTMAX], ids=["bce", "softmax"])
def test_a_run_that_resumes_ends_like_one_that_never_stopped(config: NcfConfig, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(part: str, done: int, total: int, loss: float) -> None:
        if part == "mlp" and done > total // 2:
            raise Stopped

    positives = two_tastes()
    whole, _ = fit_ncf("neumf", positives, config, 1, Checkpoints(tmp_path / "a", "x", resume=True), quiet)
    with pytest.raises(Stopped):
        fit_ncf("neumf", positives, config, 1, Checkpoints(tmp_path / "b", "x", resume=True), stop)
    parts: set[str] = set()
    resumed, _ = fit_ncf(
        "neumf",
        positives,
        config,
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


def test_the_parts_of_a_neumf_are_fitted_by_their_own_settings(tmp_path: Path) -> None:
    steps: dict[str, int] = {}

    def count(part: str, done: int, total: int, loss: float) -> None:
        steps[part] = done

    config = replace(
        CONFIG,
        gmf=replace(CONFIG, epochs=2),
        mlp=replace(CONFIG, epochs=3, positives_per_batch=720),
        pretrained_epochs=1,
    )
    fit_ncf("neumf", two_tastes(), config, 1, Checkpoints(tmp_path, "x", resume=False), count)
    assert steps == {"gmf": 2 * 12, "mlp": 3, "neumf": 12}  # 720 positives


def test_a_neumf_that_is_not_trained_further_is_the_mean_of_its_parts_by_share(tmp_path: Path) -> None:
    positives = two_tastes()
    alone = replace(CONFIG, epochs=2)
    config = replace(CONFIG, gmf=alone, share=1.0, mlp=alone, pretrained_epochs=0)
    both, _ = fit_ncf("neumf", positives, config, 1, Checkpoints(tmp_path, "x", resume=False), quiet)
    assert isinstance(both, NeuMf)
    head = both.head.weight.detach()[0]
    assert head[: CONFIG.factors].abs().min() > 0.0
    assert head[CONFIG.factors :].abs().max() == 0.0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"loss": "hinge"}, "loss is bce or softmax"),
        ({"negatives": 0}, "negatives"),
        ({"epochs": 0}, "epochs"),
        ({"positives_per_batch": 0}, "batches"),
        ({"pretrained_epochs": -1}, "pretrained_epochs"),
        ({"half_life": -1.0}, "half_life"),
        ({"half_life": math.nan}, "half_life"),
        ({"least_weight": 1.1}, "least_weight"),
        ({"averaging": 1.0}, "averaging"),
        ({"share": -0.1}, "share"),
        ({"learning_rate": 0.0}, "rates"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"gmf": NcfConfig(factors=16)}, "factors and hidden layers"),
        ({"mlp": NcfConfig(hidden=2)}, "factors and hidden layers"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        NcfConfig(**wrong)
