"""Whatever a request says under whatever config: what comes out is as tight as both, or the request is refused."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist_domain.errors import InvalidRequest
from shortlist_gateway.configs.config import Serving, ServingConfig
from shortlist_gateway.configs.reading import read_config
from shortlist_gateway.query import Query, SeenEvents
from shortlist_gateway.requests import recommend_query
from shortlist_gateway.slate.rules import Rules

NOW_S = 1_700_000_000.0
ITEMS = [f"i{at}" for at in range(6)]
ATTRIBUTES = ("genres", "year")
TYPES = ("click", "view", "impression")
HALVES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def constraints(draw: st.DrawFn, most_positions: int) -> selection_pb2.Constraints:
    """Valid constraints for slates of ``most_positions`` or more; each field set or not."""
    found = selection_pb2.Constraints()

    def maybe() -> bool:
        return draw(st.booleans())

    if maybe():
        found.exclude_item_ids.extend(draw(st.sets(st.sampled_from(ITEMS))))
    if maybe():
        found.include_item_ids.extend(draw(st.sets(st.sampled_from(ITEMS))))
    if maybe():
        if maybe():
            found.exclude_seen.disabled = True
        else:
            found.exclude_seen.event_types.extend(draw(st.sets(st.sampled_from(TYPES))))
            if maybe():
                found.exclude_seen.lookback.seconds = draw(st.integers(1, 100))
            found.exclude_seen.SetInParent()
    for attribute in ATTRIBUTES:
        if maybe():
            found.attribute_caps.add(attribute=attribute, maximum=draw(st.integers(1, 4)))
    if maybe():
        positions = draw(st.lists(st.integers(0, most_positions - 1), unique=True, max_size=3))
        items = draw(st.permutations(ITEMS))
        for position, item_id in zip(positions, items, strict=False):
            found.pins.add(item_id=item_id, position=position)
    if maybe():
        found.promotions.add(filter=selection_pb2.Filter(expression=draw(st.sampled_from(["a = 1", "b = 2"]))), slots=1)
    if maybe():
        found.boosts.add(filter=selection_pb2.Filter(expression=draw(st.sampled_from(["a = 1", "b = 2"]))), factor=2.0)
    if maybe():
        found.rotation.rate = draw(HALVES)
        found.rotation.half_life.seconds = draw(st.integers(1, 5))
    if maybe():
        found.diversity.strength = draw(HALVES)
        found.diversity.method = draw(st.integers(0, 2))  # type: ignore[assignment]
    if maybe():
        found.minimum_click_probability = draw(HALVES)
    if maybe():
        found.exploration.slots = draw(st.integers(1, min(10, most_positions)))
        found.exploration.strength = draw(HALVES)
        found.exploration.method = draw(st.integers(0, 3))  # type: ignore[assignment]
    return found


@st.composite
def configs(draw: st.DrawFn) -> ServingConfig:
    slate_size = draw(st.sampled_from([0, 1, 3, 5, 12]))
    message = configs_pb.ServingConfig(
        name="home",
        slate_size=slate_size,
        candidate_count=draw(st.sampled_from([0, 50, 100])),
        constraints=draw(constraints(slate_size or 8)),
        on_empty=draw(st.integers(0, 2)),  # type: ignore[arg-type]
        fallback_config=draw(st.sampled_from(["", "other"])),
    )
    return read_config(message, 7)


@st.composite
def requests(draw: st.DrawFn) -> pb.RecommendRequest:
    slate_size = draw(st.sampled_from([0, 3, 5, 10, 12]))
    request = pb.RecommendRequest(
        actor=actor_pb2.Actor(user_id="u"),
        slate_size=slate_size,
        candidate_count=draw(st.sampled_from([0, 50, 70, 100, 200])),
        constraints=draw(constraints(3)),
        request_id="r",
    )
    if draw(st.booleans()):
        request.filter.expression = "c = 1"
        request.filter.on_empty = draw(st.integers(0, 3))  # type: ignore[assignment]
    return request


def seen(query: Query) -> set[SeenEvents]:
    return set(query.seen_by) if query.is_seen_excluded else set()


def check_as_tight(query: Query, config: ServingConfig) -> None:
    """Nothing of ``config`` is looser in ``query``."""
    size = query.slate_size
    assert not config.slate_size or size <= config.slate_size
    assert not config.candidate_count or query.candidate_count <= config.candidate_count
    assert not config.candidate_count or query.candidate_count > 0
    excluded, allowed = set(query.exclude_item_ids), set(query.include_item_ids)
    assert set(config.exclude_item_ids) <= excluded
    if config.include_item_ids:
        assert allowed
        assert allowed - excluded <= set(config.include_item_ids)
    if config.seen is not None and config.seen.is_excluded:
        own = SeenEvents(config.seen.event_types, NOW_S - config.seen.lookback_s)
        assert query.is_seen_excluded
        assert own in query.seen_by
    if config.minimum_click_probability is not None:
        assert query.minimum_click_probability is not None
        assert query.minimum_click_probability >= config.minimum_click_probability
    rules, limits = query.rules, config.rules
    caps = {cap.attribute: cap.maximum for cap in rules.caps}
    assert all(caps[cap.attribute] <= cap.maximum for cap in limits.caps)
    assert len(caps) == len(rules.caps)
    assert {pin for pin in limits.pins if pin.position < size} <= set(rules.pins)
    assert len({pin.position for pin in rules.pins}) == len({pin.item_id for pin in rules.pins}) == len(rules.pins)
    assert all(pin.position < size for pin in rules.pins)
    assert rules.promotions[: len(limits.promotions)] == limits.promotions
    assert rules.boosts[: len(limits.boosts)] == limits.boosts
    if limits.rotation:
        assert rules.rotation is not None
        assert rules.rotation.rate >= limits.rotation.rate
        assert rules.rotation.half_life_s >= limits.rotation.half_life_s
    if limits.diversity:
        assert rules.diversity is not None
        assert rules.diversity.strength >= limits.diversity.strength
        assert rules.diversity.method is limits.diversity.method
    if config.message.constraints.HasField("exploration") and rules.exploration is not None:
        assert limits.exploration is not None
        assert rules.exploration.slots <= min(limits.exploration.slots, size)
        assert rules.exploration.strength <= limits.exploration.strength
        assert rules.exploration.method is limits.exploration.method


def check_holds(query: Query, plain: Query, constraints: selection_pb2.Constraints) -> None:
    """Nothing that the request asks for by itself, in ``plain``, is looser in ``query``."""
    excluded = set(query.exclude_item_ids)
    assert set(plain.exclude_item_ids) <= excluded
    if plain.include_item_ids:
        assert query.include_item_ids
        assert set(query.include_item_ids) - excluded <= set(plain.include_item_ids)
    if constraints.HasField("exclude_seen"):
        assert seen(plain) <= seen(query)
    if plain.minimum_click_probability is not None:
        assert query.minimum_click_probability is not None
        assert query.minimum_click_probability >= plain.minimum_click_probability
    caps = {cap.attribute: cap.maximum for cap in query.rules.caps}
    assert all(caps[cap.attribute] <= cap.maximum for cap in plain.rules.caps)
    assert all(promotion in query.rules.promotions for promotion in plain.rules.promotions)
    assert all(boost in query.rules.boosts for boost in plain.rules.boosts)
    mine, theirs = query.rules, plain.rules
    if theirs.rotation:
        assert mine.rotation is not None
        assert mine.rotation.rate >= theirs.rotation.rate
    if theirs.diversity:
        assert mine.diversity is not None
        assert mine.diversity.strength >= theirs.diversity.strength
    if mine.exploration and constraints.HasField("exploration"):
        assert theirs.exploration is not None
        assert mine.exploration.slots <= theirs.exploration.slots
        assert mine.exploration.strength <= theirs.exploration.strength


def plain_of(request: pb.RecommendRequest, slate_size: int) -> Query:
    """Return the query of ``request`` without a config, for a slate that has room for all that it asks for."""
    plain = pb.RecommendRequest()
    plain.CopyFrom(request)
    plain.slate_size = max(slate_size, 3)
    if plain.HasField("filter"):
        plain.filter.on_empty = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
    return recommend_query(plain, NOW_S)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(config=configs(), request=requests())
def test_what_is_accepted_is_as_tight_as_both_and_what_is_refused_names_the_config(
    config: ServingConfig, request: pb.RecommendRequest
) -> None:
    try:
        query = recommend_query(request, NOW_S, Serving(config))
    except InvalidRequest as error:
        said = [violation.description for violation in error.violations]
        ours = ("; serving config 'home' ", " for a slate of ")
        assert [one for one in said if not any(part in one for part in ours)] == []
        return
    check_as_tight(query, config)
    check_holds(query, plain_of(request, query.slate_size), request.constraints)
    assert {pin.item_id for pin in query.rules.pins} >= {pin.item_id for pin in request.constraints.pins}


@settings(max_examples=400, deadline=None, derandomize=True)
@given(config=configs(), request=requests())
def test_where_nothing_is_refused_the_tighter_of_both_holds(
    config: ServingConfig, request: pb.RecommendRequest
) -> None:
    query = recommend_query(request, NOW_S, Serving(config, is_strict=False))
    check_as_tight(query, config)
    check_holds(query, plain_of(request, query.slate_size), request.constraints)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(config=configs())
def test_a_request_that_says_nothing_gets_the_config_as_it_is(config: ServingConfig) -> None:
    request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id="u"))
    query = recommend_query(request, NOW_S, Serving(config))
    assert query.slate_size == (config.slate_size or 10)
    assert query.candidate_count == config.candidate_count
    assert set(query.exclude_item_ids) == set(config.exclude_item_ids)
    assert query.include_item_ids == config.include_item_ids
    assert query.minimum_click_probability == config.minimum_click_probability
    held = tuple(pin for pin in config.rules.pins if pin.position < query.slate_size)
    expected = Rules(
        config.rules.caps,
        held,
        config.rules.promotions,
        config.rules.rotation,
        config.rules.diversity,
        config.rules.exploration,
        config.rules.boosts,
    )
    assert query.rules == expected
    assert query.on_empty == (config.on_empty or selection_pb2.EMPTY_POLICY_RETURN_EMPTY)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(request=requests())
def test_a_config_that_sets_nothing_changes_nothing(request: pb.RecommendRequest) -> None:
    nothing = read_config(configs_pb.ServingConfig(name="home", fallback_config="other"))
    fields = ("slate_size", "candidate_count", "exclude_item_ids", "include_item_ids", "seen_by", "rules", "filter")

    def read(serving: Serving | None) -> Any:
        try:
            query = recommend_query(request, NOW_S, serving) if serving else recommend_query(request, NOW_S)
        except InvalidRequest as error:
            return [v.field for v in error.violations if v.field != "filter.on_empty"]
        return [getattr(query, field) for field in fields]

    under, plain = read(Serving(nothing)), read(None)
    is_refused = request.filter.on_empty == selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG
    assert under == plain or (is_refused and plain == [])


UNRANKED = read_config(configs_pb.ServingConfig(name="cheap", ranker=configs_pb.RANKER_NONE))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(request=requests())
def test_without_a_ranker_what_needs_one_is_refused_or_left_out_with_a_warning(request: pb.RecommendRequest) -> None:
    needing = {
        "constraints.minimum_click_probability": request.constraints.minimum_click_probability,
        "constraints.diversity.strength": request.constraints.diversity.strength,
        "constraints.exploration.strength": request.constraints.exploration.strength,
    }
    expected = {path for path, asked in needing.items() if asked}
    try:
        recommend_query(request, NOW_S, Serving(UNRANKED))
    except InvalidRequest as error:
        found = {v.field for v in error.violations if "'cheap' asks no ranker" in v.description}
    else:
        found = set()
    assert found == expected
    query = recommend_query(request, NOW_S, Serving(UNRANKED, is_strict=False))
    assert {warning.partition(": ")[0] for warning in query.warnings if "asks no ranker" in warning} == expected
    assert query.minimum_click_probability is None
    assert (query.rules.diversity, query.rules.exploration) == (None, None)
