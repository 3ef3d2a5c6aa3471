"""Filters of configs in short, and what is wrong with them."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.json_format import ParseDict

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_domain.filters import Moment
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.templates import Templates, templates_of


def definition(condition: object, name: str = "f", **kinds: str) -> dict[str, object]:
    form = "expression" if isinstance(condition, str) else "ast"
    parameters = [{"name": n, "kind": f"PARAMETER_KIND_{kind.upper()}"} for n, kind in kinds.items()]
    return {"name": name, form: condition, "parameters": parameters}


def kept(*definitions: dict[str, object]) -> tuple[Templates, Checks]:
    checks = Checks()
    messages = [ParseDict(one, selection_pb2.FilterDefinition()) for one in definitions]
    return templates_of(messages, "filters", checks), checks


def given_values(**values: object) -> list[actor_pb2.Attribute]:
    """Return parameters with values, each in the form of its Python type."""
    attributes = []
    for name, value in values.items():
        attribute = actor_pb2.Attribute(name=name)
        if isinstance(value, bool):
            attribute.flag = value
        elif isinstance(value, float):
            attribute.number = value
        elif isinstance(value, Moment):
            attribute.time.FromMicroseconds(round(value.time_s * 1e6))
        elif isinstance(value, timedelta):
            attribute.duration.FromTimedelta(value)
        elif isinstance(value, list):
            attribute.texts.values.extend(value)
        else:
            attribute.text = str(value)
        attributes.append(attribute)
    return attributes


def said(checks: Checks) -> list[tuple[str, str]]:
    return [(violation.field, violation.description) for violation in checks.violations]
