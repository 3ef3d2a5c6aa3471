"""Filters in the pipeline: what goes to retrieval, what is resolved here, and what answers where nothing passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from shortlist.common.v1 import selection_pb2
from shortlist_bundle import layout
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import InvalidRequest, UpstreamFailed
from shortlist_domain.filters import ID, Any, Comparison, Operator, canonical
from shortlist_domain.stages import IMPRESSION, Event
from shortlist_gateway.checks import Checks
from shortlist_gateway.filters.condition import condition_of
from shortlist_gateway.query import Cause, Level, Query, Slate
from shortlist_gateway.slate.rules import Pin, Rules
from shortlist_testing.filter_trees import ITEMS, SCHEMA
from shortlist_testing.tiny_bundle import publish, tiny_files

from .world import ALICE, NOW_S, N, World

DAY_S = 86_400.0
COMEDIES = {row for row, item in enumerate(ITEMS) if item["genres"] == ["Comedy"]}


class FilteredWorld(World):
    """A world that is asked by an expression."""

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
async def world(tmp_path: Path) -> FilteredWorld:
    world = FilteredWorld(tmp_path)
    await world.bundles.refresh()
    return world


def rows(slate: Slate) -> set[int]:
    return {shown.row for shown in slate.results if shown.row is not None}


async def test_conditions_on_items_go_to_retrieval_in_canonical_form(world: FilteredWorld) -> None:
    await world.ask('year >= 1990 genres:"Comedy"')
    await world.ask('genres:Comedy AND NOT year < 1990 AND genres:"Comedy"')
    one, other = (request.filter for request in world.retrieval.requests)
    assert one == other
    assert world.retrieval.requests[0].allow_rows is None


async def test_without_a_filter_retrieval_is_asked_for_none(world: FilteredWorld) -> None:
    await world.pipeline.recommend(Query("r", NOW_S, ALICE, 3), Deadline.after(1.0))
    await world.ask("")
    assert [request.filter for request in world.retrieval.requests] == [None, None]


async def test_what_the_actor_did_becomes_rows_by_type_and_age(world: FilteredWorld) -> None:
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


async def test_what_was_shown_is_asked_for_by_its_type_and_is_no_part_of_everything(world: FilteredWorld) -> None:
    events = [Event(world.item(3), 1.0, NOW_S - 9, IMPRESSION), Event(world.item(4), 1.0, NOW_S - 8)]
    world.features.events[ALICE] = events
    shown = await world.ask("seen(impression)", is_seen_excluded=False)
    assert rows(shown) == {3}
    assert world.retrieval.requests[0].actor.history_rows.tolist() == [4]
    either = await world.ask('title = "none" OR seen() OR seen(impression, 9s)', is_seen_excluded=False)
    assert either.passes is not None
    assert set(filter(either.passes, range(N))) == {3, 4}


async def test_a_pin_that_does_not_pass_is_left_out_and_the_answer_says_so(world: FilteredWorld) -> None:
    pins = (Pin(world.item(1), 0), Pin(world.item(4), 1))
    slate = await world.ask('genres:"Comedy"', rules=Rules(pins=pins), slate_size=3)
    assert world.item(1) not in [shown.item_id for shown in slate.results]
    assert world.item(4) in [shown.item_id for shown in slate.results]
    assert any("does not pass the filter" in warning for warning in slate.warnings)


async def test_inline_events_are_seen_too(world: FilteredWorld) -> None:
    slate = await world.ask("seen(click)", events=(Event(world.item(7), 1.0, NOW_S, "click"),), is_seen_excluded=False)
    assert rows(slate) == {7}


async def test_a_history_among_alternatives_becomes_ids(world: FilteredWorld) -> None:
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
    world: FilteredWorld, expression: str, holds: bool
) -> None:
    world.features.attributes[ALICE] = {"age": "18", "gender": "F"}
    inline = {"age": "25", "member": "true"}
    slate = await world.ask(expression, attributes=inline, chosen={"likes": ("Jazz", "Soul")}, slate_size=3)
    assert bool(slate.results) is holds
    assert (Cause.EMPTY_SELECTION in slate.causes) is not holds
    assert len(world.retrieval.requests) == int(holds), "retrieval is not asked for what cannot be"


async def test_what_is_never_true_is_an_empty_answer_and_says_so(world: FilteredWorld) -> None:
    slate = await world.ask("actor.nobody = 1")
    assert slate.results == []
    assert slate.level is Level.PARTIAL
    assert list(slate.causes) == [Cause.EMPTY_SELECTION, Cause.SHORT_SLATE]


async def test_a_filter_that_nothing_passes_is_dropped_where_asked_for_and_constraints_hold(
    world: FilteredWorld,
) -> None:
    world.features.events[ALICE] = [Event(world.item(59), 4.0, NOW_S)]
    slate = await world.ask("actor.nobody = 1", is_relaxed=True, slate_size=3, exclude_item_ids=(world.item(58),))
    assert [shown.row for shown in slate.results] == [57, 56, 55]
    assert (slate.level, list(slate.causes)) == (Level.PARTIAL, [Cause.FILTER_RELAXED])
    assert world.retrieval.requests[0].filter is None


async def test_a_filter_that_something_passes_is_not_dropped(world: FilteredWorld) -> None:
    slate = await world.ask(f'id:"{world.item(4)}"', is_relaxed=True)
    assert Cause.FILTER_RELAXED not in slate.causes


async def test_without_retrieval_nothing_that_does_not_pass_is_shown(world: FilteredWorld) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    slate = await world.ask('genres:"Comedy"')
    assert rows(slate) == COMEDIES
    assert Cause.RETRIEVAL_DOWN in slate.causes
    chosen = [world.item(row) for row in (4, 5, 8)]
    assert rows(await world.ask('genres:"Comedy"', include_item_ids=chosen)) == {4, 8}


async def test_without_retrieval_a_filter_is_dropped_only_where_asked_for_and_retrieval_is_not_asked_again(
    world: FilteredWorld,
) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    strict = await world.ask('genres:"Noir"')
    assert strict.results == []
    assert {Cause.EMPTY_SELECTION, Cause.RETRIEVAL_DOWN} <= set(strict.causes)
    slate = await world.ask('genres:"Noir"', is_relaxed=True)
    assert len(slate.results) == N
    assert {Cause.FILTER_RELAXED, Cause.RETRIEVAL_DOWN} <= set(slate.causes)
    assert len(world.retrieval.requests) == 2


async def test_with_an_unknown_history_seen_holds_for_nothing_and_the_answer_says_so(world: FilteredWorld) -> None:
    world.features.failure = UpstreamFailed("feature-store", "down")
    slate = await world.ask("NOT seen()", is_seen_excluded=False)
    assert len(slate.results) == N
    assert any("seen(...)" in warning for warning in slate.warnings)
    assert (await world.ask("seen()", is_seen_excluded=False)).results == []


async def test_similar_items_are_filtered_and_relaxed_alike(world: FilteredWorld) -> None:
    world.retrieval.failure = UpstreamFailed("retrieval", "down")
    anchor = world.item(0)
    assert rows(await world.ask('genres:"Comedy"', item_ids=(anchor,), actor=None)) == COMEDIES - {0}
    slate = await world.ask('genres:"Noir"', item_ids=(anchor,), actor=None, is_relaxed=True)
    assert rows(slate) == set(range(1, N))
    assert Cause.FILTER_RELAXED in slate.causes


async def test_a_bundle_of_before_refuses_attributes_and_takes_ids_actors_and_histories(tmp_path: Path) -> None:
    files = tiny_files()
    del files[layout.ITEM_ATTRIBUTES]
    world = FilteredWorld(tmp_path, publish(tmp_path, files).bundle_id)
    await world.bundles.refresh()
    with pytest.raises(InvalidRequest, match="made without item attributes"):
        await world.ask("year > 1990")
    world.features.attributes[ALICE] = {"age": "25"}
    slate = await world.ask(f'actor.age = 25 AND NOT seen() AND NOT id = "{world.item(3)}"')
    assert world.retrieval.requests[0].filter == Comparison(ID, Operator.NOT_EQUAL, world.item(3))
    assert slate.results
