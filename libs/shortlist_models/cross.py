"""Layers that cross the columns of a row with each other, of Wang et al. 2021, "DCN V2"."""

from __future__ import annotations

from torch import Tensor, nn


class FullCross(nn.Module):
    """One cross layer with a full matrix: ``x_next = x0 * (W x + b) + x``, element-wise ``*`` (eq. 1).

    Args:
        width: Columns of a row.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x0: Tensor, x: Tensor) -> Tensor:
        """Return the next ``x``, of the shape of ``x0`` and ``x``, ``(.., width)``."""
        out: Tensor = x0 * self.layer(x) + x
        return out

    def first(self, user: Tensor, item: Tensor, x0: Tensor) -> Tensor:
        """Return the first layer's output, with the user's half of ``W x0`` computed once per user.

        Args:
            user: ``(.., 1, u)``.
            item: ``(.., c, v)``.
            x0: ``[user; item]``, ``(.., c, u + v)``.
        """
        return x0 * split_product(self.layer, user, item) + x0


class LowRankCross(nn.Module):
    """One low-rank cross layer.

    ``x_next = x0 * (U (V x) + b) + x``, element-wise ``*``. Wang et al. 2021, "DCN V2", eq. 2 with ``W = U V``. Costs
    ``O(width * rank)`` per row, not ``O(width**2)``.

    Args:
        width: Columns of a row.
        rank: Columns of ``U``.

    Raises:
        ValueError: ``rank`` is not in [1, width / 2): at or above it the full-rank layer is cheaper.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        if not 1 <= rank < width / 2:
            raise ValueError(f"rank {rank} is not in [1, {width / 2:g}) for width {width}")
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width)

    def forward(self, x0: Tensor, x: Tensor) -> Tensor:
        """Return the next ``x``, of the shape of ``x0`` and ``x``, ``(.., width)``."""
        out: Tensor = x0 * self.up(self.down(x)) + x
        return out

    def first(self, user: Tensor, item: Tensor, x0: Tensor) -> Tensor:
        """Return the first layer's output, with the user's half of ``V x0`` computed once per user.

        Args:
            user: ``(.., 1, u)``.
            item: ``(.., c, v)``.
            x0: ``[user; item]``, ``(.., c, u + v)``.
        """
        # x0 * (U y + b) + x0 = x0 * (U y + (b + 1)): the sum of two parameters is a constant of the export.
        down = split_product(self.down, user, item)
        return x0 * nn.functional.linear(down, self.up.weight, self.up.bias + 1.0)


def split_product(layer: nn.Linear, user: Tensor, item: Tensor) -> Tensor:
    """Return ``layer([user; item])`` as ``W_u user + W_v item + b``, for ``(.., 1, u)`` and ``(.., c, v)``."""
    width = user.shape[-1]
    once = nn.functional.linear(user, layer.weight[:, :width], layer.bias)
    return nn.functional.linear(item, layer.weight[:, width:]) + once
