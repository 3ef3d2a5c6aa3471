"""Which items of a bundle came last."""

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_domain.errors import BundleInvalid

_DAY_S = 86_400.0


def load_newest(bundle: Bundle, n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the rows of the items whose time is known, newest first, ``(m,)``, and days since 1970 by row, ``(n,)``.

    Rows of one moment stand in ascending order. Without the file no item's time is known.

    Raises:
        BundleInvalid: It is no array of as many times as items.
    """
    if layout.ITEM_TIMES not in bundle.manifest.files:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    table = map_array(bundle, layout.ITEM_TIMES, np.dtype("<f8"), 2).view(np.float64)
    if len(table) != n_items:
        raise BundleInvalid(f"{layout.ITEM_TIMES} has times of {len(table)} items, embeddings of {n_items}")
    known = np.flatnonzero(table[:, 0] > 0.0)
    order = known[np.argsort(-table[known, 1], kind="stable")].astype(np.int32)
    return order, (table[:, 1] / _DAY_S).astype(np.float32)
