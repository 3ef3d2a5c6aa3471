"""Losses and negatives of the two towers: all that fit together train, the others are refused, resuming repeats."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortlist_data.dataset import Dataset
from shortlist_data.simulate import simulate
from shortlist_models.candidates import Histories, Popularity
from shortlist_models.losses import LOSSES, Contrast, LossOptions, Sample
from shortlist_models.negatives import NEGATIVES
from shortlist_trainer.config import LossName, NegativeSource, TwoTowerConfig
from shortlist_trainer.histories import histories_of, only
from shortlist_trainer.presets import ConfigRefused, load_config
from shortlist_trainer.retrieval_loss import with_kept
from shortlist_trainer.two_tower_model import TwoTower

ALLOWED = [(name, source) for name, loss in LOSSES.items() for source in (loss.negatives or ("auto",))]
SMALL = {
    "encoder": "mean",
    "width": 16,
    "history_length": 2,
    "epochs": 4,
    "share": 1.0,
    "far_share": 0.0,
    "visit_share": 0.0,
    "queries_per_batch": 256,
    "learning_rate": 0.03,
    "dropout": 0.0,
    "negatives": 60,
    "hard_depth": 10,
    "hard_refresh": 4,
    "queue_warm_up": 8,
    "queue_length": 300,
    "gbce_t": 0.9,
}


@pytest.fixture(scope="module")
def small() -> Dataset:
    return simulate(users=300, items=100, events=6_000, seed=5)


def last_out(data: Dataset) -> tuple[Histories, Histories, NDArray[np.int64]]:
    """Return what is known, the users with it, and the last item of each, which is not."""
    last = np.zeros(data.events, np.bool_)
    last[[np.flatnonzero(data.user_rows == user)[-1] for user in range(len(data.user_ids))]] = True
    known = histories_of(only(data, ~last))
    held = {int(user): int(item) for user, item in zip(data.user_rows[last], data.item_rows[last], strict=True)}
    return known, known, np.array([held[int(user)] for user in known.users])


def hits(scores: NDArray[np.float32], known: Histories, wanted: NDArray[np.int64]) -> float:
    """Return the share of users whose item is among the best ten that they did not meet."""
    scores = scores.copy()
    scores[np.repeat(np.arange(len(known)), np.diff(known.indptr)), known.rows] = -np.inf
    own = scores[np.arange(len(wanted)), wanted]
    return float(((scores > own[:, None]).sum(1) < 10).mean())


def test_settings_name_every_loss_and_every_source() -> None:
    assert get_args(LossName) == ("auto", *LOSSES)
    assert set(get_args(NegativeSource)) == {"auto", *NEGATIVES}


@pytest.mark.parametrize(("loss", "source"), ALLOWED)
def test_every_loss_with_every_source_it_takes_beats_popularity(small: Dataset, loss: str, source: str) -> None:
    known, asked, wanted = last_out(small)
    popular = Popularity()
    popular.fit(known)
    model = TwoTower(small, TwoTowerConfig(**SMALL, loss=loss, negative_source=source), 1)  # type: ignore[arg-type]
    model.fit(known)
    assert hits(model.score(asked), known, wanted) > hits(popular.score(asked), known, wanted) + 0.08


def test_a_queue_that_repeats_the_batch_changes_neither_the_loss_nor_its_gradient() -> None:
    torch.manual_seed(1)
    query, items, positives = torch.randn(4, 3), torch.randn(6, 4), torch.tensor([5, 0, 1, 2])
    rows, log_q = torch.tensor([0, 1, 1, 2, 3, 4]), torch.randn(6)

    def ran(copies: int) -> tuple[Tensor, Tensor]:
        live = items.clone().requires_grad_(True)
        every = rows.repeat(1 + copies)
        is_hit = positives[:, None] == every[None]
        expected = log_q + math.log(1 + copies)
        sample = Sample(
            with_kept(live[rows], items[rows].repeat(copies, 1)), is_hit, expected[every], expected[positives]
        )
        loss = LOSSES["sampled_softmax"].function(query, Contrast(positives, live, sample), LossOptions())
        return loss, torch.autograd.grad(loss, live)[0]

    torch.testing.assert_close(ran(3), ran(0))


@pytest.mark.parametrize("source", ["cross_batch", "hard"])
def test_a_resumed_fit_ends_as_one_that_never_stopped(small: Dataset, tmp_path: Path, source: str) -> None:
    config = TwoTowerConfig(**SMALL, loss="refined_logq_softmax", negative_source=source)  # type: ignore[arg-type]
    known, asked, _ = last_out(small)
    whole = TwoTower(small, config, 1)
    whole.fit(known)

    def kill_in_the_third_epoch(part: str, done: int, total: int, loss: float) -> None:
        if done > 0.6 * total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TwoTower(small, config, 1, folder=tmp_path, report=kill_in_the_third_epoch).fit(known)
    resumed = TwoTower(small, config, 1, folder=tmp_path)
    resumed.fit(known)
    np.testing.assert_array_equal(resumed.score(asked), whole.score(asked))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"negative_source": "hard"},
            "two_tower: negative_source=hard needs loss sampled_softmax, logq_softmax, refined_logq_softmax or "
            "uncorrected_softmax, not auto",
        ),
        (
            {"loss": "full_softmax", "negative_source": "cross_batch"},
            "not full_softmax; loss=full_softmax takes negative_source auto",
        ),
        (
            {"loss": "gbce", "negative_source": "popularity"},
            "not gbce; loss=gbce takes negative_source auto or uniform",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line_that_says_what_does(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load_config("small", overrides=[f"two_tower.{key}={value}" for key, value in settings.items()])
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_queue_that_would_never_be_warm_is_refused(small: Dataset) -> None:
    config = TwoTowerConfig.model_validate(
        {**SMALL, "loss": "sampled_softmax", "negative_source": "cross_batch", "queue_warm_up": 88}
    )
    with pytest.raises(ConfigRefused, match=r"queue_warm_up=88 is not below the 88 steps of the fit"):
        TwoTower(small, config, 1).fit(last_out(small)[0])


def test_by_itself_the_loss_is_the_full_softmax_up_to_a_size_and_sampled_above_it() -> None:
    config = TwoTowerConfig(full_softmax_up_to=100)
    assert [config.loss_for(n) for n in (100, 101)] == ["full_softmax", "sampled_softmax"]
    assert replace_loss(config, "gbce").loss_for(5) == "gbce"


def replace_loss(config: TwoTowerConfig, loss: str) -> TwoTowerConfig:
    return TwoTowerConfig.model_validate({**config.model_dump(), "loss": loss})
