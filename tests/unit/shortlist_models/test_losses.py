"""Losses, by hand."""

import math

import pytest
import torch

from shortlist_models.losses import full_softmax, listwise_softmax, sampled_softmax


def test_the_full_softmax_is_the_negative_log_share_of_the_positive() -> None:
    query, items, bias = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0.5, -1.0])
    # logits 1.5 and 1.0; at temperature 0.5 they are 3 and 2
    expected = math.log(math.exp(3.0) + math.exp(2.0)) - 2.0
    assert full_softmax(query, items, bias, torch.tensor([1]), 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_a_sampled_negative_is_lowered_by_the_log_of_its_expected_count_and_the_positive_is_not() -> None:
    query = torch.tensor([[1.0, 1.0]])
    positive, negatives = torch.tensor([[2.0, 0.0, 0.25]]), torch.tensor([[1.0, 0.0, 0.0], [0.0, 3.0, -1.0]])
    log_q = torch.log(torch.tensor([0.5, 4.0]))
    loss = sampled_softmax(query, positive, negatives, torch.tensor([9]), torch.tensor([1, 2]), log_q, 1.0)
    # positive 2.25; negatives 1 - ln 0.5 and 2 - ln 4
    expected = math.log(math.exp(2.25) + math.exp(1.0) / 0.5 + math.exp(2.0) / 4.0) - 2.25
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_a_negative_that_is_the_positive_itself_does_not_count() -> None:
    query, positive = torch.tensor([[1.0]]), torch.tensor([[2.0, 0.0]])
    negatives, log_q = torch.tensor([[2.0, 0.0], [1.0, 0.0]]), torch.zeros(2)
    loss = sampled_softmax(query, positive, negatives, torch.tensor([7]), torch.tensor([7, 3]), log_q, 1.0)
    assert loss.item() == pytest.approx(math.log(1.0 + math.exp(-1.0)), rel=1e-6)


def test_the_temperature_divides_logits_before_the_correction() -> None:
    query, positive = torch.tensor([[1.0]]), torch.tensor([[2.0, 0.0]])
    loss = sampled_softmax(
        query, positive, torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([1]), torch.tensor([0.7]), 0.5
    )
    assert loss.item() == pytest.approx(math.log(1.0 + math.exp(2.0 - 0.7 - 4.0)), rel=1e-6)


def test_the_corrected_sampled_gradient_approaches_that_of_the_full_softmax() -> None:
    torch.manual_seed(3)
    n, draws = 30, 4000
    items, query = torch.randn(n, 4), torch.randn(1, 4, requires_grad=True)
    target = torch.tensor([2])
    probability = torch.softmax(torch.randn(n), 0)
    full = torch.autograd.grad(full_softmax(query, items, torch.zeros(n), target, 1.0), query)[0]
    rows = torch.multinomial(probability, draws, replacement=True)
    with_bias = torch.cat([items, torch.zeros(n, 1)], 1)

    def gradient(log_q: torch.Tensor) -> torch.Tensor:
        loss = sampled_softmax(query, with_bias[target], with_bias[rows], target, rows, log_q, 1.0)
        return torch.autograd.grad(loss, query)[0]

    corrected = (gradient(torch.log(probability[rows] * draws)) - full).norm()
    assert corrected < 0.2 * full.norm()
    assert corrected < 0.5 * (gradient(torch.zeros(draws)) - full).norm()


def test_the_listwise_softmax_looks_at_each_list_by_itself() -> None:
    logits = torch.tensor([[1.0, 0.0], [5.0, 5.0]])
    expected = (math.log(1.0 + math.exp(-1.0)) + math.log(2.0)) / 2
    assert listwise_softmax(logits, torch.tensor([0, 0])).item() == pytest.approx(expected, rel=1e-6)
