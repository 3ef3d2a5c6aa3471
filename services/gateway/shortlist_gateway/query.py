"""Questions to the pipeline and its answers, free of protobuf."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from shortlist.common.v1 import selection_pb2
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import IMPRESSION, ActorFeatures, ActorKey, Event
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.configs.config import PLAIN, Serving
from shortlist_gateway.filters.condition import Condition
from shortlist_gateway.slate.rules import NO_RULES, Rules

if TYPE_CHECKING:
    from shortlist_gateway.slate.promotions import Promoted
    from shortlist_gateway.trace import Trace


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A change of what the models see of an actor. What the actor has seen stays excluded."""

    dropped_features: frozenset[str]
    """Attributes, chosen attributes and numbers that are left out, by name."""

    without_history: bool

    def applied(self, actor: ActorFeatures) -> ActorFeatures:
        """Return what the models see of ``actor``."""
        if self.without_history:
            actor = replace(
                actor,
                numbers=user_numbers(()),
                history_rows=array("I"),
                history_values=array("f"),
                history_times_s=array("d"),
            )
        dropped = self.dropped_features
        return replace(
            actor,
            attributes={name: value for name, value in actor.attributes.items() if name not in dropped},
            numbers={name: value for name, value in actor.numbers.items() if name not in dropped},
            chosen={name: values for name, values in actor.chosen.items() if name not in dropped},
        )


class SeenEvents(NamedTuple):
    """Events that make an item a seen one."""

    event_types: frozenset[str] = frozenset()
    """Types that count; empty is every type but ``impression``."""

    since_s: float = -math.inf
    """Events before this moment do not count."""


@dataclass(frozen=True, slots=True)
class Query:
    """A checked request."""

    request_id: str
    now_s: float
    actor: ActorKey | None
    slate_size: int
    """Items wanted, those of earlier pages included."""

    shown_rows: frozenset[int] = frozenset()
    """Rows of earlier pages; they do not come again."""

    candidate_count: int = 0
    """Candidates wanted; 0 is the setting."""

    bundle_id: str = ""
    """Bundle that must answer; empty is the active one."""

    exclude_item_ids: Sequence[str] = ()
    include_item_ids: Sequence[str] = ()
    """Only these; empty is the whole catalogue."""

    is_seen_excluded: bool = True
    seen_by: tuple[SeenEvents, ...] = (SeenEvents(),)
    """Events that make an item a seen one: any of these."""

    minimum_click_probability: float | None = None
    rules: Rules = NO_RULES
    """What the slate must look like."""

    events: Sequence[Event] = ()
    """Inline events, as if they were the actor's most recent."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    """Inline attributes; they win over stored ones."""

    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Inline attributes of several texts: chosen values of item attributes."""

    surface: str = ""
    """Page, panel or placement that the answer is for."""

    chance_id: str = ""
    """Seeds what is left to chance; empty: the request's id does."""

    item_fields: Sequence[str] = ()
    is_debugged: bool = False
    """Whether the answer shows its working."""

    events_until_s: float = math.inf
    """Events after this moment are as if they were not there."""

    what_if: WhatIf | None = None
    """What the models are to be told of the actor instead of the truth."""

    min_versions: tuple[int, int] = (0, 0)
    """Versions of the actor and of its session that must be visible; from a consistency token."""

    item_ids: Sequence[str] = ()
    """Items to find the like of, or the caller's own list."""

    filter: Condition | None = None
    """What items must pass, on top of the lists."""

    on_empty: selection_pb2.EmptyPolicy = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    """What happens where nothing is left to show."""

    serving: Serving = PLAIN
    """The config that answers; what it limits is in the other fields already."""

    warnings: tuple[str, ...] = ()
    """What was read otherwise than asked."""

    @property
    def needs_impressions(self) -> bool:
        """Whether anything depends on what the actor was shown."""
        is_filtered = self.filter is not None and self.filter.needs_impressions
        is_seen = any(IMPRESSION in events.event_types for events in self.seen_by)
        return is_filtered or is_seen or self.rules.needs_impressions

    @property
    def page_size(self) -> int:
        """Items wanted on this page."""
        return self.slate_size - len(self.shown_rows)


