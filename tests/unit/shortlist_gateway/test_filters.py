"""What a filter makes of an answer: what the gateway resolves, what retrieval is asked, and what failures become."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist_bundle import layout
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, UpstreamFailed, Violation
from shortlist_domain.filters import EVERYTHING, ID, Any, Comparison, History, Node, Not, Operator, bound, canonical
from shortlist_domain.stages import IMPRESSION, ActorFeatures, ActorKey, Event
from shortlist_gateway.actor import KnownActor
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.catalogue import Catalogue
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import Condition, bound_condition, condition_of
from shortlist_gateway.filters.predicate import passing, predicate
from shortlist_gateway.filters.resolve import resolved
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.query import Cause, Level, Query, Slate
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.slate.rules import Pin, Rules
from shortlist_rpc.filter_message import node_message, node_of
from shortlist_testing.fakes import FakeFeatures, FakeRanking, FakeRetrieval
from shortlist_testing.filter_trees import ITEMS, SCHEMA, trees, truth
from shortlist_testing.running import own_metrics
from shortlist_testing.tiny_bundle import publish, tiny_bundle, tiny_files

N = 60
ALICE = ActorKey("", "u/alice")
NOW_S = 1_700_000_000.0
DAY_S = 86_400.0
COMEDIES = {row for row, item in enumerate(ITEMS) if item["genres"] == ["Comedy"]}


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


class World:
    """A pipeline over fakes and a real bundle. Ranking prefers high rows, retrieval low ones and no filter."""

    def __init__(self, store: Path, bundle_id: str) -> None:
        self.features = FakeFeatures()
        self.retrieval = FakeRetrieval(range(N), (bundle_id,))
        self.ranking = FakeRanking(lambda row: row / N, (bundle_id,))
        self.bundles = ActiveBundle(BundleStore(store), self.retrieval, self.ranking, own_metrics(), 1.0)
        settings = GatewaySettings(bundle_store=store)
        self.pipeline = Pipeline(self.features, self.retrieval, self.ranking, self.bundles, settings)

    def item(self, row: int) -> str:
        return self.bundles.pinned().item_id(row)

    async def ask(self, expression: str, *, is_relaxed: bool = False, **changes: object) -> Slate:
        policy = selection_pb2.EMPTY_POLICY_RELAX_FILTER if is_relaxed else selection_pb2.EMPTY_POLICY_UNSPECIFIED
        checks = Checks()
        condition = condition_of(selection_pb2.Filter(expression=expression, on_empty=policy), "filter", checks)
        checks.done()
        fields: dict[str, object] = {"request_id": "r", "now_s": NOW_S, "actor": ALICE, "slate_size": 60}
        query = Query(**{**fields, "filter": condition, **changes})  # type: ignore[arg-type]
        run = self.pipeline.similar if query.item_ids else self.pipeline.recommend
        return await run(query, Deadline.after(1.0))


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path, tiny_bundle(tmp_path, n_items=N).bundle_id)
    await world.bundles.refresh()
    return world


def rows(slate: Slate) -> set[int]:
    return {shown.row for shown in slate.results if shown.row is not None}


async def test_conditions_on_items_go_to_retrieval_in_canonical_form(world: World) -> None:
    await world.ask('year >= 1990 genres:"Comedy"')
    await world.ask('genres:Comedy AND NOT year < 1990 AND genres:"Comedy"')
    one, other = (request.filter for request in world.retrieval.requests)
    assert one == other
    assert world.retrieval.requests[0].allow_rows is None


async def test_without_a_filter_retrieval_is_asked_for_none(world: World) -> None:
    await world.pipeline.recommend(Query("r", NOW_S, ALICE, 3), Deadline.after(1.0))
    await world.ask("")
    assert [request.filter for request in world.retrieval.requests] == [None, None]


async def test_what_the_actor_did_becomes_rows_by_type_and_age(world: World) -> None:
    events = [("rating", 40 * DAY_S), ("click", 3 * DAY_S), ("rating", 2 * DAY_S), ("click", 1.0)]
    world.features.events[ALICE] = [
        Event(world.item(n), 4.0, NOW_S - ago, kind) for n, (kind, ago) in enumerate(events)
    ]
    seen = {
        'seen("rating")': {0, 2},
        "seen(30d)": {1, 2, 3},
        'seen("rating", 30d)': {2},
        "seen(rating, click, 86400s)": {3},
        "seen()": {0, 1, 2, 3},
        "seen(purchase)": set(),
    }
    for expression, expected in seen.items():
        world.retrieval.requests.clear()
        slate = await world.ask(expression, is_seen_excluded=False)
        assert rows(slate) == expected, expression
        assert world.retrieval.requests[0].filter is None
        slate = await world.ask(f"NOT {expression}", is_seen_excluded=False)
        assert rows(slate) == set(range(N)) - expected, expression


async def test_what_was_shown_is_asked_for_by_its_type_and_is_no_part_of_everything(world: World) -> None:
    events = [Event(world.item(3), 1.0, NOW_S - 9, IMPRESSION), Event(world.item(4), 1.0, NOW_S - 8)]
    world.features.events[ALICE] = events
    shown = await world.ask("seen(impression)", is_seen_excluded=False)
    assert rows(shown) == {3}
    assert world.retrieval.requests[0].actor.history_rows.tolist() == [4]
    either = await world.ask('title = "none" OR seen() OR seen(impression, 9s)', is_seen_excluded=False)
    assert either.passes is not None
    assert set(filter(either.passes, range(N))) == {3, 4}


async def test_a_pin_that_does_not_pass_is_left_out_and_the_answer_says_so(world: World) -> None:
    pins = (Pin(world.item(1), 0), Pin(world.item(4), 1))
    slate = await world.ask('genres:"Comedy"', rules=Rules(pins=pins), slate_size=3)
    assert world.item(1) not in [shown.item_id for shown in slate.results]
    assert world.item(4) in [shown.item_id for shown in slate.results]
    assert any("does not pass the filter" in warning for warning in slate.warnings)


async def test_inline_events_are_seen_too(world: World) -> None:
    slate = await world.ask("seen(click)", events=(Event(world.item(7), 1.0, NOW_S, "click"),), is_seen_excluded=False)
    assert rows(slate) == {7}


async def test_a_history_among_alternatives_becomes_ids(world: World) -> None:
    world.features.events[ALICE] = [Event(world.item(5), 4.0, NOW_S)]
    await world.ask('genres:"Comedy" OR seen()', is_seen_excluded=False)
    condition = world.retrieval.requests[0].filter
    assert condition == canonical(
        Any((Comparison("genres", Operator.HAS, "Comedy"), Comparison(ID, Operator.EQUAL, world.item(5)))), SCHEMA
    )
    await world.ask('genres:"Comedy" OR NOT seen(click)', is_seen_excluded=False)
    assert world.retrieval.requests[1].filter is None, "it is true of everything"


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('actor.age = "25"', True),
        ("actor.age = 25", True),
        ("actor.age = 25.0", True),
        ('actor.age = "25.0"', False),
        ("actor.age >= 18", True),
        ("actor.age < 18", False),
        ("NOT actor.age < 18", True),
        ("actor.age != 25", False),
        ("actor.age:(18, 25)", True),
        ("actor.gender = F", True),
        ("actor.gender > 3", False),
        ("NOT actor.gender > 3", False),
        ("actor.city = Rome", False),
        ("actor.city != Rome", False),
        ("NOT actor.city = Rome", False),
        ("actor.city:*", False),
        ("NOT actor.city:*", True),
        ("actor.age:*", True),
        ("actor.member = true", True),
        ("actor.likes:Jazz", True),
        ("actor.likes:Rock", False),
        ("NOT actor.likes:Rock", True),
        ("actor.likes = Jazz", False),
    ],
)
async def test_the_actors_attributes_are_constants_and_missing_ones_pass_nothing(
    world: World, expression: str, holds: bool
) -> None:
    world.features.attributes[ALICE] = {"age": "18", "gender": "F"}
    inline = {"age": "25", "member": "true"}
    slate = await world.ask(expression, attributes=inline, chosen={"likes": ("Jazz", "Soul")}, slate_size=3)
    assert bool(slate.results) is holds
    assert (Cause.EMPTY_SELECTION in slate.causes) is not holds
    assert len(world.retrieval.requests) == int(holds), "retrieval is not asked for what cannot be"


async def test_what_is_never_true_is_an_empty_answer_and_says_so(world: World) -> None:
    slate = await world.ask("actor.nobody = 1")
    assert slate.results == []
    assert slate.level is Level.PARTIAL
    assert list(slate.causes) == [Cause.EMPTY_SELECTION, Cause.SHORT_SLATE]


async def test_a_filter_that_nothing_passes_is_dropped_where_asked_for_and_constraints_hold(world: World) -> None:
    world.features.events[ALICE] = [Event(world.item(59), 4.0, NOW_S)]
    slate = await world.ask("actor.nobody = 1", is_relaxed=True, slate_size=3, exclude_item_ids=(world.item(58),))
    assert [shown.row for shown in slate.results] == [57, 56, 55]
    assert (slate.level, list(slate.causes)) == (Level.PARTIAL, [Cause.FILTER_RELAXED])
    assert world.retrieval.requests[0].filter is None


async def test_a_filter_that_something_passes_is_not_dropped(world: World) -> None:
    slate = await world.ask(f'id:"{world.item(4)}"', is_relaxed=True)
    assert Cause.FILTER_RELAXED not in slate.causes


async def test_without_retrieval_nothing_that_does_not_pass_is_shown(world: World) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    slate = await world.ask('genres:"Comedy"')
    assert rows(slate) == COMEDIES
    assert Cause.RETRIEVAL_DOWN in slate.causes
    chosen = [world.item(row) for row in (4, 5, 8)]
    assert rows(await world.ask('genres:"Comedy"', include_item_ids=chosen)) == {4, 8}


async def test_without_retrieval_a_filter_is_dropped_only_where_asked_for_and_retrieval_is_not_asked_again(
    world: World,
) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    strict = await world.ask('genres:"Noir"')
    assert strict.results == []
    assert {Cause.EMPTY_SELECTION, Cause.RETRIEVAL_DOWN} <= set(strict.causes)
    slate = await world.ask('genres:"Noir"', is_relaxed=True)
    assert len(slate.results) == N
    assert {Cause.FILTER_RELAXED, Cause.RETRIEVAL_DOWN} <= set(slate.causes)
    assert len(world.retrieval.requests) == 2


async def test_with_an_unknown_history_seen_holds_for_nothing_and_the_answer_says_so(world: World) -> None:
    world.features.failure = UpstreamFailed("feature-store", "down")
    slate = await world.ask("NOT seen()", is_seen_excluded=False)
    assert len(slate.results) == N
    assert any("seen(...)" in warning for warning in slate.warnings)
    assert (await world.ask("seen()", is_seen_excluded=False)).results == []


async def test_similar_items_are_filtered_and_relaxed_alike(world: World) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    anchor = world.item(0)
    assert rows(await world.ask('genres:"Comedy"', item_ids=(anchor,), actor=None)) == COMEDIES - {0}
    slate = await world.ask('genres:"Noir"', item_ids=(anchor,), actor=None, is_relaxed=True)
    assert rows(slate) == set(range(1, N))
    assert Cause.FILTER_RELAXED in slate.causes


async def test_a_bundle_of_before_refuses_attributes_and_takes_ids_actors_and_histories(tmp_path: Path) -> None:
    files = tiny_files()
    del files[layout.ITEM_ATTRIBUTES]
    world = World(tmp_path, publish(tmp_path, files).bundle_id)
    await world.bundles.refresh()
    with pytest.raises(InvalidRequest, match="made without item attributes"):
        await world.ask("year > 1990")
    world.features.attributes[ALICE] = {"age": "25"}
    slate = await world.ask(f'actor.age = 25 AND NOT seen() AND NOT id = "{world.item(3)}"')
    assert world.retrieval.requests[0].filter == Comparison(ID, Operator.NOT_EQUAL, world.item(3))
    assert slate.results


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
