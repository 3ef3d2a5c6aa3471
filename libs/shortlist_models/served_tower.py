"""The user tower as exported: one actor, in as few steps as it can be said.

At one actor a request, what a graph costs is its steps more than its sums: each is some microseconds when the machine's
caches are cold. So what does not depend on the actor is computed before the export, and padding is cut off instead of
being carried along under a mask.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shortlist_models.inputs import age_input
from shortlist_models.two_tower import UserTower


class ServedUserTower(nn.Module):
    """Inputs of :func:`shortlist_bundle.actor_inputs.actor_inputs` to one embedding, as :meth:`UserTower.embed`."""

    token_table: Tensor
    value_weights: Tensor

    def __init__(self, tower: UserTower, item_vectors: Tensor) -> None:
        """Freeze ``tower`` together with the item table without biases, ``(n, width)``."""
        super().__init__()
        self.tower = tower
        self.register_buffer("token_table", tower.token_item(item_vectors).detach())
        self.register_buffer("value_weights", tower.token_value.weight.T.detach())

    def forward(
        self,
        history_rows: Tensor,
        history_values: Tensor,
        history_ages_s: Tensor,
        user_categories: Tensor,
        user_numbers: Tensor,
        context: Tensor,
    ) -> Tensor:
        """Return the embedding, ``(1, width + 1)``; the last column is 1 and meets the item's bias."""
        tower = self.tower
        # An actor without events keeps one place of padding, since an encoder needs a token. Its state is not read.
        start = (history_rows < 0).sum().clamp(max=history_rows.shape[1] - 1)
        rows, values, ages = history_rows[:, start:], history_values[:, start:], history_ages_s[:, start:]
        scaled = (values - tower.value_mean) / tower.value_deviation
        gaps = torch.cat([ages[:, :1], ages[:, :-1]], dim=1) - ages
        extra = torch.cat([scaled, scaled * scaled, age_input(gaps)])
        tokens = tower.token_norm(self.token_table[rows] + extra.T @ self.value_weights)
        query = tower.query(
            tower.encoder.last(tokens), rows[:, -1] >= 0, ages[:, -1], user_categories, user_numbers, context
        )
        return torch.cat([query, torch.ones(1, 1)], dim=-1)
