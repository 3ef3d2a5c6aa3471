"""Filters that configs keep: what a definition must be."""

from __future__ import annotations

from typing import Any as Anything

import pytest

from shortlist.common.v1 import selection_pb2
from shortlist_domain.filters import ROLES, Comparison, Operator, Parameter, ParameterKind, Role, Template
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import condition_of
from shortlist_gateway.filters.templates import fit_violations
from shortlist_testing.filter_trees import SCHEMA

from .kept_filters import definition, kept, said


@pytest.mark.parametrize(
    ("wrong", "field", "permitted"),
    [
        (definition("year > 1", ""), "filters[0].name", "1 to 64 lower-case letters"),
        (definition("year > 1", "Upper"), "filters[0].name", "1 to 64 lower-case letters"),
        (definition("year > 1", "a" * 65), "filters[0].name", "1 to 64 lower-case letters"),
        ({"name": "f"}, "filters[0].condition", "`expression` or `ast`"),
        (definition("year >"), "filters[0].expression", "the end at character 7"),
        (definition("year > $y"), "filters[0].expression", "$y, which is not among `parameters`; it has none"),
        (definition("year > $y z > $z", y="number"), "filters[0].expression", "not among `parameters`; there are y"),
        (definition("year > 1", y="number"), "filters[0].parameters[0].name", "'y', which the condition does not name"),
        (definition('year > "$y"', y="number"), "filters[0].parameters[0].name", "does not name"),
        (definition("seen($t)", t="number"), "filters[0].expression", "$t for a type of event, which is a text"),
        (definition({"history": {"parameters": ["t"]}}, t="time"), "filters[0].ast", "the parameter is a time"),
        (definition({"history": {"parameters": [""]}}), "filters[0].ast.history.parameters[0]", "1 to 64"),
        (definition({"comparison": {"field": "year", "operator": 5, "parameter": "y"}}), "filters[0].ast", "$y"),
        (definition({"comparison": {"field": "year", "operator": 8, "parameter": "y"}}, y="text"),
         "filters[0].ast.comparison.parameter", "takes no value"),
        (definition({"comparison": {"field": "year", "operator": 5, "parameter": "y" * 65}}),
         "filters[0].ast.comparison.parameter", "1 to 64"),
        (definition("NOT (" * 16 + "a = 1" + ")" * 16), "filters[0].expression", "deeper than 16"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_definition_is_named(wrong: dict[str, object], field: str, permitted: str) -> None:
    _, checks = kept(wrong)
    ((where, why),) = said(checks)
    assert where == field
    assert permitted in why


def test_parameters_of_a_definition_are_checked_one_by_one() -> None:
    parameters: list[dict[str, Anything]] = [
        {"name": "1st", "kind": 1},
        {"name": "y", "kind": 0},
        {"name": "y", "kind": 2},
        {"name": "z" * 65, "kind": 9},
    ]
    _, checks = kept({"name": "f", "expression": "year > $y", "parameters": parameters})
    assert [where for where, _ in said(checks)] == [
        "filters[0].parameters[0].name",
        "filters[0].parameters[1].kind",
        "filters[0].parameters[2].name",
        "filters[0].parameters[3].name",
        "filters[0].parameters[3].kind",
        "filters[0].parameters[0].name",
        "filters[0].parameters[3].name",
    ]
    many = [{"name": f"p{n}", "kind": 2} for n in range(21)]
    _, checks = kept({"name": "f", "expression": " ".join(f"year > $p{n}" for n in range(20)), "parameters": many})
    assert said(checks) == [("filters[0].parameters", "has 21 entries; at most 20 are allowed")]
    _, checks = kept(*[definition("", f"f{n}") for n in range(101)])
    assert said(checks) == [("filters", "has more than 100 filters")]
    _, checks = kept(definition("", "a"), definition("", "a"))
    assert [where for where, _ in said(checks)] == ["filters[1].name"]


@pytest.mark.parametrize(
    ("expression", "kinds", "why"),
    [
        ("colour = $c", {"c": "text"}, "there is no attribute 'colour'"),
        ("year > $y", {"y": "text"}, "'year' is a number"),
        ("year > $y", {"y": "time"}, "'year' is a number"),
        ("released > $t", {"t": "text"}, "'released' is a time"),
        ("released > $t", {"t": "number"}, "'released' is a time"),
        ("in_colour = $c", {"c": "text"}, "'in_colour' is a flag"),
        ("title = $t", {"t": "number"}, "'title' is a text"),
        ("title > $t", {"t": "texts"}, "compared with several values by >"),
        ("genres = $g", {"g": "text"}, "several texts"),
        ("genres:$g", {"g": "flag"}, "'genres' is a list of texts"),
        ("year = $y", {"y": "texts"}, "'year' is a number"),
        ("actor.age > $a", {"a": "time"}, "attributes of actors are texts"),
        ("actor.likes > $a", {"a": "texts"}, "by >"),
    ],
)
def test_a_parameter_that_does_not_suit_its_attribute_is_found_before_there_are_values(
    expression: str, kinds: dict[str, str], why: str
) -> None:
    templates, checks = kept(definition(expression, **kinds))
    assert not checks.violations
    violations = fit_violations(templates["f"], SCHEMA, "filters[0]")
    assert {violation.field for violation in violations} == {"filters[0]"}
    assert all(why in violation.description for violation in violations)


@pytest.mark.parametrize("kind", sorted(ROLES[Role.VALUE]))
def test_parameters_of_every_kind_suit_some_attribute(kind: ParameterKind) -> None:
    attribute = {"text": "title", "texts": "genres", "number": "year", "flag": "in_colour", "time": "released"}[kind]
    template = Template(Comparison(attribute, Operator.HAS, Parameter("p")), {"p": kind})
    assert fit_violations(template, SCHEMA, "filters[0]") == ()


@pytest.mark.parametrize(
    "filter_",
    [{"expression": "year > $y"}, {"ast": {"comparison": {"field": "year", "operator": 5, "parameter": "y"}}}],
)
def test_only_kept_filters_have_parameters(filter_: dict[str, object]) -> None:
    checks = Checks()
    condition_of(selection_pb2.Filter(**filter_), "filter", checks)  # type: ignore[arg-type]
    ((where, why),) = said(checks)
    assert where == f"filter.{next(iter(filter_))}"
    assert "only filters that a serving config keeps have parameters" in why
