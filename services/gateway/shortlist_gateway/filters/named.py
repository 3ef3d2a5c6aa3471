"""Named filters of requests: the values of their parameters, checked and put into the trees that the config keeps."""

from __future__ import annotations

import math

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_domain.filters import (
    EVERYTHING,
    MAX_TEXTS,
    Node,
    ParameterKind,
    Template,
    Value,
    limit_violation,
    with_values,
)
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.templates import MAX_PARAMETERS, Templates
from shortlist_rpc.filter_message import MAX_TEXT_BYTES, duration_of, moment_of

_MEANT = {
    ParameterKind.TEXT: "a text",
    ParameterKind.TEXTS: f"1 to {MAX_TEXTS} texts",
    ParameterKind.NUMBER: "a finite number",
    ParameterKind.FLAG: "a flag",
    ParameterKind.TIME: "a time",
    ParameterKind.DURATION: "a duration",
}


def named_node(message: selection_pb2.NamedFilter, templates: Templates, path: str, checks: Checks) -> Node:
    """Return the tree that ``message``, the field ``path`` of a request, means; ``checks`` gets what is wrong."""
    template = templates.get(message.name)
    if template is None:
        said = f"is {message.name[:80]!r}, which is no filter of the serving config" if message.name else "is required"
        kept = f"it keeps {', '.join(sorted(templates))}" if templates else "it keeps none"
        checks.wrong(f"{path}.name", f"{said}; {kept}")
        return EVERYTHING
    found = len(checks.violations)
    values = _values(message, template, path, checks)
    if len(checks.violations) > found:
        return EVERYTHING
    node = with_values(template.node, values)
    if too_large := limit_violation(node):  # several texts in the place of one
        checks.wrong(f"{path}.parameters", too_large)
        return EVERYTHING
    return node


def _values(message: selection_pb2.NamedFilter, template: Template, path: str, checks: Checks) -> dict[str, Value]:
    values: dict[str, Value] = {}
    kinds = template.parameters
    listed = ", ".join(f"{name} ({_MEANT[kind]})" for name, kind in kinds.items()) or "none"
    for at, given in enumerate(message.parameters):
        place = f"{path}.parameters[{at}]"
        kind = kinds.get(given.name)
        if at > MAX_PARAMETERS:
            checks.wrong(f"{path}.parameters", f"has {len(message.parameters)} entries; the parameters are: {listed}")
            return values
        if kind is None:
            said = f"is {given.name[:80]!r}, which filter {message.name!r} does not have; its parameters are: {listed}"
            checks.wrong(f"{place}.name", said)
        elif given.name in values:
            checks.wrong(f"{place}.name", f"is {given.name!r} a second time; a parameter has one value")
        else:
            value = values[given.name] = _value(given, kind, place, checks)
            if given.name in template.type_parameters and "" in (value if isinstance(value, tuple) else (value,)):
                checks.wrong(place, f"has an empty text; the parameter {given.name!r} stands for types of event")
    for name, kind in kinds.items():
        if name not in values:
            checks.wrong(
                f"{path}.parameters", f"lacks {name!r}, {_MEANT[kind]}; filter {message.name!r} needs: {listed}"
            )
    return values


def _value(given: actor_pb2.Attribute, kind: ParameterKind, path: str, checks: Checks) -> Value:
    form = given.WhichOneof("value")
    if form != kind.value:
        was = f"a {form}" if form and form != "texts" else "several texts" if form else "nothing"
        said = f"is {was}; the parameter {given.name!r} is {_MEANT[kind]}, in `{kind.value}`"
        checks.wrong(f"{path}.{form or 'value'}", said)
        return None
    if kind is ParameterKind.TEXT:
        return checks.text(f"{path}.text", given.text, MAX_TEXT_BYTES)
    if kind is ParameterKind.TEXTS:
        texts = given.texts.values
        if not 1 <= len(texts) <= MAX_TEXTS:
            checks.wrong(f"{path}.texts.values", f"has {len(texts)} entries; 1 to {MAX_TEXTS} are allowed")
            return None
        return tuple(checks.text(f"{path}.texts.values[{n}]", text, MAX_TEXT_BYTES) for n, text in enumerate(texts))
    if kind is ParameterKind.NUMBER:
        if not math.isfinite(given.number):
            checks.wrong(f"{path}.number", f"is {given.number}; it must be a finite number")
        return given.number
    if kind is ParameterKind.TIME:
        return moment_of(given.time, f"{path}.time", checks.violations)
    if kind is ParameterKind.DURATION:
        return duration_of(given.duration, f"{path}.duration", checks.violations)
    return given.flag
