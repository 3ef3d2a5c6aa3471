"""DCN-V2 over categorical fields: the model of click-through benchmarks, where a row is all that is known."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from shortlist_models.cross import FullCross, LowRankCross


@dataclass(frozen=True, slots=True)
class FieldDcnShape:
    """Sizes of a model."""

    field_sizes: tuple[int, ...]
    """Values of each field that holds one of them, 0 being *unknown*."""

    bag_columns: int = 0
    """Columns of ones and zeros of a field that holds several values at once; 0: there is none."""

    width: int = 16
    """Columns of the embedding of each field."""

    cross_layers: int = 3
    rank: int | None = None
    """Of low-rank cross layers; ``None``: full matrices."""

    hidden: tuple[int, ...] = (128, 64)
    is_stacked: bool = False
    """Deep layers read what the cross layers give (section 3.4, *stacked*); else both read embeddings (*parallel*)."""

    dropout: float = 0.0
    """On embeddings and between deep layers, while training."""

    @property
    def columns(self) -> int:
        """Columns of the embeddings of all fields side by side."""
        return self.width * (len(self.field_sizes) + (self.bag_columns > 0))


class FieldDcn(nn.Module):
    """DCN-V2 (Wang et al. 2021): embeddings, cross layers, deep layers, one logit.

    Args:
        shape: Sizes.

    Raises:
        ValueError: ``rank`` is too large for the width.
    """

    first: Tensor

    def __init__(self, shape: FieldDcnShape) -> None:
        super().__init__()
        starts = torch.tensor([0, *shape.field_sizes], dtype=torch.int64).cumsum(0)
        self.register_buffer("first", starts[:-1])
        self.table = nn.Embedding(int(starts[-1]), shape.width)
        nn.init.normal_(self.table.weight, std=0.01)
        self.bag = nn.Linear(shape.bag_columns, shape.width, bias=False) if shape.bag_columns else None
        width = shape.columns
        self.crosses = nn.ModuleList(
            FullCross(width) if shape.rank is None else LowRankCross(width, shape.rank)
            for _ in range(shape.cross_layers)
        )
        self.deep = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise((width, *shape.hidden)))
        self.dropout = nn.Dropout(shape.dropout)
        self.is_stacked = shape.is_stacked
        deep_width = shape.hidden[-1] if shape.hidden else 0
        self.head = nn.Linear(deep_width if shape.is_stacked and shape.hidden else width + deep_width, 1)

    def forward(self, fields: Tensor, bag: Tensor) -> Tensor:
        """Return logits ``(b,)``.

        Args:
            fields: Index of each field's value, int64 ``(b, fields)``.
            bag: The field with several values, ``(b, bag_columns)``; each row's values are averaged.
        """
        x0 = self.table(fields + self.first).flatten(1)
        if self.bag is not None:
            share = bag / bag.sum(dim=1, keepdim=True).clamp(min=1.0)
            x0 = torch.cat([x0, self.bag(share)], dim=1)
        x0 = self.dropout(x0)
        x = x0
        for cross in self.crosses:
            x = cross(x0, x)
        if not self.deep:
            crossed: Tensor = self.head(x).squeeze(1)
            return crossed
        deep = x if self.is_stacked else x0
        for number, layer in enumerate(self.deep):
            deep = torch.relu(layer(deep if number == 0 else self.dropout(deep)))
        out: Tensor = self.head(deep if self.is_stacked else torch.cat([x, deep], dim=1)).squeeze(1)
        return out
