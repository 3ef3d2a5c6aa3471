"""The neighbour score of an item for an actor: one place for training and for serving."""

import numpy as np
from numpy.typing import NDArray


def neighbour_scores_of(
    history_rows: NDArray[np.integer],
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    n_items: int,
) -> NDArray[np.float32]:
    """Return the feature ``neighbour_score`` of every item for one actor.

    ``score(i) = sum over history rows h of similarity(h, i)`` where ``i`` is in the neighbour list of ``h``. A row that
    occurs twice in the history counts twice. Sums are made in double precision, in history order.

    Args:
        history_rows: Rows of the actor's events, shape ``(l,)``, each in [0, n_items); negative ones are padding.
        neighbour_rows: Bundle's neighbour lists, shape ``(n_items, m)``, -1 is padding.
        neighbour_scores: Their similarities, shape ``(n_items, m)``, 0 where the row is -1.
        n_items: Size of the catalogue.

    Returns:
        Shape ``(n_items,)``; zero where no event has the item for a neighbour.
    """
    history = history_rows[history_rows >= 0]
    rows = neighbour_rows[history].ravel()
    # Padding is counted into a place of its own, one past the end, so that no mask has to be built.
    sums = np.bincount(
        np.where(rows >= 0, rows, n_items), weights=neighbour_scores[history].ravel(), minlength=n_items + 1
    )
    return sums[:n_items].astype(np.float32)
