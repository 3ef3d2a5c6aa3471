"""Sequence encoders: states of a history, one after each event, that depend on nothing later.

All encoders see the same whether a history is padded on the left or not: positions are relative. That is what lets one
causal pass over a user's events train what serving computes for the last event alone, by :meth:`Encoder.last`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

EncoderKind = Literal["mean", "gru", "transformer"]


class Encoder(nn.Module, ABC):
    """What encoders have in common."""

    @abstractmethod
    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Return states ``(b, l, width)`` for tokens ``(b, l, width)`` and their mask ``(b, l)``."""

    def last(self, tokens: Tensor) -> Tensor:
        """Return the state after the last of tokens ``(b, l, width)`` without padding, ``(b, width)``."""
        out: Tensor = self(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))[:, -1]
        return out


class MeanEncoder(Encoder):
    """State = projected mean of the events so far."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Return states ``(b, l, width)`` for tokens ``(b, l, width)`` and their mask ``(b, l)``."""
        weights = valid.unsqueeze(-1).to(tokens.dtype)
        count = weights.cumsum(1).clamp(min=1.0)
        out: Tensor = self.project((tokens * weights).cumsum(1) / count)
        return out

    def last(self, tokens: Tensor) -> Tensor:
        """Return the projected mean."""
        out: Tensor = self.project(tokens.mean(1))
        return out


class GruEncoder(Encoder):
    """Gated recurrent unit (Cho et al. 2014; for sessions GRU4Rec, Hidasi et al. 2016), started at the first event."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Return states ``(b, l, width)`` for tokens ``(b, l, width)`` and their mask ``(b, l)``."""
        length = tokens.shape[1]
        position = torch.arange(length, device=tokens.device)
        first = valid.to(torch.int64).argmax(1, keepdim=True)
        to_front = torch.remainder(position + first, length).unsqueeze(-1).expand_as(tokens)
        states, _ = self.gru(tokens.gather(1, to_front))
        back = torch.remainder(position - first, length).unsqueeze(-1).expand_as(states)
        out: Tensor = states.gather(1, back)
        return out

    def last(self, tokens: Tensor) -> Tensor:
        """Return the hidden state at the end."""
        out: Tensor = self.gru(tokens)[1][0]
        return out


class TransformerEncoder(Encoder):
    """Causal self-attention, SASRec-style (Kang & McAuley 2018), with biases by distance instead of positions."""

    def __init__(self, width: int, heads: int, layers: int, length: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(width, heads, length, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Return states ``(b, l, width)`` for tokens ``(b, l, width)`` and their mask ``(b, l)``."""
        for block in self.blocks:
            tokens = block(tokens, valid)
        out: Tensor = self.norm(tokens)
        return out


class AttentionBlock(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual."""

    def __init__(self, width: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        self.heads = heads
        self.length = length
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.distance_bias = nn.Parameter(torch.zeros(heads, length))
        self.out = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Return tokens ``(b, l, width)``; ``l`` is at most the length given."""
        batch, length, width = tokens.shape
        depth = width // self.heads
        projected = self.query_key_value(self.attention_norm(tokens))
        query, key, value = projected.view(batch, length, 3, self.heads, depth).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self._bias(length) + torch.where(self._visible(valid), 0.0, -1e9)
        attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, length, width)))
        out: Tensor = tokens + self.dropout(self.feed(self.feed_norm(tokens)))
        return out

    def _bias(self, length: int) -> Tensor:
        position = torch.arange(length, device=self.distance_bias.device)
        distance = (position[:, None] - position[None, :]).clamp(min=0, max=self.length - 1)
        bias: Tensor = self.distance_bias[:, distance].unsqueeze(0)
        return bias

    @staticmethod
    def _visible(valid: Tensor) -> Tensor:
        length = valid.shape[1]
        position = torch.arange(length, device=valid.device)
        causal = position[:, None] >= position[None, :]
        itself = position[:, None] == position[None, :]
        # Padding sees itself, so that its softmax is defined; nobody else sees padding.
        return ((causal & valid[:, None, :]) | itself).unsqueeze(1)


def make_encoder(kind: EncoderKind, width: int, heads: int, layers: int, length: int, dropout: float) -> Encoder:
    """Return an encoder by name.

    Raises:
        ValueError: ``kind`` is none of ``mean``, ``gru``, ``transformer``.
    """
    if kind == "mean":
        return MeanEncoder(width)
    if kind == "gru":
        return GruEncoder(width)
    if kind == "transformer":
        return TransformerEncoder(width, heads, layers, length, dropout)
    raise ValueError(f"encoder {kind!r} is none of mean, gru, transformer")
