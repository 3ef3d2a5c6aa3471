"""Content of items as models and sources take it: few columns beside the attributes, and one vector to search by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist_data.content import Content, ContentKind
from shortlist_data.principal_axes import fit_principal_axes

_SHORTEST = 1e-12
"""Length below which a vector has no direction."""


def content_columns(
    content: Mapping[ContentKind, Content], components: Mapping[ContentKind, int]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return static columns of all items, ``(n, f)``, and their names.

    Of each kind with components, the vectors' coordinates along their first principal axes, fitted on the items that
    have one, all divided by the same number: their root mean square length, so that a kind weighs about as much as one
    attribute whatever its encoder's scale. Where an item has none, the columns are 0 and ``content_<kind>_missing`` 1.

    Args:
        content: Of the items, by kind.
        components: How many columns each kind may have; kinds left out or with 0 have none.
    """
    columns: list[NDArray[np.float32]] = []
    names: list[str] = []
    for kind, of_kind in sorted(content.items()):
        wanted = components.get(kind, 0)
        if not wanted or not of_kind.known.any():
            continue
        placed = coordinates(of_kind, wanted)
        size = np.sqrt((placed[of_kind.known] ** 2).sum(axis=1).mean()) if placed.shape[1] else 1.0
        missing = ~of_kind.known
        columns.append(np.column_stack((placed / size, missing)).astype(np.float32))
        names += [f"content_{kind.value}_{number:02d}" for number in range(placed.shape[1])]
        names.append(f"content_{kind.value}_missing")
    n = len(next(iter(content.values())).known) if content else 0
    return (np.concatenate(columns, axis=1) if columns else np.zeros((n, 0), np.float32)), tuple(names)


def content_vectors(
    content: Mapping[ContentKind, Content], dimensions: Mapping[ContentKind, int], weights: Mapping[ContentKind, float]
) -> NDArray[np.float32]:
    """Return one vector an item, ``(n, d)``, whose inner products say how alike two items are in content.

    The parts of the kinds stand side by side, each centred, reduced to its first principal axes, made of length 1 and
    multiplied by the root of its weight; the whole is of length 1 again, so that of an item that lacks a kind the other
    is all. Of two items that have both, the inner product is the weighted mean of the cosines of each kind. Centring
    matters: outputs of networks share a large common part, beside which all cosines are close to 1 (Mu and Viswanath
    2018, "All-but-the-Top").

    Args:
        content: Of the items, by kind.
        dimensions: Principal axes of each kind.
        weights: Weight of each kind, at least 0; a kind left out or with 0 is not in the vectors.

    Returns:
        Zeros for items without content. ``d`` is 0 where no kind is left.
    """
    parts: list[NDArray[np.float64]] = []
    used = {k: weights.get(k, 0.0) for k, c in content.items() if weights.get(k, 0.0) > 0.0 and c.known.any()}
    for kind in sorted(used):
        placed = coordinates(content[kind], dimensions[kind])
        lengths = np.linalg.norm(placed, axis=1, keepdims=True)
        parts.append(placed / np.maximum(lengths, _SHORTEST) * np.sqrt(used[kind]))
    if not parts:
        return np.zeros((len(next(iter(content.values())).known) if content else 0, 0), np.float32)
    together = np.concatenate(parts, axis=1)
    whole: NDArray[np.float64] = together / np.maximum(np.linalg.norm(together, axis=1, keepdims=True), _SHORTEST)
    return whole.astype(np.float32)


def coordinates(content: Content, components: int) -> NDArray[np.float64]:
    """Return the vectors along their first principal axes, ``(n, components)`` or fewer; zeros where there is none."""
    axes = fit_principal_axes(content.vectors[content.known], components)
    placed = axes.project(content.vectors)
    placed[~content.known] = 0.0
    return placed
