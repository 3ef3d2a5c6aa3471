"""What a valid serving config is, whatever the bundle: a message in, a checked config out."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.ids import NAME_RULE, is_name
from shortlist_domain.stages import HEADS
from shortlist_gateway.checks import MAX_LIST_IDS, MAX_SLATE, Checks
from shortlist_gateway.configs.config import Experiment, SeenRule, ServingConfig, Variant
from shortlist_gateway.constraint_checks import rules_of, seen_rule
from shortlist_gateway.filters.templates import templates_of

MAX_CONFIG_BYTES = 32_768
MAX_CANDIDATES = 2000
MAX_WEIGHT = 1000.0
MAX_VARIANTS = 10
MAX_VARIANT_WEIGHT = 1_000_000


def read_config(message: pb.ServingConfig, version: int = 0, path: str = "config") -> ServingConfig:
    """Return the config that ``message``, the field ``path`` of a request, describes.

    Raises:
        InvalidRequest: With every field that is wrong.
    """
    checks = Checks()
    if message.ByteSize() > MAX_CONFIG_BYTES:
        raise InvalidRequest(Violation(path, f"has {message.ByteSize()} bytes; at most {MAX_CONFIG_BYTES} are allowed"))
    for unknown in _unknown_fields(message):
        checks.wrong(unknown, "is a field that this release does not know")
    _name(checks, "name", message.name)
    checks.text("description", message.description, 1024)
    _sources(checks, message)
    _heads(checks, message)
    if not 0 <= message.candidate_count <= MAX_CANDIDATES:
        checks.wrong("candidate_count", f"is {message.candidate_count}; it must be in [0, {MAX_CANDIDATES}]")
    if not 0 <= message.slate_size <= MAX_SLATE:
        checks.wrong("slate_size", f"is {message.slate_size}; it must be in [1, {MAX_SLATE}], or 0 for no limit")
    constraints = message.constraints
    # Slots and positions are held against the longest slate there can be; a shorter one is cut to what fits.
    longest = message.slate_size if 1 <= message.slate_size <= MAX_SLATE else MAX_SLATE
    seen = None
    if constraints.HasField("exclude_seen"):
        is_excluded, event_types, since_s = seen_rule(checks, constraints, 0.0)
        seen = SeenRule(is_excluded, event_types, -since_s)
    _fallback(checks, message)
    filters = templates_of(message.filters, "filters", checks)
    config = ServingConfig(
        name=message.name,
        version=version,
        sources=tuple(one.source for one in message.sources),
        quotas={one.source: one.quota for one in message.sources},
        weights={one.source: one.weight if one.HasField("weight") else 1.0 for one in message.sources},
        candidate_count=message.candidate_count,
        head_weights={one.head: one.weight for one in message.head_weights},
        is_ranked=message.ranker != pb.RANKER_NONE,
        slate_size=message.slate_size,
        exclude_item_ids=checks.item_ids("constraints.exclude_item_ids", constraints.exclude_item_ids, MAX_LIST_IDS),
        include_item_ids=checks.item_ids("constraints.include_item_ids", constraints.include_item_ids, MAX_LIST_IDS),
        seen=seen,
        minimum_click_probability=checks.minimum_click_probability(constraints),
        rules=rules_of(checks, constraints, longest, filters),
        on_empty=message.on_empty,
        fallback_config=message.fallback_config,
        experiment=_experiment(checks, message) if message.HasField("experiment") else None,
        filters=filters,
        message=message,
    )
    _ranker(checks, config)
    if checks.violations:
        raise InvalidRequest(*(Violation(f"{path}.{v.field}", v.description) for v in checks.violations))
    return config


def decoded(content: bytes) -> pb.ServingConfig:
    """Return the message that is kept as ``content``.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        return pb.ServingConfig.FromString(content)
    except DecodeError as error:
        raise InvalidRequest(Violation("config", "is no serving config; what is kept of it is damaged")) from error


def _name(checks: Checks, field: str, name: str) -> None:
    if not is_name(name):
        checks.wrong(field, f"is {name[:80]!r}; {NAME_RULE}")


def _sources(checks: Checks, message: pb.ServingConfig) -> None:
    seen: set[str] = set()
    for at, one in enumerate(message.sources):
        path = f"sources[{at}]"
        if not one.source:
            checks.wrong(f"{path}.source", "is required")
        if one.source in seen:
            checks.wrong(f"{path}.source", f"is {one.source!r} a second time; each source is allowed once")
        seen.add(one.source)
        if not 0.0 <= one.quota <= 1.0:
            checks.wrong(f"{path}.quota", f"is {one.quota:g}; it must be in [0, 1]")
        if one.HasField("weight") and not 0.0 < one.weight <= MAX_WEIGHT:
            checks.wrong(f"{path}.weight", f"is {one.weight:g}; it must be in (0, {MAX_WEIGHT:g}]")
    total = sum(one.quota for one in message.sources)
    if total > 1.0 + 1e-6:
        checks.wrong("sources", f"have quotas of {total:g} together; at most 1 is possible")


