"""The ranker as exported: one actor (batch 1), candidates as rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shortlist_models.export import to_onnx
from shortlist_models.inputs import CONTEXT_NUMBERS, ITEM_NUMBERS, USER_NUMBERS
from shortlist_models.rankers.base import HISTORY_INPUTS, ITEM_INPUTS, Ranker

HEADS = ("click", "rating")


class ServedRanker(nn.Module):
    """A ranker whose inputs come by place, in the order of its ``reads``."""

    def __init__(self, ranker: Ranker) -> None:
        super().__init__()
        self.ranker = ranker

    def forward(self, *columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``click`` and ``rating``, each ``(c,)``.

        Args:
            columns: What describes the actor has a first axis of 1, what describes candidates one of ``c``.
        """
        named = zip(self.ranker.reads, columns, strict=True)
        click, rating = self.ranker({name: c[0] if name in HISTORY_INPUTS else c for name, c in named})
        return click, rating


def ranker_file(ranker: Ranker, history_length: int) -> bytes:
    """Return ``ranker`` as ONNX. Its inputs are those that it reads, and no others.

    Args:
        ranker: Fitted.
        history_length: Most recent events that are given to it, padding included.
    """
    shape, length, some = ranker.shape, history_length, 3
    examples = {
        "user_embedding": torch.zeros(1, shape.embedding_width),
        "has_history": torch.ones(1, dtype=torch.bool),
        "age_s": torch.zeros(1),
        "user_categories": torch.zeros(1, len(shape.category_sizes), dtype=torch.int64),
        "user_numbers": torch.zeros(1, len(USER_NUMBERS)),
        "context": torch.zeros(1, len(CONTEXT_NUMBERS)),
        "history_rows": torch.zeros(1, length, dtype=torch.int64),
        "history_values": torch.zeros(1, length),
        "history_ages_s": torch.zeros(1, length),
        "history_embeddings": torch.zeros(1, length, shape.embedding_width),
        "item_features": torch.zeros(some, shape.feature_columns),
        "item_numbers": torch.zeros(some, len(ITEM_NUMBERS)),
        "item_embeddings": torch.zeros(some, shape.embedding_width),
    }
    inputs = {name: examples[name] for name in ranker.reads}
    of_items = [name for name in inputs if name in ITEM_INPUTS]
    return to_onnx(ServedRanker(ranker), inputs, HEADS, (*of_items, *HEADS))
