"""The ranker: DCN-V2 with a click and a rating head, and with everything about the user computed once.

A row of the network's input is ``x = [u; v]``: the user side ``u`` is the same for every candidate, the item side ``v``
is not. The first product of each branch is split, ``W x = W_u u + W_v v``, so that the user's half is computed at batch
size 1 and added to every candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from shortlist_models.cross import LowRankCross, split_product
from shortlist_models.inputs import (
    CONTEXT_WIDTH,
    ITEM_NUMBERS,
    USER_NUMBERS,
    CategoryInputs,
    ContextInputs,
    NumberInputs,
    age_input,
)

MATCH = "match"
"""Name of the inner product of the two embeddings, beside those of the raw item numbers."""


@dataclass(frozen=True, slots=True)
class RankerShape:
    """Sizes of a ranker."""

    embedding_width: int
    """Size d of the exported embeddings, the bias column included."""

    feature_columns: int
    category_sizes: tuple[int, ...]
    projected: int = 32
    """Size to which user and item embeddings are reduced before they are crossed."""

    cross_layers: int = 2
    rank: int = 16
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.1
    category_width: int = 8
    category_dropout: float = 0.1


class Ranker(nn.Module):
    """Scores candidates of an actor: click logit and expected rating."""

    rating_mean: Tensor
    rating_deviation: Tensor

    def __init__(self, shape: RankerShape) -> None:
        super().__init__()
        self.project_user = nn.Linear(shape.embedding_width, shape.projected)
        self.project_item = nn.Linear(shape.embedding_width, shape.projected)
        self.categories = CategoryInputs(shape.category_sizes, shape.category_width, shape.category_dropout)
        self.user_numbers = NumberInputs(USER_NUMBERS)
        self.item_numbers = NumberInputs((*ITEM_NUMBERS, MATCH))
        self.context = ContextInputs()
        user_width = shape.projected + self.categories.width + len(USER_NUMBERS) + CONTEXT_WIDTH + 2
        item_width = shape.projected + shape.feature_columns + len(ITEM_NUMBERS) + 1
        width = user_width + item_width
        self.first_cross = LowRankCross(width, shape.rank)
        self.crosses = nn.ModuleList(LowRankCross(width, shape.rank) for _ in range(shape.cross_layers - 1))
        self.first_deep = nn.Linear(width, shape.hidden[0])
        self.deep = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(shape.hidden))
        self.dropout = nn.Dropout(shape.dropout)
        self.heads = nn.Linear(width + shape.hidden[-1], 2)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)
        # The retrieval model's own score is where the click logit starts from; the network learns what to add to it.
        self.match_weight = nn.Parameter(torch.ones(()))
        self.register_buffer("rating_mean", torch.zeros(()))
        self.register_buffer("rating_deviation", torch.ones(()))

    def forward(
        self,
        user_embedding: Tensor,
        has_history: Tensor,
        age_s: Tensor,
        user_categories: Tensor,
        user_numbers: Tensor,
        context: Tensor,
        item_features: Tensor,
        item_numbers: Tensor,
        item_embeddings: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return click logits and ratings, each ``(.., c)``.

        The dots are no axis, for one actor, or one of ``q`` actors with ``c`` candidates each.

        Args:
            user_embedding: ``(.., 1, d)``.
            has_history: bool ``(.., 1)``.
            age_s: Seconds since the actor's last event, ``(.., 1)``; 0 where there is none.
            user_categories: ``(.., 1, k)``.
            user_numbers: Raw, ``(.., 1, 3)``.
            context: Raw, ``(.., 1, 3)``.
            item_features: Static columns of the candidates, ``(.., c, f)``.
            item_numbers: Raw, in the order of ``ITEM_NUMBERS``, ``(.., c, 3)``.
            item_embeddings: ``(.., c, d)``.
        """
        known = torch.stack([age_input(age_s), has_history.to(age_s.dtype)], dim=-1)
        user = torch.cat(
            [
                self.project_user(user_embedding),
                self.categories(user_categories),
                self.user_numbers(user_numbers),
                self.context(context),
                known,
            ],
            dim=-1,
        )
        match = item_embeddings @ user_embedding.transpose(-1, -2)
        numbers = self.item_numbers(torch.cat([item_numbers, match], dim=-1))
        item = torch.cat([self.project_item(item_embeddings), item_features, numbers], dim=-1)
        x0 = torch.cat([user.expand(*item.shape[:-1], -1), item], dim=-1)
        x = self.first_cross.first(user, item, x0)
        for cross in self.crosses:
            x = cross(x0, x)
        deep = torch.relu(split_product(self.first_deep, user, item))
        for layer in self.deep:
            deep = torch.relu(layer(self.dropout(deep)))
        heads = self.heads(torch.cat([x, deep], dim=-1))
        click = heads[..., 0] + self.match_weight * numbers[..., -1]
        return click, self.rating_mean + self.rating_deviation * heads[..., 1]


class ServedRanker(nn.Module):
    """The ranker as exported: one actor (batch 1), candidates as rows."""

    def __init__(self, ranker: Ranker) -> None:
        super().__init__()
        self.ranker = ranker

    def forward(
        self,
        user_embedding: Tensor,
        has_history: Tensor,
        age_s: Tensor,
        user_categories: Tensor,
        user_numbers: Tensor,
        context: Tensor,
        item_features: Tensor,
        item_numbers: Tensor,
        item_embeddings: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return ``click`` and ``rating``, each ``(n,)``."""
        click, rating = self.ranker(
            user_embedding,
            has_history,
            age_s,
            user_categories,
            user_numbers,
            context,
            item_features,
            item_numbers,
            item_embeddings,
        )
        return click, rating
