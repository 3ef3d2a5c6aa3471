"""Full rankings and their metrics under ties: against every order of the tied items, and against other libraries."""

from __future__ import annotations

import itertools

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from shortlist_evaluation import ListMetrics, areas, expected_metrics, joined, list_metrics, standings

NAMES = ("hit", "ndcg", "precision", "recall", "average_precision", "reciprocal_rank")
INF = np.inf


def metrics_of(found: ListMetrics, user: int = 0) -> list[float]:
    return [float(getattr(found, name)[user]) for name in NAMES]


def mean_over_orders(scores: NDArray[np.float32], relevant: list[int], k: int) -> NDArray[np.float64]:
    """Return the plain metrics, averaged over every order of the items in which scores do not rise."""
    found = []
    for order in itertools.permutations(range(len(scores))):
        ranked = sorted((i for i in order if scores[i] > -INF), key=lambda item: -scores[item])
        padded = np.array([ranked + [-1] * (len(scores) - len(ranked))], np.int32)
        found.append(metrics_of(list_metrics(padded, np.array([0, len(relevant)]), np.array(relevant), k)))
    means: NDArray[np.float64] = np.mean(found, axis=0)
    return means


def worlds(number: int, users: int, items: int, levels: int) -> tuple[NDArray[np.float32], list[NDArray[np.int64]]]:
    """Return scores with few different values, some of them minus infinity, and relevant items."""
    random = np.random.default_rng(number)
    scores = random.integers(-1, levels, (users, items)).astype(np.float32)
    scores[random.random((users, items)) < 0.1] = -INF
    return scores, [random.permutation(items)[: random.integers(1, 4)] for _ in range(users)]


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("number", range(8))
def test_metrics_under_ties_are_the_mean_over_all_orders(number: int, k: int) -> None:
    (scores,), (relevant,) = worlds(number, users=1, items=6, levels=2)
    indptr = np.array([0, len(relevant)])
    found = expected_metrics(standings(scores[None], indptr, relevant, 6).ranks, indptr, k)
    assert metrics_of(found) == pytest.approx(mean_over_orders(scores, relevant.tolist(), k))


@pytest.mark.parametrize("ties", [False, True])
def test_metrics_agree_with_ir_measures(ties: bool) -> None:
    """Its average precision is divided by all relevant items, ours by those that fit into the list."""
    random = np.random.default_rng(5)
    users, items, k = 30, 40, 10
    scores = random.permuted(np.tile(np.arange(items, dtype=np.float32), (users, 1)), axis=1)
    if ties:
        scores = np.floor(scores / 7)
    relevant = [random.permutation(items)[: random.integers(1, 15)] for _ in range(users)]
    indptr = np.cumsum([0, *map(len, relevant)])
    found = expected_metrics(standings(scores, indptr, np.concatenate(relevant), k).ranks, indptr, k)
    orders = 400 if ties else 1
    total = np.zeros((users, 6))
    for _ in range(orders):
        # A nudge below the distance of two scores is a random order of those that tie.
        nudged = scores + random.random(scores.shape) * 0.5 * ties
        total += by_ir_measures(nudged, relevant, k)
    theirs = total / orders
    theirs[:, 4] *= [len(mine) / min(k, len(mine)) for mine in relevant]
    ours = np.stack([getattr(found, name) for name in NAMES], axis=1)
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), rtol=0.02 if ties else 1e-12)
    np.testing.assert_allclose(ours, theirs, atol=0.1 if ties else 1e-12)


def by_ir_measures(scores: NDArray[np.floating], relevant: list[NDArray[np.int64]], k: int) -> NDArray[np.float64]:
    measures = [Success @ k, nDCG @ k, P @ k, R @ k, AP @ k, RR @ k]
    qrels = {str(u): {str(item): 1 for item in mine.tolist()} for u, mine in enumerate(relevant)}
    run = {str(u): {str(item): float(score) for item, score in enumerate(mine)} for u, mine in enumerate(scores)}
    found = np.zeros((len(relevant), len(measures)))
    for each in ir_measures.iter_calc(measures, qrels, run):
        found[int(each.query_id), measures.index(each.measure)] = each.value
    return found