def _heads(checks: Checks, message: pb.ServingConfig) -> None:
    seen: set[str] = set()
    for at, one in enumerate(message.head_weights):
        path = f"head_weights[{at}]"
        if one.head not in HEADS:
            checks.wrong(f"{path}.head", f"is {one.head[:80]!r}; it must be one of {', '.join(HEADS)}")
        elif one.head in seen:
            checks.wrong(f"{path}.head", f"is {one.head!r} a second time; each head is allowed once")
        seen.add(one.head)
        if not 0.0 <= one.weight <= MAX_WEIGHT:
            checks.wrong(f"{path}.weight", f"is {one.weight:g}; it must be in [0, {MAX_WEIGHT:g}]")
    if message.head_weights and not any(one.weight > 0.0 for one in message.head_weights):
        checks.wrong("head_weights", "are all 0; at least one must be above 0")


def _ranker(checks: Checks, config: ServingConfig) -> None:
    if config.message.ranker not in pb.Ranker.values():
        checks.wrong("ranker", f"is {config.message.ranker}; it must be RANKER_NONE, or unset for the bundle's")
    if config.is_ranked:
        return
    needing = {
        "head_weights": config.head_weights,
        "constraints.minimum_click_probability": config.minimum_click_probability,
        "constraints.diversity": config.rules.diversity,
        "constraints.exploration": config.rules.exploration,
    }
    for path, value in needing.items():
        if value:
            checks.wrong(path, "needs a ranker, and `ranker` is RANKER_NONE; leave one of the two unset")


def _fallback(checks: Checks, message: pb.ServingConfig) -> None:
    if message.on_empty not in selection_pb2.EmptyPolicy.values():
        names = "RETURN_EMPTY, RELAX_FILTER or FALLBACK_CONFIG"
        checks.wrong("on_empty", f"is {message.on_empty}; it must be {names}")
    if message.fallback_config:
        _name(checks, "fallback_config", message.fallback_config)
        if message.fallback_config == message.name:
            checks.wrong("fallback_config", "is the config itself; it must be another one")
    elif message.on_empty == selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG:
        checks.wrong("fallback_config", "is required where `on_empty` is FALLBACK_CONFIG")


def _experiment(checks: Checks, message: pb.ServingConfig) -> Experiment:
    experiment, path = message.experiment, "experiment"
    _name(checks, f"{path}.name", experiment.name)
    variants = tuple(experiment.variants)
    if not 1 <= len(variants) <= MAX_VARIANTS:
        checks.wrong(f"{path}.variants", f"has {len(variants)} entries; it must have 1 to {MAX_VARIANTS}")
        variants = ()
    names: set[str] = set()
    for at, variant in enumerate(variants):
        at_path = f"{path}.variants[{at}]"
        _name(checks, f"{at_path}.name", variant.name)
        if variant.name in names:
            checks.wrong(f"{at_path}.name", f"is {variant.name!r} a second time; no two are alike")
        names.add(variant.name)
        if not 0 <= variant.weight <= MAX_VARIANT_WEIGHT:
            checks.wrong(f"{at_path}.weight", f"is {variant.weight}; it must be in [0, {MAX_VARIANT_WEIGHT}]")
        if variant.serving_config:
            _name(checks, f"{at_path}.serving_config", variant.serving_config)
    if variants and not any(variant.weight > 0 for variant in variants):
        checks.wrong(f"{path}.variants", "have weights of 0; at least one must be above 0")
    return Experiment(
        experiment.name,
        tuple(Variant(one.name, one.weight, one.serving_config or message.name) for one in variants),
    )


def _unknown_fields(message: Message, path: str = "") -> Iterator[str]:
    """Yield paths of fields that a later release has written: a limit that is not understood is not one to ignore."""
    for field in UnknownFieldSet(message):  # type: ignore[attr-defined]
        yield f"{path}({field.field_number})"
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for at, one in enumerate(value) if descriptor.is_repeated else ((None, value),):
            place = descriptor.name if at is None else f"{descriptor.name}[{at}]"
            yield from _unknown_fields(one, f"{path}{place}.")
