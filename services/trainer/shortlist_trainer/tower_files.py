"""The two towers as ONNX files."""

from __future__ import annotations

import torch
from torch import Tensor

from shortlist_models.export import to_onnx
from shortlist_models.inputs import CONTEXT_NUMBERS, USER_NUMBERS
from shortlist_trainer.fit_towers import Towers


def actor_examples(history_length: int, attributes: int) -> dict[str, Tensor]:
    """Return one actor as the inputs of exported models, for tracing: an actor with two events."""
    rows = torch.full((1, history_length), -1)
    rows[:, -2:] = 0
    return {
        "history_rows": rows,
        "history_values": torch.zeros(1, history_length),
        "history_ages_s": torch.zeros(1, history_length),
        "user_categories": torch.zeros(1, attributes, dtype=torch.int64),
        "user_numbers": torch.zeros(1, len(USER_NUMBERS)),
        "context": torch.zeros(1, len(CONTEXT_NUMBERS)),
    }


def user_tower_file(towers: Towers, attributes: int) -> bytes:
    """Return the user tower: one actor to an embedding ``(1, width + 1)``, for users with so many attributes."""
    inputs = actor_examples(towers.users.history_length, attributes)
    return to_onnx(towers.served(), inputs, ("embedding",), ())


def item_tower_file(towers: Towers) -> bytes:
    """Return the item tower: static columns ``(rows, f)`` to embeddings of new items ``(rows, width + 1)``."""
    inputs = {"item_features": torch.zeros(2, towers.items.project.in_features)}
    return to_onnx(towers.items, inputs, ("embedding",), ("item_features", "embedding"))
