"""The NCF family: PyTorch against NumPy with gradients by hand, and those against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shortlist_models.ncf import NCF_MODELS, Gmf, Interaction, Mlp, NcfShape, NeuMf
from shortlist_models.ncf.from_scratch import AdamFromScratch, GmfFromScratch, MlpFromScratch, loss_of

SHAPE = NcfShape(n_users=7, n_items=11, factors=4, hidden=3)
FromScratch = GmfFromScratch | MlpFromScratch
PAIRS = [(Gmf, GmfFromScratch), (Mlp, MlpFromScratch)]


def fitted(kind: type[Interaction], seed: int = 1) -> Interaction:
    """Return a model in float64 with parameters of order 1, so that no gradient is tiny."""
    torch.manual_seed(seed)
    model = kind(SHAPE).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def parameters_of(model: Interaction) -> dict[str, NDArray[np.float64]]:
    """Return a copy of the parameters by the names of the NumPy models."""
    named = {name: value.detach().numpy().copy() for name, value in model.named_parameters()}
    found = {
        "user": named["user.weight"],
        "item": named["item.weight"],
        "head": named["head.weight"][0],
        "bias": named["head.bias"],
    }
    layers = ["first", *(f"layers.{n}" for n in range(SHAPE.hidden - 1))] if isinstance(model, Mlp) else []
    for number, layer in enumerate(layers, 1):
        found[f"weight_{number}"] = named[f"{layer}.weight"]
        found[f"bias_{number}"] = named[f"{layer}.bias"]
    return found


def batch(seed: int, size: int = 32) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return users, items and labels; rows repeat, as they do in training."""
    random = np.random.default_rng(seed)
    return (
        random.integers(SHAPE.n_users, size=size),
        random.integers(SHAPE.n_items, size=size),
        random.integers(2, size=size).astype(np.float64),
    )


def torch_loss(
    model: Interaction, users: NDArray[np.int64], items: NDArray[np.int64], y: NDArray[np.float64]
) -> torch.Tensor:
    logits = model(torch.from_numpy(users), torch.from_numpy(items))
    return nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(y))


@pytest.mark.parametrize(("kind", "scratch"), PAIRS)
def test_numpy_and_torch_give_the_same_logits_and_loss(kind: type[Interaction], scratch: type[FromScratch]) -> None:
    model = fitted(kind)
    own = scratch(parameters_of(model))
    users, items, labels = batch(2)
    with torch.no_grad():
        expected = model(torch.from_numpy(users), torch.from_numpy(items)).numpy()
        loss = float(torch_loss(model, users, items, labels))
    np.testing.assert_allclose(own.logits(users, items), expected, rtol=1e-12, atol=1e-12)
    assert loss_of(own.logits(users, items), labels) == pytest.approx(loss, abs=1e-12)


@pytest.mark.parametrize(("kind", "scratch"), PAIRS)
def test_gradients_by_hand_are_those_of_autograd(kind: type[Interaction], scratch: type[FromScratch]) -> None:
    model = fitted(kind)
    users, items, labels = batch(3)
    torch_loss(model, users, items, labels).backward()  # type: ignore[no-untyped-call]
    by_hand = scratch(parameters_of(model)).gradients(users, items, labels)
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.copy_(parameter.grad)
    expected = parameters_of(model)
    assert by_hand.keys() == expected.keys()
    for name, gradient in by_hand.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-10, atol=1e-14, err_msg=name)


@pytest.mark.parametrize(("kind", "scratch"), PAIRS)
def test_gradients_by_hand_are_the_slopes_of_the_loss(kind: type[Interaction], scratch: type[FromScratch]) -> None:
    parameters = parameters_of(fitted(kind))
    own = scratch(parameters)
    users, items, labels = batch(4)
    gradients = own.gradients(users, items, labels)
    random = np.random.default_rng(5)
    step = 1e-6
    for name, value in parameters.items():
        for _ in range(5):
            place = tuple(random.integers(side) for side in value.shape)
            kept = value[place]
            value[place] = kept + step
            above = loss_of(own.logits(users, items), labels)
            value[place] = kept - step
            below = loss_of(own.logits(users, items), labels)
            value[place] = kept
            assert gradients[name][place] == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-9), name


