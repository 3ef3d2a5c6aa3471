"""What the stages say to each other: values only, no numpy and no protobuf.

Long columns are :class:`array.array`; numpy reads them without a copy and the wire carries their bytes. Rows are those
of the bundle that the message pins.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shortlist_domain.deadline import Deadline
from shortlist_domain.filters import Node
from shortlist_domain.ids import actor_id, session_id_of
from shortlist_domain.spread import Spread
from shortlist_domain.user_search import UserSearch


class Source(StrEnum):
    """Candidate sources, by the name they carry in provenance and settings."""

    TWO_TOWER = "two_tower"
    ITEM_NEIGHBOURS = "item_neighbours"
    POPULAR = "popular"
    CONTENT = "content"
    NEWEST = "newest"


POPULAR_SEGMENT = "popular_segment"
"""What candidates of ``Source.POPULAR`` carry in provenance where they are those of the actor's segment."""

ASKED_BY_NAME = frozenset({Source.NEWEST})
"""Sources that say nothing of the actor: asked where a request, its serving config or a share names them, and not
otherwise."""


HEADS = ("click", "rating")
"""Outputs of the ranker that the combined score is made of."""

IMPRESSION = "impression"
"""Type of the event that an item was shown. Nothing that the actor did: it is kept apart from the history, is no item's
count and no model's input."""


@dataclass(frozen=True, slots=True)
class ActorKey:
    """Whose features are meant."""

    tenant: str
    actor_id: str
    """User id, visitor id where there is no user, or session id; see :func:`shortlist_domain.ids.actor_id`."""

    session_id: str = ""
    """Session that a user or visitor is in: its history counts beside the actor's own. Empty for none."""

    @property
    def own(self) -> ActorKey:
        """The actor apart from its session."""
        return ActorKey(self.tenant, self.actor_id) if self.session_id else self

    @property
    def session(self) -> ActorKey | None:
        """The session that a user or visitor is in, as an actor of its own."""
        return ActorKey(self.tenant, actor_id("", "", self.session_id)) if self.session_id else None

    @property
    def in_session(self) -> str:
        """Id of the session that the actor is in, or is; empty for none."""
        return self.session_id or session_id_of(self.actor_id)


EARLIEST_S = -62_135_596_800.0
"""Earliest moment that messages can say, the start of the year 1, seconds since 1970 UTC."""

CLOCK_SKEW_S = 300.0
"""Seconds that an event may lie ahead of the clock of who takes it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that an actor did to an item."""

    item_id: str
    value: float
    """Strength or rating, on the data set's own scale; finite."""

    time_s: float
    """When it happened, seconds since 1970 UTC, not before :data:`EARLIEST_S`."""

    event_type: str = "rating"
    event_id: str = ""
    """Makes repeating harmless: a second event of the actor with this id changes nothing. Empty: made from the rest."""

    surface: str = ""
    """Page, panel or placement where it happened; kept, and no part of what an event's id is made from."""


@dataclass(frozen=True, slots=True)
class ActorState:
    """What the feature store knows of an actor. Columns of events have equal lengths, oldest first."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    item_ids: Sequence[str] = ()
    event_types: Sequence[str] = ()
    values: array[float] = field(default_factory=lambda: array("f"))
    times_s: array[float] = field(default_factory=lambda: array("d"))
    surfaces: Sequence[str] = ()
    """Where each event happened; empty where it was not asked for."""

    known: bool = False
    """Whether anything at all is stored for the actor."""

    version: int = 0
    """Number of writes of this actor seen so far; what a consistency token refers to."""

    session_version: int = 0
    """The same of the session that the actor is in."""

    caught_up: bool = True
    """False where a consistency token was given and its write did not become visible in time."""


@dataclass(frozen=True, slots=True)
class ActorFeatures:
    """What retrieval and ranking see of an actor, in rows of the pinned bundle."""

    now_s: float
    """Moment of the request, seconds since 1970 UTC; context features are derived from it."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    """User features by name; what is absent or not finite takes its default."""

    history_rows: array[int] = field(default_factory=lambda: array("I"))
    """Most recent events, oldest first."""

    history_values: array[float] = field(default_factory=lambda: array("f"))
    history_times_s: array[float] = field(default_factory=lambda: array("d"))
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values of item attributes that the actor chose, by attribute, as in onboarding."""


