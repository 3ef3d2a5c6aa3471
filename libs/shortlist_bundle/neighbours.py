"""Item neighbours and what they say of a history: the one place where training and serving add them up."""

import numpy as np
from numpy.typing import NDArray


def neighbour_scores_of(
    history_rows: NDArray[np.integer],
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    n_items: int,
) -> NDArray[np.float32]:
    """Return, for every item, the sum of its similarities to the events of one history.

    An item that occurs in two events counts twice. Sums are taken in float64 and rounded once.

    Args:
        history_rows: Rows of the actor's recent events, shape ``(l,)``; negative and too large rows are padding.
        neighbour_rows: ``(n, m)``, -1 where an item has fewer neighbours.
        neighbour_scores: ``(n, m)``, similarities.
        n_items: n, the number of items.

    Returns:
        Scores, shape ``(n_items,)``; 0 for items that are nobody's neighbour.
    """
    history = np.asarray(history_rows, np.int64)
    history = history[(history >= 0) & (history < n_items)]
    if not len(history):
        return np.zeros(n_items, np.float32)
    # Row -1 (padding) lands in slot 0, which is cut off.
    slots = neighbour_rows[history].ravel() + 1
    weights = neighbour_scores[history].ravel()
    return np.bincount(slots, weights, n_items + 1)[1:].astype(np.float32)


def batch_neighbour_scores(
    histories: NDArray[np.integer],
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    n_items: int,
) -> NDArray[np.float32]:
    """Return :func:`neighbour_scores_of` of each row of ``histories`` ``(b, l)``, as ``(b, n_items)``."""
    actors, n_actors = np.arange(len(histories)), len(histories)
    history = np.asarray(histories, np.int64)
    valid = (history >= 0) & (history < n_items)
    owner = np.broadcast_to(actors[:, None], history.shape)[valid]
    events = history[valid]
    if not len(events):
        return np.zeros((n_actors, n_items), np.float32)
    slots = neighbour_rows[events].astype(np.int64) + 1 + (owner * (n_items + 1))[:, None]
    sums = np.bincount(slots.ravel(), neighbour_scores[events].ravel(), n_actors * (n_items + 1))
    return sums.reshape(n_actors, n_items + 1)[:, 1:].astype(np.float32)
