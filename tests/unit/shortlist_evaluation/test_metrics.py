"""Metrics against numbers computed by hand, slow references and scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_evaluation import (
    Ranks,
    concatenated,
    coverage,
    event_metrics,
    exposure,
    gini,
    list_metrics,
    novelty,
    rank_of,
)


def lists_of(*rows: list[int]) -> NDArray[np.int32]:
    return np.array(rows, np.int32)


class TestListMetrics:
    def test_they_are_the_textbook_numbers(self) -> None:
        """Relevant {1, 3, 9}; hits at positions 2 and 4 of 4."""
        found = list_metrics(lists_of([5, 1, 7, 3]), np.array([0, 3]), np.array([1, 3, 9]), k=4)
        assert found.hit[0] == 1
        assert found.precision[0] == 2 / 4
        assert found.recall[0] == pytest.approx(2 / 3)
        assert found.reciprocal_rank[0] == 1 / 2
        assert found.average_precision[0] == pytest.approx((1 / 2 + 2 / 4) / 3)
        ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
        assert found.ndcg[0] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)

    def test_a_perfect_list_scores_one_also_where_more_is_relevant_than_fits(self) -> None:
        found = list_metrics(lists_of([3, 1, 2]), np.array([0, 5]), np.array([0, 1, 2, 3, 4]), k=3)
        assert found.ndcg[0] == pytest.approx(1)
        assert found.average_precision[0] == pytest.approx(1)
        assert found.precision[0] == 1
        assert found.recall[0] == 3 / 5

    def test_only_the_first_k_count(self) -> None:
        found = list_metrics(lists_of([5, 6, 1]), np.array([0, 1]), np.array([1]), k=2)
        assert (found.hit[0], found.ndcg[0], found.reciprocal_rank[0]) == (0, 0, 0)

    def test_padding_is_never_a_hit_and_short_lists_are_not_excused(self) -> None:
        found = list_metrics(lists_of([1, -1, -1], [-1, -1, -1]), np.array([0, 1, 2]), np.array([1, 0]), k=3)
        assert found.hit.tolist() == [1, 0]
        assert found.precision.tolist() == [1 / 3, 0]

    def test_lists_narrower_than_k_are_as_if_padded(self) -> None:
        narrow = list_metrics(lists_of([1, 2]), np.array([0, 1]), np.array([2]), k=10)
        padded = list_metrics(lists_of([1, 2] + [-1] * 8), np.array([0, 1]), np.array([2]), k=10)
        assert narrow.ndcg.tolist() == padded.ndcg.tolist()
        assert narrow.precision.tolist() == [0.1]

    def test_users_without_relevant_items_are_left_out_and_counted(self) -> None:
        found = list_metrics(lists_of([1], [2], [3]), np.array([0, 1, 1, 2]), np.array([1, 0]), k=1)
        assert found.users.tolist() == [0, 2]
        assert found.without_relevant == 1
        assert found.mean("hit") == 0.5

    def test_nobody_to_evaluate_has_no_mean(self) -> None:
        found = list_metrics(lists_of([1], [2]), np.array([0, 0, 0]), np.zeros(0, np.int32), k=1)
        assert found.without_relevant == 2
        assert math.isnan(found.mean("ndcg"))

    def test_one_users_relevant_items_are_no_hits_of_another(self) -> None:
        found = list_metrics(lists_of([4], [5]), np.array([0, 1, 2]), np.array([5, 4]), k=1)
        assert found.hit.tolist() == [0, 0]

    def test_a_relevant_item_named_twice_counts_once(self) -> None:
        found = list_metrics(lists_of([4, 5]), np.array([0, 3]), np.array([4, 4, 9]), k=2)
        assert found.recall[0] == 1 / 2

    def test_a_list_that_repeats_an_item_is_refused(self) -> None:
        with pytest.raises(ValueError, match="list 1 names an item twice"):
            list_metrics(lists_of([1, 2], [3, 3]), np.array([0, 1, 2]), np.array([1, 3]), k=2)

    @pytest.mark.parametrize("k", [0, -1])
    def test_k_below_one_is_refused(self, k: int) -> None:
        with pytest.raises(ValueError, match="k="):
            list_metrics(lists_of([1]), np.array([0, 1]), np.array([1]), k=k)

    def test_they_agree_with_a_slow_reference_on_random_lists(self) -> None:
        random = np.random.default_rng(7)
        lists = np.stack([random.permutation(30)[:12] for _ in range(50)]).astype(np.int32)
        relevant = [random.permutation(30)[: random.integers(1, 9)] for _ in range(50)]
        indptr = np.cumsum([0, *(len(r) for r in relevant)])
        found = list_metrics(lists, indptr, np.concatenate(relevant), k=10)
        for user in range(50):
            gains = [1.0 if item in set(relevant[user].tolist()) else 0.0 for item in lists[user, :10].tolist()]
            size = len(relevant[user])
            dcg = sum(g / math.log2(i + 2) for i, g in enumerate(gains))
            ideal = sum(1 / math.log2(i + 2) for i in range(min(10, size)))
            precision = [sum(gains[: i + 1]) / (i + 1) for i in range(10)]
            ap = sum(p * g for p, g in zip(precision, gains, strict=True)) / min(10, size)
            expected = (dcg / ideal, sum(gains) / 10, sum(gains) / size, ap)
            actual = (found.ndcg[user], found.precision[user], found.recall[user], found.average_precision[user])
            assert actual == pytest.approx(expected)

    def test_ndcg_agrees_with_scikit_learn_on_full_rankings(self) -> None:
        sklearn_metrics = pytest.importorskip("sklearn.metrics")
        random = np.random.default_rng(11)
        scores = random.random((40, 25))
        truth = (random.random((40, 25)) < 0.2).astype(int)
        truth[:, 0] = 1
        lists = np.argsort(-scores, axis=1).astype(np.int32)
        rows, items = np.nonzero(truth)
        found = list_metrics(lists, np.searchsorted(rows, np.arange(41)), items, k=10)
        expected = [sklearn_metrics.ndcg_score(truth[[u]], scores[[u]], k=10) for u in range(40)]
        np.testing.assert_allclose(found.ndcg, expected, rtol=1e-12)


class TestRanks:
    def test_rank_counts_better_and_tied_competitors(self) -> None:
        scores = np.array([[0.5, 0.9, 0.5, 0.1, 0.5]])
        ranks = rank_of(scores, np.array([2]))
        assert (ranks.better[0], ranks.tied[0], ranks.expected[0]) == (1, 2, 3.0)

    def test_excluded_items_do_not_compete_and_an_excluded_target_is_never_found(self) -> None:
        scores = np.array([[0.5, 0.9, 0.5], [0.5, 0.9, 0.5]])
        excluded = np.array([[True, True, False], [False, False, True]])
        ranks = rank_of(scores, np.array([2, 2]), excluded)
        assert ranks.expected.tolist() == [1.0, np.inf]
        assert event_metrics(ranks, 3).hit.tolist() == [1, 0]

    def test_nan_ranks_below_everything_with_a_number(self) -> None:
        scores = np.array([[np.nan, 1.0, -1e9], [np.nan, 1.0, -1e9]])
        assert rank_of(scores, np.array([0, 2])).expected.tolist() == [3.0, 2.0]

    def test_a_model_that_scores_all_alike_gets_no_better_than_chance(self) -> None:
        ranks = rank_of(np.zeros((1, 100)), np.array([0]))
        assert event_metrics(ranks, 10).hit[0] == pytest.approx(0.1)

    def test_they_do_not_change_the_scores(self) -> None:
        scores = np.array([[np.nan, 1.0]])
        rank_of(scores, np.array([1]))
        assert np.isnan(scores[0, 0])

    @pytest.mark.parametrize("target", [np.array([3]), np.array([-1]), np.array([0, 1])])
    def test_targets_outside_the_catalogue_are_refused(self, target: NDArray[np.int64]) -> None:
        with pytest.raises(ValueError, match="target"):
            rank_of(np.zeros((1, 3)), target)

    def test_batches_join(self) -> None:
        joined = concatenated([rank_of(np.eye(3), np.arange(3)), rank_of(np.zeros((1, 2)), np.array([1]))])
        assert joined.better.tolist() == [0, 0, 0, 0]
        assert joined.tied.tolist() == [0, 0, 0, 1]
        assert len(concatenated([])) == 0


class TestEventMetrics:
    @pytest.mark.parametrize(("rank", "hit"), [(1, 1.0), (3, 1.0), (4, 0.0)])
    def test_without_ties_they_are_the_plain_definitions(self, rank: int, hit: float) -> None:
        found = event_metrics(Ranks(np.array([rank - 1]), np.array([0])), k=3)
        assert found.hit[0] == found.recall[0] == hit
        assert found.ndcg[0] == pytest.approx(hit / math.log2(rank + 1))
        assert found.reciprocal_rank[0] == pytest.approx(hit / rank)

    def test_under_ties_they_are_the_mean_over_all_orders(self) -> None:
        scores = np.array([3.0, 1.0, 1.0, 1.0, 0.0])
        k = 3
        hits, gains, reciprocals = [], [], []
        for order in itertools.permutations(range(5)):
            ranked = sorted(order, key=lambda item: -scores[item])  # stable: ties stay in the permutation's order
            rank = ranked.index(2) + 1
            hits.append(rank <= k)
            gains.append(1 / math.log2(rank + 1) if rank <= k else 0)
            reciprocals.append(1 / rank if rank <= k else 0)
        found = event_metrics(rank_of(scores[None], np.array([2])), k)
        assert found.hit[0] == pytest.approx(np.mean(hits))
        assert found.ndcg[0] == pytest.approx(np.mean(gains))
        assert found.reciprocal_rank[0] == pytest.approx(np.mean(reciprocals))

    def test_they_agree_with_list_metrics_where_one_item_is_relevant(self) -> None:
        random = np.random.default_rng(3)
        scores = random.random((60, 40))
        target = random.integers(0, 40, 60)
        lists = np.argsort(-scores, axis=1)[:, :10].astype(np.int32)
        by_list = list_metrics(lists, np.arange(61), target, k=10)
        by_rank = event_metrics(rank_of(scores, target), k=10)
        np.testing.assert_allclose(by_rank.ndcg, by_list.ndcg)
        np.testing.assert_allclose(by_rank.hit, by_list.hit)
        np.testing.assert_allclose(by_rank.reciprocal_rank, by_list.reciprocal_rank)

    def test_k_below_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="k=0"):
            event_metrics(Ranks(np.array([0]), np.array([0])), k=0)


class TestCatalogue:
    def test_coverage_is_the_share_of_items_shown(self) -> None:
        lists = lists_of([0, 1, 5], [1, -1, 6])
        assert exposure(lists, 10, k=2).tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 0]
        assert coverage(lists, 10, k=2) == 0.2

    def test_gini_is_zero_for_equal_and_near_one_for_single_exposure(self) -> None:
        assert gini(lists_of([0, 1], [2, 3]), 4, k=2) == pytest.approx(0)
        assert gini(lists_of([0], [0]), 4, k=1) == pytest.approx(3 / 4)
        assert gini(lists_of([0, 1], [0, 2]), 3, k=2) == pytest.approx(((-2) * 1 + 0 * 1 + 2 * 2) / (3 * 4))

    def test_novelty_is_the_mean_information_of_what_is_shown(self) -> None:
        counts = np.array([4.0, 2.0, 2.0, 0.0])
        assert novelty(lists_of([0, 1], [2, -1]), counts, k=2) == pytest.approx((1 + 2 + 2) / 3)
        assert novelty(lists_of([3]), counts, k=1) == pytest.approx(-math.log2(0.5 / 8))

    def test_nothing_shown_has_no_gini_and_no_novelty(self) -> None:
        assert math.isnan(gini(lists_of([-1]), 3, k=1))
        assert math.isnan(novelty(lists_of([-1]), np.ones(3), k=1))
        assert coverage(lists_of([-1]), 3, k=1) == 0
