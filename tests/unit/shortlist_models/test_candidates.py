"""Candidate models: one contract for all, and each against a small case worked out another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_models.candidates import (
    CANDIDATE_MODELS,
    Biases,
    Ease,
    Histories,
    Ials,
    ItemKnn,
    ModelRefused,
    Popularity,
    RatingModel,
    SegmentPopularity,
)

N_ITEMS = 30
ALL = sorted(CANDIDATE_MODELS)


def histories(n_users: int = 120, n_items: int = N_ITEMS, seed: int = 0) -> Histories:
    random = np.random.default_rng(seed)
    counts = random.integers(0, 9, n_users)
    counts[0] = 0
    rows = np.concatenate([random.choice(n_items, n, replace=False) for n in counts]).astype(np.int32)
    times = np.sort(random.random(len(rows))) * 1e7
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    values = random.integers(1, 6, len(rows)).astype(np.float32)
    users = np.arange(n_users, dtype=np.int32)
    categories = np.stack([random.integers(0, 3, n_users), random.integers(0, 30, n_users)], axis=1)
    return Histories(users, np.full(n_users, 1e7), indptr, rows, values, times, n_items, categories)


def of(*events: tuple[int, int], n_items: int = 5, categories: list[list[int]] | None = None) -> Histories:
    """Return histories of (user, item) pairs, in their order, each worth 1."""
    users = max(u for u, _ in events) + 1
    ordered = [[i for u, i in events if u == user] for user in range(users)]
    rows = np.array([i for mine in ordered for i in mine], np.int32)
    indptr = np.concatenate([[0], np.cumsum([len(mine) for mine in ordered])]).astype(np.int64)
    times = np.arange(len(rows), dtype=np.float64)
    ones = np.ones(len(rows), np.float32)
    known = None if categories is None else np.array(categories)
    return Histories(np.arange(users, dtype=np.int32), np.full(users, 1e3), indptr, rows, ones, times, n_items, known)


def from_export(name: str, exported: Mapping[str, NDArray[Any]], asked: Histories) -> NDArray[np.float64]:
    """Return the scores that the exported arrays give, computed without the model."""
    x: NDArray[np.float64] = asked.matrix().toarray().astype(np.float64)
    scores: NDArray[np.float64] = np.zeros_like(x)
    if "segments" in exported:
        assert asked.categories is not None
        for user, mine in enumerate(asked.categories.tolist()):
            fits = [i + 1 for i, (attribute, value) in enumerate(exported["segments"]) if mine[attribute] == value]
            scores[user] = exported["segment_scores"][fits[0] if fits else 0]
        return scores
    if "item_biases" in exported:
        items, (mean, damping) = exported["item_biases"], exported["parameters"]
        for user in range(len(asked)):
            events = slice(asked.indptr[user], asked.indptr[user + 1])
            rest = asked.values[events] - mean - items[asked.rows[events]]
            scores[user] = mean + items + rest.sum() / (len(rest) + damping)
        return scores
    if "scores" in exported and "rows" not in exported:
        return scores + exported["scores"].astype(np.float64)
    if "rows" in exported:
        for user, item in zip(*np.nonzero(x), strict=True):
            known = exported["rows"][item] >= 0
            np.add.at(scores[user], exported["rows"][item][known], exported["scores"][item][known])
        return scores
    vectors, (weight, regularisation) = exported["item_vectors"].astype(np.float64), exported["parameters"]
    for user, row in enumerate(x):
        mine = vectors[row > 0]
        left = vectors.T @ vectors + regularisation * np.eye(vectors.shape[1]) + (weight - 1.0) * mine.T @ mine
        scores[user] = vectors @ np.linalg.solve(left, weight * mine.sum(axis=0))
    return scores


@pytest.mark.parametrize("name", ALL)
def test_scores_are_finite_and_cover_the_catalogue_for_users_known_and_new(name: str) -> None:
    model = CANDIDATE_MODELS[name]()
    model.fit(histories())
    asked = histories(n_users=17, seed=5)
    scores = model.score(asked)
    assert scores.shape == (17, N_ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", ALL)
def test_a_users_scores_do_not_depend_on_who_else_is_asked_about(name: str) -> None:
    model = CANDIDATE_MODELS[name]()
    model.fit(histories())
    asked = histories(n_users=20, seed=5)
    together = model.score(asked)
    alone = np.concatenate([model.score(asked.take(at, at + 1)) for at in range(20)])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_the_export_is_enough_to_score_with(name: str) -> None:
    model = CANDIDATE_MODELS[name]()
    model.fit(histories())
    asked = histories(n_users=40, seed=5)
    np.testing.assert_allclose(from_export(name, model.export(), asked), model.score(asked), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_fitting_twice_gives_the_same_and_forgets_the_first(name: str) -> None:
    once, twice = CANDIDATE_MODELS[name](), CANDIDATE_MODELS[name]()
    once.fit(histories())
    twice.fit(histories(seed=9))
    twice.fit(histories())
    np.testing.assert_array_equal(once.score(histories(seed=5)), twice.score(histories(seed=5)))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "given",
    [
        pytest.param(of((0, 1), (0, 3), (0, 4)), id="one user"),
        pytest.param(of((0, 0), (1, 0), n_items=1), id="one item"),
        pytest.param(of((0, 2), (0, 2), (0, 2), (1, 2), (1, 3)), id="repeats"),
    ],
)
def test_little_data_is_learnt_from_without_numbers_that_are_none(name: str, given: Histories) -> None:
    model = CANDIDATE_MODELS[name]()
    model.fit(given)
    assert np.isfinite(model.score(given)).all()


@pytest.mark.parametrize("name", ALL)
def test_nothing_to_learn_from_is_refused(name: str) -> None:
    with pytest.raises(ModelRefused, match="0 events on 30 items; at least 1 on at least 1 are needed"):
        CANDIDATE_MODELS[name]().fit(histories().take(0, 1))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("column", "content", "message"),
    [
        ("values", np.nan, "2 of 3 values are NaN or infinite"),
        ("times_s", np.inf, "2 of 3 times are NaN or infinite"),
        ("rows", 5, "2 of 3 events are on rows outside of the catalogue of 5 items"),
        ("rows", -1, "2 of 3 events are on rows outside of the catalogue of 5 items"),
    ],
)
def test_events_that_are_none_are_refused_with_their_number(
    name: str, column: str, content: float, message: str
) -> None:
    given = of((0, 1), (0, 3), (1, 4))
    getattr(given, column)[1:] = content
    with pytest.raises(ModelRefused, match=message):
        CANDIDATE_MODELS[name]().fit(given)


@pytest.mark.parametrize("name", ALL)
def test_a_catalogue_that_outgrew_the_model_is_refused_with_the_difference(name: str) -> None:
    model = CANDIDATE_MODELS[name]()
    model.fit(of((0, 1), (0, 3), (1, 4)))
    with pytest.raises(ModelRefused, match=r"fitted on 5 items, the histories are over 7 \(2 more\)"):
        model.score(of((0, 1), n_items=7))
    with pytest.raises(ModelRefused, match=r"\(1 fewer\)"):
        model.score(of((0, 1), n_items=4))


@pytest.mark.parametrize("name", ALL)
def test_equal_values_are_learnt_from(name: str) -> None:
    given = histories()
    given.values[:] = 0.0
    model = CANDIDATE_MODELS[name]()
    model.fit(given)
    assert np.isfinite(model.score(given)).all()


def test_a_predicted_rating_is_the_mean_and_two_deviations_drawn_towards_it() -> None:
    """Values 5 (user 0, item 1), 1 (user 1, item 1), 3 (user 1, item 2): the mean is 3."""
    model, given = Biases(item_damping=2.0, user_damping=1.0), of((0, 1), (1, 1), (1, 2))
    given = replace(given, values=np.array([5.0, 1.0, 3.0], np.float32))
    model.fit(given)
    # Items 1 and 2 deviate by (2 - 2) / 4 and 0 / 3, user 0 by 2 / 2, user 1 by -2 / 3.
    assert isinstance(model, RatingModel)
    np.testing.assert_allclose(model.ratings(given)[:, 1], [4.0, 3.0 - 2 / 3])


@pytest.mark.parametrize("damping", [(0.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_biases_without_damping_are_refused(damping: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Biases(*damping)


def test_popularity_counts_events() -> None:
    model = Popularity()
    model.fit(of((0, 1), (1, 1), (1, 3)))
    assert model.score(of((0, 0)))[0].tolist() == [0, 2, 0, 1, 0]


def test_an_event_counts_half_after_the_half_life() -> None:
    model = Popularity(half_life_s=2.0)
    model.fit(of((0, 1), (0, 2), (0, 3)))  # at 0, 1 and 2 s
    assert model.score(of((0, 0)))[0].tolist() == pytest.approx([0, 0.5, 0.5**0.5, 1, 0])


def test_a_segment_has_its_own_popularity_drawn_towards_that_of_all() -> None:
    model = SegmentPopularity(least_users=2, prior_events=4.0)
    model.fit(of((0, 1), (1, 1), (1, 3), (2, 0), n_items=4, categories=[[1], [1], [2]]))
    # Of all events half are on item 1; of the three in segment 1 two are: (2 + 4/2) / (3 + 4).
    all_ = np.array([1 / 4, 1 / 2, 0, 1 / 4])
    in_1 = (np.array([0, 2, 0, 1]) + 4 * all_) / 7
    asked = of((0, 0), (1, 0), (2, 0), n_items=4, categories=[[1], [2], [0]])
    # Segment 2 has one user, which is too few, and 0 is no segment.
    np.testing.assert_allclose(model.score(asked), [in_1, all_, all_], rtol=1e-6)


def test_the_attribute_that_tells_most_comes_first() -> None:
    events = [(user, item) for user in range(8) for item in ((0, 1) if user < 4 else (2, 3))]
    by_taste = [[1 + user % 2, 1 + (user >= 4)] for user in range(8)]
    model = SegmentPopularity(least_users=2, prior_events=1e-9)
    model.fit(of(*events, categories=by_taste))
    asked = of((0, 4), (1, 4), categories=[[1, 2], [2, 0]])
    # The first column halves both tastes; the second is the taste, and where it is unknown the first one is asked.
    np.testing.assert_allclose(model.score(asked), [[0, 0, 0.5, 0.5, 0], [0.25] * 4 + [0]], atol=1e-6)


def test_without_attributes_everybody_is_in_the_one_segment_of_all() -> None:
    model = SegmentPopularity()
    model.fit(of((0, 1), (1, 1), (1, 3)))
    np.testing.assert_allclose(model.score(of((0, 0)))[0], [0, 2 / 3, 0, 1 / 3, 0], rtol=1e-6)


@pytest.mark.parametrize(("least_users", "prior_events"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
def test_segments_out_of_range_are_refused(least_users: int, prior_events: float) -> None:
    with pytest.raises(ValueError, match="must be at least 1 and prior_events"):
        SegmentPopularity(least_users, prior_events)


def test_neighbours_add_up_over_the_history() -> None:
    model = ItemKnn(most=5, shrinkage=0.0)
    model.fit(of((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 2), (3, 3)))
    # |U_0| = 3, |U_1| = 2, |U_2| = 1: cosines 2 / sqrt(6) and 1 / sqrt(3) from item 0, none between 1 and 2.
    assert model.score(of((0, 0)))[0].tolist() == pytest.approx([0, 2 / 6**0.5, 1 / 3**0.5, 0, 0])
    assert model.score(of((0, 1), (0, 2)))[0, 0] == pytest.approx(2 / 6**0.5 + 1 / 3**0.5)


def test_ease_is_the_ridge_regression_of_each_item_on_the_others() -> None:
    model, given = Ease(regularisation=3.0), histories()
    model.fit(given)
    x = given.matrix().toarray().astype(np.float64)
    weights = np.zeros((N_ITEMS, N_ITEMS))
    for item in range(N_ITEMS):
        others = np.arange(N_ITEMS) != item
        z = x[:, others]
        weights[others, item] = np.linalg.solve(z.T @ z + 3.0 * np.eye(N_ITEMS - 1), z.T @ x[:, item])
    np.testing.assert_allclose(model.score(given), x @ weights, atol=1e-4)


def test_edlae_is_the_regression_on_inputs_that_drop_out() -> None:
    model, given = Ease(regularisation=1.0, dropout=0.4), histories()
    model.fit(given)
    x = given.matrix().toarray().astype(np.float64)
    random = np.random.default_rng(1)
    # Many copies with dropped inputs, each kept one scaled to the same mean, stand for the expectation.
    copies = 3000
    gram, cross = np.zeros((N_ITEMS, N_ITEMS)), np.zeros((N_ITEMS, N_ITEMS))
    for _ in range(copies):
        z = x * (random.random(x.shape) >= 0.4) / 0.6
        gram += z.T @ z / copies
        cross += z.T @ x / copies
    weights = np.zeros((N_ITEMS, N_ITEMS))
    for item in range(N_ITEMS):
        others = np.arange(N_ITEMS) != item
        left = gram[np.ix_(others, others)] + np.eye(N_ITEMS - 1)
        weights[others, item] = np.linalg.solve(left, cross[others, item])
    np.testing.assert_allclose(model.score(given), x @ weights, atol=0.03)


@pytest.mark.parametrize(("regularisation", "dropout"), [(0.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (1.0, -0.1)])
def test_parameters_out_of_range_are_refused(regularisation: float, dropout: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and dropout"):
        Ease(regularisation, dropout)


def test_ials_alternates_until_neither_side_wants_to_move() -> None:
    model, given = Ials(factors=6, weight=4.0, regularisation=2.0, sweeps=200), histories(n_users=60)
    model.fit(given)
    items = model.export()["item_vectors"].astype(np.float64)
    x = given.matrix().toarray().astype(np.float64)

    def solved(others: NDArray[np.float64], met: NDArray[np.float64]) -> NDArray[np.float64]:
        left = others.T @ others + 2.0 * np.eye(6)
        return np.stack(
            [np.linalg.solve(left + 3.0 * others[m > 0].T @ others[m > 0], 4.0 * others[m > 0].sum(0)) for m in met]
        )

    users = solved(items, x)
    np.testing.assert_allclose(users @ solved(users, x.T).T, users @ items.T, atol=0.02)


@pytest.mark.parametrize("model", [Ease(1.0, half_life_s=10.0), ItemKnn(half_life_s=10.0)], ids=["ease", "item_knn"])
def test_earlier_events_count_less_by_their_distance_to_the_latest_one_of_the_same_user(model: Ease | ItemKnn) -> None:
    model.fit(histories())
    asked = of((0, 1), (0, 2), (1, 3), n_items=N_ITEMS)
    asked = replace(asked, times_s=np.array([70.0, 90.0, 5.0]))
    alone = [model.score(of((0, item), n_items=N_ITEMS))[0] for item in (1, 2, 3)]
    np.testing.assert_allclose(model.score(asked), [0.25 * alone[0] + alone[1], alone[2]], atol=1e-6)


def test_a_half_life_is_positive() -> None:
    with pytest.raises(ValueError, match=r"half_life_s 0\.0 must be positive"):
        Ease(half_life_s=0.0)


def test_the_strongest_are_the_positive_weights_best_first() -> None:
    model = Ease(2.0)
    model.fit(histories())
    rows, weights = model.strongest(5)
    exported = from_export("ease", model.export(), of(*((item, item) for item in range(N_ITEMS)), n_items=N_ITEMS))
    for item in range(N_ITEMS):
        expected = np.argsort(-exported[item], kind="stable")[:5]
        expected = np.where(exported[item, expected] > 0.0, expected, -1)
        np.testing.assert_array_equal(rows[item], expected)
        np.testing.assert_allclose(weights[item], np.where(expected >= 0, exported[item, expected], 0.0), atol=1e-6)
