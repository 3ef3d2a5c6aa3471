"""GMF, MLP and NeuMF of He et al. 2017, "Neural Collaborative Filtering", as rankers.

The publication describes a user by a feature vector ``v_u`` and looks its latent vector up as ``P' v_u`` (eq. 3), which
for the one-hot vector of an id is a row of a table. Here ``v_u`` is the user tower's embedding and ``v_i`` that of the
item: an unknown user is served, and the last event counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from shortlist_models.inputs import NumberInputs
from shortlist_models.ncf import Interaction, NcfShape, NeuMf
from shortlist_models.rankers.base import HISTORY_INPUTS, MATCH, Ranker, RankerShape, match_of


class NcfRanker(Ranker):
    """The family's predictive factors under a click and a rating head.

    With attention, what the history says of the candidate is part of the item's feature vector.

    Args:
        shape: Sizes.
        kind: ``Gmf`` (eq. 8 and 9), ``Mlp`` (eq. 10) or ``NeuMf`` (eq. 12).
    """

    def __init__(self, shape: RankerShape, kind: type[Interaction]) -> None:
        super().__init__(shape)
        self.reads = ("user_embedding", "item_embeddings", *(HISTORY_INPUTS if shape.attention else ()))
        columns = shape.embedding_width + (shape.projected if shape.attention else 0)
        sizes = NcfShape(shape.embedding_width, columns, shape.hidden[-1], len(shape.hidden), shape.dropout)
        self.interaction = kind(sizes, nn.Linear)
        width = self.interaction.head.in_features
        del self.interaction.head
        self.match = NumberInputs((MATCH,))
        self.add_heads(width)

    def numbers(self) -> tuple[NumberInputs | None, NumberInputs]:
        """Return the layer that takes the match."""
        return None, self.match

    def pairs(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the predictive factors and the standardised match."""
        items = torch.cat([inputs["item_embeddings"], *self.attended(inputs)], dim=-1)
        return self.interaction.factors(inputs["user_embedding"], items), self.match(match_of(inputs))[..., 0]

    @torch.no_grad()
    def start_from(self, gmf: NcfRanker, mlp: NcfRanker, share: float) -> None:
        """Take the parameters of two fitted rankers, heads as ``[share h_gmf; (1 - share) h_mlp]`` (eq. 13).

        Args:
            gmf: Of the same shape.
            mlp: Of the same shape.
            share: ``alpha`` in [0, 1].

        Raises:
            ValueError: This is no NeuMF, or it has attention, which each of the two would have learnt for itself.
        """
        if not isinstance(self.interaction, NeuMf) or self.attention is not None:
            raise ValueError("a NeuMF without attention starts from two others, nothing else does")
        self.interaction.gmf.load_state_dict(gmf.interaction.state_dict())
        self.interaction.mlp.load_state_dict(mlp.interaction.state_dict())
        parts = ((share, gmf), (1.0 - share, mlp))
        self.heads.weight.copy_(torch.cat([part * ranker.heads.weight for part, ranker in parts], dim=1))
        self.heads.bias.copy_(share * gmf.heads.bias + (1.0 - share) * mlp.heads.bias)
        self.match_weight.copy_(share * gmf.match_weight + (1.0 - share) * mlp.match_weight)
