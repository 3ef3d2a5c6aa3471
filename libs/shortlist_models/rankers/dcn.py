"""DCN-V2 (Wang et al. 2021) as a ranker: cross layers and deep ones, beside each other or one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from shortlist_models.cross import FullCross, LowRankCross, split_product
from shortlist_models.inputs import (
    CONTEXT_WIDTH,
    ITEM_NUMBERS,
    USER_NUMBERS,
    CategoryInputs,
    ContextInputs,
    NumberInputs,
    age_input,
)
from shortlist_models.rankers.base import (
    HISTORY_INPUTS,
    ITEM_INPUTS,
    MATCH,
    USER_INPUTS,
    Ranker,
    RankerShape,
    match_of,
)


class DcnRanker(Ranker):
    """Everything that is known of actor and candidate, crossed.

    ``parallel``: the heads read the output of the cross layers beside that of the deep ones. ``stacked``: the deep
    layers read the output of the cross layers, the heads that of the deep ones (section 3.3).

    Args:
        shape: Sizes.
        is_low_rank: Cross layers by two narrow matrices (eq. 2) instead of a full one (eq. 1).
    """

    def __init__(self, shape: RankerShape, *, is_low_rank: bool) -> None:
        super().__init__(shape)
        self.reads = (*USER_INPUTS, *ITEM_INPUTS, *(HISTORY_INPUTS if shape.attention else ()))
        self.project_user = nn.Linear(shape.embedding_width, shape.projected)
        self.project_item = nn.Linear(shape.embedding_width, shape.projected)
        self.categories = CategoryInputs(shape.category_sizes, shape.category_width, shape.category_dropout)
        self.user_numbers = NumberInputs(USER_NUMBERS)
        self.item_numbers = NumberInputs((*ITEM_NUMBERS, MATCH))
        self.context = ContextInputs()
        user_width = shape.projected + self.categories.width + len(USER_NUMBERS) + CONTEXT_WIDTH + 2
        item_width = shape.projected + shape.feature_columns + len(ITEM_NUMBERS) + 1
        width = user_width + item_width + (shape.projected if shape.attention else 0)

        def cross() -> LowRankCross | FullCross:
            return LowRankCross(width, shape.rank) if is_low_rank else FullCross(width)

        self.first_cross = cross()
        self.crosses = nn.ModuleList(cross() for _ in range(shape.cross_layers - 1))
        self.first_deep = nn.Linear(width, shape.hidden[0])
        self.deep = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(shape.hidden))
        self.dropout = nn.Dropout(shape.dropout)
        self.add_heads(shape.hidden[-1] if shape.structure == "stacked" else width + shape.hidden[-1])

    def numbers(self) -> tuple[NumberInputs | None, NumberInputs]:
        """Return the layers that take user numbers, and item numbers with the match as last column."""
        return self.user_numbers, self.item_numbers

    def pairs(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the outputs of cross and deep layers, or of the deep ones alone, and the standardised match."""
        user, item, match = self._sides(inputs)
        x0 = torch.cat([user.expand(*item.shape[:-1], -1), item], dim=-1)
        x = self.first_cross.first(user, item, x0)
        for cross in self.crosses:
            x = cross(x0, x)
        if self.shape.structure == "stacked":
            return self._deep(self.first_deep(x)), match
        return torch.cat([x, self._deep(split_product(self.first_deep, user, item))], dim=-1), match

    def _deep(self, first: Tensor) -> Tensor:
        deep = torch.relu(first)
        for layer in self.deep:
            deep = torch.relu(layer(self.dropout(deep)))
        return deep

    def _sides(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        age_s = inputs["age_s"]
        known = torch.stack([age_input(age_s), inputs["has_history"].to(age_s.dtype)], dim=-1)
        user = torch.cat(
            [
                self.project_user(inputs["user_embedding"]),
                self.categories(inputs["user_categories"]),
                self.user_numbers(inputs["user_numbers"]),
                self.context(inputs["context"]),
                known,
            ],
            dim=-1,
        )
        numbers = self.item_numbers(torch.cat([inputs["item_numbers"], match_of(inputs)], dim=-1))
        item = torch.cat(
            [
                self.project_item(inputs["item_embeddings"]),
                inputs["item_features"],
                numbers,
                *self.attended(inputs),
            ],
            dim=-1,
        )
        return user, item, numbers[..., -1]
