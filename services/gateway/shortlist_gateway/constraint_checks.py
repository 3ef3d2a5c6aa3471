"""Checks the constraints of a request, and returns them as rules."""

from __future__ import annotations

import math

from shortlist.common.v1 import selection_pb2
from shortlist_domain.ids import id_violation
from shortlist_domain.spread import DiversityMethod
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import Condition, condition_of
from shortlist_gateway.filters.templates import NO_TEMPLATES, Templates
from shortlist_gateway.slate.chance import MOST_STRENGTH, ExplorationMethod
from shortlist_gateway.slate.rules import (
    NO_RULES,
    AttributeCap,
    Boost,
    Diversity,
    Exploration,
    Pin,
    Promotion,
    Rotation,
    Rules,
)
from shortlist_rpc.filter_message import duration_of

MAX_EVENT_TYPES = 20
MAX_CAPS = 10
MAX_CAP = 1000
MAX_PINS = 100
MAX_EXPLORED = 10
MAX_PROMOTIONS = 5
MAX_BOOSTS = 20
LEAST_BOOST, MOST_BOOST = 0.01, 100.0

Constraints = selection_pb2.Constraints

_NEEDING_ANOTHER_ANSWER = {
    selection_pb2.EMPTY_POLICY_RELAX_FILTER: "RELAX_FILTER",
    selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG: "FALLBACK_CONFIG",
}
_DIVERSITY = {
    selection_pb2.DIVERSITY_METHOD_UNSPECIFIED: DiversityMethod.MMR,
    selection_pb2.DIVERSITY_METHOD_MMR: DiversityMethod.MMR,
    selection_pb2.DIVERSITY_METHOD_DPP: DiversityMethod.DPP,
}
_EXPLORATION = {
    selection_pb2.EXPLORATION_METHOD_UNSPECIFIED: ExplorationMethod.EPSILON_GREEDY,
    selection_pb2.EXPLORATION_METHOD_EPSILON_GREEDY: ExplorationMethod.EPSILON_GREEDY,
    selection_pb2.EXPLORATION_METHOD_SOFTMAX: ExplorationMethod.SOFTMAX,
    selection_pb2.EXPLORATION_METHOD_THOMPSON: ExplorationMethod.THOMPSON,
}


def rules_of(checks: Checks, constraints: Constraints, slate_size: int, templates: Templates = NO_TEMPLATES) -> Rules:
    """Return the rules for a slate of ``slate_size``; what is wrong with them is noted in ``checks``.

    Filters of promotions and boosts may name those of ``templates``.
    """
    rules = Rules(
        caps=_caps(checks, constraints),
        pins=_pins(checks, constraints, slate_size),
        promotions=_promotions(checks, constraints, slate_size, templates),
        rotation=_rotation(checks, constraints),
        diversity=_diversity(checks, constraints),
        exploration=_exploration(checks, constraints, slate_size),
        boosts=_boosts(checks, constraints, templates),
    )
    return NO_RULES if rules == NO_RULES else rules


def seen_rule(checks: Checks, constraints: Constraints, now_s: float) -> tuple[bool, frozenset[str], float]:
    """Return whether seen items are excluded, the event types that count (empty: all), and since when."""
    if not constraints.HasField("exclude_seen"):
        return True, frozenset(), -math.inf
    rule, path = constraints.exclude_seen, "constraints.exclude_seen."
    types = tuple(rule.event_types)
    if len(types) > MAX_EVENT_TYPES:
        checks.wrong(f"{path}event_types", f"has {len(types)} entries; at most {MAX_EVENT_TYPES} are allowed")
        types = ()
    for index, event_type in enumerate(types):
        _name(checks, f"{path}event_types[{index}]", event_type)
    since_s = -math.inf
    if rule.HasField("lookback"):
        since_s = now_s - duration_of(rule.lookback, f"{path}lookback", checks.violations)
    if rule.disabled:
        for name in ("event_types", "lookback"):
            if name in {descriptor.name for descriptor, _ in rule.ListFields()}:
                checks.wrong(f"{path}{name}", "is given while `disabled` is true; leave one of the two unset")
    return not rule.disabled, frozenset(types), since_s


