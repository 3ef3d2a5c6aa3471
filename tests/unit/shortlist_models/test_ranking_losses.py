"""The parts of a ranker's loss by hand, and their weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from shortlist_models.ranking_losses import LossWeights, pointwise_click, ranking_loss

CLICK = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
TARGET = torch.tensor([0, 1])
RATING, VALUE, DEVIATION = torch.tensor([3.0, 5.0]), torch.tensor([4.0, 2.0]), torch.tensor(2.0)
RETRIEVAL = -(math.log(3 / 4) + math.log(1 / 2)) / 2
RATED = ((1 / 2) ** 2 + (3 / 2) ** 2) / 2
CLICKED = -(math.log(3 / 4) + 3 * math.log(1 / 2)) / 4


def loss(*weights: float) -> float:
    return float(ranking_loss(CLICK, TARGET, RATING, VALUE, DEVIATION, LossWeights(*weights)))


def test_pairs_are_judged_one_by_one() -> None:
    assert float(pointwise_click(CLICK, TARGET)) == pytest.approx(CLICKED)


def test_only_the_pairs_ask_for_a_level_of_the_logits() -> None:
    assert float(pointwise_click(CLICK + 5.0, TARGET)) > float(pointwise_click(CLICK, TARGET)) + 1.0
    moved = ranking_loss(CLICK + 5.0, TARGET, RATING, VALUE, DEVIATION, LossWeights())
    assert float(moved) == pytest.approx(loss(), abs=1e-6)


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (2.0, 0.3, 0.7)])
def test_the_loss_is_the_weighted_sum_of_its_parts(weights: tuple[float, float, float]) -> None:
    parts = zip(weights, (RETRIEVAL, RATED, CLICKED), strict=True)
    assert loss(*weights) == pytest.approx(sum(weight * part for weight, part in parts))


def test_left_alone_it_is_the_softmax_over_the_list_and_half_the_ratings_error() -> None:
    listwise = functional.cross_entropy(CLICK, TARGET)
    assert loss() == float(listwise + 0.5 * (((RATING - VALUE) / DEVIATION) ** 2).mean())
