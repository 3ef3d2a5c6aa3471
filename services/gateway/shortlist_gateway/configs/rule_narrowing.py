"""The rules of a slate under a serving config: the tighter of both, and what a request may not loosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shortlist.common.v1 import selection_pb2
from shortlist_domain.spread import DiversityMethod
from shortlist_gateway.configs.config import ServingConfig
from shortlist_gateway.slate.chance import ExplorationMethod
from shortlist_gateway.slate.rules import (
    NO_RULES,
    AttributeCap,
    Diversity,
    Exploration,
    Pin,
    Rotation,
    Rules,
)

Constraints = selection_pb2.Constraints

Refuse = Callable[[str, str, str], None]
"""Takes a field, what the request says there, and the config's limit."""


def narrowed_rules(
    config: ServingConfig, constraints: Constraints, asked: Rules, slate_size: int, refuse: Refuse
) -> tuple[Rules, list[str]]:
    """Return what the slate must look like, and what of the config does not apply to a slate of that size.

    Promotions of the config come first, and the request may add some, as it may add pins where the config has none:
    both stand under exclusions, filters and caps, so that nothing appears by them that otherwise might not. So do
    boosts, which multiply.

    Args:
        config: Its rules are limits.
        constraints: The request's, as they came.
        asked: The same, as rules.
        slate_size: Items wanted.
        refuse: Is told of each widening.
    """
    own = config.rules
    pins, warnings = _pins(own.pins, constraints, asked, refuse), []
    if beyond := sum(pin.position >= slate_size for pin in pins):
        warnings.append(f"serving_config: {beyond} pins lie beyond a slate of {slate_size}, and are left out")
    rules = Rules(
        caps=_caps(own, constraints, asked, refuse),
        pins=tuple(pin for pin in pins if pin.position < slate_size),
        promotions=(*own.promotions, *asked.promotions),
        rotation=_rotation(own.rotation, constraints, asked, refuse),
        diversity=_diversity(own.diversity, constraints, asked, refuse),
        exploration=_cut(_exploration(config, constraints, asked, refuse), slate_size),
        boosts=(*own.boosts, *asked.boosts),
    )
    return (NO_RULES if rules == NO_RULES else rules), warnings


def _caps(own: Rules, constraints: Constraints, asked: Rules, refuse: Refuse) -> tuple[AttributeCap, ...]:
    caps = {cap.attribute: cap for cap in own.caps}
    for at, cap in enumerate(constraints.attribute_caps):
        limit = caps.get(cap.attribute)
        if limit is not None and cap.maximum > limit.maximum:
            path = f"constraints.attribute_caps[{at}].maximum"
            refuse(path, f"is {cap.maximum}", f"allows at most {limit.maximum} of one {cap.attribute!r}")
    for cap_asked in asked.caps:
        limit = caps.get(cap_asked.attribute)
        if limit is None or cap_asked.maximum < limit.maximum:
            caps[cap_asked.attribute] = cap_asked
    return tuple(caps.values())


def _pins(own: tuple[Pin, ...], constraints: Constraints, asked: Rules, refuse: Refuse) -> tuple[Pin, ...]:
    by_position = {pin.position: pin for pin in own}
    by_item = {pin.item_id: pin for pin in own}
    for at, pin in enumerate(constraints.pins):
        there, elsewhere = by_position.get(pin.position), by_item.get(pin.item_id)
        if there is not None and there.item_id != pin.item_id:
            refuse(f"constraints.pins[{at}].position", f"is {pin.position}", f"pins {there.item_id!r} there")
        elif elsewhere is not None and elsewhere.position != pin.position:
            refuse(
                f"constraints.pins[{at}].item_id",
                f"is {pin.item_id!r}",
                f"pins it at position {elsewhere.position}",
            )
    added = [pin for pin in asked.pins if pin.position not in by_position and pin.item_id not in by_item]
    return tuple(sorted((*own, *added), key=lambda pin: pin.position))


def _rotation(own: Rotation | None, constraints: Constraints, asked: Rules, refuse: Refuse) -> Rotation | None:
    if own is None or not constraints.HasField("rotation"):
        return asked.rotation if own is None else own
    path, rate = "constraints.rotation.", constraints.rotation.rate
    if rate < own.rate:
        refuse(f"{path}rate", f"is {rate:g}", f"demands at least {own.rate:g}")
    if asked.rotation is None:
        return own
    half_life_s = asked.rotation.half_life_s
    if half_life_s < own.half_life_s:
        refuse(f"{path}half_life", f"is {half_life_s:g} s", f"demands at least {own.half_life_s:g} s")
    return Rotation(max(asked.rotation.rate, own.rate), max(half_life_s, own.half_life_s))


def _diversity(own: Diversity | None, constraints: Constraints, asked: Rules, refuse: Refuse) -> Diversity | None:
    if own is None or not constraints.HasField("diversity"):
        return asked.diversity if own is None else own
    path, diversity = "constraints.diversity.", constraints.diversity
    if diversity.strength < own.strength:
        refuse(f"{path}strength", f"is {diversity.strength:g}", f"demands at least {own.strength:g}")
    if diversity.method and asked.diversity is not None and asked.diversity.method is not own.method:
        _refuse_method(f"{path}method", asked.diversity.method, own.method, refuse)
    return replace(own, strength=max(own.strength, asked.diversity.strength if asked.diversity else 0.0))


def _cut(exploration: Exploration | None, slate_size: int) -> Exploration | None:
    return None if exploration is None else replace(exploration, slots=min(exploration.slots, slate_size))


def _exploration(config: ServingConfig, constraints: Constraints, asked: Rules, refuse: Refuse) -> Exploration | None:
    own = config.rules.exploration
    if not config.message.constraints.HasField("exploration"):
        return asked.exploration
    if not constraints.HasField("exploration"):
        return own
    path, exploration = "constraints.exploration.", constraints.exploration
    if asked.exploration is None:  # of no strength
        return None
    if own is None:
        refuse(f"{path}strength", f"is {exploration.strength:g}", "allows 0")
        return None
    if exploration.slots > own.slots:
        refuse(f"{path}slots", f"is {exploration.slots}", f"allows at most {own.slots}")
    if exploration.strength > own.strength:
        refuse(f"{path}strength", f"is {exploration.strength:g}", f"allows at most {own.strength:g}")
    if exploration.method and asked.exploration.method is not own.method:
        _refuse_method(f"{path}method", asked.exploration.method, own.method, refuse)
    slots, strength = asked.exploration.slots, asked.exploration.strength
    return replace(own, slots=min(slots, own.slots), strength=min(strength, own.strength))


def _refuse_method(
    path: str,
    asked: DiversityMethod | ExplorationMethod,
    own: DiversityMethod | ExplorationMethod,
    refuse: Refuse,
) -> None:
    refuse(path, f"is {asked.name}", f"has {own.name}")
