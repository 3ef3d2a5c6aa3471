"""The stream of item counters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from shortlist_domain.stages import ItemDeltas


class ItemFeed(Protocol):
    """The item counters as ranking and retrieval see them."""

    def watch_items(self, tenant: str, cursor: str) -> AsyncIterator[ItemDeltas]:
        """Yield a snapshot (``cursor`` empty or too old) and then every change, for ever."""
        ...
