"""Cross layers of DCN-V2 by hand, and their first products split by side."""

import pytest
import torch
from torch import nn

from shortlist_models.cross import FullCross, LowRankCross, split_product


def test_a_low_rank_cross_layer_is_equation_2_of_dcn_v2() -> None:
    layer = LowRankCross(width=3, rank=1)
    with torch.no_grad():
        layer.down.weight.copy_(torch.tensor([[1.0, -1.0, 2.0]]))
        layer.up.weight.copy_(torch.tensor([[3.0], [0.5], [-1.0]]))
        layer.up.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x0, x = torch.tensor([[2.0, 4.0, -1.0]]), torch.tensor([[1.0, 0.0, 2.0]])
    # V x = 1 - 0 + 4 = 5; U 5 + b = (15.1, 2.7, -4.7); x0 * that + x = (31.2, 10.8, 6.7)
    assert torch.allclose(layer(x0, x), torch.tensor([[31.2, 10.8, 6.7]]))


@pytest.mark.parametrize("layer", [FullCross(9), LowRankCross(9, 2)], ids=["full", "low rank"])
def test_the_first_cross_layer_split_by_side_equals_the_whole_one(layer: FullCross | LowRankCross) -> None:
    random = torch.Generator().manual_seed(0)
    user, item = torch.randn(2, 1, 4, generator=random), torch.randn(2, 7, 5, generator=random)
    x0 = torch.cat([user.expand(-1, 7, -1), item], dim=-1)
    assert torch.allclose(layer.first(user, item, x0), layer(x0, x0), atol=1e-6)


def test_a_split_product_equals_the_product_of_the_concatenation() -> None:
    torch.manual_seed(0)
    layer, user, item = nn.Linear(9, 3), torch.randn(2, 1, 4), torch.randn(2, 7, 5)
    whole = layer(torch.cat([user.expand(-1, 7, -1), item], dim=-1))
    assert torch.allclose(split_product(layer, user, item), whole, atol=1e-6)


@pytest.mark.parametrize("rank", [0, 5, 9])
def test_a_rank_that_does_not_save_anything_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank {rank} is not in"):
        LowRankCross(width=9, rank=rank)
