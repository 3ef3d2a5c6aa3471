"""Rankers: each by name, exported as it was fitted, its layers by hand, candidates that do not see each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist_bundle.session import Session
from shortlist_models.rankers import RANKERS, STRUCTURED, DcnRanker, NcfRanker, Ranker, RankerShape, Structure
from shortlist_models.rankers.attention import TargetAttention
from shortlist_models.rankers.base import HISTORY_INPUTS, ITEM_INPUTS, USER_INPUTS
from shortlist_models.rankers.served import ServedRanker, ranker_file
from shortlist_trainer.config import RankerConfig, RankerName

SHAPE = RankerShape(embedding_width=6, feature_columns=4, category_sizes=(2, 3), projected=5, rank=3, hidden=(8, 4))
LENGTH = 7
Variant = tuple[str, Structure, bool]
VARIANTS: list[Variant] = [
    (name, structure, attention)
    for name, structure, attention in itertools.product(RANKERS, get_args(Structure), (False, True))
    if structure == "parallel" or name in STRUCTURED
]


def ranker(variant: Variant) -> Ranker:
    torch.manual_seed(5)
    name, structure, attention = variant
    made = RANKERS[name](replace(SHAPE, structure=structure, attention=attention))
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made.eval()


def inputs(q: int, c: int, seed: int = 0) -> dict[str, Tensor]:
    """Return ``q`` actors with ``c`` candidates each; histories of every length down to none."""
    random = torch.Generator().manual_seed(seed)
    rows = torch.randint(0, 50, (q, LENGTH), generator=random)
    padding = torch.arange(LENGTH) < (torch.arange(q) % (LENGTH + 1))[:, None]
    is_known = torch.arange(q) % (LENGTH + 1) < LENGTH
    return {
        "user_embedding": torch.randn(q, 1, 6, generator=random),
        "has_history": is_known[:, None],
        "age_s": torch.rand(q, 1, generator=random) * 1e5,
        "user_categories": torch.stack(
            [torch.randint(0, n + 1, (q, 1), generator=random) for n in SHAPE.category_sizes], dim=-1
        ),
        "user_numbers": torch.rand(q, 1, 3, generator=random) * 5,
        "context": torch.tensor([13.0, 2.0, 0.0]).expand(q, 1, 3) + torch.rand(q, 1, 3, generator=random),
        "item_features": torch.rand(q, c, 4, generator=random),
        "item_numbers": torch.rand(q, c, 3, generator=random) * 9,
        "item_embeddings": torch.randn(q, c, 6, generator=random),
        "history_rows": rows.masked_fill(padding, -1),
        "history_values": torch.randint(1, 6, (q, LENGTH), generator=random).float().masked_fill(padding, 0.0),
        "history_ages_s": (torch.rand(q, LENGTH, generator=random) * 1e6).masked_fill(padding, 0.0),
        "history_embeddings": torch.randn(q, LENGTH, 6, generator=random).masked_fill(padding[..., None], 0.0),
    }


def picked(columns: Mapping[str, Tensor], actor: int) -> dict[str, Tensor]:
    return {name: column[actor : actor + 1] for name, column in columns.items()}


def test_names_are_those_of_the_setting() -> None:
    assert {*get_args(RankerName)} == RANKERS.keys()
    assert RANKERS.keys() >= STRUCTURED
    assert get_args(RankerConfig.model_fields["structure"].annotation) == get_args(Structure)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_exported_ranker_agrees_with_torch_on_a_thousand_random_inputs(variant: Variant) -> None:
    model, columns = ranker(variant), inputs(1000, 3, seed=1)
    with torch.no_grad():
        click, rating = model(columns)
    exported = Session(ranker_file(model, LENGTH), (*USER_INPUTS, *HISTORY_INPUTS, *ITEM_INPUTS), ("click", "rating"))
    assert exported.inputs == model.reads
    for actor in range(1000):
        # An actor of its own has a first axis of 1, candidates have one of theirs.
        named: dict[str, NDArray[Any]] = {
            name: (column[actor] if name not in HISTORY_INPUTS else column[actor : actor + 1]).numpy()
            for name, column in columns.items()
        }
        found = exported.run(named)
        np.testing.assert_allclose(found[0], click[actor], atol=1e-4)
        np.testing.assert_allclose(found[1], rating[actor], atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_an_items_score_does_not_depend_on_what_else_is_in_the_list(variant: Variant) -> None:
    model, columns = ranker(variant), inputs(2, 20)
    order = torch.arange(19, -1, -1)[:7]
    some = {name: column[:, order] if name in ITEM_INPUTS else column for name, column in columns.items()}
    with torch.no_grad():
        whole, part = model(columns), model(some)
    for head in range(2):
        assert torch.allclose(part[head], whole[head][:, order], atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_batch_of_actors_scores_as_each_actor_alone(variant: Variant) -> None:
    model, columns = ranker(variant), inputs(9, 5)
    with torch.no_grad():
        together = model(columns)[0]
        alone = torch.cat([model(picked(columns, actor))[0] for actor in range(9)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_everything_that_is_read_moves_the_scores_and_nothing_else_does(variant: Variant) -> None:
    model, columns = ranker(variant), inputs(1, 5)
    changes = {
        "has_history": ~columns["has_history"],
        "user_categories": torch.tensor([[[2, 1]]]) - columns["user_categories"] % 2,
        "history_rows": torch.where(torch.arange(LENGTH) < 5, -1, columns["history_rows"]),
        "age_s": columns["age_s"] + 1e6,
        "history_ages_s": columns["history_ages_s"] + 1e7,
    }
    with torch.no_grad():
        before = model(columns)[0]
        for name, column in columns.items():
            changed = {**columns, name: changes.get(name, column + 1)}
            assert torch.allclose(model(changed)[0], before) == (name not in model.reads), name


@pytest.mark.parametrize(("name", "structure"), list(itertools.product(sorted(STRUCTURED), get_args(Structure))))
def test_dcn_split_by_side_is_the_network_on_whole_rows(name: str, structure: Structure) -> None:
    model, columns = cast(DcnRanker, ranker((name, structure, True))), inputs(3, 5)
    with torch.no_grad():
        user, item, match = model._sides(columns)
        x0 = x = torch.cat([user.expand(-1, 5, -1), item], dim=-1)
        for cross in (model.first_cross, *model.crosses):
            x = cross(x0, x)
        deep = torch.relu(model.first_deep(x if structure == "stacked" else x0))
        for layer in model.deep:
            deep = torch.relu(layer(deep))
        heads = model.heads(deep if structure == "stacked" else torch.cat([x, deep], dim=-1))
        click, rating = model(columns)
    assert torch.allclose(click, heads[..., 0] + model.match_weight * match, atol=1e-5)
    assert torch.allclose(rating, heads[..., 1], atol=1e-5)


def test_gmf_is_a_weighted_inner_product_of_two_projections() -> None:
    model, columns = cast(NcfRanker, ranker(("gmf", "parallel", False))), inputs(1, 5)
    named = {name: value.detach().numpy() for name, value in model.named_parameters()}
    u, v = columns["user_embedding"][0, 0].numpy(), columns["item_embeddings"][0].numpy()
    p = named["interaction.user.weight"] @ u + named["interaction.user.bias"]
    for item in range(5):
        q = named["interaction.item.weight"] @ v[item] + named["interaction.item.bias"]
        logit = named["heads.weight"][0] @ (p * q) + named["heads.bias"][0] + named["match_weight"] * (u @ v[item])
        assert float(model(columns)[0][0, item].detach()) == pytest.approx(float(logit), abs=1e-5)


def test_layers_of_the_family_are_as_wide_as_the_setting_says() -> None:
    model = cast(NcfRanker, ranker(("neumf", "parallel", False)))
    mlp = model.interaction.mlp
    assert isinstance(mlp, nn.Module)
    widths = [layer.out_features for layer in mlp.modules() if isinstance(layer, nn.Linear)]
    assert widths == [8, 8, 8, 4]  # both projections, then `hidden`
    assert model.heads.in_features == 4 + 4


def test_a_pretrained_neumf_starts_at_the_mean_of_its_parts() -> None:
    gmf, mlp, both = (cast(NcfRanker, ranker((name, "parallel", False))) for name in ("gmf", "mlp", "neumf"))
    columns = inputs(4, 5)
    both.start_from(gmf, mlp, 0.25)
    with torch.no_grad():
        for head in range(2):
            mean = 0.25 * gmf(columns)[head] + 0.75 * mlp(columns)[head]
            assert torch.allclose(both(columns)[head], mean, atol=1e-5)
    for other in (gmf, cast(NcfRanker, ranker(("neumf", "parallel", True)))):
        with pytest.raises(ValueError, match="a NeuMF without attention"):
            other.start_from(gmf, mlp, 0.25)


def attention() -> TargetAttention:
    torch.manual_seed(2)
    made = TargetAttention(6, 5)
    made.values.fit(torch.tensor([[1.0], [5.0], [4.0], [4.0]]))
    return made.eval()


def attended(block: TargetAttention, columns: Mapping[str, Tensor]) -> Tensor:
    names = ("item_embeddings", "history_embeddings", "history_rows", "history_values", "history_ages_s")
    items, embeddings, rows, values, ages = (columns[name] for name in names)
    with torch.no_grad():
        out: Tensor = block(items, embeddings, rows >= 0, values, ages)
    return out


def test_attention_is_the_weighted_sum_of_the_events() -> None:
    block, columns = attention(), inputs(9, 4)
    found = attended(block, columns)
    named = {name: value.detach().double().numpy() for name, value in block.named_parameters()}
    arrays = {name: column.double().numpy() for name, column in columns.items()}
    for actor, item in itertools.product(range(9), range(4)):
        q = named["query.weight"] @ arrays["item_embeddings"][actor, item] + named["query.bias"]
        total, mass = np.zeros(5), 1.0
        for event in range(LENGTH):
            if arrays["history_rows"][actor, event] < 0:
                continue
            value = (arrays["history_values"][actor, event] - 3.5) / 1.5
            age = np.log1p(arrays["history_ages_s"][actor, event] / 3600.0) / 4.0
            e = np.concatenate([arrays["history_embeddings"][actor, event], [value, value * value, age]])
            weight = np.exp(q @ (named["key.weight"] @ e + named["key.bias"]) / np.sqrt(5.0))
            total += weight * (named["value.weight"] @ e + named["value.bias"])
            mass += weight
        np.testing.assert_allclose(found[actor, item], total / mass, atol=1e-5)


def test_padding_is_not_attended_to_and_an_empty_history_says_nothing() -> None:
    block, columns = attention(), inputs(9, 4)
    padding = columns["history_rows"] < 0
    noise = {
        **columns,
        "history_embeddings": columns["history_embeddings"] + 9.0 * padding[..., None],
        "history_values": columns["history_values"] + 3.0 * padding,
    }
    assert torch.equal(attended(block, noise), attended(block, columns))
    assert padding[LENGTH].all()
    assert torch.equal(attended(block, columns)[LENGTH], torch.zeros(4, 5))


def test_a_longer_history_weighs_more_than_one_event_of_it() -> None:
    block, columns = attention(), inputs(1, 4)
    same = {
        name: column[:, :1].expand_as(column).clone() if name in HISTORY_INPUTS else column
        for name, column in columns.items()
    }
    once = {**same, "history_rows": torch.tensor([[-1] * (LENGTH - 1) + [3]])}
    ratio = attended(block, same) / attended(block, once)
    assert bool((ratio > 1.0).all())
    assert bool((ratio < LENGTH).all())


def test_the_served_ranker_takes_its_inputs_by_place() -> None:
    model, columns = ranker(("dcn", "stacked", True)), inputs(1, 5)
    by_place = [columns[name] if name in HISTORY_INPUTS else columns[name][0] for name in model.reads]
    with torch.no_grad():
        click, rating = ServedRanker(model)(*by_place)
        expected = model(columns)
    assert torch.allclose(click, expected[0][0], atol=1e-6)
    assert torch.allclose(rating, expected[1][0], atol=1e-6)


def test_scales_come_from_the_sample() -> None:
    model = ranker(("dcn_low_rank", "parallel", True))
    numbers = torch.tensor([[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
    model.fit_scales(numbers, torch.tensor([[0.0, 1.0, 0.0, -2.0], [0.0, 5.0, 0.0, 4.0]]), torch.tensor([2.0, 4.0]))
    users, items = model.numbers()
    assert users is not None
    assert users(torch.tensor([[0.0, 3.0, 0.0]])).tolist() == [[0.0, 1.0, 0.0]]
    assert items(torch.tensor([[0.0, 1.0, 0.0, 4.0]])).tolist() == [[0.0, -1.0, 0.0, 1.0]]
    assert model.attention is not None
    assert model.attention.values(torch.tensor([[4.0]])).tolist() == [[1.0]]
    of_family = ranker(("mlp", "parallel", False))
    of_family.fit_scales(numbers, torch.tensor([[9.0, 9.0, 9.0, -2.0], [9.0, 9.0, 9.0, 4.0]]), torch.zeros(0))
    assert of_family.numbers()[1](torch.tensor([[4.0]])).tolist() == [[1.0]]
