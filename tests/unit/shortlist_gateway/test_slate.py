"""What constraints make of scored candidates, against slow and obvious references."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_domain.stages import RankResult
from shortlist_gateway.candidates import Candidates, from_caller
from shortlist_gateway.catalogue import ShownValues
from shortlist_gateway.query import Query, Slate
from shortlist_gateway.slate.caps import Caps
from shortlist_gateway.slate.chance import ExplorationMethod
from shortlist_gateway.slate.compose import compose_by_rules, in_order
from shortlist_gateway.slate.exploration import safe_pool
from shortlist_gateway.slate.order import kept_relevance, rotated_order
from shortlist_gateway.slate.pins import placed, with_rows
from shortlist_gateway.slate.promotions import Promoted
from shortlist_gateway.slate.rules import AttributeCap, Exploration, Rotation, Rules

NOW_S = 1_700_000_000.0
VALUES = ("red", "green", "blue")


@dataclass
class Shelf:
    """A catalogue of as many items as there are entries, with what each is shown with."""

    items: Sequence[Mapping[str, Any]]
    bundle_id = "shelf"

    def item_id(self, row: int) -> str:
        return f"item-{row}"

    def display(self, row: int) -> Mapping[str, Any]:
        return self.items[row]

    def shown_values(self, attribute: str) -> ShownValues:
        return ShownValues(self, attribute)  # type: ignore[arg-type]


def slate_of(shelf: Shelf) -> Slate:
    return Slate(shelf)  # type: ignore[arg-type]


def ranked_of(scores: Sequence[float], clicks: Sequence[float]) -> RankResult:
    return RankResult("shelf", array("f", scores), array("f", clicks), array("f", bytes(4 * len(scores))))


def query_of(slate_size: int, rules: Rules, least: float | None = None) -> Query:
    return Query("r", NOW_S, None, slate_size, rules=rules, minimum_click_probability=least)


@dataclass
class Case:
    """Candidates of a shelf, some of them ranked, and what is asked of the slate."""

    shelf: Shelf
    candidates: Candidates
    ranked: RankResult | None
    query: Query
    pinned: Mapping[int, int]
    shown_at: dict[int, float]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(0, 12))
    several = st.lists(st.sampled_from(VALUES), max_size=2)
    fields = st.fixed_dictionaries({"one": st.sampled_from((*VALUES, None, "")), "several": several})
    shelf = Shelf(draw(st.lists(fields, min_size=15, max_size=15)))
    rows = draw(st.permutations(range(15)))
    n_ranked = draw(st.integers(0, n))
    numbers = st.integers(0, 8).map(lambda number: number / 8)
    size = draw(st.integers(1, 12))
    pinned = draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from(rows), max_size=3))
    pinned = {position: row for position, row in pinned.items() if list(pinned.values()).count(row) == 1}
    candidates, at = with_rows(from_caller(rows[:n]), dict(sorted(pinned.items())))
    n_ranked = draw(st.integers(0, len(candidates.rows)))
    scores = draw(st.lists(numbers, min_size=n_ranked, max_size=n_ranked))
    caps = [AttributeCap(name, draw(st.integers(1, 3))) for name in ("one", "several") if draw(st.booleans())]
    rotation = draw(st.none() | st.builds(Rotation, numbers.filter(bool), st.just(3600.0)))
    return Case(
        shelf=shelf,
        candidates=candidates,
        ranked=ranked_of(scores, scores) if n_ranked else None,
        query=query_of(size, Rules(caps=tuple(caps), rotation=rotation), draw(st.none() | numbers)),
        pinned=at,
        shown_at=draw(st.dictionaries(st.sampled_from(rows), st.sampled_from((NOW_S, NOW_S - 3600, NOW_S - 1e9)))),
    )


def values_of(shelf: Shelf, row: int, name: str) -> set[str]:
    value = shelf.items[row][name]
    return {one for one in (value if isinstance(value, list) else [value]) if one}


def expected_rows(case: Case) -> list[int]:
    """Build the slate position by position, each time looking at all that is left from the start."""
    rows, n_ranked = list(case.candidates.rows), len(case.ranked.scores) if case.ranked else 0
    scores = [*(case.ranked.scores if case.ranked else ()), *case.candidates.scores[n_ranked:]]
    rules = case.query.rules

    def relevance(position: int) -> tuple[bool, float, float, float, int]:
        part = scores[:n_ranked] if position < n_ranked else scores[n_ranked:]
        spread = max(part) - min(part)
        share = (scores[position] - min(part)) / spread if spread else 1.0
        kept = 1.0
        if rules.rotation and rows[position] in case.shown_at:
            age_s = NOW_S - case.shown_at[rows[position]]
            kept = 1.0 - rules.rotation.rate * 0.5 ** (age_s / rules.rotation.half_life_s)
        return (position < n_ranked, share * kept, kept, scores[position], -position)

    pinned = list(case.pinned.values())
    left = [p for p in range(len(rows)) if p not in pinned]
    least = case.query.minimum_click_probability
    if least is not None and case.ranked:
        left = [p for p in left if p >= n_ranked or case.ranked.click[p] >= least]
    left.sort(key=relevance, reverse=True)
    chosen: list[int] = []

    def has_room(position: int) -> bool:
        for cap in rules.caps:
            for value in values_of(case.shelf, rows[position], cap.attribute):
                others = [p for p in pinned + chosen if value in values_of(case.shelf, rows[p], cap.attribute)]
                if len(others) >= cap.maximum:
                    return False
        return True

    while len(chosen) < case.query.slate_size - len(pinned):
        best = next((p for p in left if p not in chosen and has_room(p)), None)
        if best is None:
            break
        chosen.append(best)
    slate = list(chosen)
    for position in sorted(case.pinned):
        slate.insert(position, case.pinned[position])
    return [rows[p] for p in slate]


@settings(max_examples=200, deadline=None)
@given(cases())
def test_a_slate_is_what_a_slow_reference_builds(case: Case) -> None:
    slate = slate_of(case.shelf)
    shown = compose_by_rules(slate, case.query, case.candidates, case.ranked, case.pinned, case.shown_at)
    rows = [one.row for one in shown]
    assert rows == expected_rows(case)
    assert len(set(rows)) == len(rows) <= case.query.slate_size
    for cap in case.query.rules.caps:
        counted = Counter(v for row in rows for v in values_of(case.shelf, row or 0, cap.attribute))
        by_pins = Counter(
            value
            for at in case.pinned.values()
            for value in values_of(case.shelf, case.candidates.rows[at], cap.attribute)
        )
        assert all(count <= max(cap.maximum, by_pins[value]) for value, count in counted.items())
        is_broken = any(count > cap.maximum for count in by_pins.values())
        assert is_broken == any("exceed the cap" in w and repr(cap.attribute) in w for w in slate.warnings)
    is_moved = any(
        position >= len(rows) or rows[position] != case.candidates.rows[at] for position, at in case.pinned.items()
    )
    assert is_moved == any("moved up" in warning for warning in slate.warnings)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_without_rules_both_ways_to_a_slate_agree(case: Case) -> None:
    query = query_of(case.query.slate_size, Rules(), case.query.minimum_click_probability)
    slate = slate_of(case.shelf)
    plain = in_order(case.candidates, case.ranked, slate.catalogue, query.slate_size, query.minimum_click_probability)
    assert compose_by_rules(slate, query, case.candidates, case.ranked, {}, {}) == plain
    assert slate.warnings == []


def test_half_of_the_effect_of_an_impression_is_gone_after_the_half_life() -> None:
    rotation = Rotation(0.8, 3600.0)
    shown_at = {7: NOW_S, 8: NOW_S - 3600.0, 9: NOW_S - 7200.0, 10: NOW_S + 60.0}
    kept = kept_relevance((6, 7, 8, 9, 10), shown_at, rotation, NOW_S)
    assert kept == array("f", [1.0, 0.2, 0.6, 0.8, 0.2])


def test_rotation_weighs_the_place_between_the_lowest_and_the_highest_score() -> None:
    # Relevance 1, 0.75, 0.5, 0: the first is left with 0.6 and comes between the second and the third.
    assert rotated_order([5.0, 4.0, 3.0, 1.0], [0.6, 1.0, 1.0, 1.0], 4) == [1, 0, 2, 3]
    assert rotated_order([2.0, 2.0, 2.0], [0.6, 1.0, 1.0], 3) == [1, 2, 0], "equal scores move too"
    assert rotated_order([1.0, 5.0, 3.0], [1.0, 0.0, 1.0], 0) == [2, 0, 1], "as if never relevant is last"
    assert rotated_order([1.0, 9.0, 8.0], [0.0, 1.0, 1.0], 1) == [0, 1, 2], "what was not ranked stays behind"


def test_an_item_counts_once_under_a_value_and_not_at_all_without_one() -> None:
    shelf = Shelf([{"a": ["x", "x", "y"]}, {"a": "x"}, {"a": None}, {"a": []}, {"a": ""}, {}])
    caps = Caps((AttributeCap("a", 2),), shelf)  # type: ignore[arg-type]
    assert caps.values(0) == ((0, "x"), (0, "y"))
    caps.take(caps.values(0))
    assert caps.admits(caps.values(1))
    caps.take(caps.values(1))
    assert not caps.admits(caps.values(1))
    assert all(caps.values(row) == () for row in (2, 3, 4, 5))


def test_numbers_and_flags_are_capped_like_texts() -> None:
    shelf = Shelf([{"a": 1990}, {"a": 1990}, {"a": False}])
    caps = Caps((AttributeCap("a", 1),), shelf)  # type: ignore[arg-type]
    caps.take(caps.values(0))
    assert not caps.admits(caps.values(1))
    assert caps.admits(caps.values(2))


def test_pins_hold_their_positions_and_close_up_at_the_end() -> None:
    assert placed({0: "p", 3: "q"}, ["a", "b", "c"]) == ["p", "a", "b", "q", "c"]
    assert placed({1: "p", 5: "q"}, ["a"]) == ["a", "p", "q"]
    assert placed({4: "p"}, []) == ["p"]


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 3))
def test_any_draw_from_the_pool_keeps_to_the_caps(case: Case, n: int) -> None:
    rows = case.candidates.rows
    caps = Caps(case.query.rules.caps, case.shelf)  # type: ignore[arg-type]
    pool = safe_pool(range(len(rows)), caps, case.candidates, n)
    without_chance: list[int] = []
    for candidate in range(len(rows)):
        values = caps.values(rows[candidate])
        if len(without_chance) < n and caps.admits(values):
            caps.take(values)
            without_chance.append(candidate)
    assert pool[:n] == without_chance, "the first are those that the positions would hold without chance"
    for drawn in combinations(pool, min(n, len(pool))):
        for cap in case.query.rules.caps:
            counted = Counter(value for at in drawn for value in values_of(case.shelf, rows[at], cap.attribute))
            assert all(count <= cap.maximum for count in counted.values())


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(tuple(ExplorationMethod)), st.integers(1, 10))
def test_chance_changes_nothing_but_the_last_free_positions(case: Case, method: ExplorationMethod, slots: int) -> None:
    plain = compose_by_rules(slate_of(case.shelf), case.query, case.candidates, case.ranked, case.pinned, case.shown_at)
    slots = min(slots, case.query.slate_size)
    rules = replace(case.query.rules, exploration=Exploration(method, slots, 0.5))
    ranked = case.ranked
    if ranked is not None:
        ranked = replace(ranked, item_numbers={"item_count": array("f", [4.0] * len(ranked.scores))})
    slate = slate_of(case.shelf)
    query = replace(case.query, rules=rules)
    shown = compose_by_rules(slate, query, case.candidates, ranked, case.pinned, case.shown_at)
    assert len(shown) == len(plain)
    assert len({one.row for one in shown}) == len(shown)
    pinned = {case.candidates.rows[at] for at in case.pinned.values()}
    free = [(one, other) for one, other in zip(shown, plain, strict=True) if other.row not in pinned]
    head = max(0, case.query.slate_size - len(pinned) - slots)
    assert [one.row for one, _ in free[:head]] == [other.row for _, other in free[:head]]
    assert all(one.propensity == 1.0 for one, _ in free[:head])
    assert all(one.propensity == 1.0 for one in shown if one.row in pinned or one.click is None)
    assert all(0.0 < one.propensity <= 1.0 for one in shown)
    for cap in rules.caps:
        counted = Counter(v for one in shown for v in values_of(case.shelf, one.row or 0, cap.attribute))
        by_pins = Counter(v for row in pinned for v in values_of(case.shelf, row, cap.attribute))
        assert all(count <= max(cap.maximum, by_pins[value]) for value, count in counted.items())
    if ranked is None:
        assert slate.warnings[0] == "constraints.exploration: was not applied, since candidates could not be ranked"
        assert [one.row for one in shown] == [one.row for one in plain]


def test_thompson_needs_counters_and_says_so() -> None:
    shelf = Shelf([{}] * 3)
    candidates, ranked = from_caller([0, 1, 2]), ranked_of([3.0, 2.0, 1.0], [0.5, 0.4, 0.3])
    slate = slate_of(shelf)
    query = query_of(2, Rules(exploration=Exploration(ExplorationMethod.THOMPSON, 1, 1.0)))
    shown = compose_by_rules(slate, query, candidates, ranked, {}, {})
    assert [one.row for one in shown] == [0, 1]
    assert slate.warnings == [
        "constraints.exploration: was not applied, since the ranker of this bundle reads no item_count"
    ]


def test_pages_after_the_first_are_not_explored() -> None:
    shelf = Shelf([{}] * 9)
    candidates, ranked = from_caller(range(9)), ranked_of(list(range(9, 0, -1)), [0.5] * 9)
    rules = Rules(exploration=Exploration(ExplorationMethod.SOFTMAX, 2, 100.0))
    query = replace(query_of(6, rules), shown_rows=frozenset({0, 7, 8}))
    shown = compose_by_rules(slate_of(shelf), query, candidates, ranked, {}, {})
    assert [one.row for one in shown] == [0, 1, 2, 3, 4, 5]


@settings(max_examples=150, deadline=None)
@given(cases(), st.lists(st.tuples(st.sampled_from(VALUES), st.integers(1, 4)), min_size=1, max_size=2))
def test_promotions_keep_positions_and_change_nothing_else(case: Case, asked: list[tuple[str, int]]) -> None:
    rows = case.candidates.rows

    def passes(row: int, value: str) -> bool:
        return value in values_of(case.shelf, row, "one")

    rules = replace(case.query.rules, caps=())
    query = replace(case.query, rules=rules)
    plain = compose_by_rules(slate_of(case.shelf), query, case.candidates, case.ranked, case.pinned, case.shown_at)
    whole = replace(query, slate_size=99)
    order = compose_by_rules(slate_of(case.shelf), whole, case.candidates, case.ranked, case.pinned, case.shown_at)
    pinned = {rows[at] for at in case.pinned.values()}
    left = [one.row for one in order if one.row is not None and one.row not in pinned]
    slate = slate_of(case.shelf)
    slate.promotions = [Promoted(partial(passes, value=value), wanted) for value, wanted in asked]
    shown = compose_by_rules(slate, query, case.candidates, case.ranked, case.pinned, case.shown_at)
    found = [one.row for one in shown if one.row is not None]
    assert len(found) == len(plain)
    free = len(found) - len(pinned)
    # What has a position for certain, promotion by promotion; the others are the best that are left.
    certain: list[int] = []
    for value, wanted in asked:
        having = [row for row in (*pinned, *certain) if passes(row, value)]
        more = [row for row in left if passes(row, value) and row not in certain]
        certain += more[: max(0, min(wanted - len(having), free - len(certain)))]
    others = [row for row in left if row not in certain][: free - len(certain)]
    assert [row for row in found if row not in pinned] == sorted((*certain, *others), key=left.index)
    for number, (value, wanted) in enumerate(asked):
        is_short = sum(passes(row, value) for row in found) < wanted
        if is_short:
            assert any(warning.startswith(f"constraints.promotions[{number}]: ") for warning in slate.warnings)
