"""Lookbacks of kept filters that the request says: where a duration may stand, and what it may be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_domain.filters import All, Comparison, History, Node, Not, Operator
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import condition_of
from shortlist_gateway.filters.templates import Templates, fit_violations
from shortlist_testing.filter_trees import SCHEMA

from .kept_filters import definition, given_values, kept, said

LONGEST_S = 315_576_000_000


def asked(templates: Templates, *parameters: actor_pb2.Attribute) -> tuple[Node, Checks]:
    checks = Checks()
    named = selection_pb2.NamedFilter(name="f", parameters=parameters)
    return condition_of(selection_pb2.Filter(named=named), "filter", checks, templates).node, checks


@pytest.mark.parametrize(
    ("condition", "kinds", "node"),
    [
        ("seen($w)", {}, History((), 60.0)),
        ('NOT seen("rating", $w)', {}, Not(History(("rating",), 60.0))),
        ('seen("rating", $type, $w)', {"type": "text"}, History(("rating", "click"), 60.0)),
        ({"history": {"event_types": ["rating"], "lookback_parameter": "w"}}, {}, History(("rating",), 60.0)),
        ({"history": {"parameters": ["type"], "lookback_parameter": "w"}}, {"type": "text"}, History(("click",), 60.0)),
        ("seen(click, $w) seen(view, $w)", {}, All((History(("click",), 60.0), History(("view",), 60.0)))),
    ],
)
def test_a_lookback_is_worth_its_value(condition: object, kinds: dict[str, str], node: Node) -> None:
    templates, checks = kept(definition(condition, **{**kinds, "w": "duration"}))
    assert said(checks) == []
    assert fit_violations(templates["f"], SCHEMA, "filters[0]") == ()
    values = {"w": timedelta(minutes=1), **({"type": "click"} if kinds else {})}
    found, checks = asked(templates, *given_values(**values))
    assert said(checks) == []
    assert found == node


def test_by_its_kind_the_last_word_is_a_lookback_or_a_type_of_event() -> None:
    for kind, value, node in (
        ("duration", timedelta(days=30), History(("rating",), 2_592_000.0)),
        ("text", "30d", History(("rating", "30d"))),
        ("texts", ["30d", "view"], History(("rating", "30d", "view"))),
    ):
        templates, checks = kept(definition('seen("rating", $window)', window=kind))
        assert said(checks) == []
        assert asked(templates, *given_values(window=value))[0] == node


PIECES = ['"', "'", "\\", ")", "(", " OR ", " AND ", "id:*", "$w", "$", ",", "30d", "1s", "x"]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
)
SPANS = st.integers(1, LONGEST_S * 1_000_000).map(lambda us: timedelta(microseconds=us))


@settings(max_examples=500, deadline=None)
@given(window=SPANS, types=st.lists(TEXTS, min_size=1, max_size=3), title=TEXTS)
def test_whatever_the_values_beside_it_say_a_lookback_is_what_was_given(
    window: timedelta, types: list[str], title: str
) -> None:
    templates, _ = kept(
        definition('title = $title AND NOT seen("rating", $types, $w)', title="text", types="texts", w="duration")
    )
    node, checks = asked(templates, *given_values(w=window, types=types, title=title))
    assert said(checks) == []
    seconds = window // timedelta(seconds=1) + window.microseconds * 1000 / 1e9
    assert node == All((
        Comparison("title", Operator.EQUAL, title),
        Not(History(("rating", *types), seconds)),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "field", "permitted"),
    [
        (definition("seen($w, click)", w="duration"), "filters[0].expression", "a duration before the end of seen"),
        (definition("seen($w, 30d)", w="duration"), "filters[0].expression", "a duration before the end of seen"),
        (definition("seen($w, $w)", w="duration"), "filters[0].expression", "a duration before the end of seen"),
        (definition("year > $w", w="duration"), "filters[0].expression",
         "names $w for what an attribute is compared with, which is no duration; the parameter is a duration"),
        (definition("actor.age > $w", w="duration"), "filters[0].expression", "which is no duration"),
        (definition("id:($w)", w="duration"), "filters[0].expression", "which is no duration"),
        (definition("seen(click, $w)", w="number"), "filters[0].expression", "a type of event, which is a text"),
        (definition("seen(click, $w)", w="time"), "filters[0].expression", "a type of event, which is a text"),
        (definition("seen(click, $w)", x="duration"), "filters[0].expression", "$w, which is not among"),
        (definition("seen(click)", w="duration"), "filters[0].parameters[0].name", "the condition does not name"),
        (definition({"history": {"parameters": ["w"]}}, w="duration"), "filters[0].ast",
         "names $w for a type of event, which is a text; the parameter is a duration"),
        (definition({"history": {"lookback_parameter": "w"}}, w="text"), "filters[0].ast",
         "names $w for a lookback, which is a duration; the parameter is a text"),
        (definition({"history": {"lookback_parameter": "w", "lookback": "1s"}}, w="duration"),
         "filters[0].ast.history.lookback", "beside `lookback_parameter`"),
        (definition({"history": {"lookback_parameter": "w" * 65}}), "filters[0].ast.history.lookback_parameter",
         "1 to 64"),
        (definition({"history": {"parameters": ["w"], "lookback_parameter": "w"}}, w="duration"), "filters[0].ast",
         "for a type of event"),
    ],
)  # fmt: skip
def test_where_a_duration_may_not_stand_is_named(wrong: dict[str, object], field: str, permitted: str) -> None:
    _, checks = kept(wrong)
    where, why = said(checks)[0]
    assert where == field
    assert permitted in why


@pytest.mark.parametrize(
    "duration",
    [
        Duration(),
        Duration(seconds=-1),
        Duration(seconds=LONGEST_S + 1),
        Duration(seconds=1, nanos=-1),
        Duration(nanos=1_000_000_000),
    ],
)
def test_a_value_is_in_the_range_of_lookbacks(duration: Duration) -> None:
    templates, _ = kept(definition("seen($w)", w="duration"))
    _, checks = asked(templates, actor_pb2.Attribute(name="w", duration=duration))
    ((where, why),) = said(checks)
    assert where == "filter.named.parameters[0].duration"
    assert f"it must be in (0 s, {LONGEST_S} s]" in why
    for span in (Duration(nanos=1), Duration(seconds=LONGEST_S)):
        assert asked(templates, actor_pb2.Attribute(name="w", duration=span))[1].violations == []


@pytest.mark.parametrize("value", ["30d", 30.0, ["30d"], True])
def test_a_value_of_another_kind_is_no_duration(value: object) -> None:
    templates, _ = kept(definition("seen($w) year > $y", w="duration", y="number"))
    _, checks = asked(templates, *given_values(w=value, y=1.0))
    ((where, why),) = said(checks)
    assert where.startswith("filter.named.parameters[0].")
    assert "the parameter 'w' is a duration, in `duration`" in why
    _, checks = asked(templates, *given_values(w=timedelta(1), y=timedelta(1)))
    assert said(checks) == [
        (
            "filter.named.parameters[1].duration",
            "is a duration; the parameter 'y' is a finite number, in `number`",
        )
    ]
    _, checks = asked(templates, *given_values(y=1.0))
    assert said(checks)[0][1].startswith("lacks 'w', a duration; filter 'f' needs: w (a duration), y (a finite number)")


@pytest.mark.parametrize("filter_", [{"expression": "seen($w)"}, {"ast": {"history": {"lookback_parameter": "w"}}}])
def test_only_kept_filters_have_lookbacks_of_later(filter_: dict[str, object]) -> None:
    checks = Checks()
    condition_of(selection_pb2.Filter(**filter_), "filter", checks)  # type: ignore[arg-type]
    ((where, why),) = said(checks)
    assert where == f"filter.{next(iter(filter_))}"
    assert "only filters that a serving config keeps have parameters" in why
