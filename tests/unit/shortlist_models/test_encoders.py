"""Sequence encoders: causal, blind to padding, the same wherever the history lies."""

import pytest
import torch
from torch import nn

from shortlist_models.encoders import Encoder, make_encoder

KINDS = ["mean", "gru", "transformer"]


def encoder(kind: str) -> Encoder:
    torch.manual_seed(1)
    made = make_encoder(kind, width=8, heads=2, layers=2, length=12, dropout=0.3)  # type: ignore[arg-type]
    for name, parameter in made.named_parameters():
        if "distance" in name:
            nn.init.normal_(parameter)
    return made.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_does_not_change_with_what_comes_later(kind: str) -> None:
    tokens = torch.randn(2, 10, 8)
    later = tokens.clone()
    later[:, 6:] = torch.randn(2, 4, 8)
    valid = torch.ones(2, 10, dtype=torch.bool)
    made = encoder(kind)
    assert torch.allclose(made(tokens, valid)[:, :6], made(later, valid)[:, :6], atol=1e-6)
    assert not torch.allclose(made(tokens, valid)[:, 6:], made(later, valid)[:, 6:], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3, 9])
def test_padding_on_the_left_or_on_the_right_gives_the_same_states(kind: str, n: int) -> None:
    tokens = torch.randn(1, n, 8)
    left, right = torch.zeros(1, 10, 8), torch.zeros(1, 10, 8)
    left[:, -n:], right[:, :n] = tokens, tokens
    at = torch.arange(10)
    made = encoder(kind)
    from_left = made(left, (at >= 10 - n)[None])[:, -n:]
    from_right = made(right, (at < n)[None])[:, :n]
    alone = made(tokens, torch.ones(1, n, dtype=torch.bool))
    assert torch.allclose(from_left, alone, atol=1e-5)
    assert torch.allclose(from_right, alone, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 7])
def test_the_last_state_alone_is_the_last_of_all_states(kind: str, n: int) -> None:
    tokens = torch.randn(2, n, 8)
    made = encoder(kind)
    assert torch.allclose(made.last(tokens), made(tokens, torch.ones(2, n, dtype=torch.bool))[:, -1], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_history_gives_finite_states(kind: str) -> None:
    states = encoder(kind)(torch.zeros(2, 10, 8), torch.zeros(2, 10, dtype=torch.bool))
    assert torch.isfinite(states).all()


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_order_matters_to_sequence_encoders(kind: str) -> None:
    tokens = torch.randn(1, 6, 8)
    valid = torch.ones(1, 6, dtype=torch.bool)
    swapped = tokens[:, [1, 0, 2, 3, 4, 5]]
    made = encoder(kind)
    assert not torch.allclose(made(tokens, valid)[:, -1], made(swapped, valid)[:, -1], atol=1e-4)


def test_the_mean_encoder_projects_the_running_mean() -> None:
    made = encoder("mean")
    tokens = torch.randn(1, 3, 8)
    states = made(tokens, torch.tensor([[True, True, True]]))
    assert torch.allclose(states[0, 1], made.project((tokens[0, 0] + tokens[0, 1]) / 2), atol=1e-6)  # type: ignore[operator]


def test_an_unknown_encoder_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'lstm' is none of mean, gru, transformer"):
        make_encoder("lstm", 8, 2, 2, 10, 0.0)  # type: ignore[arg-type]


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="width 8 is not a multiple of heads 3"):
        make_encoder("transformer", 8, 3, 1, 10, 0.0)
