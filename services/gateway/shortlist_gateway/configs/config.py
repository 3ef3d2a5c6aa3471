"""A serving config as requests are answered by it: checked, and apart from the bundle that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_gateway.filters.templates import Templates
from shortlist_gateway.slate.rules import NO_RULES, Rules

DEFAULT = "default"
"""Name of the config that answers where a request names none."""


@dataclass(frozen=True, slots=True)
class SeenRule:
    """What of the actor's events keeps items out."""

    is_excluded: bool
    event_types: frozenset[str]
    """Types that count; empty is every type but ``impression``."""

    lookback_s: float
    """How far back; infinite is for ever."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A part of the actors."""

    name: str
    weight: int
    config: str
    """Name of the config that answers them."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Divides actors between configs."""

    name: str
    variants: tuple[Variant, ...]
    """At least one; the weights are not all 0."""


@dataclass(frozen=True, slots=True, eq=False)
class ServingConfig:
    """A config. What is empty or 0 or ``None`` is not set, and the request's to decide."""

    name: str
    version: int = 0
    """Of one that is kept; 0 for what is built in."""

    sources: tuple[str, ...] = ()
    """Sources to ask."""

    quotas: Mapping[str, float] = field(default_factory=dict)
    """Guaranteed share of each of ``sources``, in [0, 1]."""

    weights: Mapping[str, float] = field(default_factory=dict)
    """Weight of each of ``sources`` in the fusion, above 0."""

    candidate_count: int = 0
    head_weights: Mapping[str, float] = field(default_factory=dict)
    is_ranked: bool = True
    """Whether the bundle's ranker is asked; else the order of retrieval's fusion stands."""

    slate_size: int = 0
    exclude_item_ids: tuple[str, ...] = ()
    include_item_ids: tuple[str, ...] = ()
    seen: SeenRule | None = None
    minimum_click_probability: float | None = None
    rules: Rules = NO_RULES
    on_empty: selection_pb2.EmptyPolicy = selection_pb2.EMPTY_POLICY_UNSPECIFIED
    fallback_config: str = ""
    """Name of the config that answers where this one leaves nothing to show."""

    experiment: Experiment | None = None
    filters: Templates = field(default_factory=dict)
    """Filters that requests may name, read once: those of this version."""

    message: pb.ServingConfig = field(default_factory=pb.ServingConfig)
    """As it was written."""

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the other configs that it needs, each once."""
        variants = self.experiment.variants if self.experiment else ()
        named = dict.fromkeys((self.fallback_config, *(variant.config for variant in variants)))
        return tuple(name for name in named if name not in ("", self.name))


@dataclass(frozen=True, slots=True)
class Serving:
    """How one request is answered: the config that was chosen for it, and how it came to that."""

    config: ServingConfig
    variants: tuple[str, ...] = ()
    """Experiment variants that apply, each as ``experiment:variant``."""

    is_strict: bool = True
    """Whether a request that would widen the config is refused; else the tighter of the two counts."""

    is_fallback: bool = False
    """Whether it answers where another config left nothing to show: without the request's filter."""

    is_forced: bool = False
    """Whether the request itself named the variant."""

    warnings: tuple[str, ...] = ()
    """What there is to say of the choice."""

    is_unfit: bool = False
    """Whether another config should have answered and could not."""

    asked_filters: Templates = field(default_factory=dict)
    """Filters of the config that the request names, where another one answers for it."""

    @property
    def filters(self) -> Templates:
        """Filters that the request may name."""
        return {**self.config.filters, **self.asked_filters} if self.asked_filters else self.config.filters


class Answered(NamedTuple):
    """What a token says of the config that answered."""

    name: str
    version: int
    """Its version then."""

    variants: Sequence[str]
    """Experiment variants that applied."""

    is_fallback: bool
    is_forced: bool
    """Whether the request itself named the variant."""


BUILT_IN = ServingConfig(DEFAULT, message=pb.ServingConfig(name=DEFAULT))
"""The default config where nobody has put one: nothing is set."""

PLAIN = Serving(BUILT_IN)
"""The request alone decides."""
