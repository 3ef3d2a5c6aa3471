"""What a store of features can do. Redis and the in-memory twin keep to it; one contract suite holds them to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shortlist_domain.deadline import Deadline
from shortlist_domain.feature_stage import AppendResult, FeatureStage
from shortlist_domain.stages import IMPRESSION, ActorKey, ActorState, Event, ItemDelta, ItemDeltas

HISTORY_OF_DELETED_S = 30 * 86_400
"""Seconds for which the history of a document that was deleted is kept."""

UPSTREAM = "redis"
"""Name of the server in :class:`~shortlist_domain.errors.UpstreamFailed`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How one of an actor's lists of events is kept: what the actor did, or what the actor was shown."""

    name: str
    """Last part of its key."""

    floor: str
    """Field of the actor's state with the newest event that was cut from it."""

    longest: int
    """Most events that are shown."""

    @property
    def trim_above(self) -> int:
        """Stored events above which it is cut: a tenth more than is shown, so that cutting is rare."""
        return self.longest + self.longest // 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    max_events_per_actor: int = 5_000
    """Longest history. The oldest events go first, never the newest."""

    max_impressions_per_actor: int = 1_000
    """Most impressions kept beside the history, the newest."""

    item_change_log_length: int = 10_000
    """Steps of the item stream that a reader may fall behind before it gets a snapshot; kept roughly."""

    slate_log_length: int = 50_000
    """Served slates kept for who takes them out, the newest; kept roughly."""

    document_versions: int = 50
    """Versions of a document that are kept, the newest."""

    session_ttl_s: int = 30 * 86_400
    """Seconds for which the history of a session is kept after its last event."""

    def __post_init__(self) -> None:
        if self.max_events_per_actor < 1:
            raise ValueError(f"max_events_per_actor is {self.max_events_per_actor}; at least 1 is needed")
        if self.max_impressions_per_actor < 1:
            raise ValueError(f"max_impressions_per_actor is {self.max_impressions_per_actor}; at least 1 is needed")
        if self.item_change_log_length < 1:
            raise ValueError(f"item_change_log_length is {self.item_change_log_length}; at least 1 is needed")
        if self.slate_log_length < 1:
            raise ValueError(f"slate_log_length is {self.slate_log_length}; at least 1 is needed")
        if self.document_versions < 1:
            raise ValueError(f"document_versions is {self.document_versions}; at least 1 is needed")
        if self.session_ttl_s < 1:
            raise ValueError(f"session_ttl_s is {self.session_ttl_s}; at least 1 is needed")

    @property
    def history(self) -> Kept:
        """How what an actor did is kept."""
        return Kept("events", "floor", self.max_events_per_actor)

    @property
    def impressions(self) -> Kept:
        """How what an actor was shown is kept."""
        return Kept("impressions", "impressions_floor", self.max_impressions_per_actor)

    def lists_of(self, events: Sequence[Event]) -> list[tuple[Kept, list[int]]]:
        """Return the lists that ``events`` belong to, each with their positions; one at least."""
        shown = [at for at, event in enumerate(events) if event.event_type == IMPRESSION]
        done = [at for at, event in enumerate(events) if event.event_type != IMPRESSION]
        lists = [(self.history, done)] if done or not shown else []
        return [*lists, (self.impressions, shown)] if shown else lists


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of written attributes."""

    version: int
    """The actor's version after the write."""

    applied: Mapping[str, bool]
    """By name: False where a later value is stored."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted."""

    events: int
    """Events of the history, and impressions, those of erased sessions too; one that two of them had counts once."""

    attributes: int
    verified: bool
    """Whether nothing was left when looked for afterwards."""


