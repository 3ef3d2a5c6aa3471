"""One order for scores everywhere: the higher score first, the lower row first where they are equal."""

import numpy as np
from numpy.typing import NDArray


def best_first(scores: NDArray[np.float32], rows: NDArray[np.integer], k: int | None = None) -> NDArray[np.int64]:
    """Return the first ``k`` of ``rows`` by ``scores``.

    Score and row are packed into one unsigned integer, so that a single sort (several times faster than a stable
    argsort) settles ties as well.

    Args:
        scores: Shape ``(m,)``, no NaN; 0.0 and -0.0 count as equal.
        rows: Shape ``(m,)``, each in [0, 2^32).
        k: How many are wanted, at least 0; ``None`` is all.
    """
    keys = _keys(scores, rows)
    if k is not None and k < len(keys):
        keys.partition(k)
        keys = keys[:k]
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def batch_best_first(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return :func:`best_first` of all columns for each row of ``scores`` ``(b, n)``, as ``(b, min(k, n))``."""
    keys = _keys(scores, np.arange(scores.shape[1]))
    if k < keys.shape[1]:
        keys.partition(k, axis=1)
        keys = keys[:, :k]
    keys.sort(axis=1)
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _keys(scores: NDArray[np.float32], rows: NDArray[np.integer]) -> NDArray[np.uint64]:
    bits = (scores + np.float32(0.0)).view(np.uint32)  # -0.0 + 0.0 is 0.0
    # The bits of floats sort like the floats once negative ones are turned over and positive ones put above them; here
    # it is all upside down, so that ascending keys are descending scores.
    descending = np.where(bits >> 31, bits, ~(bits | np.uint32(0x80000000)))
    return (descending.astype(np.uint64) << np.uint64(32)) | rows.astype(np.uint64)