class Cause(StrEnum):
    """Why an answer is not full; the names of ``DegradationCause``."""

    FEATURES_TIMEOUT = "FEATURES_TIMEOUT"
    FEATURES_DOWN = "FEATURES_DOWN"
    FEATURES_STALE = "FEATURES_STALE"
    RETRIEVAL_TIMEOUT = "RETRIEVAL_TIMEOUT"
    RETRIEVAL_DOWN = "RETRIEVAL_DOWN"
    RETRIEVAL_PARTIAL = "RETRIEVAL_PARTIAL"
    RANKING_TIMEOUT = "RANKING_TIMEOUT"
    RANKING_DOWN = "RANKING_DOWN"
    RANKING_PARTIAL = "RANKING_PARTIAL"
    FEWER_CANDIDATES = "FEWER_CANDIDATES"
    BUNDLE_MISMATCH = "BUNDLE_MISMATCH"
    LOAD_SHED = "LOAD_SHED"
    SHORT_SLATE = "SHORT_SLATE"
    EMPTY_SELECTION = "EMPTY_SELECTION"
    FILTER_RELAXED = "FILTER_RELAXED"
    FALLBACK_CONFIG = "FALLBACK_CONFIG"
    CONFIG_UNFIT = "CONFIG_UNFIT"


class Level(StrEnum):
    """Rungs of the ladder; the names of ``DegradationLevel``."""

    NONE = "NONE"
    PARTIAL = "PARTIAL"
    FALLBACK = "FALLBACK"
    STATIC = "STATIC"


class Outcome(StrEnum):
    """How a stage ended; the names of ``StageOutcome``."""

    FULL = "FULL"
    PARTIAL = "PARTIAL"
    FALLBACK = "FALLBACK"
    SKIPPED = "SKIPPED"


class ReasonKind(StrEnum):
    """Why an item is there; the names of ``ReasonKind`` on the wire."""

    TASTE = "TASTE"
    SIMILAR_ITEM = "SIMILAR_ITEM"
    POPULAR = "POPULAR"
    POPULAR_SEGMENT = "POPULAR_SEGMENT"
    REQUESTED = "REQUESTED"
    SIMILAR_CONTENT = "SIMILAR_CONTENT"
    NEWEST = "NEWEST"
    ALIKE = "ALIKE"


@dataclass(frozen=True, slots=True)
class Report:
    """What one stage did, in all of its calls."""

    stage: str
    outcome: Outcome
    started_s: float
    """By a clock that only differences are read of."""

    budget_s: float
    spent_s: float
    items_in: int
    items_out: int
    reason: str = ""

    def joined(self, other: Report) -> Report:
        """Return what both say of one stage that was asked twice, at once or one after the other."""
        started_s = min(self.started_s, other.started_s)
        order = list(Outcome)
        return Report(
            stage=self.stage,
            outcome=max(self.outcome, other.outcome, key=order.index),
            started_s=started_s,
            budget_s=max(self.started_s + self.budget_s, other.started_s + other.budget_s) - started_s,
            spent_s=max(self.started_s + self.spent_s, other.started_s + other.spent_s) - started_s,
            items_in=max(self.items_in, other.items_in),
            items_out=self.items_out + other.items_out,
            reason=self.reason or other.reason,
        )


class Origin(NamedTuple):
    """Where a result came from, and the reason that follows from it."""

    source: str
    rank: int
    score: float
    reason: ReasonKind | None
    """``None`` where the source says nothing of this actor: nothing is known that it could rest on."""

    anchor_item_id: str = ""


class Shown(NamedTuple):
    """One result. Named tuples are made in a third of a dataclass's time, and every answer has dozens of these two."""

    item_id: str
    score: float
    click: float | None
    """Calibrated probability; ``None`` where the item was not ranked."""

    rating: float | None
    origins: Sequence[Origin]
    row: int | None
    """``None`` for an item that the catalogue does not have."""

    propensity: float = 1.0
    """Probability of being shown at this position, in (0, 1]."""


@dataclass(slots=True)
class Slate:
    """An answer in the making: results and everything that it will say of itself."""

    catalogue: Catalogue
    results: Sequence[Shown] = ()
    candidate_rows: Sequence[int] = ()
    """Rows that the results were chosen from, in the order in which they came to ranking."""

    order: Sequence[int] = ()
    """Places of candidates in the order that positions are filled in; empty where it is ranking's."""

    missing_ids: dict[str, None] = field(default_factory=dict)
    """Ids asked about that the catalogue does not have, in order, none twice."""

    warnings: list[str] = field(default_factory=list)
    causes: dict[Cause, None] = field(default_factory=dict)
    level: Level = Level.NONE
    reports: list[Report] = field(default_factory=list)
    ranked_fraction: float = 0.0
    features_present_fraction: float = 1.0
    is_actor_known: bool = False
    passes: Callable[[int], bool] | None = None
    """Whether the item of a row passes the filter; ``None`` where there is none, or none any more."""

    promotions: Sequence[Promoted] = ()
    """Promotions that the results are to keep."""

    trace: Trace | None = None
    """What the stages gave each other, where they were asked for a slate."""

    def degrade(self, level: Level, cause: Cause) -> None:
        """Note that the answer is at best at ``level``, because of ``cause``."""
        order = list(Level)
        if order.index(level) > order.index(self.level):
            self.level = level
        self.causes[cause] = None
