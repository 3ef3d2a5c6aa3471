"""The ranking engine."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist_bundle import layout
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.combined_score import PriorWeights
from shortlist_bundle.host import BundleHost
from shortlist_bundle.store import BundleStore
from shortlist_domain.deadline import Deadline
from shortlist_domain.errors import BudgetExceeded, BundleMismatch, InvalidRequest, UpstreamFailed
from shortlist_domain.spread import DiversityMethod, Spread
from shortlist_domain.stages import ActorFeatures, ItemDelta, RankRequest
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_rpc.executor import BoundedExecutor
from shortlist_testing.tiny_bundle import (
    CALIBRATION,
    FEATURES,
    NOW_S,
    actors,
    item_ids,
    publish,
    tiny_bundle,
    tiny_files,
)

N = 60
MEMBER, _, _, _, STRANGER = actors(N)


@pytest.fixture
def host(tmp_path: Path) -> BundleHost[LoadedRanker]:
    tiny_bundle(tmp_path)
    made: BundleHost[LoadedRanker] = BundleHost(BundleStore(tmp_path), LoadedRanker)
    assert made.poll()
    return made


@pytest.fixture
def ranker(host: BundleHost[LoadedRanker]) -> LoadedRanker:
    return host.held()[0].value


@pytest.fixture
def executor() -> Iterator[BoundedExecutor]:
    made = BoundedExecutor(1, 16, "ranking")
    yield made
    made.close()


@pytest.fixture
def engine(host: BundleHost[LoadedRanker], executor: BoundedExecutor) -> RankingEngine:
    return RankingEngine(host, executor)


def soon() -> Deadline:
    return Deadline.after(10.0)


def request(ranker: LoadedRanker, *rows: int, **changes: object) -> RankRequest:
    return replace(RankRequest(ranker.bundle_id, MEMBER, array("I", rows)), **changes)  # type: ignore[arg-type]


def spread(**changes: object) -> Spread:
    return Spread(**{"method": DiversityMethod.MMR, "strength": 0.5, "count": 5, **changes})  # type: ignore[arg-type]


async def test_scores_are_the_linear_rankers_by_hand(engine: RankingEngine, ranker: LoadedRanker) -> None:
    result = await engine.rank(request(ranker, 7, 3, actor=STRANGER), soon())
    for place, row in enumerate((7, 3)):
        counters = ranker.counters.columns
        # A stranger's embedding is the bias alone; weights as the tiny bundle sets them; 22 is the hour of the request.
        logit = float(ranker.embeddings[row, -1]) + 0.1 + 0.01 * 22
        logit += 0.002 * counters["item_count"][row] + 0.2 * counters["item_mean"][row]
        rating = 3.0 + logit / 4.0
        assert result.click[place] == pytest.approx(1 / (1 + math.exp(-(CALIBRATION[0] * logit + CALIBRATION[1]))))
        assert result.rating[place] == pytest.approx(rating)
        assert result.scores[place] == pytest.approx(logit + 0.5 * rating)


async def test_weights_of_the_request_stand_in_for_the_bundles(engine: RankingEngine, ranker: LoadedRanker) -> None:
    own = await engine.rank(request(ranker, 7, 3, actor=STRANGER), soon())
    weighed = await engine.rank(request(ranker, 7, 3, actor=STRANGER, head_weights={"rating": 2.0}), soon())
    assert list(weighed.scores) == pytest.approx([2.0 * rating for rating in own.rating])
    assert (weighed.click, weighed.rating) == (own.click, own.rating), "heads stay what they are"


async def test_item_features_are_shown_where_asked_as_the_model_read_them(
    engine: RankingEngine, ranker: LoadedRanker
) -> None:
    assert (await engine.rank(request(ranker, 7, 3), soon())).item_numbers == {}
    ranker.counters.apply([ItemDelta(item_ids(N)[3], 8.0, 20.0)])
    shown = (await engine.rank(request(ranker, 7, 3, with_item_numbers=True), soon())).item_numbers
    assert set(shown) == set(ranker.features.item_numbers)
    assert shown["item_count"][1] == ranker.counters.columns["item_count"][3]
    assert shown["item_count"][0] == ranker.counters.columns["item_count"][7]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, N - 1), min_size=1, max_size=80))
def test_a_score_does_not_depend_on_the_rest_of_the_list(loaded: LoadedRanker, rows: list[int]) -> None:
    columns = loaded.number_columns(MEMBER)
    user_side = loaded.user_side(MEMBER, None)
    alone = {row: loaded.heads(user_side, columns, np.array([row]))[0][0] for row in set(rows)}
    together = loaded.heads(user_side, columns, np.array(rows))[0]
    # Not to the bit: the matrix kernels add up in another order for one row than for many.
    np.testing.assert_allclose(together, [alone[row] for row in rows], rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedRanker:
    folder = tmp_path_factory.mktemp("store")
    store = BundleStore(folder)
    return LoadedRanker(store.open(tiny_bundle(folder)))


@pytest.mark.parametrize("step", [1, 7, 512])
async def test_steps_do_not_change_scores(
    host: BundleHost[LoadedRanker], executor: BoundedExecutor, ranker: LoadedRanker, step: int
) -> None:
    whole = await RankingEngine(host, executor).rank(request(ranker, *range(N)), soon())
    stepped = await RankingEngine(host, executor, step).rank(request(ranker, *range(N)), soon())
    np.testing.assert_allclose(stepped.scores, whole.scores, rtol=1e-6)
    np.testing.assert_allclose(stepped.click, whole.click, rtol=1e-6)
    np.testing.assert_allclose(stepped.rating, whole.rating, rtol=1e-6)


async def test_retrievals_embedding_gives_what_the_own_tower_gives(engine: RankingEngine, ranker: LoadedRanker) -> None:
    embedding = array("f", ranker.user_side(MEMBER, None)["user_embedding"][0].tolist())
    own = await engine.rank(request(ranker, *range(N)), soon())
    assert await engine.rank(request(ranker, *range(N), actor_embedding=embedding), soon()) == own
    other = array("f", [0.0] * len(embedding))
    assert (await engine.rank(request(ranker, *range(N), actor_embedding=other), soon())).scores != own.scores


async def test_live_counters_move_scores(engine: RankingEngine, ranker: LoadedRanker) -> None:
    before = await engine.rank(request(ranker, 1, 2), soon())
    assert ranker.counters.apply([ItemDelta(item_ids(N)[1], 5000.0, 20000.0)]) == 1
    after = await engine.rank(request(ranker, 1, 2), soon())
    assert after.scores[0] > before.scores[0]
    assert after.scores[1] == before.scores[1]


async def test_no_candidates_is_an_empty_answer(engine: RankingEngine, ranker: LoadedRanker) -> None:
    result = await engine.rank(request(ranker), soon())
    assert (len(result.scores), len(result.click), len(result.rating)) == (0, 0, 0)


class Ticking:
    """A clock that moves on by a fixed step with every look."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


