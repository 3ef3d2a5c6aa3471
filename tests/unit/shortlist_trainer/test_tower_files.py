"""What is exported is what was trained: both towers agree with PyTorch on a thousand random inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shortlist_bundle.session import Session
from shortlist_models.encoders import EncoderKind
from shortlist_models.inputs import USER_NUMBERS
from shortlist_models.two_tower import ItemTower, TwoTowerShape, UserTower
from shortlist_trainer.fit_towers import Towers
from shortlist_trainer.tower_files import item_tower_file, user_tower_file

ACTORS = 1000
N_ITEMS, COLUMNS, LENGTH = 200, 11, 20
SIZES = (3, 21, 7)


def towers(encoder: EncoderKind) -> Towers:
    """Return towers whose every parameter is random, those too that start at zero."""
    torch.manual_seed(17)
    shape = TwoTowerShape(N_ITEMS, COLUMNS, SIZES, history_length=LENGTH, width=24, encoder=encoder, layers=2, heads=3)
    items, users = ItemTower(shape), UserTower(shape)
    with torch.no_grad():
        for parameter in [*items.parameters(), *users.parameters()]:
            parameter.add_(0.2 * torch.randn_like(parameter))
        users.numbers.fit(torch.rand(100, len(USER_NUMBERS)) * torch.tensor([300.0, 5.0, 2.0]))
        users.value_mean.fill_(3.4)
        users.value_deviation.fill_(1.1)
        items.eval()
        users.eval()
        return Towers(items, users, items.table(torch.rand(N_ITEMS, COLUMNS)))


def actors(random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Return actors of every length of history, none and more than fits among them."""
    known = random.integers(0, LENGTH + 3, ACTORS).clip(max=LENGTH)
    is_known = np.arange(LENGTH) >= LENGTH - known[:, None]
    ages = -np.sort(-random.exponential(3e6, (ACTORS, LENGTH)), axis=1)
    return {
        "history_rows": np.where(is_known, random.integers(0, N_ITEMS, (ACTORS, LENGTH)), -1),
        "history_values": np.where(is_known, random.integers(1, 6, (ACTORS, LENGTH)), 0).astype(np.float32),
        "history_ages_s": np.where(is_known, ages, 0.0).astype(np.float32),
        "user_categories": np.stack([random.integers(0, n + 1, ACTORS) for n in SIZES], axis=1),
        "user_numbers": (random.random((ACTORS, 3)) * [1000.0, 5.0, 2.0]).astype(np.float32),
        "context": np.stack(
            [random.integers(0, 24, ACTORS), random.integers(0, 7, ACTORS), random.integers(0, 2, ACTORS)], axis=1
        ).astype(np.float32),
    }


@pytest.mark.parametrize("encoder", ["mean", "gru", "transformer"])
def test_the_exported_user_tower_agrees_with_the_trained_one_on_a_thousand_actors(encoder: EncoderKind) -> None:
    fitted, inputs = towers(encoder), actors(np.random.default_rng(3))
    with torch.no_grad():
        columns = (torch.from_numpy(column) for column in inputs.values())
        expected = fitted.users.embed(fitted.table[:, :-1], *columns).numpy()
    session = Session(user_tower_file(fitted, len(SIZES)), tuple(inputs), ("embedding",))
    exported = [session.run({name: column[i : i + 1] for name, column in inputs.items()})[0] for i in range(ACTORS)]
    np.testing.assert_allclose(np.concatenate(exported), expected, atol=1e-4, rtol=0)
    assert expected[:, :-1].std(axis=0).min() > 0.1  # the actors do differ


def test_the_exported_item_tower_agrees_with_the_trained_one_on_a_thousand_items() -> None:
    fitted, features = towers("mean"), torch.rand(1000, COLUMNS)
    session = Session(item_tower_file(fitted), ("item_features",), ("embedding",))
    with torch.no_grad():
        expected = fitted.items(features).numpy()
    np.testing.assert_allclose(session.run({"item_features": features.numpy()})[0], expected, atol=1e-4, rtol=0)
    assert expected.std(axis=0).min() > 0.01