def _caps(checks: Checks, constraints: Constraints) -> tuple[AttributeCap, ...]:
    path = "constraints.attribute_caps"
    if len(constraints.attribute_caps) > MAX_CAPS:
        checks.wrong(path, f"has {len(constraints.attribute_caps)} entries; at most {MAX_CAPS} are allowed")
        return ()
    caps: dict[str, AttributeCap] = {}
    for index, cap in enumerate(constraints.attribute_caps):
        _name(checks, f"{path}[{index}].attribute", cap.attribute)
        if not 1 <= cap.maximum <= MAX_CAP:
            checks.wrong(f"{path}[{index}].maximum", f"is {cap.maximum}; it must be in [1, {MAX_CAP}]")
        if cap.attribute in caps:
            checks.wrong(f"{path}[{index}].attribute", f"is {cap.attribute!r} a second time; one cap each is allowed")
        caps[cap.attribute] = AttributeCap(cap.attribute, cap.maximum)
    return tuple(caps.values())


def _pins(checks: Checks, constraints: Constraints, slate_size: int) -> tuple[Pin, ...]:
    path = "constraints.pins"
    if len(constraints.pins) > MAX_PINS:
        checks.wrong(path, f"has {len(constraints.pins)} entries; at most {MAX_PINS} are allowed")
        return ()
    by_position: dict[int, Pin] = {}
    items: set[str] = set()
    for index, pin in enumerate(constraints.pins):
        checks.item_id(f"{path}[{index}].item_id", pin.item_id)
        if not 0 <= pin.position < slate_size:
            checks.wrong(
                f"{path}[{index}].position",
                f"is {pin.position}; it must be in [0, {slate_size - 1}] for a slate of {slate_size}",
            )
        if pin.position in by_position:
            checks.wrong(f"{path}[{index}].position", f"is {pin.position} a second time; one pin a position is allowed")
        if pin.item_id in items:
            checks.wrong(f"{path}[{index}].item_id", f"is {pin.item_id!r} a second time; no item appears twice")
        by_position[pin.position] = Pin(pin.item_id, pin.position)
        items.add(pin.item_id)
    return tuple(by_position[position] for position in sorted(by_position))


def _promotions(
    checks: Checks, constraints: Constraints, slate_size: int, templates: Templates
) -> tuple[Promotion, ...]:
    path = "constraints.promotions"
    if len(constraints.promotions) > MAX_PROMOTIONS:
        checks.wrong(path, f"has {len(constraints.promotions)} entries; at most {MAX_PROMOTIONS} are allowed")
        return ()
    promotions = []
    for index, promotion in enumerate(constraints.promotions):
        at = f"{path}[{index}]"
        condition = _condition(checks, promotion.filter, f"{at}.filter", templates, "a promotion")
        amount = promotion.WhichOneof("amount")
        if amount == "slots" and not 1 <= promotion.slots <= slate_size:
            allowed = f"[1, {slate_size}] for a slate of {slate_size}"
            checks.wrong(f"{at}.slots", f"is {promotion.slots}; it must be in {allowed}")
        elif amount == "share" and not 0.0 < promotion.share <= 1.0:
            checks.wrong(f"{at}.share", f"is {promotion.share:g}; it must be in (0, 1]")
        elif amount is None:
            checks.wrong(f"{at}.amount", "is required: `share`, in (0, 1], or `slots`, at least 1")
        promotions.append(Promotion(condition, promotion.slots, promotion.share if amount == "share" else None))
    return tuple(promotions)