def test_without_ties_they_are_the_metrics_of_the_list() -> None:
    random = np.random.default_rng(2)
    scores = random.random((50, 80)).astype(np.float32)
    relevant = [random.permutation(80)[: random.integers(0, 9)] for _ in range(50)]
    indptr = np.cumsum([0, *map(len, relevant)])
    found = standings(scores, indptr, np.concatenate(relevant), 10)
    np.testing.assert_array_equal(found.lists, np.argsort(-scores, axis=1)[:, :10])
    by_list = list_metrics(found.lists, indptr, np.concatenate(relevant), 10)
    by_rank = expected_metrics(found.ranks, indptr, 10)
    assert by_rank.without_relevant == by_list.without_relevant > 0
    for name in NAMES:
        np.testing.assert_allclose(getattr(by_rank, name), getattr(by_list, name), atol=1e-12)


def test_the_area_under_the_curve_agrees_with_scikit_learn() -> None:
    scores, relevant = worlds(3, users=40, items=25, levels=4)
    indptr = np.cumsum([0, *map(len, relevant)])
    found = standings(scores, indptr, np.concatenate(relevant), 1)
    ours = areas(found.ranks, indptr, found.candidates)
    for user, mine in enumerate(relevant):
        labels = np.isin(np.arange(25), mine)
        # What cannot be recommended does not compete; where it is relevant it is below everything.
        counted = (scores[user] > -INF) | labels
        placed = np.where(scores[user] > -INF, scores[user], -100)
        assert ours[user] == pytest.approx(roc_auc_score(labels[counted], placed[counted]))


def test_a_user_to_whom_everything_is_relevant_has_no_area() -> None:
    found = standings(np.zeros((1, 3), np.float32), np.array([0, 3]), np.arange(3), 1)
    assert np.isnan(areas(found.ranks, np.array([0, 3]), found.candidates)).all()


def test_a_model_that_scores_all_alike_is_no_better_than_chance() -> None:
    indptr = np.array([0, 1])
    found = standings(np.zeros((1, 100), np.float32), indptr, np.array([7]), 10)
    at_10 = expected_metrics(found.ranks, indptr, 10)
    assert at_10.hit[0] == pytest.approx(0.1)
    assert areas(found.ranks, indptr, found.candidates)[0] == 0.5


def test_order_is_that_of_the_numbers_whatever_their_sign_or_size() -> None:
    scores = np.array([[-0.0, 0.0, -1e-38, 3e38, -3e38, 1e-45, -INF, np.nan]], np.float32)
    found = standings(scores, np.array([0, 2]), np.array([1, 7]), 8)
    assert found.lists[0].tolist() == [3, 5, 0, 1, 2, 4, -1, -1]
    assert found.ranks.better.tolist() == [2, -1]
    assert found.ranks.tied.tolist() == [1, 0]
    assert found.candidates.tolist() == [6]


def test_ties_in_lists_go_to_the_lower_row_also_at_the_end_of_the_list() -> None:
    scores = np.array([[1, 2, 1, 1, 2, 1]], np.float32)
    assert standings(scores, np.array([0, 0]), np.zeros(0, np.int64), 4).lists[0].tolist() == [1, 4, 0, 2]


def test_blocks_of_users_join() -> None:
    scores, relevant = worlds(1, users=6, items=9, levels=3)
    indptr = np.cumsum([0, *map(len, relevant)])
    rows = np.concatenate(relevant)
    whole = standings(scores, indptr, rows, 4)
    halves = joined(
        [
            standings(scores[:2], indptr[:3], rows[: indptr[2]], 4),
            standings(scores[2:], indptr[2:] - indptr[2], rows[indptr[2] :], 4),
        ]
    )
    np.testing.assert_array_equal(whole.ranks.better, halves.ranks.better)
    np.testing.assert_array_equal(whole.lists, halves.lists)
    with pytest.raises(ValueError, match="no standings"):
        joined([])


@pytest.mark.parametrize(("indptr", "most"), [([0, 1], 3), ([0, 1, 2], 0), ([0, 1, 2], 4)])
def test_what_does_not_fit_is_refused(indptr: list[int], most: int) -> None:
    with pytest.raises(ValueError, match="do not agree"):
        standings(np.zeros((2, 3), np.float32), np.array(indptr), np.zeros(2, np.int64), most)


def test_k_below_one_is_refused() -> None:
    found = standings(np.zeros((1, 3), np.float32), np.array([0, 1]), np.array([0]), 1)
    with pytest.raises(ValueError, match="k=0"):
        expected_metrics(found.ranks, np.array([0, 1]), 0)
