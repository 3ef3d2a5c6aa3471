"""GMF, MLP and NeuMF of He et al. 2017, "Neural Collaborative Filtering", in PyTorch.

All three give a logit for a user and an item, each known by its row alone, from *predictive factors*: a vector of the
pair that one weight vector ``h`` turns into a number (eq. 8, 10 and 12 end in ``sigmoid(h' factors)``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

EMBEDDING_DEVIATION = 0.01
"""Of the normal distribution that embeddings start from (He et al. 2017, section 4.1)."""


Vectors = Callable[[int, int], nn.Module]
"""Makes what turns users or items into vectors: number of users or items, and width, to a module."""


@dataclass(frozen=True, slots=True)
class NcfShape:
    """Sizes of a model."""

    n_users: int
    """Rows of the users' table; columns of their feature vectors, where vectors are projections (eq. 3)."""

    n_items: int
    factors: int = 32
    """Predictive factors f, the size that the publication compares models by. The layers of the MLP halve from
    ``2**hidden * f`` down to ``f``."""

    hidden: int = 3
    """Hidden layers of the MLP; MLP-3 is the publication's."""

    dropout: float = 0.0
    """On embeddings and between hidden layers, while training."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if min(self.n_users, self.n_items, self.factors) < 1 or self.hidden < 0 or not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"{self}: sizes are at least 1, hidden layers at least 0, dropout in [0, 1)")

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of the MLP's input and of each of its hidden layers, the last being ``factors``."""
        return tuple(self.factors * 2**left for left in range(self.hidden, -1, -1))


class Interaction(nn.Module, ABC):
    """A model of the family.

    Args:
        shape: Sizes.
        vectors: What makes vectors of users and items; left out, tables of embeddings. A projection reads feature
            vectors, ``(.., n_users)`` and ``(.., n_items)``, where the methods speak of rows.
    """

    head: nn.Linear

    def __init__(self, shape: NcfShape, vectors: Vectors | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.vectors = vectors or _embedding
        self.dropout = nn.Dropout(shape.dropout)

    @abstractmethod
    def factors(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the predictive factors of pairs, ``(.., f)`` for rows ``(..,)`` that broadcast."""

    @abstractmethod
    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits of pairs, ``(..,)``."""


class Gmf(Interaction):
    """Generalised matrix factorisation: ``h' (p_u * q_i) + b`` (eq. 8 and 9), a weighted inner product."""

    def __init__(self, shape: NcfShape, vectors: Vectors | None = None) -> None:
        super().__init__(shape, vectors)
        self.user = self.vectors(shape.n_users, shape.factors)
        self.item = self.vectors(shape.n_items, shape.factors)
        self.head = _head(shape.factors)

    def factors(self, users: Tensor, items: Tensor) -> Tensor:
        """Return ``p_u * q_i``."""
        out: Tensor = self.dropout(self.user(users) * self.item(items))
        return out

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits of pairs."""
        out: Tensor = self.head(self.factors(users, items)).squeeze(-1)
        return out


class Mlp(Interaction):
    """Multi-layer perceptron on ``[p_u; q_i]``, ReLU between halving layers (eq. 10).

    The first product is split, ``W [p; q] = W_p p + W_q q``: where one user is asked about many items, the user's half
    is computed once, and where more items are asked about than there are, so is the half of every item.
    """

    def __init__(self, shape: NcfShape, vectors: Vectors | None = None) -> None:
        super().__init__(shape, vectors)
        widths = shape.widths
        # Without hidden layers the factors are the two embeddings side by side (MLP-0).
        width = widths[0] // 2 if shape.hidden else shape.factors
        self.user = self.vectors(shape.n_users, width)
        self.item = self.vectors(shape.n_items, width)
        self.first = _layer(widths[0], widths[1]) if shape.hidden else None
        self.layers = nn.ModuleList(_layer(a, b) for a, b in pairwise(widths[1:]))
        self.head = _head(shape.factors if shape.hidden else 2 * width)

    def factors(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the output of the last hidden layer."""
        user = self.dropout(self.user(users))
        if self.first is None:
            item = self.dropout(self.item(items))
            both = torch.zeros_like(user) + torch.zeros_like(item)
            return torch.cat([user + both, item + both], dim=-1)
        half = user.shape[-1]
        once = nn.functional.linear(user, self.first.weight[:, :half], self.first.bias)
        x = torch.relu(once + self._of_items(items, self.first.weight[:, half:]))
        for layer in self.layers:
            x = torch.relu(layer(self.dropout(x)))
        return x

    def _of_items(self, items: Tensor, weight: Tensor) -> Tensor:
        """Return the items' half of the first product, from a table of all of them where that is less to compute."""
        is_dropping = self.training and self.dropout.p > 0.0  # a table would drop the same columns for every user
        if isinstance(self.item, nn.Embedding) and items.numel() > self.shape.n_items and not is_dropping:
            return nn.functional.embedding(items, nn.functional.linear(self.item.weight, weight))
        return nn.functional.linear(self.dropout(self.item(items)), weight)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits of pairs."""
        out: Tensor = self.head(self.factors(users, items)).squeeze(-1)
        return out


class NeuMf(Interaction):
    """Neural matrix factorisation: one head on the factors of a GMF and an MLP, each with its embeddings (eq. 12)."""

    def __init__(self, shape: NcfShape, vectors: Vectors | None = None) -> None:
        super().__init__(shape, vectors)
        self.gmf = Gmf(shape, vectors)
        self.mlp = Mlp(shape, vectors)
        self.head = _head(self.gmf.head.in_features + self.mlp.head.in_features)
        del self.gmf.head, self.mlp.head

    def factors(self, users: Tensor, items: Tensor) -> Tensor:
        """Return both models' factors side by side."""
        return torch.cat([self.gmf.factors(users, items), self.mlp.factors(users, items)], dim=-1)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits of pairs."""
        out: Tensor = self.head(self.factors(users, items)).squeeze(-1)
        return out

    @torch.no_grad()
    def start_from(self, gmf: Gmf, mlp: Mlp, share: float = 0.5) -> None:
        """Take the parameters of two fitted models, heads as ``[share h_gmf; (1 - share) h_mlp]`` (eq. 13).

        Args:
            gmf: Of the same shape.
            mlp: Of the same shape.
            share: ``alpha`` in [0, 1].

        Raises:
            ValueError: ``share`` is out of its range.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share {share} is not in [0, 1]")
        for own, fitted in ((self.gmf, gmf), (self.mlp, mlp)):
            own.load_state_dict({k: v for k, v in fitted.state_dict().items() if not k.startswith("head.")})
        weights: Sequence[Tensor] = (share * gmf.head.weight, (1.0 - share) * mlp.head.weight)
        self.head.weight.copy_(torch.cat([*weights], dim=1))
        self.head.bias.copy_(share * gmf.head.bias + (1.0 - share) * mlp.head.bias)


def _embedding(rows: int, width: int) -> nn.Embedding:
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=EMBEDDING_DEVIATION)
    return table


def _layer(columns: int, width: int) -> nn.Linear:
    """Return a layer that keeps the size of what passes through its ReLU (He et al. 2015): the smallest MLPs start."""
    layer = nn.Linear(columns, width)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def _head(width: int) -> nn.Linear:
    """Return ``h``, uniform as LeCun et al. 2012 have it, with a bias that starts at 0."""
    head = nn.Linear(width, 1)
    nn.init.uniform_(head.weight, -((3.0 / width) ** 0.5), (3.0 / width) ** 0.5)
    nn.init.zeros_(head.bias)
    return head
