"""Filters that configs keep: what values must be, and that values stay values."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_domain.errors import InvalidRequest
from shortlist_domain.filters import (
    ID,
    All,
    Any,
    Comparison,
    History,
    Moment,
    Node,
    Not,
    Operator,
    Parameter,
    canonical,
)
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import Condition, bound_condition, condition_of, moved
from shortlist_gateway.filters.templates import Templates, fit_violations
from shortlist_testing.filter_trees import ITEMS, SCHEMA, truth

from .kept_filters import definition, given_values, kept, said

IDS = [item[ID] for item in ITEMS]


def asked(
    templates: Templates, parameters: Sequence[actor_pb2.Attribute] = (), name: str = "f", **fields: object
) -> tuple[Condition, Checks]:
    checks = Checks()
    named = selection_pb2.NamedFilter(name=name, parameters=parameters)
    condition = condition_of(selection_pb2.Filter(named=named, **fields), "filter", checks, templates)  # type: ignore[arg-type]
    return condition, checks


def passing(condition: Condition) -> list[str]:
    node = bound_condition(condition, SCHEMA)
    assert node is not None
    return [item[ID] for item in ITEMS if truth(node, item) is True]


@pytest.mark.parametrize(
    ("expression", "kinds", "values", "literal"),
    [
        ("year >= $since", {"since": "number"}, {"since": 1990.0}, "year >= 1990"),
        ("in_colour = $is", {"is": "flag"}, {"is": False}, "in_colour = false"),
        ("title > $t", {"t": "text"}, {"t": "Film 5"}, 'title > "Film 5"'),
        ("genres:$liked", {"liked": "texts"}, {"liked": ["Comedy", "Drama"]}, 'genres:("Comedy", "Drama")'),
        ("NOT genres:$liked", {"liked": "texts"}, {"liked": ["Comedy"]}, 'NOT genres:"Comedy"'),
        ('id:("item-000", $one, $more)', {"one": "text", "more": "texts"}, {"one": IDS[1], "more": IDS[4:6]},
         f'id:("item-000", "{IDS[1]}", "{IDS[4]}", "{IDS[5]}")'),
        ('tags:($a AND "t2")', {"a": "text"}, {"a": "t1"}, 'tags:("t1" AND "t2")'),
        ("released < $then OR year = $year", {"then": "time", "year": "number"},
         {"then": Moment(1_696_118_400.0), "year": 1999.0}, "released < 2023-10-01T00:00:00Z OR year = 1999"),
    ],
)  # fmt: skip
def test_a_parameter_is_worth_its_value(
    expression: str, kinds: dict[str, str], values: dict[str, object], literal: str
) -> None:
    templates, checks = kept(definition(expression, **kinds))
    assert not checks.violations
    condition, checks = asked(templates, given_values(**values))
    assert not checks.violations
    plain = condition_of(selection_pb2.Filter(expression=literal), "filter", checks)
    assert bound_condition(condition, SCHEMA) == bound_condition(plain, SCHEMA)
    assert passing(condition)


def test_a_tree_has_parameters_too() -> None:
    tree = {"all": {"nodes": [
        {"comparison": {"field": "year", "operator": "COMPARISON_OPERATOR_GREATER", "parameter": "since"}},
        {"negation": {"comparison": {"field": "genres", "operator": "COMPARISON_OPERATOR_HAS", "parameter": "not"}}},
    ]}}  # fmt: skip
    by_tree, checks = kept(definition(tree, **{"since": "number", "not": "texts"}))
    assert not checks.violations
    by_text, checks = kept(definition("year > $since AND NOT genres:$not", **{"since": "number", "not": "texts"}))
    assert by_tree == by_text
    condition, checks = asked(by_tree, given_values(**{"since": 1990.0, "not": ["Comedy"]}))
    assert not checks.violations
    assert passing(condition) == [
        item[ID] for item in ITEMS if (item["year"] or 0) > 1990 and "Comedy" not in item["genres"]
    ]


QUOTES = st.lists(
    st.sampled_from(['"', "'", "\\", ")", "(", " OR ", " AND ", "NOT ", "id:*", "year > 0", "$t", "$", ":", "x", ","]),
    max_size=8,
).map("".join)
TEXTS = st.one_of(QUOTES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.sampled_from(IDS))


@settings(max_examples=500, deadline=None)
@given(text=TEXTS, more=st.lists(TEXTS, min_size=1, max_size=3))
def test_whatever_a_value_says_it_is_a_value(text: str, more: list[str]) -> None:
    templates, _ = kept(definition("(title = $t OR id = $t) AND NOT id:$more", t="text", more="texts"))
    condition, checks = asked(templates, given_values(t=text, more=more))
    assert not checks.violations
    form = All((
        Any((Comparison("title", Operator.EQUAL, text), Comparison(ID, Operator.EQUAL, text))),
        _not_one_of(more),
    ))  # fmt: skip
    assert bound_condition(condition, SCHEMA) == canonical(form, SCHEMA)
    assert passing(condition) == [
        item[ID] for item in ITEMS if text in (item["title"], item[ID]) and item[ID] not in more
    ]


def _not_one_of(texts: list[str]) -> Node:
    return Not(Comparison(ID, Operator.HAS, tuple(texts)))


@settings(max_examples=200, deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False), moment=st.integers(-(10**9), 10**10))
def test_numbers_and_times_are_what_was_given_to_the_last_digit(number: float, moment: int) -> None:
    templates, _ = kept(definition("year < $n released > $m", n="number", m="time"))
    condition, checks = asked(templates, given_values(n=number, m=Moment(float(moment))))
    assert not checks.violations
    assert condition.node == All((
        Comparison("year", Operator.LESS, number),
        Comparison("released", Operator.GREATER, Moment(float(moment))),
    ))  # fmt: skip


def test_a_named_filter_and_one_of_the_request_both_hold() -> None:
    templates, _ = kept(definition("year >= $since", since="number"))
    alone, _ = asked(templates, given_values(since=1990.0))
    for fields in (
        {"expression": 'genres:"Comedy"'},
        {"ast": {"comparison": {"field": "genres", "operator": 7, "text": "Comedy"}}},
    ):
        both, checks = asked(templates, given_values(since=1990.0), **fields)
        assert not checks.violations
        comedies = {item[ID] for item in ITEMS if "Comedy" in item["genres"]}
        assert set(passing(both)) == set(passing(alone)) & comedies
    nothing, _ = asked(templates, given_values(since=1990.0), expression="year < 1990")
    assert passing(nothing) == []
    everything, _ = asked(templates, given_values(since=1990.0), expression="")
    assert passing(everything) == passing(alone), "the request narrows, and never widens"


@pytest.mark.parametrize(
    "condition",
    [
        'NOT seen("rating", $type, $types, 30d)',
        {"negation": {"history": {"event_types": ["rating"], "parameters": ["type", "types"], "lookback": "2592000s"}}},
    ],
)
def test_types_of_event_are_parameters_too(condition: object) -> None:
    templates, checks = kept(definition(condition, type="text", types="texts"))
    assert not checks.violations
    assert fit_violations(templates["f"], SCHEMA, "filters[0]") == ()
    found, checks = asked(templates, given_values(type="click", types=["impression", '") OR x']))
    assert not checks.violations
    assert found.node == Not(History(("rating", "click", "impression", '") OR x'), 2_592_000.0))
    assert found.needs_impressions
    for values, field in (
        ({"type": "", "types": ["a"]}, "filter.named.parameters[0]"),
        ({"type": "a", "types": ["a", ""]}, "filter.named.parameters[1]"),
    ):
        _, checks = asked(templates, given_values(**values))
        assert said(checks) == [(field, f"has an empty text; {said(checks)[0][1].split('; ')[1]}")]
    _, checks = asked(templates, given_values(type="a", types=["a"] * 99))
    assert said(checks)[0] == (
        "filter.named.parameters",
        "names 101 types of event at one place; at most 100 are allowed",
    )


def test_what_holds_of_a_part_holds_of_both() -> None:
    templates, _ = kept(definition('NOT seen("impression", 1d) AND year > $y', y="number"))
    values = given_values(y=0.0)
    relax = selection_pb2.EMPTY_POLICY_RELAX_FILTER
    alone, _ = asked(templates, values, on_empty=relax)
    both, _ = asked(templates, values, on_empty=relax, expression="year > 1990")
    for condition in (alone, both):
        assert condition.is_relaxed
        assert condition.needs_impressions
    outer = moved(both, "request")
    assert outer is not None
    assert outer.named is not None
    assert (outer.path, outer.named.path) == ("request.filter.expression", "request.filter.named")


def test_a_filter_that_does_not_suit_the_bundle_any_more_is_named_where_it_was_asked_for() -> None:
    templates, _ = kept(definition("colour = $c", c="text"))
    condition, checks = asked(templates, given_values(c="red"), expression="year > 1990")
    assert not checks.violations
    with pytest.raises(InvalidRequest) as caught:
        bound_condition(condition, SCHEMA)
    assert [violation.field for violation in caught.value.violations] == ["filter.named"]
    assert "no attribute 'colour'" in caught.value.violations[0].description


FILTERS, _ = kept(
    definition("year >= $since AND genres:$liked", "recent", since="number", liked="texts"),
    definition("in_colour = $colour AND released > $after AND title = $title", "plain",
               colour="flag", after="time", title="text"),
    definition("year > 1990", "fixed"),
)  # fmt: skip
RECENT = {"since": 1990.0, "liked": ["Comedy"]}
PLAIN = {"colour": True, "after": Moment(0.0), "title": "a"}


@pytest.mark.parametrize(
    ("name", "values", "field", "permitted"),
    [
        ("", {}, "filter.named.name", "is required; it keeps fixed, plain, recent"),
        ("Recent", {}, "filter.named.name", "'Recent', which is no filter of the serving config; it keeps fixed"),
        ("recent", {"since": 1.0}, "filter.named.parameters", "lacks 'liked', 1 to 1000 texts"),
        ("fixed", {"since": 1.0}, "filter.named.parameters[0].name", "its parameters are: none"),
        ("recent", {**RECENT, "x": 1.0}, "filter.named.parameters[2].name",
         "'x', which filter 'recent' does not have; its parameters are: since (a finite number), liked (1 to"),
        ("recent", {**RECENT, "since": "1990"}, "filter.named.parameters[0].text", "is a finite number, in `number`"),
        ("recent", {**RECENT, "since": float("nan")}, "filter.named.parameters[0].number", "must be a finite number"),
        ("recent", {**RECENT, "liked": "Comedy"}, "filter.named.parameters[1].text", "is 1 to 1000 texts, in `texts`"),
        ("recent", {**RECENT, "liked": []}, "filter.named.parameters[1].texts.values", "1 to 1000 are allowed"),
        ("recent", {**RECENT, "liked": ["a"] * 1001}, "filter.named.parameters[1].texts.values", "1 to 1000"),
        ("recent", {**RECENT, "liked": ["a", "b" * 1025]}, "filter.named.parameters[1].texts.values[1]", "at most"),
        ("plain", {**PLAIN, "colour": 1.0}, "filter.named.parameters[0].number", "is a flag, in `flag`"),
        ("plain", {**PLAIN, "after": "2024-01-31"}, "filter.named.parameters[1].text", "is a time, in `time`"),
        ("plain", {**PLAIN, "title": True}, "filter.named.parameters[2].flag", "is a text, in `text`"),
        ("plain", {**PLAIN, "title": "b" * 1025}, "filter.named.parameters[2].text", "at most 1024"),
        ("plain", {**PLAIN, "title": ["a"]}, "filter.named.parameters[2].texts", "is a text, in `text`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_value_is_named_with_what_is_permitted(
    name: str, values: dict[str, object], field: str, permitted: str
) -> None:
    _, checks = asked(FILTERS, given_values(**values), name)
    ((where, why),) = said(checks)
    assert where == field
    assert permitted in why


def test_values_that_are_no_values_are_refused() -> None:
    twice = [*given_values(**RECENT), *given_values(since=1991.0)]
    assert said(asked(FILTERS, twice, "recent")[1])[0][0] == "filter.named.parameters[2].name"
    nothing = [actor_pb2.Attribute(name="since"), *given_values(liked=["a"])]
    assert said(asked(FILTERS, nothing, "recent")[1])[0][0] == "filter.named.parameters[0].value"
    no_time = given_values(**PLAIN)
    no_time[1].time.seconds = 10**15
    assert said(asked(FILTERS, no_time, "plain")[1])[0][0] == "filter.named.parameters[1].time"
    many = [actor_pb2.Attribute(name="x")] * 10_000
    assert len(asked(FILTERS, many, "recent")[1].violations) < 30


def test_limits_hold_with_the_values_in_place() -> None:
    templates, checks = kept(definition("id:($a, $b)", a="texts", b="texts"))
    assert not checks.violations
    _, checks = asked(templates, given_values(a=["x"] * 600, b=["y"] * 400))
    assert not checks.violations
    _, checks = asked(templates, given_values(a=["x"] * 600, b=["y"] * 401))
    assert said(checks) == [("filter.named.parameters", "compares 'id' with 1001 texts; at most 1000 are allowed")]


def test_the_tree_is_the_one_that_was_read_with_the_config() -> None:
    """Nothing is parsed again: the nodes without parameters are the very same."""
    templates, _ = kept(definition("year > $y AND seen(rating)", y="number"))
    first, _ = asked(templates, given_values(y=1.0))
    second, _ = asked(templates, given_values(y=2.0))
    assert isinstance(first.node, All)
    assert isinstance(second.node, All)
    assert first.node.nodes[1] is second.node.nodes[1]
    assert templates["f"].node == All((Comparison("year", Operator.GREATER, Parameter("y")), first.node.nodes[1]))
