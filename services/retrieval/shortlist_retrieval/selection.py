"""Which rows may come back from a search."""

import numpy as np
from numpy.typing import NDArray


class Selection:
    """The rows of one request that sources may propose. Built once, honoured inside every search."""

    def __init__(
        self,
        n_items: int,
        exclude_rows: NDArray[np.integer],
        allow_rows: NDArray[np.integer] | None = None,
        passing: NDArray[np.bool_] | None = None,
    ) -> None:
        """Select rows of a catalogue.

        Args:
            n_items: Rows there are.
            exclude_rows: Rows that must not come back, each below ``n_items``; repeats are harmless.
            allow_rows: Rows that alone may come back, ``None`` for all; exclusion wins.
            passing: True where a filter lets the row pass, ``(n_items,)``, ``None`` where there is no filter.
        """
        if allow_rows is None:
            self.mask: NDArray[np.bool_] = np.ones(n_items, np.bool_)
            """True where the row may come back, shape ``(n_items,)``."""
        else:
            self.mask = np.zeros(n_items, np.bool_)
            self.mask[allow_rows] = True
        if passing is not None:
            self.mask &= passing
        self.mask[exclude_rows] = False
        self.count = int(np.count_nonzero(self.mask))
        """Rows that may come back."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows that may come back, ascending."""
        return np.flatnonzero(self.mask)

    def first(self, ordered: NDArray[np.int32], k: int) -> NDArray[np.int32]:
        """Return the first ``k`` of ``ordered`` that may come back, in their order."""
        # Most requests exclude little: a window of the front is enough. Where it is not, it grows to what is.
        size = 2 * k + 256
        while True:
            window = ordered[:size]
            found = window[self.mask[window]]
            if len(found) >= k or size >= len(ordered):
                return found[:k]
            size *= 8
