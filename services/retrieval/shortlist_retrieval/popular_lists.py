"""The popular lists of a bundle, parsed and checked."""

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist_domain.errors import BundleInvalid


class PopularLists:
    """Popular rows by segment of users."""

    def __init__(self, content: bytes, n_items: int) -> None:
        """Parse ``popular.json``.

        Raises:
            BundleInvalid: It is not one, or a list holds a row twice or outside the catalogue.
        """
        try:
            raw = json.loads(content)
            self.overall = _rows(raw["overall"], n_items)
            self._order = tuple(str(name) for name in raw["segment_order"])
            self._segments = {str(name): _rows(rows, n_items) for name, rows in raw["segments"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BundleInvalid(f"popular lists cannot be read: {error!r}") from error

    def segment_of(self, attributes: Mapping[str, str]) -> NDArray[np.int32] | None:
        """Return the list of the first segment, in the bundle's order, that ``attributes`` fall into, or ``None``."""
        for name in self._order:
            if name in attributes and (rows := self._segments.get(f"{name}={attributes[name]}")) is not None:
                return rows
        return None


def _rows(raw: object, n_items: int) -> NDArray[np.int32]:
    if not isinstance(raw, list) or not all(type(row) is int and 0 <= row < n_items for row in raw):
        raise ValueError(f"a list of rows in [0, {n_items}) was expected")
    if len(set(raw)) != len(raw):
        raise ValueError("a list holds a row twice")
    return np.array(raw, np.int32)
