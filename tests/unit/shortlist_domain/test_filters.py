"""Filter trees: limits, what suits an attribute, and one form for what means the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from shortlist_domain.errors import Violation
from shortlist_domain.filters import (
    EVERYTHING,
    NOTHING,
    All,
    Any,
    AttributeKind,
    Comparison,
    History,
    Moment,
    Node,
    Not,
    Operator,
    Value,
    Word,
    bound,
    canonical,
    limit_violation,
)
from shortlist_testing.filter_trees import ITEMS, SCHEMA, trees, truth

YEAR = Comparison("year", Operator.GREATER, 1990.0)
COMEDY = Comparison("genres", Operator.HAS, "Comedy")
SEEN = History(("rating",), 60.0)


def tied(node: Node) -> tuple[Node, list[Violation]]:
    violations: list[Violation] = []
    return bound(node, SCHEMA, "filter.ast.{}".format, violations), violations


@settings(max_examples=400, deadline=None)
@given(trees())
def test_the_canonical_form_lets_the_same_items_pass(node: Node) -> None:
    form = canonical(tied(node)[0], SCHEMA)
    assert [truth(form, item) is True for item in ITEMS] == [truth(node, item) is True for item in ITEMS]
    assert canonical(form, SCHEMA) == form, "it is a fixed point"


def test_order_repeats_nesting_and_double_negation_make_no_difference() -> None:
    one = canonical(All((YEAR, All((COMEDY, YEAR)))), SCHEMA)
    assert one == canonical(All((COMEDY, Not(Not(YEAR)))), SCHEMA)
    assert hash(one) == hash(canonical(All((COMEDY, YEAR)), SCHEMA))
    assert canonical(Any((YEAR,)), SCHEMA) == YEAR
    texts = canonical(Comparison("language", Operator.HAS, ("en", "de", "en")), SCHEMA)
    assert texts == Comparison("language", Operator.EQUAL, ("de", "en"))


def test_negations_end_at_the_leaves() -> None:
    node = Not(Any((YEAR, Not(COMEDY), SEEN)))
    below = Comparison("year", Operator.LESS_OR_EQUAL, 1990.0)
    assert canonical(node, SCHEMA) == canonical(All((below, COMEDY, Not(SEEN))), SCHEMA)


def test_what_nothing_and_everything_passes_swallows_or_vanishes() -> None:
    assert canonical(All((YEAR, NOTHING)), SCHEMA) == NOTHING
    assert canonical(Any((YEAR, EVERYTHING)), SCHEMA) == EVERYTHING
    assert canonical(All((YEAR, EVERYTHING)), SCHEMA) == YEAR
    assert canonical(Not(EVERYTHING), SCHEMA) == NOTHING


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("year", "1990", 1990.0),
        ("year", "-1e3", -1000.0),
        ("language", "1990", "1990"),
        ("genres", "true", "true"),
        ("in_colour", "false", False),
        ("released", "1970-01-02", Moment(86_400.0)),
        ("released", "1970-01-01T02:00:00.5+01:00", Moment(3600.5)),
        ("released", "1970-01-01T00:00:01Z", Moment(1.0)),
    ],
)
def test_an_unquoted_word_is_of_its_attributes_kind(name: str, word: str, value: Value) -> None:
    node, violations = tied(Comparison(name, Operator.HAS, Word(word)))
    assert violations == []
    assert node == Comparison(name, Operator.HAS, value)


def test_a_quoted_time_is_read_as_one() -> None:
    node, violations = tied(Comparison("released", Operator.LESS, "1970-01-01T00:00:01Z"))
    assert (node, violations) == (Comparison("released", Operator.LESS, Moment(1.0)), [])


@pytest.mark.parametrize(
    ("node", "field", "said"),
    [
        (
            Comparison("colour", Operator.EQUAL, "red"),
            "field",
            "no attribute 'colour' to filter by; there are id, genres",
        ),
        (Comparison("year", Operator.EQUAL, "abc"), "text", "'year' is a number: it is compared with a number"),
        (Comparison("year", Operator.EQUAL, Word("abc")), "text", "not with Word"),
        (Comparison("year", Operator.EQUAL, Word("1_000")), "text", "number"),
        (Comparison("year", Operator.EQUAL, Word("nan")), "text", "number"),
        (Comparison("year", Operator.EQUAL, True), "flag", "as in 1990, not with true"),
        (Comparison("year", Operator.LESS, Moment(1.0)), "time", "as in 1990, not with a time"),
        (Comparison("genres", Operator.HAS, 3.0), "number", "'genres' is a list of texts"),
        (Comparison("genres", Operator.GREATER, Word("3")), "operator", "'genres' has several texts"),
        (Comparison("genres", Operator.NOT_EQUAL, "Comedy"), "operator", 'NOT genres:"..."'),
        (Comparison("in_colour", Operator.LESS, Word("true")), "operator", "has no order"),
        (Comparison("in_colour", Operator.EQUAL, Word("yes")), "text", "true or false"),
        (Comparison("id", Operator.LESS, "7"), "operator", "'id' has no order"),
        (Comparison("language", Operator.LESS, ("a", "b")), "operator", "several values"),
        (Comparison("released", Operator.LESS, Word("2024-01-31T12:00:00")), "text", "a time with its offset"),
        (Comparison("released", Operator.LESS, Word("2024-02-31")), "text", "a time"),
        (Comparison("actor.age", Operator.LESS, Moment(1.0)), "time", "attributes of actors are texts"),
        (Comparison("actor.age", Operator.NOT_EQUAL, ("a", "b")), "texts", "several texts"),
    ],
)
def test_what_does_not_suit_an_attribute_names_it_and_what_was_expected(
    node: Comparison, field: str, said: str
) -> None:
    _, violations = tied(All((YEAR, Not(node))))
    assert [v.field for v in violations] == [f"filter.ast.all.nodes[1].negation.comparison.{field}"]
    assert said.replace("Word", "") in violations[0].description


def test_everything_wrong_is_told_at_once() -> None:
    node = Any((Comparison("a", Operator.EQUAL, "x"), YEAR, Comparison("b", Operator.EQUAL, "x")))
    assert [v.field for v in tied(node)[1]] == [f"filter.ast.any.nodes[{n}].comparison.field" for n in (0, 2)]


def test_a_bundle_without_attributes_says_so() -> None:
    violations: list[Violation] = []
    bound(YEAR, {}, "{}".format, violations)
    assert "made without item attributes" in violations[0].description


def test_a_list_of_numbers_means_one_of_them() -> None:
    node, violations = tied(Comparison("year", Operator.EQUAL, (Word("1990"), Word("1991"))))
    assert violations == []
    assert node == Any((Comparison("year", Operator.EQUAL, 1990.0), Comparison("year", Operator.EQUAL, 1991.0)))


def nested(depth: int) -> Node:
    node: Node = YEAR
    for _ in range(depth - 1):
        node = Not(node)
    return node


@pytest.mark.parametrize(
    ("within", "beyond", "said"),
    [
        (nested(16), nested(17), "deeper than 16"),
        (All((YEAR,) * 100), All((YEAR,) * 101), "joins 101"),
        (All((Any((YEAR,) * 100),) * 9), All((Any((YEAR,) * 100),) * 10), "more than 1000"),
        (Comparison("id", Operator.HAS, ("a",) * 1000), Comparison("id", Operator.HAS, ("a",) * 1001), "1001 texts"),
    ],
    ids=["depth", "children", "nodes", "texts"],
)
def test_limits_are_exact(within: Node, beyond: Node, said: str) -> None:
    assert limit_violation(within) is None
    assert said in (limit_violation(beyond) or "")


def test_a_very_deep_tree_is_refused_and_not_fallen_over() -> None:
    assert limit_violation(nested(100_000)) is not None


def test_kinds_are_named_as_messages_name_them() -> None:
    assert {kind.value for kind in AttributeKind} == {"text", "texts", "number", "flag", "time"}