@dataclass(frozen=True, slots=True)
class StoreFreshness:
    """How new a tenant's data is. ``None`` where there is none."""

    newest_event_s: float | None
    """Time of the newest event that was stored, seconds since 1970 UTC."""

    last_write_s: float | None
    """When the last write arrived, seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class SlateEntry:
    """One entry of the log of served slates."""

    entry_id: str
    """Place in the log; rises, and is never used twice."""

    record: bytes | None
    """Serialized ``SlateRecord``; ``None`` where it was pushed out of the log after it had been taken."""


class FeatureStore(FeatureStage, Protocol):
    """Actors' events and attributes, and items' counters.

    Promise on a crash between the two: an event is stored exactly once per id; it is counted at most once.

    Every call raises :class:`~shortlist_domain.errors.BudgetExceeded` where its deadline passed, and
    :class:`~shortlist_domain.errors.UpstreamFailed` where the server behind the store failed.
    """

    async def append_events(
        self, key: ActorKey, events: Sequence[Event], deadline: Deadline, *, count_items: bool = True
    ) -> AppendResult:
        """Add ``events`` to the actor's history, all or none, and impressions to a list of their own, likewise.

        Impressions change no counter.

        Where ``key`` is in a session, the session's history gets them too. An event is counted once: by the history
        that had it first, or else by the actor's own; the other has a copy. A session ends, with what is in it, a while
        after its last event.

        An event is not added where its id is already there, or where it is older than all of a history that has been
        cut to its longest: it would be the first to go.

        Args:
            key: Whose.
            events: In any order.
            deadline: When the answer is due. Where it passes, the events may or may not be stored; repeat the call.
            count_items: False leaves the item counters alone, for a caller that adds them itself.

        Raises:
            InvalidRequest: A value or time is not finite, an id is not one, a time lies ahead of the clock.
        """
        ...

    async def read_events(self, key: ActorKey, deadline: Deadline, *, impressions: bool = False) -> ActorState:
        """Return the newest events of ``key``, or the newest impressions, with their surfaces, and nothing else.

        Those of the session that it is in are among them. They stand in the columns of a history, oldest first.
        """
        ...

    async def write_attributes(
        self, key: ActorKey, attributes: Mapping[str, str], time_s: float, deadline: Deadline
    ) -> WriteResult:
        """Set attributes as of ``time_s``; an attribute that was set as of a later moment keeps its value.

        Of two values of one moment the greater text stays, so that the order of arrival never matters.

        Raises:
            InvalidRequest: A name is no id, a text is too long, the time is not finite or lies ahead of the clock.
        """
        ...

    async def erase_actor(self, key: ActorKey, deadline: Deadline) -> Erased:
        """Delete everything of the actor, impressions too, and take the stored events out of the item counters.

        With it go the sessions that it wrote in, and the one that ``key`` names. A session can be erased alone: those
        who wrote in it keep what is theirs.
        """
        ...

    async def add_to_items(
        self, tenant: str, additions: Sequence[ItemDelta], newest_event_s: float | None, deadline: Deadline
    ) -> None:
        """Add counts and value sums to items' counters, and announce the change to watchers. Not idempotent.

        Args:
            tenant: Whose items.
            additions: One for each item; may be negative.
            newest_event_s: Time of the newest event that is counted, for :meth:`read_freshness`.
            deadline: When it is due. Where it passes, the additions may or may not have been made.
        """
        ...

    async def read_items(self, tenant: str, item_ids: Sequence[str], deadline: Deadline) -> Sequence[ItemDelta | None]:
        """Return the counters of ``item_ids``, in their order; ``None`` where nothing was ever counted."""
        ...

    async def read_freshness(self, tenant: str, deadline: Deadline) -> StoreFreshness:
        """Return how new the tenant's data is."""
        ...

    def watch_items(self, tenant: str, cursor: str) -> AsyncGenerator[ItemDeltas, None]:
        """Yield a snapshot (``cursor`` empty or too old) and then every change, for ever.

        A change carries an item's totals at the time of reading, so that several changes of an item may come as one.
        Ends with :class:`~shortlist_domain.errors.UpstreamFailed`; the caller comes again, with the last cursor.
        """
        ...

    async def take_slates(self, consumer: str, count: int, deadline: Deadline) -> Sequence[SlateEntry]:
        """Return what ``consumer`` has taken and not confirmed, all of it; where there is none, what nobody has taken.

        Args:
            consumer: Who takes. What one has taken, no other is given.
            count: Most entries of those that nobody has taken, the oldest first.
            deadline: When the answer is due.
        """
        ...

    async def confirm_slates(self, entry_ids: Sequence[str], deadline: Deadline) -> None:
        """Note that what was taken is safe; it is not given again. Harmless to repeat."""
        ...

    async def ping(self, deadline: Deadline) -> None:
        """Return where the store answers."""
        ...

    async def aclose(self) -> None:
        """Close connections and end background work. Calls in flight fail."""
        ...
