"""Losses: each against its formula written out item by item in float64, and what corrections promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from shortlist_models.losses import LOSSES, Contrast, LossOptions, Sample, listwise_softmax
from shortlist_models.negatives import NEGATIVES

SAMPLED = sorted(name for name, loss in LOSSES.items() if loss.negatives)


@dataclass(frozen=True, slots=True)
class Case:
    """Queries, a catalogue, a sample of it, and how often each item was to be expected there."""

    query: Tensor
    items: Tensor
    positives: Tensor
    rows: Tensor
    expected: Tensor

    def contrast(self) -> Contrast:
        log_q = self.expected.log()
        is_hit = self.positives[:, None] == self.rows[None]
        sample = Sample(self.items[self.rows], is_hit, log_q[self.rows], log_q[self.positives])
        return Contrast(self.positives, self.items, sample)

    def logit(self, query: int, item: int, temperature: float) -> float:
        vector, bias = self.items[item, :-1], self.items[item, -1]
        return float((self.query[query] @ vector + bias) / temperature)


def case(seed: int, queries: int = 5, n: int = 7, draws: int = 12) -> Case:
    torch.manual_seed(seed)
    probability = torch.softmax(torch.randn(n, dtype=torch.float64), 0)
    rows = torch.multinomial(probability, draws, replacement=True)
    query, items = torch.randn(queries, 3, dtype=torch.float64), torch.randn(n, 4, dtype=torch.float64)
    return Case(query, items, torch.randint(0, n, (queries,)), rows, probability * draws)


def of_full_softmax(c: Case, i: int, p: int, options: LossOptions) -> float:
    total = sum(math.exp(c.logit(i, d, options.temperature)) for d in range(len(c.items)))
    return math.log(total) - c.logit(i, p, options.temperature)


def of_sampled_softmax(c: Case, i: int, p: int, options: LossOptions) -> float:
    own = c.logit(i, p, options.temperature)
    others = [math.exp(c.logit(i, d, options.temperature)) / float(c.expected[d]) for d in c.rows.tolist() if d != p]
    return math.log(math.exp(own) + sum(others)) - own


def of_uncorrected_softmax(c: Case, i: int, p: int, options: LossOptions) -> float:
    own = c.logit(i, p, options.temperature)
    others = [math.exp(c.logit(i, d, options.temperature)) for d in c.rows.tolist() if d != p]
    return math.log(math.exp(own) + sum(others)) - own


def of_logq_softmax(c: Case, i: int, p: int, options: LossOptions) -> float:
    def corrected(d: int) -> float:
        return math.exp(c.logit(i, d, options.temperature)) / float(c.expected[d])

    drawn = c.rows.tolist()
    all_ = sum(corrected(d) for d in (drawn if p in drawn else [p, *drawn]))
    return math.log(all_) - math.log(corrected(p))


def of_refined_logq_softmax(c: Case, i: int, p: int, options: LossOptions) -> float:
    own = c.logit(i, p, options.temperature)
    others = [d for d in c.rows.tolist() if d != p]
    if not others:
        return 0.0
    chance = (c.expected / len(c.rows)).tolist()
    z = sum(math.exp(c.logit(i, d, options.temperature)) / chance[d] for d in others)
    z *= (1.0 - chance[p]) / len(others)
    weight = 1.0 - math.exp(own) / (math.exp(own) + z)
    return float(weight * (math.log(z) - own))


def of_gbce(c: Case, i: int, p: int, options: LossOptions) -> float:
    def sigma(x: float) -> float:
        return 1.0 / (1.0 + math.exp(-x))

    alpha, t = len(c.rows) / (options.catalogue - 1), options.calibration
    beta = alpha * (t * (1.0 - 1.0 / alpha) + 1.0 / alpha)
    total = math.log(sigma(c.logit(i, p, options.temperature)) ** beta)
    for d in c.rows.tolist():
        if d != p:
            total += math.log(1.0 - sigma(c.logit(i, d, options.temperature)))
    return -total / (len(c.rows) + 1)


REFERENCES: dict[str, Callable[[Case, int, int, LossOptions], float]] = {
    "full_softmax": of_full_softmax,
    "sampled_softmax": of_sampled_softmax,
    "uncorrected_softmax": of_uncorrected_softmax,
    "logq_softmax": of_logq_softmax,
    "refined_logq_softmax": of_refined_logq_softmax,
    "gbce": of_gbce,
}


def test_every_loss_has_a_reference_and_names_sources_that_there_are() -> None:
    assert REFERENCES.keys() == LOSSES.keys()
    for loss in LOSSES.values():
        assert set(loss.negatives) <= NEGATIVES.keys()
    assert {name for loss in LOSSES.values() for name in loss.negatives} == NEGATIVES.keys()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("options", [LossOptions(1.0, 7, 0.75), LossOptions(0.6, 40, 0.3)])
def test_a_loss_is_the_mean_of_its_formula_item_by_item(name: str, options: LossOptions) -> None:
    for seed in range(5):
        c = case(seed)
        expected = np.mean([REFERENCES[name](c, i, int(p), options) for i, p in enumerate(c.positives)])
        found = LOSSES[name].function(c.query, c.contrast(), options)
        assert found.item() == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"refined_logq_softmax"}))
def test_its_gradient_is_that_of_the_formula(name: str) -> None:
    c, options, step = case(3, queries=2, n=5, draws=6), LossOptions(0.8, 5, 0.5), 1e-6
    query = c.query.clone().requires_grad_(True)
    live = Case(query, c.items, c.positives, c.rows, c.expected)
    gradient = torch.autograd.grad(LOSSES[name].function(query, live.contrast(), options), query)[0]
    for i, p in enumerate(c.positives.tolist()):
        for axis in range(c.query.shape[1]):
            sides = []
            for sign in (1.0, -1.0):
                moved = c.query.clone()
                moved[i, axis] += sign * step
                there = Case(moved, c.items, c.positives, c.rows, c.expected)
                sides.append(REFERENCES[name](there, i, p, options) / len(c.positives))
            assert float(gradient[i, axis]) == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-6)


def test_the_weight_of_the_refined_correction_is_a_constant_to_the_gradient() -> None:
    c, options = case(3, queries=1, n=5, draws=6), LossOptions()
    query = c.query.clone().requires_grad_(True)
    live = Case(query, c.items, c.positives, c.rows, c.expected)
    gradient = torch.autograd.grad(LOSSES["refined_logq_softmax"].function(query, live.contrast(), options), query)[0]
    p, drawn = int(c.positives[0]), c.rows.tolist()
    chance = (c.expected / len(drawn)).tolist()
    others = [d for d in drawn if d != p]
    share = np.array([math.exp(c.logit(0, d, 1.0)) / chance[d] for d in others])
    z = share.sum() * (1.0 - chance[p]) / len(others)
    direction = (share / share.sum()) @ c.items[others, :-1].numpy() - c.items[p, :-1].numpy()
    weight = 1.0 - math.exp(c.logit(0, p, 1.0)) / (math.exp(c.logit(0, p, 1.0)) + z)
    np.testing.assert_allclose(gradient[0].numpy(), weight * direction, rtol=1e-9)


@pytest.mark.parametrize("name", ["sampled_softmax", "logq_softmax", "refined_logq_softmax"])
def test_a_corrected_loss_has_the_gradient_of_the_full_softmax_once_there_are_many_negatives(name: str) -> None:
    torch.manual_seed(3)
    n, draws = 30, 40_000
    items, query = torch.randn(n, 5), torch.randn(4, 4, requires_grad=True)
    positives = torch.tensor([2, 9, 2, 17])
    probability = torch.softmax(torch.randn(n), 0)
    rows = torch.multinomial(probability, draws, replacement=True)

    def gradient(loss: str, expected: Tensor) -> Tensor:
        contrast = Case(query, items, positives, rows, expected).contrast()
        return torch.autograd.grad(LOSSES[loss].function(query, contrast, LossOptions()), query)[0]

    full = gradient("full_softmax", probability)
    corrected = (gradient(name, probability * draws) - full).norm() / full.norm()
    assert corrected < 0.03
    assert corrected < 0.1 * (gradient("uncorrected_softmax", probability * draws) - full).norm() / full.norm()


def test_with_full_calibration_uniform_negatives_weigh_as_all_items_would() -> None:
    """Binary cross-entropy over the whole catalogue, up to a factor: the promise of ``t = 1``."""
    torch.manual_seed(5)
    n, draws = 40, 20_000
    items, query = torch.randn(n, 5), torch.randn(3, 4, requires_grad=True)
    positives = torch.tensor([4, 11, 30])
    logits = query @ items[:, :-1].T + items[:, -1]
    every = torch.nn.functional.softplus(logits).sum(1) - torch.nn.functional.softplus(logits[range(3), positives])
    whole = (every + torch.nn.functional.softplus(-logits[range(3), positives])).mean()
    full = torch.autograd.grad(whole, query)[0]
    expected = torch.full((n,), draws / n)

    def off(calibration: float) -> float:
        contrast = Case(query, items, positives, torch.randint(0, n, (draws,)), expected).contrast()
        loss = LOSSES["gbce"].function(query, contrast, LossOptions(1.0, n, calibration))
        scaled = torch.autograd.grad(loss, query)[0] * (draws + 1) / (draws / (n - 1))
        return float((scaled - full).norm() / full.norm())

    assert off(1.0) < 0.05
    assert off(0.0) > 0.1


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_of_nothing_but_the_positive_is_no_reason_to_change(name: str) -> None:
    query, items = torch.randn(2, 3, requires_grad=True), torch.randn(1, 4)
    c = Case(query, items, torch.zeros(2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), torch.full((1,), 3.0))
    loss = LOSSES[name].function(query, c.contrast(), LossOptions(catalogue=1))
    gradient = torch.autograd.grad(loss, query)[0]
    assert math.isfinite(loss.item())
    assert torch.isfinite(gradient).all()
    if name != "gbce":  # which wants the positive's own logit up in any case
        assert gradient.abs().max() < 1e-6


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sampled_loss_without_a_sample_is_refused(name: str) -> None:
    c = case(1)
    with pytest.raises(ValueError, match="needs a sample"):
        LOSSES[name].function(c.query, Contrast(c.positives, c.items), LossOptions())


def test_the_listwise_softmax_looks_at_each_list_by_itself() -> None:
    logits = torch.tensor([[1.0, 0.0], [5.0, 5.0]])
    expected = (math.log(1.0 + math.exp(-1.0)) + math.log(2.0)) / 2
    assert listwise_softmax(logits, torch.tensor([0, 0])).item() == pytest.approx(expected, rel=1e-6)
