"""Filters that a serving config keeps: read once, with the config, and held against the attributes of a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from shortlist.common.v1 import selection_pb2
from shortlist_domain.errors import Violation
from shortlist_domain.filters import (
    EVERYTHING,
    ROLES,
    Node,
    ParameterKind,
    Role,
    Schema,
    Template,
    bound,
    limit_violation,
    parameters_of,
)
from shortlist_domain.ids import NAME_RULE, is_name
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.expression import ExpressionRefused, parsed
from shortlist_rpc.filter_message import node_of

MAX_FILTERS = 100
MAX_PARAMETERS = 20

Templates = Mapping[str, Template]
"""The filters of a config, by name."""

NO_TEMPLATES: Templates = MappingProxyType({})

_PARAMETER = re.compile(r"[^\W\d]\w*")
_KINDS = {getattr(selection_pb2, f"PARAMETER_KIND_{kind.name}"): kind for kind in ParameterKind}
_MEANT = {Role.VALUE: "no duration", Role.TYPE: "a text", Role.LOOKBACK: "a duration"}


def templates_of(
    definitions: Iterable[selection_pb2.FilterDefinition], path: str, checks: Checks
) -> dict[str, Template]:
    """Return the filters that ``definitions``, the field ``path`` of a config, describe, by name.

    ``checks`` gets what is wrong; where it got something, what is returned is of no use.
    """
    templates: dict[str, Template] = {}
    for at, definition in enumerate(definitions):
        place = f"{path}[{at}]"
        if at == MAX_FILTERS:
            checks.wrong(path, f"has more than {MAX_FILTERS} filters")
            break
        if not is_name(definition.name):
            checks.wrong(f"{place}.name", f"is {definition.name[:80]!r}; {NAME_RULE}")
        if definition.name in templates:
            checks.wrong(f"{place}.name", f"is {definition.name!r} a second time; each name is allowed once")
        templates[definition.name] = _template(definition, place, checks)
    return templates


def fit_violations(template: Template, schema: Schema, path: str) -> tuple[Violation, ...]:
    """Return what of a filter, the field ``path`` of a config, does not suit the attributes of ``schema``."""
    violations: list[Violation] = []
    bound(template.sample(), schema, lambda _: path, violations)
    return tuple(violations)


def _template(definition: selection_pb2.FilterDefinition, path: str, checks: Checks) -> Template:
    form = definition.WhichOneof("condition")
    at = f"{path}.{form}"
    node: Node = EVERYTHING
    parameters = _parameters(definition, path, checks)
    before = len(checks.violations)
    if form == "expression":
        durations = frozenset(name for name, kind in parameters.items() if kind is ParameterKind.DURATION)
        try:
            node = parsed(definition.expression, durations)
        except ExpressionRefused as error:
            checks.wrong(at, str(error))
    elif form == "ast":
        node = node_of(definition.ast, at, checks.violations)
    else:
        checks.wrong(f"{path}.condition", "is required: `expression` or `ast`")
    if said := limit_violation(node):
        checks.wrong(at, said)
        node = EVERYTHING
    if len(checks.violations) > before:
        return Template(EVERYTHING, {})
    named = parameters_of(node)
    for name, roles in named.items():
        if name not in parameters:
            known = f"there are {', '.join(parameters)}" if parameters else "it has none"
            checks.wrong(at, f"names the parameter ${name}, which is not among `parameters`; {known}")
            continue
        for role in sorted(roles):
            if parameters[name] not in ROLES[role]:
                said = f"names ${name} for {role.value}, which is {_MEANT[role]}"
                checks.wrong(at, f"{said}; the parameter is a {parameters[name].value}")
    for index, parameter in enumerate(definition.parameters):
        if parameter.name in parameters and parameter.name not in named:
            checks.wrong(
                f"{path}.parameters[{index}].name", f"is {parameter.name!r}, which the condition does not name"
            )
    types = frozenset(name for name, roles in named.items() if Role.TYPE in roles)
    return Template(node, parameters, types)


def _parameters(definition: selection_pb2.FilterDefinition, path: str, checks: Checks) -> dict[str, ParameterKind]:
    parameters: dict[str, ParameterKind] = {}
    if len(definition.parameters) > MAX_PARAMETERS:
        said = f"has {len(definition.parameters)} entries; at most {MAX_PARAMETERS} are allowed"
        checks.wrong(f"{path}.parameters", said)
    for at, parameter in enumerate(definition.parameters[:MAX_PARAMETERS]):
        place = f"{path}.parameters[{at}]"
        if not _PARAMETER.fullmatch(parameter.name) or len(parameter.name.encode()) > 64:
            said = "it must be a letter or `_`, then letters, digits and `_`, at most 64 bytes"
            checks.wrong(f"{place}.name", f"is {parameter.name[:80]!r}; {said}")
        if parameter.name in parameters:
            checks.wrong(f"{place}.name", f"is {parameter.name!r} a second time; each name is allowed once")
        kind = _KINDS.get(parameter.kind)
        if kind is None:
            names = ", ".join(selection_pb2.ParameterKind.Name(number) for number in _KINDS)
            checks.wrong(f"{place}.kind", f"is {parameter.kind}; it must be one of {names}")
        parameters[parameter.name] = kind or ParameterKind.TEXT
    return parameters
