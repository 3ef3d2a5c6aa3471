"""DCN-V2: cross layers by hand, the split user side, candidate isolation."""

import pytest
import torch
from torch import nn

from shortlist_models.cross import LowRankCross, split_product
from shortlist_models.dcn import Ranker, RankerShape, ServedRanker

SHAPE = RankerShape(embedding_width=6, feature_columns=4, category_sizes=(2, 3), projected=5, rank=3, hidden=(8, 4))


def ranker() -> Ranker:
    torch.manual_seed(5)
    made = Ranker(SHAPE)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made.eval()


def user_side(n: int) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(n)
    columns = (
        torch.randn(n, 6, generator=random),
        torch.tensor([True, False] * n)[:n],
        torch.rand(n, generator=random) * 1e5,
        torch.tensor([[1, 3], [0, 0]] * n)[:n],
        torch.rand(n, 3, generator=random) * 5,
        torch.tensor([[13.0, 2.0, 0.0]] * n),
    )
    return tuple(column.unsqueeze(1) for column in columns)


def item_side(n: int, c: int) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(100 + c)
    return (
        torch.rand(n, c, 4, generator=random),
        torch.rand(n, c, 3, generator=random) * 9,
        torch.randn(n, c, 6, generator=random),
    )


def test_a_cross_layer_is_equation_2_of_dcn_v2() -> None:
    layer = LowRankCross(width=3, rank=1)
    with torch.no_grad():
        layer.down.weight.copy_(torch.tensor([[1.0, -1.0, 2.0]]))
        layer.up.weight.copy_(torch.tensor([[3.0], [0.5], [-1.0]]))
        layer.up.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x0, x = torch.tensor([[2.0, 4.0, -1.0]]), torch.tensor([[1.0, 0.0, 2.0]])
    # V x = 1 - 0 + 4 = 5; U 5 + b = (15.1, 2.7, -4.7); x0 * that + x = (31.2, 10.8, 6.7)
    assert torch.allclose(layer(x0, x), torch.tensor([[31.2, 10.8, 6.7]]))


def test_the_first_cross_layer_split_by_side_equals_the_whole_one() -> None:
    torch.manual_seed(0)
    layer, user, item = LowRankCross(9, 2), torch.randn(2, 1, 4), torch.randn(2, 7, 5)
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


def test_an_items_score_does_not_depend_on_what_else_is_in_the_list() -> None:
    model = ranker()
    user, (features, numbers, embeddings) = user_side(1), item_side(1, 20)
    with torch.no_grad():
        click, rating = model(*user, features, numbers, embeddings)
        order = torch.arange(19, -1, -1)[:7]
        some_click, some_rating = model(*user, features[:, order], numbers[:, order], embeddings[:, order])
    assert torch.allclose(some_click, click[:, order], atol=1e-5)
    assert torch.allclose(some_rating, rating[:, order], atol=1e-5)


def test_a_batch_of_actors_scores_as_each_actor_alone() -> None:
    model = ranker()
    user, item = user_side(3), item_side(3, 5)
    with torch.no_grad():
        together = model(*user, *item)[0]
        alone = torch.cat([model(*(u[i : i + 1] for u in user), *(v[i : i + 1] for v in item))[0] for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_served_ranker_is_the_ranker_for_one_actor() -> None:
    model, user, item = ranker(), user_side(1), item_side(1, 5)
    with torch.no_grad():
        click, rating = ServedRanker(model)(*(column[0] for column in user), *(column[0] for column in item))
        expected = model(*user, *item)
    assert torch.allclose(click, expected[0][0], atol=1e-6)
    assert torch.allclose(rating, expected[1][0], atol=1e-6)


def test_every_side_of_the_actor_moves_the_scores() -> None:
    model, item = ranker(), item_side(1, 5)
    user = list(user_side(1))
    changes = [user[0] + 1, ~user[1], user[2] + 1e6, torch.tensor([[[2, 1]]]), user[4] + 1, user[5] + 1]
    with torch.no_grad():
        before = model(*user, *item)[0]
        for place, change in enumerate(changes):
            changed = [*user[:place], change, *user[place + 1 :]]
            assert not torch.allclose(model(*changed, *item)[0], before), place
