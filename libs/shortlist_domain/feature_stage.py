"""The feature store as the gateway sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import DocumentStage
from shortlist_domain.stages import ActorKey, ActorState, Event


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of written events."""

    version: int
    """The actor's version after the write."""

    added: Sequence[bool]
    """For each event, in order: False where its id was already there."""


class FeatureStage(Protocol):
    """The feature store as the gateway sees it."""

    @property
    def documents(self) -> DocumentStage:
        """What it keeps for the gateway by name."""
        ...

    async def read_actor(
        self,
        key: ActorKey,
        min_version: int,
        deadline: Deadline,
        *,
        with_impressions: bool = False,
        min_session_version: int = 0,
    ) -> ActorState:
        """Return what is known of ``key``, its newest events, oldest first; nothing known is an empty state, no error.

        Where it is in a session, the session's events are among them, none twice by its id; its attributes count where
        the actor has none of their names.

        Args:
            key: Whose.
            min_version: Version that must be visible; waited for until most of the deadline is over. 0: any.
            deadline: When the answer is due.
            with_impressions: Whether the newest impressions stand among the events, under their type.
            min_session_version: Version of the session that must be visible; waited for likewise.
        """
        ...

    async def append_events(self, key: ActorKey, events: Sequence[Event], deadline: Deadline) -> AppendResult:
        """Add ``events`` to the actor's history, and to that of the session that it is in."""
        ...

    async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """Add slates to the log of what was served, each a serialized ``SlateRecord``. Not idempotent.

        Returns:
            How many older ones the log let go that nobody had taken out of it.
        """
        ...