@dataclass(frozen=True, slots=True)
class RetrieveRequest:
    """Asks for candidates."""

    bundle_id: str
    actor: ActorFeatures
    candidate_count: int
    exclude_rows: array[int] = field(default_factory=lambda: array("I"))
    """Rows that must not come back; any order, repeats are harmless."""

    allow_rows: array[int] | None = None
    """Only these rows may come back; ``None`` is the whole catalogue, an empty column is nothing."""

    quotas: Mapping[str, float] = field(default_factory=dict)
    """Share of the candidates that each source is guaranteed, by source name; empty: the server's own."""

    anchor_rows: array[int] = field(default_factory=lambda: array("I"))
    """Items to find the like of. Given, the actor's history gives way to them."""

    filter: Node | None = None
    """Condition that items must pass, about their attributes alone; ``None`` is the whole catalogue."""

    sources: Sequence[str] = ()
    """Sources to ask, by name; empty is all."""

    weights: Mapping[str, float] = field(default_factory=dict)
    """What the ranks of sources weigh in the fusion, above 0; empty: their quotas."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """One source's word on the candidates, in columns of equal length."""

    source: str
    candidates: array[int]
    """Positions in the answer's ``rows`` that this source proposed, ascending."""

    ranks: array[int]
    """Rank of each in the source's own list, from 0."""

    scores: array[float]
    """Source-local scores."""

    anchors: array[int]
    """Row of the event that led to each, where the source works that way; 0xFFFFFFFF where not."""


NO_ANCHOR = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class RetrieveResult:
    """Candidates, best first, no duplicates, no padding."""

    bundle_id: str
    rows: array[int]
    scores: array[float]
    """Fused scores, non-increasing."""

    provenance: Sequence[Provenance] = ()
    actor_embedding: array[float] = field(default_factory=lambda: array("f"))
    failed_sources: Sequence[str] = ()
    """Sources that had to be left out; the answer is partial where there are any."""


@dataclass(frozen=True, slots=True)
class RankRequest:
    """Asks for scores of candidates."""

    bundle_id: str
    actor: ActorFeatures
    rows: array[int]
    actor_embedding: array[float] = field(default_factory=lambda: array("f"))
    """From retrieval, so that the user tower runs once; empty: ranking runs it."""

    retrieval_scores: array[float] = field(default_factory=lambda: array("f"))
    """What retrieval gave to each of ``rows``, above 0; the bundle says what it weighs. Empty: it weighs nothing."""

    with_item_numbers: bool = False
    """Whether the answer shows the items' features that the model read."""

    spread: Spread | None = None
    """Asks for an order beside the scores."""

    head_weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of the heads in the combined score; a head that is not named weighs 0. Empty: the bundle's."""


@dataclass(frozen=True, slots=True)
class RankResult:
    """Scores in the order of the request's rows. They do not depend on what else was in the list."""

    bundle_id: str
    scores: array[float]
    """Combined score, shape ``(ranked,)``. A result shorter than the request means time ran out after that many."""

    click: array[float]
    """Calibrated probability of an interaction, in [0, 1]."""

    rating: array[float]
    """Expected value of the interaction, on the data set's own scale."""

    item_numbers: Mapping[str, array[float]] = field(default_factory=dict)
    """Numeric features of each item that the model read, by name, shape ``(ranked,)``; empty where not asked for."""

    order: array[int] | None = None
    """Candidates by their position in the request's rows, as the request's ``spread`` puts them, best first: as many as
    it wants, or all that there are. ``None`` where it was not asked for, or time did not allow."""


@dataclass(frozen=True, slots=True)
class ItemDelta:
    """New totals of one item."""

    item_id: str
    count: float
    value_sum: float


@dataclass(frozen=True, slots=True)
class ItemDeltas:
    """A step of the item stream."""

    deltas: Sequence[ItemDelta]
    cursor: str
    """Where to resume after this step."""

    is_snapshot: bool
    """True where ``deltas`` is every item known, not only what changed."""


class RetrievalStage(UserSearch, Protocol):
    """Retrieval as the gateway sees it."""

    async def retrieve(self, request: RetrieveRequest, deadline: Deadline) -> RetrieveResult:
        """Return at most ``candidate_count`` candidates."""
        ...

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """Return the ids of the bundles that are ready to serve."""
        ...


class RankingStage(Protocol):
    """Ranking as the gateway sees it."""

    async def rank(self, request: RankRequest, deadline: Deadline) -> RankResult:
        """Return scores for the candidates."""
        ...

    async def held_bundles(self, deadline: Deadline) -> tuple[str, ...]:
        """Return the ids of the bundles that are ready to serve."""
        ...
