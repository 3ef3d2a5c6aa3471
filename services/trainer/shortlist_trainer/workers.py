"""Workers that fit one model together: each on batches of its own, all by the pooled gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Workers(Protocol):
    """One worker's view of all of them."""

    rank: int
    """Which one this is, in [0, count)."""

    count: int

    def pool(self, parameters: Sequence[Tensor], queries: int) -> int:
        """Replace the gradients of ``parameters`` by those of all workers' queries together.

        Every worker calls it once a step, also with no batch left, and goes on until it returns 0.

        Args:
            parameters: In the same order everywhere; one without a gradient counts as 0.
            queries: Queries behind this worker's gradients, which are of the mean loss over them; 0: no batch was left.

        Returns:
            Queries of all workers in this step.
        """
        ...


class Alone:
    """The only worker."""

    rank = 0
    count = 1

    def pool(self, parameters: Sequence[Tensor], queries: int) -> int:
        """Leave the gradients as they are."""
        return queries


class Pooled:
    """Workers of one ``torch.distributed`` group, which exists already.

    The pooled gradient is ``sum of n_r g_r over sum of n_r``: that of the mean loss over the queries of all workers. An
    average of gradients would weigh a small batch like a full one.
    """

    def __init__(self) -> None:
        self.rank = torch.distributed.get_rank()
        self.count = torch.distributed.get_world_size()

    def pool(self, parameters: Sequence[Tensor], queries: int) -> int:
        """Sum up gradients and queries over all workers in one message."""
        columns = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) * queries for p in parameters]
        message = torch.cat([*columns, columns[0].new_tensor([float(queries)])])
        torch.distributed.all_reduce(message)
        together = int(message[-1])
        if together:
            start = 0
            for parameter in parameters:
                end = start + parameter.numel()
                parameter.grad = (message[start:end] / together).view_as(parameter)
                start = end
        return together
