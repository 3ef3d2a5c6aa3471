"""The two-tower retrieval model: what an actor did and is, against what an item is, as one inner product.

Training encodes a user's events once and asks for queries at many moments of it (:meth:`UserTower.states`,
:meth:`UserTower.query`); evaluation asks for the last moment of many users (:meth:`UserTower.embed`), serving for that
of one (:class:`shortlist_models.served_tower.ServedUserTower`). All run the same layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shortlist_models.encoders import EncoderKind, make_encoder
from shortlist_models.inputs import (
    CONTEXT_NUMBERS,
    CONTEXT_WIDTH,
    USER_NUMBERS,
    CategoryInputs,
    ContextInputs,
    NumberInputs,
    age_input,
)


@dataclass(frozen=True, slots=True)
class TwoTowerShape:
    """Sizes of a two-tower model."""

    n_items: int
    feature_columns: int
    """Static item columns f."""

    category_sizes: tuple[int, ...]
    """Known values of each user attribute."""

    history_length: int = 100
    width: int = 64
    """Size of the embeddings; with the item's bias the exported ones have one more."""

    encoder: EncoderKind = "transformer"
    layers: int = 2
    heads: int = 2
    dropout: float = 0.2
    id_dropout: float = 0.05
    """Share of items that a training step sees by their features alone, as the item tower sees new ones."""

    category_dropout: float = 0.1
    category_width: int = 8


class ItemTower(nn.Module):
    """Item embedding = own vector + projected features; bias = own bias + projected features."""

    def __init__(self, shape: TwoTowerShape) -> None:
        super().__init__()
        self.own = nn.Embedding(shape.n_items, shape.width + 1)
        self.project = nn.Linear(shape.feature_columns, shape.width + 1)
        self.id_dropout = shape.id_dropout
        nn.init.normal_(self.own.weight, std=0.05)
        nn.init.zeros_(self.own.weight[:, -1])
        nn.init.normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.project.bias)

    def forward(self, item_features: Tensor) -> Tensor:
        """Return embeddings ``(n, width + 1)`` of items known by their features only; the last column is the bias."""
        out: Tensor = self.project(item_features)
        return out

    def table(self, item_features: Tensor, rows: Tensor | None = None) -> Tensor:
        """Return embeddings ``(n, width + 1)`` of the items ``rows``, or of all.

        Args:
            item_features: Static columns of all items, ``(n, f)``.
            rows: Items wanted; ``None`` is the whole catalogue.
        """
        own = self.own.weight if rows is None else self.own(rows)
        features = item_features if rows is None else item_features[rows]
        if self.training and self.id_dropout > 0.0:
            own = own * (torch.rand(len(own), 1, device=own.device) >= self.id_dropout)
        return own + self.forward(features)


class UserTower(nn.Module):
    """History, attributes, numbers and context to a query vector ``(.., width)``."""

    value_mean: Tensor
    value_deviation: Tensor

    def __init__(self, shape: TwoTowerShape) -> None:
        super().__init__()
        width = shape.width
        self.history_length = shape.history_length
        self.token_item = nn.Linear(width, width)
        self.token_value = nn.Linear(3, width, bias=False)
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_deviation", torch.ones(()))
        self.token_norm = nn.LayerNorm(width)
        self.token_dropout = nn.Dropout(shape.dropout)
        self.encoder = make_encoder(
            shape.encoder, width, shape.heads, shape.layers, shape.history_length, shape.dropout
        )
        self.empty = nn.Parameter(torch.zeros(width))
        self.categories = CategoryInputs(shape.category_sizes, shape.category_width, shape.category_dropout)
        self.numbers = NumberInputs(USER_NUMBERS)
        self.context = ContextInputs()
        side = self.categories.width + len(USER_NUMBERS) + CONTEXT_WIDTH + 2
        self.merge = nn.Sequential(
            nn.Linear(width + side, 2 * width), nn.ReLU(), nn.Dropout(shape.dropout), nn.Linear(2 * width, width)
        )

    def states(self, item_vectors: Tensor, rows: Tensor, values: Tensor, gaps_s: Tensor) -> Tensor:
        """Return the encoder's state after each event, ``(b, l, width)``.

        Args:
            item_vectors: ``(n, width)``, the item table without its bias column.
            rows: Items of the events ``(b, l)``, oldest first, -1 is padding.
            values: Values of the events ``(b, l)``.
            gaps_s: Seconds since the event before ``(b, l)``; 0 for the first.
        """
        valid = rows >= 0
        scaled = (values - self.value_mean) / self.value_deviation
        extra = torch.stack([scaled, scaled * scaled, age_input(gaps_s)], dim=-1)
        items = torch.nn.functional.embedding(rows.clamp(min=0), item_vectors)
        tokens = self.token_dropout(self.token_norm(self.token_item(items) + self.token_value(extra)))
        out: Tensor = self.encoder(tokens * valid.unsqueeze(-1), valid)
        return out

    def query(
        self, state: Tensor, has_history: Tensor, age_s: Tensor, categories: Tensor, numbers: Tensor, context: Tensor
    ) -> Tensor:
        """Return query vectors ``(q, width)``.

        Args:
            state: State after the last event known, ``(q, width)``; ignored where there is none.
            has_history: bool ``(q,)``.
            age_s: Seconds since that event, ``(q,)``; 0 where there is none.
            categories: ``(q, c)``.
            numbers: Raw, ``(q, 3)``, in the order of ``USER_NUMBERS``.
            context: Raw, ``(q, 3)``, in the order of ``CONTEXT_NUMBERS``.
        """
        has = has_history.unsqueeze(-1)
        state = torch.where(has, state, self.empty)
        side = [self.categories(categories), self.numbers(numbers), self.context(context)]
        age = age_input(age_s).unsqueeze(-1)
        out: Tensor = state + self.merge(torch.cat([state, *side, age, has.to(state.dtype)], dim=-1))
        return out

    def embed(
        self,
        item_vectors: Tensor,
        history_rows: Tensor,
        history_values: Tensor,
        history_ages_s: Tensor,
        user_categories: Tensor,
        user_numbers: Tensor,
        context: Tensor,
    ) -> Tensor:
        """Return embeddings of actors, ``(b, width + 1)``; the last column is 1 and meets the item's bias.

        Args:
            item_vectors: ``(n, width)``, the item table without its bias column.
            history_rows: This and the others as :func:`shortlist_bundle.actor_inputs.actor_inputs` makes them,
                stacked; ``(b, l)``.
            history_values: ``(b, l)``.
            history_ages_s: ``(b, l)``.
            user_categories: ``(b, c)``.
            user_numbers: ``(b, 3)``.
            context: ``(b, 3)``.
        """
        valid = history_rows >= 0
        gaps = torch.zeros_like(history_ages_s)
        gaps[:, 1:] = (history_ages_s[:, :-1] - history_ages_s[:, 1:]) * valid[:, :-1]
        states = self.states(item_vectors, history_rows, history_values, gaps)
        query = self.query(states[:, -1], valid[:, -1], history_ages_s[:, -1], user_categories, user_numbers, context)
        return torch.cat([query, torch.ones_like(query[:, :1])], dim=-1)


__all__ = ["CONTEXT_NUMBERS", "USER_NUMBERS", "ItemTower", "TwoTowerShape", "UserTower"]
