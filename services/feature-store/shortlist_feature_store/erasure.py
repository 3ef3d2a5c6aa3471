"""What an erasure took away, over the histories of an actor and of its sessions."""

from __future__ import annotations

from collections.abc import Iterable

from shortlist_feature_store.store import Erased


class Erasure:
    """Adds up; an event that several histories had counts once."""

    def __init__(self) -> None:
        self._ids: set[tuple[bool, bytes]] = set()
        self._attributes = 0
        self._is_verified = True

    def add(
        self, event_ids: Iterable[bytes], impression_ids: Iterable[bytes], attributes: int, *, is_gone: bool
    ) -> None:
        """Note what was deleted of one history, and whether nothing of it was there afterwards."""
        self._ids.update((False, event_id) for event_id in event_ids)
        self._ids.update((True, event_id) for event_id in impression_ids)
        self._attributes += attributes
        self._is_verified = self._is_verified and is_gone

    def total(self) -> Erased:
        """Return all of it."""
        return Erased(len(self._ids), self._attributes, self._is_verified)