@pytest.mark.parametrize(("kind", "scratch"), PAIRS)
def test_fifty_steps_of_adam_end_where_those_of_torch_do(kind: type[Interaction], scratch: type[FromScratch]) -> None:
    model = fitted(kind)
    parameters = parameters_of(model)
    own, adam = scratch(parameters), AdamFromScratch(parameters, learning_rate=0.01)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for number in range(50):
        users, items, labels = batch(100 + number)
        loss = torch_loss(model, users, items, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        adam.step(own.gradients(users, items, labels))
        losses.append(float(loss.detach()))
    for name, value in parameters_of(model).items():
        np.testing.assert_allclose(parameters[name], value, rtol=1e-6, atol=1e-8, err_msg=name)
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


def test_the_loss_of_absurd_logits_is_finite() -> None:
    assert loss_of(np.array([1e4, -1e4]), np.array([0.0, 1.0])) == pytest.approx(1e4)


@pytest.mark.parametrize("name", NCF_MODELS)
def test_one_user_asked_about_many_items_gets_the_logits_of_the_pairs(name: str) -> None:
    model = fitted(NCF_MODELS[name])
    users, items = torch.arange(7), torch.arange(11)
    table = model(users[:, None], items)
    assert table.shape == (7, 11)
    for user in range(7):
        torch.testing.assert_close(table[user], model(users[user].expand(11), items))


def test_more_items_than_there_are_get_the_logits_of_the_pairs_and_the_gradients_too() -> None:
    random = np.random.default_rng(6)
    users = torch.from_numpy(random.integers(SHAPE.n_users, size=5))
    items = torch.from_numpy(random.integers(SHAPE.n_items, size=(5, 4)))
    assert items.numel() > SHAPE.n_items
    found = []
    for ask_at_once in (True, False):
        model = fitted(Mlp)
        logits = model(users[:, None], items) if ask_at_once else torch.stack([model(users, i) for i in items.T], dim=1)
        (logits**2).sum().backward()
        found.append([logits, *(p.grad for p in model.parameters())])
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right)


def test_dropout_differs_by_pair_however_many_are_asked_about() -> None:
    shape = NcfShape(n_users=7, n_items=2, factors=4, dropout=0.5)
    model = Mlp(shape)
    logits = model(torch.zeros(8, 1, dtype=torch.int64), torch.zeros(8, 9, dtype=torch.int64))
    assert len(set(logits[0].tolist())) > 1


@pytest.mark.parametrize("hidden", [0, 1, 4])
def test_layers_halve_down_to_the_factors(hidden: int) -> None:
    shape = NcfShape(5, 6, factors=8, hidden=hidden)
    assert shape.widths[-1] == 8
    assert len(shape.widths) == hidden + 1
    for name, kind in NCF_MODELS.items():
        assert kind(shape)(torch.tensor([1, 4]), torch.tensor([0, 5])).shape == (2,), name


def test_a_pretrained_neumf_starts_at_the_mean_of_its_parts() -> None:
    gmf, mlp = fitted(Gmf, 1), fitted(Mlp, 2)
    assert isinstance(gmf, Gmf)
    assert isinstance(mlp, Mlp)
    both = NeuMf(SHAPE).double().eval()
    both.start_from(gmf, mlp, 0.25)
    users, items = torch.arange(7)[:, None], torch.arange(11)
    torch.testing.assert_close(both(users, items), 0.25 * gmf(users, items) + 0.75 * mlp(users, items))
    with pytest.raises(ValueError, match=r"not in \[0, 1\]"):
        both.start_from(gmf, mlp, 1.5)


@pytest.mark.parametrize("wrong", [{"n_users": 0}, {"factors": 0}, {"hidden": -1}, {"dropout": 1.0}])
def test_shapes_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least"):
        NcfShape(**{"n_users": 3, "n_items": 3, **wrong})  # type: ignore[arg-type]
