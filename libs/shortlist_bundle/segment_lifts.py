"""How much more, or less, popular items are among users with a value of an attribute than among all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.errors import BundleInvalid


class SegmentLifts:
    """Logarithms of an item's share of a segment's events over its share of all events.

    Added up over an actor's attributes they say how popularity differs among users like the actor, as in naive Bayes:
    ``log p(item | a, b) = log p(item) + log(p(item | a) / p(item)) + log(p(item | b) / p(item))`` where attributes are
    independent given the item. They are not quite, so that the sum is weighted.
    """

    def __init__(self, table: NDArray[np.float16], sizes: Sequence[int]) -> None:
        """Take lifts.

        Args:
            table: ``(v, n)``, a row for each value of each attribute, attribute by attribute, in the order of the
                feature list.
            sizes: How many values each attribute has.
        """
        self.table = table
        self._first = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)

    def of(self, categories: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the sum over attributes, ``(q, k)``; an unknown value adds nothing.

        Args:
            categories: Index of each actor's value by attribute, 0 is unknown, ``(q, c)``.
            rows: Items, ``(q, k)``.
        """
        lifts = np.zeros(rows.shape, np.float32)
        for attribute, first in enumerate(self._first):
            index = categories[:, attribute].astype(np.int64)
            known = np.flatnonzero(index)
            lifts[known] += self.table[(first + index[known] - 1)[:, None], rows[known]]
        return lifts


def load_segment_lifts(bundle: Bundle, features: FeatureList, n_items: int) -> SegmentLifts | None:
    """Return the lifts of ``bundle`` for its ``n_items``, ``None`` where it has none.

    Raises:
        BundleInvalid: They do not fit the feature list or the catalogue, or are not finite.
    """
    if layout.SEGMENT_LIFTS not in bundle.manifest.files:
        return None
    table = np.asarray(map_array(bundle, layout.SEGMENT_LIFTS, np.dtype("<f2"), n_items), np.float16)
    sizes = [len(vocabulary.values) for vocabulary in features.user_categories]
    if len(table) != sum(sizes):
        raise BundleInvalid(
            f"{layout.SEGMENT_LIFTS} must have a row for each of {sum(sizes)} values of user attributes; it has "
            f"{len(table)}"
        )
    return SegmentLifts(table, sizes)
