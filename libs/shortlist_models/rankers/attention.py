"""Attention of a candidate to the events of a history, as a block of a ranker."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shortlist_models.inputs import NumberInputs, age_input

EVENT_COLUMNS = 3
"""Columns of an event beside its item's embedding: standardised value, its square, age."""


class TargetAttention(nn.Module):
    """What the events of a history say of a candidate: ``sum_j a(e_j, v) W e_j`` over the events ``j``.

    Zhou et al. 2018, "Deep Interest Network", eq. 3, with a scaled dot product in the place of the activation unit:
    ``a_j = exp(s_j) / (1 + sum_k exp(s_k))`` and ``s_j = (Q v)' (K e_j) / sqrt(width)``. Its products run over all
    candidates at once, where a unit would run a network for every pair of a candidate and an event. The 1 in the
    denominator is the weight of nothing: as in the publication weights need not add up to 1, so that an event or two
    weigh less than a long history, and without events the sum is 0.

    Args:
        embedding_width: Size d of the items' embeddings.
        width: Columns of what it returns.
    """

    def __init__(self, embedding_width: int, width: int) -> None:
        super().__init__()
        self.values = NumberInputs(("history_value",))
        self.query = nn.Linear(embedding_width, width)
        self.key = nn.Linear(embedding_width + EVENT_COLUMNS, width)
        self.value = nn.Linear(embedding_width + EVENT_COLUMNS, width)
        self.width = width

    def forward(
        self, item_embeddings: Tensor, history_embeddings: Tensor, is_event: Tensor, values: Tensor, ages_s: Tensor
    ) -> Tensor:
        """Return ``(.., c, width)``.

        Args:
            item_embeddings: ``(.., c, d)``.
            history_embeddings: ``(.., l, d)``; padding is not read.
            is_event: bool ``(.., l)``, ``False`` for padding.
            values: Raw, ``(.., l)``.
            ages_s: ``(.., l)``.
        """
        scaled = self.values(values.unsqueeze(-1))
        columns = [history_embeddings, scaled, scaled * scaled, age_input(ages_s).unsqueeze(-1)]
        events = torch.cat(columns, dim=-1)
        scores = self.query(item_embeddings) @ self.key(events).transpose(-1, -2) * self.width**-0.5
        scores = scores.masked_fill(~is_event.unsqueeze(-2), float("-inf"))
        nothing = torch.zeros_like(scores[..., :1])
        weights = torch.cat([nothing, scores], dim=-1).softmax(dim=-1)[..., 1:]
        out: Tensor = weights @ self.value(events)
        return out
