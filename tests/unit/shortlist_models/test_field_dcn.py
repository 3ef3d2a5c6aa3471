"""DCN-V2 over fields: the layers are those of the paper, and unused parts are not there."""

from __future__ import annotations

import pytest
import torch

from shortlist_models.cross import FullCross
from shortlist_models.field_dcn import FieldDcn, FieldDcnShape


def inputs(rows: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    fields = torch.stack([torch.randint(5, (rows,)), torch.randint(3, (rows,))], dim=1)
    return fields, torch.randint(2, (rows, 4)).float()


def test_a_full_cross_is_equation_1() -> None:
    torch.manual_seed(2)
    layer, x0, x = FullCross(3), torch.randn(4, 3), torch.randn(4, 3)
    expected = x0 * (x @ layer.layer.weight.T + layer.layer.bias) + x
    torch.testing.assert_close(layer(x0, x), expected)


@pytest.mark.parametrize("is_stacked", [False, True])
@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)])
@pytest.mark.parametrize("bag", [0, 4])
def test_every_structure_gives_one_logit_a_row(
    is_stacked: bool, rank: int | None, hidden: tuple[int, ...], bag: int
) -> None:
    shape = FieldDcnShape((5, 3), bag, width=4, rank=rank, hidden=hidden, is_stacked=is_stacked)
    model = FieldDcn(shape).eval()
    fields, bags = inputs()
    logits = model(fields, bags[:, :bag])
    assert logits.shape == (6,)
    logits.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name


def test_stacked_reads_what_is_crossed_and_parallel_reads_the_embeddings() -> None:
    fields, bags = inputs()
    for is_stacked in (False, True):
        torch.manual_seed(3)
        model = FieldDcn(FieldDcnShape((5, 3), 4, width=4, hidden=(8,), is_stacked=is_stacked)).eval()
        seen: list[torch.Tensor] = []
        model.deep[0].register_forward_pre_hook(lambda module, given, seen=seen: seen.append(given[0]))
        with torch.no_grad():
            model(fields, bags)
            embedded = torch.cat(
                [model.table(fields + model.first).flatten(1), model.bag(bags / bags.sum(1, keepdim=True).clamp(1.0))],  # type: ignore[misc]
                dim=1,
            )
        assert torch.equal(seen[0], embedded) is not is_stacked


def test_the_values_of_a_bag_are_averaged() -> None:
    model = FieldDcn(FieldDcnShape((5, 3), 4, width=4)).eval()
    fields = torch.tensor([[1, 1]])
    one, both = torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[2.0, 0, 0, 0]])
    torch.testing.assert_close(model(fields, one), model(fields, both / 2))
    assert torch.isfinite(model(fields, torch.zeros(1, 4))).all()


def test_values_of_different_fields_do_not_share_embeddings() -> None:
    model = FieldDcn(FieldDcnShape((5, 3), 0, width=4))
    assert model.table.num_embeddings == 8
    assert (torch.tensor([4, 0]) + model.first).tolist() == [4, 5]


def test_a_rank_that_saves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="rank"):
        FieldDcn(FieldDcnShape((5, 3), 0, width=4, rank=8))
