"""The log of served slates in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from shortlist_feature_store.store import Limits, SlateEntry


class MemorySlates:
    """The log."""

    def __init__(self, limits: Limits) -> None:
        self._kept: deque[SlateEntry] = deque(maxlen=limits.slate_log_length)
        self._run_ms = int(time.time() * 1000)
        self._appended = 0
        self._taken = 0
        """Number of the newest entry that was taken."""

        self._pending: dict[str, list[str]] = {}
        """Entries that were taken and not confirmed, by consumer."""

    def append(self, records: Sequence[bytes]) -> int:
        """Add records, let the oldest go above the limit, and return how many of those nobody had taken."""
        newest_gone = self._appended - len(self._kept)
        for record in records:
            self._appended += 1
            self._kept.append(SlateEntry(f"{self._run_ms}-{self._appended}", record))
        return max(0, self._appended - len(self._kept) - max(newest_gone, self._taken))

    def take(self, consumer: str, count: int) -> list[SlateEntry]:
        """Return what ``consumer`` has not confirmed, or ``count`` entries that nobody has taken."""
        pending = self._pending.get(consumer)
        if pending:
            kept = {entry.entry_id: entry for entry in self._kept}
            return [kept.get(entry_id, SlateEntry(entry_id, None)) for entry_id in pending]
        first = self._appended - len(self._kept) + 1
        begin = max(self._taken + 1, first) - first
        entries = list(self._kept)[begin : begin + count]
        if entries:
            self._taken = first + begin + len(entries) - 1
            self._pending[consumer] = [entry.entry_id for entry in entries]
        return entries

    def confirm(self, entry_ids: Sequence[str]) -> None:
        """Note that entries are safe."""
        confirmed = set(entry_ids)
        for consumer, pending in self._pending.items():
            self._pending[consumer] = [entry_id for entry_id in pending if entry_id not in confirmed]
