"""What rankers have in common: inputs by name, a click and a rating head, and retrieval's score to start from.

A row of a network's input is ``x = [u; v]``: the user side ``u`` is the same for every candidate, the item side ``v``
is not. The first product of each branch is split, ``W x = W_u u + W_v v``, so that the user's half is computed at batch
size 1 and added to every candidate.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from shortlist_models.inputs import NumberInputs
from shortlist_models.rankers.attention import TargetAttention

Structure = Literal["parallel", "stacked"]

USER_INPUTS = ("user_embedding", "has_history", "age_s", "user_categories", "user_numbers", "context")
HISTORY_INPUTS = ("history_rows", "history_values", "history_ages_s", "history_embeddings")
ITEM_INPUTS = ("item_features", "item_numbers", "item_embeddings")

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
    """Size to which user and item embeddings are reduced before they are crossed, and of what attention gives."""

    cross_layers: int = 2
    rank: int = 16
    hidden: tuple[int, ...] = (64, 32)
    """Of DCN, the sizes of the deep layers. Of the NCF family, the last is the number of predictive factors; as many
    layers as there are entries halve down to it."""

    dropout: float = 0.1
    category_width: int = 8
    category_dropout: float = 0.1
    structure: Structure = "parallel"
    attention: bool = False
    """Whether candidates attend to the events of the history."""


class Ranker(nn.Module, ABC):
    """Scores candidates of an actor: click logit and expected rating.

    Inputs are tensors by name. The dots are no axis, for one actor, or one of ``q`` actors with ``c`` candidates each:

    ==================== ====================================================================
    ``user_embedding``   ``(.., 1, d)``
    ``has_history``      bool ``(.., 1)``
    ``age_s``            seconds since the actor's last event, ``(.., 1)``; 0 where there is none
    ``user_categories``  ``(.., 1, k)``
    ``user_numbers``     raw, ``(.., 1, 3)``
    ``context``          raw, ``(.., 1, 3)``
    ``item_features``    static columns of the candidates, ``(.., c, f)``
    ``item_numbers``     raw, in the order of ``ITEM_NUMBERS``, ``(.., c, 3)``
    ``item_embeddings``  ``(.., c, d)``
    ``history_rows``     items of the latest events, -1 is padding, ``(.., l)``; read is only what is padding
    ``history_values``   raw, ``(.., l)``
    ``history_ages_s``   seconds between event and request, ``(.., l)``
    ``history_embeddings`` of these items, anything finite where there is padding, ``(.., l, d)``
    ==================== ====================================================================
    """

    reads: tuple[str, ...]
    """Names of the inputs that the ranker needs, in the order in which the exported graph takes them."""

    rating_mean: Tensor
    rating_deviation: Tensor

    def __init__(self, shape: RankerShape) -> None:
        super().__init__()
        self.shape = shape
        self.attention = TargetAttention(shape.embedding_width, shape.projected) if shape.attention else None

    def add_heads(self, width: int) -> None:
        """Make the two heads on ``width`` columns; for the end of a subclass's ``__init__``."""
        self.heads = nn.Linear(width, 2)
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)
        # The retrieval model's own score is where the click logit starts from; the network learns what to add to it.
        self.match_weight = nn.Parameter(torch.ones(()))
        self.register_buffer("rating_mean", torch.zeros(()))
        self.register_buffer("rating_deviation", torch.ones(()))

    @abstractmethod
    def pairs(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return what the heads read of each pair, ``(.., c, width)``, and the standardised match, ``(.., c)``."""

    @abstractmethod
    def numbers(self) -> tuple[NumberInputs | None, NumberInputs]:
        """Return the layers that take user numbers (if any), and item numbers with the match as last column."""

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return click logits and ratings, each ``(.., c)``."""
        pairs, match = self.pairs(inputs)
        heads = self.heads(pairs)
        click = heads[..., 0] + self.match_weight * match
        return click, self.rating_mean + self.rating_deviation * heads[..., 1]

    def attended(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return what the history says of each candidate, ``[(.., c, projected)]``, or nothing without attention."""
        if self.attention is None:
            return []
        return [
            self.attention(
                inputs["item_embeddings"],
                inputs["history_embeddings"],
                inputs["history_rows"] >= 0,
                inputs["history_values"],
                inputs["history_ages_s"],
            )
        ]

    def fit_scales(self, user_numbers: Tensor, item_numbers: Tensor, history_values: Tensor) -> None:
        """Take mean and deviation of the raw numbers from a sample.

        Args:
            user_numbers: ``(n, 3)``.
            item_numbers: In the order of ``ITEM_NUMBERS``, then the match, ``(n, 4)``.
            history_values: ``(n,)``; none leave their scale as it is.
        """
        users, items = self.numbers()
        if users is not None:
            users.fit(user_numbers)
        items.fit(item_numbers[:, -items.columns :])
        if self.attention is not None and len(history_values):
            self.attention.values.fit(history_values[:, None])


def match_of(inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the inner product of user and item embeddings, ``(.., c, 1)``."""
    return inputs["item_embeddings"] @ inputs["user_embedding"].transpose(-1, -2)
