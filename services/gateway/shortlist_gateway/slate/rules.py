"""What a slate must look like: the constraints of a request, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shortlist_domain.spread import DiversityMethod
from shortlist_gateway.filters.condition import Condition
from shortlist_gateway.slate.chance import ExplorationMethod


@dataclass(frozen=True, slots=True)
class AttributeCap:
    """A limit on items that share a value."""

    attribute: str
    maximum: int
    """At least 1."""


@dataclass(frozen=True, slots=True)
class Pin:
    """An item at a fixed position."""

    item_id: str
    position: int
    """From 0, below the slate size; no two pins share one."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Moves items down that were shown lately."""

    rate: float
    """In (0, 1]."""

    half_life_s: float
    """Above 0."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Spreads the slate."""

    method: DiversityMethod
    strength: float
    """In (0, 1]; 1 is spread alone."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """Leaves the last positions of the slate to chance."""

    method: ExplorationMethod
    slots: int
    """Positions, at least 1, and at most the slate size."""

    strength: float
    """Epsilon, temperature, or factor on the deviation, by method; above 0."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """Keeps positions for items that pass a condition."""

    condition: Condition
    slots: int
    """Positions, at least 1; 0 where there is a share."""

    share: float | None = None
    """Of the slate, in (0, 1]."""


@dataclass(frozen=True, slots=True)
class Boost:
    """Multiplies the relevance of items that pass a condition."""

    condition: Condition
    factor: float
    """In [0.01, 100]."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that a slate must keep to, beside which items may appear at all."""

    caps: tuple[AttributeCap, ...] = ()
    pins: tuple[Pin, ...] = ()
    """By position, ascending."""

    promotions: tuple[Promotion, ...] = ()
    rotation: Rotation | None = None
    diversity: Diversity | None = None
    exploration: Exploration | None = None
    boosts: tuple[Boost, ...] = ()

    @property
    def needs_impressions(self) -> bool:
        """Whether anything depends on what the actor was shown."""
        conditions = [*(p.condition for p in self.promotions), *(b.condition for b in self.boosts)]
        return self.rotation is not None or any(condition.needs_impressions for condition in conditions)

    @property
    def needs_item_numbers(self) -> bool:
        """Whether ranking is asked for the items' features beside the scores."""
        return self.exploration is not None and self.exploration.method is ExplorationMethod.THOMPSON


NO_RULES = Rules()


def without_ranking(rules: Rules) -> Rules:
    """Return ``rules`` without what only ranked candidates can keep to."""
    left = replace(rules, diversity=None, exploration=None)
    return NO_RULES if left == NO_RULES else left
