"""Raw numbers to network inputs. These layers are part of every exported graph, so serving feeds raw values."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SECONDS_PER_HOUR = 3600.0

USER_NUMBERS = ("user_count", "user_mean", "user_deviation")
CONTEXT_NUMBERS = ("hour_of_day", "day_of_week", "is_weekend")
ITEM_NUMBERS = ("item_count", "item_mean", "neighbour_score")
LOGARITHMIC = frozenset({"user_count", "item_count", "neighbour_score"})
"""Numbers that grow without bound and are read on a logarithmic scale."""

CONTEXT_WIDTH = 5
"""Columns that :class:`ContextInputs` returns."""


class NumberInputs(nn.Module):
    """Standardises columns, after ``log(1 + x)`` where the name is in :data:`LOGARITHMIC`.

    Values are clipped to 8 deviations, so that one absurd counter cannot carry a score away.
    """

    is_log: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.columns = len(names)
        self.register_buffer("is_log", torch.tensor([name in LOGARITHMIC for name in names]))
        self.register_buffer("mean", torch.zeros(len(names)))
        self.register_buffer("deviation", torch.ones(len(names)))

    def fit(self, sample: Tensor) -> None:
        """Take mean and deviation from raw values, shape ``(n, columns)``; a constant column is only centred."""
        with torch.no_grad():
            scaled = self._logarithm(sample.double())
            self.mean.copy_(scaled.mean(0))
            deviation = scaled.std(0, unbiased=False)
            self.deviation.copy_(torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return inputs of the shape of ``numbers`` ``(..., columns)``."""
        return ((self._logarithm(numbers) - self.mean) / self.deviation).clamp(-8.0, 8.0)

    def _logarithm(self, numbers: Tensor) -> Tensor:
        return torch.where(self.is_log, torch.log1p(numbers.clamp(min=0.0)), numbers)


class ContextInputs(nn.Module):
    """Puts hour and day on circles: 23 h is next to 0 h."""

    frequency: Tensor
    phase: Tensor

    def __init__(self) -> None:
        super().__init__()
        hour, day, quarter = 2.0 * math.pi / 24.0, 2.0 * math.pi / 7.0, math.pi / 2.0
        # All four coordinates are one sine, a cosine being a quarter ahead: a graph of few steps answers sooner.
        self.register_buffer("frequency", torch.tensor([[hour, hour, 0, 0], [0, 0, day, day], [0, 0, 0, 0]]))
        self.register_buffer("phase", torch.tensor([0.0, quarter, 0.0, quarter]))

    def forward(self, context: Tensor) -> Tensor:
        """Return ``(..., 5)`` for raw ``(..., 3)`` in the order of :data:`CONTEXT_NUMBERS`."""
        return torch.cat([(context @ self.frequency + self.phase).sin(), context[..., 2:]], dim=-1)


class CategoryInputs(nn.Module):
    """Embeds categorical attributes and concatenates them. Index 0, unknown, is a learned vector like the others.

    While training a value is replaced by *unknown* with probability ``dropout``: the model learns to do without.
    """

    first: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int, dropout: float) -> None:
        """Take, for each attribute, the number of values it can have beside unknown."""
        super().__init__()
        ends = torch.tensor([0, *sizes], dtype=torch.int64).cumsum(0) + torch.arange(len(sizes) + 1)
        # One table for all attributes, each from its own row on.
        self.register_buffer("first", ends[:-1])
        self.table = nn.Embedding(int(ends[-1]), width)
        nn.init.normal_(self.table.weight, std=0.05)
        self.width = width * len(sizes)
        self._dropout = dropout

    def forward(self, categories: Tensor) -> Tensor:
        """Return ``(..., width)`` for indexes ``(..., attributes)``."""
        if self.width == 0:
            return categories.new_zeros((*categories.shape[:-1], 0), dtype=torch.float32)
        if self.training and self._dropout > 0.0:
            kept = torch.rand(categories.shape, device=categories.device) >= self._dropout
            categories = categories * kept
        out: Tensor = self.table(categories + self.first).flatten(-2)
        return out


def age_input(age_s: Tensor) -> Tensor:
    """Return ``log(1 + hours) / 4`` for ages in seconds, never negative; three years give 2.5.

    The scale of an hour is coarse on purpose: ages travel as float32, which at three years resolves 8 seconds.
    """
    return torch.log1p(age_s.clamp(min=0.0) / SECONDS_PER_HOUR) / 4.0
