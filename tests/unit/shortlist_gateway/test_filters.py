"""Filters by themselves: predicates, the wire, and what is wrong with them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_bundle.store import BundleStore
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_domain.filters import EVERYTHING, Any, History, Node, Not, Operator, bound, canonical
from shortlist_domain.stages import ActorFeatures
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import Condition, bound_condition, condition_of
from shortlist_gateway.filters.predicate import passing, predicate
from shortlist_gateway.filters.resolve import resolved
from shortlist_rpc.filter_message import node_message, node_of
from shortlist_testing.filter_trees import ITEMS, SCHEMA, trees, truth
from shortlist_testing.tiny_bundle import tiny_bundle

from .world import NOW_S, N


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("store")
    release = tiny_bundle(folder)
    return Catalogue(BundleStore(folder).open(release))


def bound_form(node: Node) -> Node:
    violations: list[Violation] = []
    form = canonical(bound(node, SCHEMA, "{}".format, violations), SCHEMA)
    assert violations == []
    return form


@settings(max_examples=400, deadline=None)
@given(node=trees())
def test_a_predicate_lets_pass_what_the_tree_is_true_of(catalogue: Catalogue, node: Node) -> None:
    form = bound_form(node)
    passes = predicate(form, catalogue)
    assert [passes(row) for row in range(N)] == [truth(node, item) is True for item in ITEMS]
    some = range(0, N, 2)
    assert passing(form, catalogue, some) == {row for row in some if passes(row)}, "many at a time as one by one"


NAMES = ("year", "genres", "id", "title", "released", "in_colour", "tags", "colour", "actor.age", "actor.likes")
VALUES = ("1990", "1e999", "nan", "true", '"Comedy"', '"2024-01-31"', "2024-01-31T00:00:00Z", "0001-01-01", "30d", "x",
          "9999-12-31T23:59:59.999999-12:00", '("a", b)', '("a" AND 1)', "*", '""', "'\\\\'")  # fmt: skip
PARTS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([*Operator]), st.sampled_from(VALUES)).map("".join),
    st.sampled_from(["seen()", "seen(rating, 30d)", "seen(impression)", "(", ")", "year", "="]),
)
EXPRESSIONS = st.lists(st.tuples(st.sampled_from(["", "NOT ", "-"]), PARTS).map("".join), max_size=4).flatmap(
    lambda parts: st.sampled_from([" ", " AND ", " OR "]).map(lambda joint: joint.join(parts))
)
ACTOR = KnownActor(ActorFeatures(NOW_S, {"age": "25"}, chosen={"likes": ("x",)}), frozenset({3}), ())


@settings(max_examples=1500, deadline=None)
@given(expression=EXPRESSIONS)
def test_any_expression_is_a_predicate_or_refused_in_words(catalogue: Catalogue, expression: str) -> None:
    checks = Checks()
    condition = condition_of(selection_pb2.Filter(expression=expression), "filter", checks)
    try:
        checks.done()
        node = bound_condition(condition, catalogue.attributes.schema)
    except InvalidRequest as error:
        assert {v.field for v in error.violations} == {"filter.expression"}  # noqa: PT017 - one of two good ends
        return
    assert node is not None
    passes = predicate(resolved(node, ACTOR, catalogue).node, catalogue)
    assert {passes(row) for row in range(N)} <= {True, False}


@settings(max_examples=200, deadline=None)
@given(trees())
def test_a_tree_survives_the_wire(node: Node) -> None:
    form = bound_form(node)
    violations: list[Violation] = []
    if form.nodes if isinstance(form, Any) else form != EVERYTHING:
        assert node_of(node_message(form), "filter.ast", violations) == form
        assert violations == []


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (selection_pb2.Filter(), "filter"),
        (selection_pb2.Filter(named=selection_pb2.NamedFilter(name="a")), "filter.named.name"),
        (selection_pb2.Filter(expression="a ="), "filter.expression"),
        (selection_pb2.Filter(on_empty=9, expression=""), "filter.on_empty"),  # type: ignore[arg-type]
        (selection_pb2.Filter(ast=selection_pb2.FilterNode()), "filter.ast"),
        (selection_pb2.Filter(ast={"all": {}}), "filter.ast.all.nodes"),
        (selection_pb2.Filter(ast={"any": {"nodes": [{}]}}), "filter.ast.any.nodes[0]"),
        (selection_pb2.Filter(ast={"negation": {}}), "filter.ast.negation"),
        (selection_pb2.Filter(ast={"comparison": {"operator": 1, "text": "a"}}), "filter.ast.comparison.field"),
        (selection_pb2.Filter(ast={"comparison": {"field": "a", "text": "a"}}), "filter.ast.comparison.operator"),
        (selection_pb2.Filter(ast={"comparison": {"field": "a", "operator": 1}}), "filter.ast.comparison.value"),
        (
            selection_pb2.Filter(ast={"comparison": {"field": "a", "operator": 8, "flag": True}}),
            "filter.ast.comparison.flag",
        ),
        (
            selection_pb2.Filter(ast={"comparison": {"field": "a", "operator": 1, "number": float("nan")}}),
            "filter.ast.comparison.number",
        ),
        (
            selection_pb2.Filter(ast={"comparison": {"field": "a", "operator": 1, "texts": {}}}),
            "filter.ast.comparison.texts",
        ),
        (
            selection_pb2.Filter(ast={"comparison": {"field": "a", "operator": 1, "text": "a" * 1025}}),
            "filter.ast.comparison.text",
        ),
        (
            selection_pb2.Filter(ast={"comparison": {"field": "a", "operator": 1, "time": {"nanos": -1}}}),
            "filter.ast.comparison.time",
        ),
        (selection_pb2.Filter(ast={"history": {"event_types": ["a", ""]}}), "filter.ast.history.event_types[1]"),
        (selection_pb2.Filter(ast={"history": {"event_types": ["a"] * 101}}), "filter.ast.history.event_types"),
        (selection_pb2.Filter(ast={"history": {"lookback": {}}}), "filter.ast.history.lookback"),
    ],
)
def test_what_is_wrong_with_a_filter_is_named_by_its_path(message: selection_pb2.Filter, field: str) -> None:
    checks = Checks()
    condition_of(message, "filter", checks)
    assert [v.field for v in checks.violations] == [field]


@pytest.mark.parametrize(
    ("number", "text"), [(25.0, "25"), (-3.5, "-3.5"), (1234567.0, "1234567"), (0.1, "0.1"), (1e300, "1e+300")]
)
def test_a_number_of_an_actor_is_kept_to_its_last_digit(number: float, text: str) -> None:
    found, _ = Checks().attributes("a", [actor_pb2.Attribute(name="n", number=number)], 1)
    assert found == {"n": text}


def test_an_expression_and_its_tree_are_the_same_filter() -> None:
    checks = Checks()
    written = condition_of(
        selection_pb2.Filter(expression='NOT genres:"Comedy" AND seen(rating, 60s)'), "filter", checks
    )
    nodes = [
        {"negation": {"comparison": {"field": "genres", "operator": 7, "text": "Comedy"}}},
        {"history": {"event_types": ["rating"], "lookback": {"seconds": 60}}},
    ]
    built = condition_of(selection_pb2.Filter(ast={"all": {"nodes": nodes}}), "filter", checks)
    assert written.node == built.node
    assert isinstance(built, Condition)
    assert Not(History()) != written.node


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        ('genres:"Comedy" AND colour = "red"', 21),
        ("year >= 1990 OR NOT (year = old)", 22),
        ('  "no such" = 1', 3),
        ("genres = Comedy", 1),
        ("year > 1 id > a", 10),
        ("year > 1 (in_colour:(true OR 7))", 11),
    ],
)
def test_what_does_not_suit_the_attributes_is_pointed_at(expression: str, at: int) -> None:
    condition = condition_of(selection_pb2.Filter(expression=expression), "filter", Checks())
    with pytest.raises(InvalidRequest) as caught:
        bound_condition(condition, SCHEMA)
    ((field, said),) = [(v.field, v.description) for v in caught.value.violations]
    assert field == "filter.expression"
    assert said.endswith(f"(at character {at})")