async def test_time_running_out_gives_the_first_ones_only(
    host: BundleHost[LoadedRanker], executor: BoundedExecutor, ranker: LoadedRanker
) -> None:
    engine = RankingEngine(host, executor, step=10)
    whole = await engine.rank(request(ranker, *range(N)), soon())
    partial = await engine.rank(request(ranker, *range(N)), Deadline(0.5, Ticking(0.1)))
    assert 10 <= len(partial.scores) < N
    assert len(partial.scores) % 10 == 0
    np.testing.assert_allclose(partial.scores, whole.scores[: len(partial.scores)], rtol=1e-6)
    assert len(partial.click) == len(partial.rating) == len(partial.scores)


async def test_no_time_at_all_is_an_error(engine: RankingEngine, ranker: LoadedRanker) -> None:
    with pytest.raises(BudgetExceeded):
        await engine.rank(request(ranker, 1), Deadline.after(-1.0))


async def test_outputs_that_are_not_finite_are_an_error(engine: RankingEngine, ranker: LoadedRanker) -> None:
    huge = array("f", [3e38] * ranker.dim)
    with pytest.raises(UpstreamFailed, match="not finite"):
        await engine.rank(request(ranker, *range(N), actor_embedding=huge), soon())


async def test_probabilities_stay_within_bounds_for_extreme_logits(engine: RankingEngine, ranker: LoadedRanker) -> None:
    large = array("f", [1e6] * ranker.dim)
    result = await engine.rank(request(ranker, *range(N), actor_embedding=large), soon())
    assert all(0.0 <= p <= 1.0 for p in result.click)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rows": array("I", [0, 60])}, "rows[1]"),
        ({"rows": array("I", [0] * 2001)}, "rows"),
        ({"actor_embedding": array("f", [0.0] * 8)}, "actor_embedding"),
        ({"actor_embedding": array("f", [float("nan")] * 9)}, "actor_embedding"),
        ({"actor": replace(MEMBER, history_times_s=array("d"))}, "actor.history_times_s"),
        ({"actor": ActorFeatures(float("nan"))}, "actor.now_s"),
        ({"head_weights": {"luck": 1.0}}, "head_weights[0].head"),
        ({"head_weights": {"click": -1.0, "rating": 1.0}}, "head_weights[0].weight"),
        ({"head_weights": {"click": float("nan"), "rating": 1.0}}, "head_weights[0].weight"),
        ({"head_weights": {"click": float("inf")}}, "head_weights[0].weight"),
        ({"head_weights": {"click": 0.0}}, "head_weights"),
        ({"spread": spread(strength=1.5)}, "spread.strength"),
        ({"spread": spread(strength=float("nan"))}, "spread.strength"),
        ({"spread": spread(count=0)}, "spread.count"),
        ({"spread": spread(count=201)}, "spread.count"),
        ({"spread": spread(held=array("I", [1]))}, "spread.held"),
        ({"spread": spread(held=array("I", [0] * 101))}, "spread.held"),
        ({"spread": spread(kept=array("f", [1.0, 1.0]))}, "spread.kept"),
        ({"spread": spread(kept=array("f", [1.5]))}, "spread.kept"),
        ({"spread": spread(boosts=array("f", [1.0, 1.0]))}, "spread.boosts"),
        ({"spread": spread(boosts=array("f", [0.0]))}, "spread.boosts"),
        ({"spread": spread(boosts=array("f", [float("inf")]))}, "spread.boosts"),
        ({"spread": spread(boosts=array("f", [float("nan")]))}, "spread.boosts"),
        ({"spread": spread(minimum_click_probability=-0.1)}, "spread.minimum_click_probability"),
    ],
)
async def test_what_is_wrong_with_a_request_is_named(
    engine: RankingEngine, ranker: LoadedRanker, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await engine.rank(request(ranker, 1, **changes), soon())
    assert [v.field for v in caught.value.violations] == [field]


async def test_another_bundle_is_a_mismatch(engine: RankingEngine, ranker: LoadedRanker) -> None:
    with pytest.raises(BundleMismatch):
        await engine.rank(request(ranker, bundle_id="other"), soon())


async def test_values_that_are_no_numbers_take_their_defaults(engine: RankingEngine, ranker: LoadedRanker) -> None:
    odd = ActorFeatures(NOW_S, numbers={"user_count": float("nan")})
    plain = ActorFeatures(NOW_S)
    assert await engine.rank(request(ranker, 1, 2, actor=odd), soon()) == await engine.rank(
        request(ranker, 1, 2, actor=plain), soon()
    )


async def test_retrievals_scores_and_popularity_count_as_the_bundle_says(
    engine: RankingEngine, ranker: LoadedRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (7, 3, 9)
    given = array("f", [0.5, 0.25, 0.125])
    heads = {id(a): await engine.rank(request(ranker, *rows, actor=a), soon()) for a in (MEMBER, STRANGER)}
    prior = PriorWeights(retrieval=1.0, newcomer_retrieval=3.0, newcomer_popularity=2.0, half_life_events=2.0)
    monkeypatch.setattr(ranker, "features", replace(ranker.features, prior=prior))
    counts = ranker.counters.columns["item_count"]
    for actor in (MEMBER, STRANGER):
        retrieval, popularity = (float(w) for w in prior.at(actor.numbers.get("user_count", 0.0)))
        expected = [
            retrieval * math.log(score) + popularity * math.log1p(counts[row])
            for score, row in zip(given, rows, strict=True)
        ]
        both = await engine.rank(request(ranker, *rows, actor=actor, retrieval_scores=given), soon())
        alone = heads[id(actor)]
        added = [score - head for score, head in zip(both.scores, alone.scores, strict=True)]
        assert added == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert (both.click, both.rating) == (alone.click, alone.rating)


async def test_what_is_popular_among_users_like_the_actor_orders_a_newcomers_slate(
    tmp_path: Path, executor: BoundedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Item 7 is twice as popular among women, item 3 among the young; nothing is known of men.
    lifts = np.zeros((5, N), np.float16)
    lifts[0, 7] = lifts[2, 3] = math.log(2.0)
    features = replace(FEATURES, prior=PriorWeights(newcomer_popularity=3.0))
    files = tiny_files(N) | {layout.SEGMENT_LIFTS: array_bytes(lifts), layout.FEATURE_LIST: features.to_json()}
    publish(tmp_path, files)
    made: BundleHost[LoadedRanker] = BundleHost(BundleStore(tmp_path), LoadedRanker)
    assert made.poll()
    loaded, engine = made.held()[0].value, RankingEngine(made, executor)

    async def scores(actor: ActorFeatures, weight: float) -> np.ndarray:
        prior = replace(loaded.features.prior, newcomer_segment=weight)
        monkeypatch.setattr(loaded, "features", replace(loaded.features, prior=prior))
        return np.array((await engine.rank(request(loaded, 7, 3, 9, actor=actor), soon())).scores)

    for attributes, expected in (
        ({"gender": "F", "age": "18"}, [1, 1, 0]),
        ({"gender": "F"}, [1, 0, 0]),
        ({"gender": "M", "age": "of another world"}, [0, 0, 0]),
        ({}, [0, 0, 0]),
    ):
        actor = ActorFeatures(NOW_S, attributes=attributes)
        added = await scores(actor, 0.5) - await scores(actor, 0.0)
        np.testing.assert_allclose(added, np.array(expected) * 3.0 * 0.5 * math.log(2.0), atol=0.005)


@pytest.mark.parametrize("count", [math.nan, math.inf, -3.0])
async def test_a_count_that_is_none_is_that_of_a_newcomer(
    engine: RankingEngine, ranker: LoadedRanker, monkeypatch: pytest.MonkeyPatch, count: float
) -> None:
    weight = PriorWeights(newcomer_retrieval=2.0)
    monkeypatch.setattr(ranker, "features", replace(ranker.features, prior=weight))
    actor = replace(STRANGER, numbers={"user_count": count})
    given = array("f", [0.5, 0.25])
    found = await engine.rank(request(ranker, 7, 3, actor=actor, retrieval_scores=given), soon())
    newcomer = await engine.rank(request(ranker, 7, 3, actor=STRANGER, retrieval_scores=given), soon())
    assert found.scores == pytest.approx(newcomer.scores)


@pytest.mark.parametrize(
    ("scores", "message"),
    [([0.5], "has 1 entries for 2 rows"), ([0.5, 0.0], "finite number above 0"), ([math.nan, 1.0], "finite number")],
)
async def test_scores_that_are_none_are_refused(
    engine: RankingEngine, ranker: LoadedRanker, scores: list[float], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        await engine.rank(request(ranker, 7, 3, retrieval_scores=array("f", scores)), soon())
    assert [violation.field for violation in refused.value.violations] == ["retrieval_scores"]


async def test_without_strength_the_order_is_that_of_the_scores(engine: RankingEngine, ranker: LoadedRanker) -> None:
    for method in DiversityMethod:
        asked = request(ranker, *range(N), spread=spread(method=method, strength=0.0, count=N))
        result = await engine.rank(asked, soon())
        assert result.order == array("I", sorted(range(N), key=lambda at: -result.scores[at]))


async def test_what_is_held_or_below_the_minimum_stands_in_no_order(
    engine: RankingEngine, ranker: LoadedRanker
) -> None:
    clicks = (await engine.rank(request(ranker, *range(N)), soon())).click
    least = sorted(clicks)[N // 2]
    held = array("I", [0, 7])
    asked = request(ranker, *range(N), spread=spread(count=N, held=held, minimum_click_probability=least))
    result = await engine.rank(asked, soon())
    assert result.order is not None
    assert set(result.order) == {at for at in range(N) if clicks[at] >= least and at not in held}


async def test_relevance_counts_as_far_as_it_is_kept(engine: RankingEngine, ranker: LoadedRanker) -> None:
    plain = await engine.rank(request(ranker, *range(N), spread=spread(strength=0.0, count=N)), soon())
    assert plain.order is not None
    best = plain.order[0]
    kept = array("f", [1.0] * N)
    kept[best] = 0.0
    moved = await engine.rank(request(ranker, *range(N), spread=spread(strength=0.0, count=N, kept=kept)), soon())
    assert moved.order == array("I", [*plain.order[1:], best])


async def test_the_order_is_that_of_boosted_scores_and_the_scores_stay(
    engine: RankingEngine, ranker: LoadedRanker
) -> None:
    boosts = array("f", [(0.01, 1.0, 100.0)[at % 3] for at in range(N)])
    for method in DiversityMethod:
        asked = request(ranker, *range(N), spread=spread(method=method, strength=0.0, count=N, boosts=boosts))
        result = await engine.rank(asked, soon())
        boosted = array("f", (score + math.log(boost) for score, boost in zip(result.scores, boosts, strict=True)))
        assert result.order == array("I", sorted(range(N), key=lambda at: -boosted[at]))
        assert result.scores == (await engine.rank(request(ranker, *range(N)), soon())).scores


async def test_only_what_was_ranked_is_spread_and_only_while_there_is_time(
    host: BundleHost[LoadedRanker], executor: BoundedExecutor, ranker: LoadedRanker
) -> None:
    engine = RankingEngine(host, executor, step=10)
    asked = request(ranker, *range(N), spread=spread(count=N, held=array("I", [N - 1])))
    assert (await engine.rank(asked, Deadline(0.5, Ticking(0.1)))).order is None, "its scores are there in time"
    result = await engine.rank(asked, soon())
    assert result.order is not None
    assert set(result.order) == set(range(N - 1))