def _boosts(checks: Checks, constraints: Constraints, templates: Templates) -> tuple[Boost, ...]:
    path = "constraints.boosts"
    if len(constraints.boosts) > MAX_BOOSTS:
        checks.wrong(path, f"has {len(constraints.boosts)} entries; at most {MAX_BOOSTS} are allowed")
        return ()
    boosts = []
    for index, boost in enumerate(constraints.boosts):
        at = f"{path}[{index}]"
        condition = _condition(checks, boost.filter, f"{at}.filter", templates, "a boost")
        if not LEAST_BOOST * (1.0 - 1e-6) <= boost.factor <= MOST_BOOST:  # a factor is float32: 0.01 is a little less
            checks.wrong(f"{at}.factor", f"is {boost.factor:g}; it must be in [{LEAST_BOOST:g}, {MOST_BOOST:g}]")
        boosts.append(Boost(condition, boost.factor))
    return tuple(boosts)


def _condition(checks: Checks, message: selection_pb2.Filter, path: str, templates: Templates, whose: str) -> Condition:
    """Return the filter of a promotion or a boost, where another answer without it makes no sense."""
    if message.on_empty in _NEEDING_ANOTHER_ANSWER:
        policy = _NEEDING_ANOTHER_ANSWER[message.on_empty]
        checks.wrong(f"{path}.on_empty", f"is {policy}; {whose} cannot be made without its filter")
    return condition_of(message, path, checks, templates)


def _rotation(checks: Checks, constraints: Constraints) -> Rotation | None:
    if not constraints.HasField("rotation"):
        return None
    rotation, path = constraints.rotation, "constraints.rotation."
    if not 0.0 <= rotation.rate <= 1.0:
        checks.wrong(f"{path}rate", f"is {rotation.rate:g}; it must be in [0, 1]")
    if not rotation.HasField("half_life"):
        checks.wrong(f"{path}half_life", "is required; it must be above 0 s")
        return None
    half_life_s = duration_of(rotation.half_life, f"{path}half_life", checks.violations)
    return Rotation(rotation.rate, half_life_s) if rotation.rate > 0.0 else None


def _diversity(checks: Checks, constraints: Constraints) -> Diversity | None:
    if not constraints.HasField("diversity"):
        return None
    diversity, path = constraints.diversity, "constraints.diversity."
    if not 0.0 <= diversity.strength <= 1.0:
        checks.wrong(f"{path}strength", f"is {diversity.strength:g}; it must be in [0, 1]")
    method = _DIVERSITY.get(diversity.method)
    if method is None:
        names = ", ".join(selection_pb2.DiversityMethod.Name(number) for number in _DIVERSITY)
        checks.wrong(f"{path}method", f"is {diversity.method}; it must be one of {names}")
        return None
    return Diversity(method, diversity.strength) if diversity.strength > 0.0 else None


def _exploration(checks: Checks, constraints: Constraints, slate_size: int) -> Exploration | None:
    if not constraints.HasField("exploration"):
        return None
    exploration, path = constraints.exploration, "constraints.exploration."
    most = max(1, min(MAX_EXPLORED, slate_size))
    if not 1 <= exploration.slots <= most:
        checks.wrong(f"{path}slots", f"is {exploration.slots}; it must be in [1, {most}] for a slate of {slate_size}")
    method = _EXPLORATION.get(exploration.method)
    if method is None:
        names = ", ".join(selection_pb2.ExplorationMethod.Name(number) for number in _EXPLORATION)
        checks.wrong(f"{path}method", f"is {exploration.method}; it must be one of {names}")
        return None
    if not 0.0 <= exploration.strength <= MOST_STRENGTH[method]:
        allowed = f"[0, {MOST_STRENGTH[method]:g}] for {method.name}"
        checks.wrong(f"{path}strength", f"is {exploration.strength:g}; it must be in {allowed}")
    return Exploration(method, exploration.slots, exploration.strength) if exploration.strength > 0.0 else None


def _name(checks: Checks, field: str, value: str) -> None:
    violation = id_violation(field, value)
    if violation:
        checks.violations.append(violation)
    elif len(value.encode()) > 64:
        checks.wrong(field, f"is {len(value.encode())} bytes long; 1 to 64 are allowed")
