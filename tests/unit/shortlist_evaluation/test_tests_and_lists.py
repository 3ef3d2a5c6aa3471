"""Paired tests, intervals of many columns, what lists are like, reliability, slices: against references."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics.pairwise import cosine_distances

from shortlist_evaluation import (
    bootstrap,
    bootstrap_columns,
    calibration_error,
    compared,
    coverage,
    exposure,
    gini,
    intra_list_distances,
    novelty,
    randomisation_test,
    randomisation_tests,
    reliability_bins,
    self_information,
)
from shortlist_evaluation.slices import COLD, popularity_groups, sliced


class TestRandomisationTest:
    def test_few_pairs_give_the_share_of_all_sign_patterns(self) -> None:
        difference = np.array([0.3, -0.1, 0.25, 0.4, 0.05, -0.2, 0.35])
        sums = [abs(np.dot(signs, difference)) for signs in itertools.product((1, -1), repeat=7)]
        exact = np.mean([s >= difference.sum() - 1e-12 for s in sums])
        found = randomisation_test(difference, np.zeros(7), seed=1, permutations=40_000)
        assert found == pytest.approx(exact, abs=0.01)

    def test_it_agrees_with_scipy(self) -> None:
        random = np.random.default_rng(0)
        a, b = random.random(60), random.random(60) + 0.06
        theirs = stats.permutation_test(
            (a, b),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=20_000,
            rng=np.random.default_rng(3),
        ).pvalue
        assert randomisation_test(a, b, seed=1, permutations=20_000) == pytest.approx(theirs, abs=0.015)

    def test_without_a_difference_p_is_one(self) -> None:
        assert randomisation_test(np.ones(5), np.ones(5), seed=1) == 1.0

    def test_a_clear_difference_gives_the_smallest_p_there_is(self) -> None:
        assert randomisation_test(np.full(50, 0.9), np.full(50, 0.1), seed=1, permutations=999) == 1 / 1000

    def test_events_of_one_user_are_swapped_together(self) -> None:
        """Two users: of the four patterns, two are as far from 0, however many events there are."""
        difference, users = np.repeat([1.0, 1.0], 500), np.repeat([0, 1], 500)
        assert randomisation_test(difference, np.zeros(1000), 1, groups=users) == pytest.approx(0.5, abs=0.02)
        assert randomisation_test(difference, np.zeros(1000), 1) < 0.001

    def test_p_is_uniform_where_nothing_differs(self) -> None:
        random = np.random.default_rng(4)
        found = randomisation_tests(random.normal(size=(80, 300)), seed=2, permutations=1000)
        assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)
        assert stats.kstest(found, "uniform").pvalue > 0.01

    @pytest.mark.parametrize(
        ("a", "b", "permutations"), [([], [], 10), ([1.0], [1.0, 2.0], 10), ([1.0], [1.0], 0), ([np.nan], [0.0], 10)]
    )
    def test_what_are_no_pairs_is_refused(self, a: list[float], b: list[float], permutations: int) -> None:
        with pytest.raises(ValueError, match=r"pairs|fit|finite"):
            randomisation_test(np.array(a), np.array(b), 1, permutations)


class TestBootstrap:
    def test_many_columns_give_what_each_gives_alone(self) -> None:
        random = np.random.default_rng(1)
        values, users = random.random((200, 3)), random.integers(0, 30, 200)
        together = bootstrap_columns(values, 5, 300, users)
        for column in range(3):
            alone = bootstrap(values[:, column], 5, 300, users)
            assert (alone.low, alone.high) == pytest.approx((together[column].low, together[column].high))

    def test_it_agrees_with_scipy(self) -> None:
        values = np.random.default_rng(2).exponential(size=150)
        theirs = stats.bootstrap((values,), np.mean, n_resamples=5000, method="percentile").confidence_interval
        ours = bootstrap(values, seed=1, resamples=5000)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


class TestLists:
    lists = np.array([[0, 1, 2], [3, -1, -1], [2, 4, 0], [4, 5, -1]], np.int32)
    features = np.array([[1, 0], [1, 0], [0, 2], [1, 1], [0, 0], [3, 4]], np.float64)

    def test_diversity_is_the_mean_distance_of_pairs_as_scikit_learn_has_it(self) -> None:
        found = intra_list_distances(self.lists, self.features, 3)
        distance = cosine_distances(self.features)
        assert found[0] == pytest.approx((distance[0, 1] + distance[0, 2] + distance[1, 2]) / 3)
        assert found[2] == pytest.approx(distance[2, 0]), "item 4 has no features and is left out"
        assert np.isnan(found[[1, 3]]).all(), "a pair is needed"

    def test_diversity_agrees_with_pairs_taken_one_by_one(self) -> None:
        random = np.random.default_rng(3)
        features = random.normal(size=(50, 6))
        lists = np.stack([random.permutation(50)[:12] for _ in range(20)]).astype(np.int32)
        distance = cosine_distances(features)
        slow = [np.mean([distance[i, j] for i, j in itertools.combinations(mine[:10], 2)]) for mine in lists.tolist()]
        np.testing.assert_allclose(intra_list_distances(lists, features, 10), slow, atol=1e-5)

    def test_novelty_of_a_user_is_the_mean_information_of_what_is_shown(self) -> None:
        counts = np.array([8, 4, 2, 2, 0, 0])
        found = self_information(self.lists, counts, 3)
        assert found == pytest.approx([(1 + 2 + 3) / 3, 3, (3 + 5 + 1) / 3, 5])
        flat = np.concatenate([np.repeat(found[u], np.sum(self.lists[u] >= 0)) for u in range(4)])
        assert novelty(self.lists, counts.astype(float), 3) == pytest.approx(flat.mean())
        assert np.isnan(self_information(np.array([[-1]], np.int32), counts, 1)).all()

    def test_coverage_and_gini_agree_with_their_definitions_written_out(self) -> None:
        random = np.random.default_rng(6)
        lists = random.integers(0, 15, (30, 4)).astype(np.int32)
        shown = [int(np.sum(lists[:, :3] == item)) for item in range(20)]
        assert exposure(lists, 20, 3).tolist() == shown
        assert coverage(lists, 20, 3) == sum(count > 0 for count in shown) / 20
        pairs = sum(abs(a - b) for a in shown for b in shown)
        assert gini(lists, 20, 3) == pytest.approx(pairs / (2 * 20 * sum(shown))), "half the relative mean difference"


class TestReliability:
    def test_the_bins_are_those_of_scikit_learn(self) -> None:
        random = np.random.default_rng(8)
        p = random.random(1000) ** 2
        y = random.random(1000) < p
        bins = reliability_bins(p, y, 10)
        observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
        np.testing.assert_allclose([b.observed for b in bins], observed, atol=0.02)
        np.testing.assert_allclose([b.predicted for b in bins], predicted, atol=0.005)
        assert sum(b.count for b in bins) == 1000

    def test_the_error_is_the_weighted_gap(self) -> None:
        bins = reliability_bins(np.array([0.1, 0.3, 0.8, 0.6]), np.array([0, 1, 1, 1]), 2)
        assert calibration_error(bins) == pytest.approx((abs(0.2 - 0.5) + abs(0.7 - 1.0)) / 2)
        assert math.isnan(calibration_error(()))

    def test_the_interval_of_a_bin_is_wilsons(self) -> None:
        (only,) = reliability_bins(np.full(50, 0.2), np.arange(50) < 7, 1)
        theirs = stats.binomtest(7, 50).proportion_ci(method="wilson")
        assert (only.low, only.high) == pytest.approx((theirs.low, theirs.high))

    @pytest.mark.parametrize(
        ("p", "y", "bins"), [([0.5], [1, 0], 1), ([1.5], [1], 1), ([np.nan], [1], 1), ([0.5], [1], 0)]
    )
    def test_what_are_no_probabilities_is_refused(self, p: list[float], y: list[int], bins: int) -> None:
        with pytest.raises(ValueError, match=r"do not agree|not in"):
            reliability_bins(np.array(p), np.array(y), bins)


class TestSlices:
    def test_items_are_divided_into_tenths_by_their_events(self) -> None:
        counts = np.array([5, 0, *range(10, 28)])
        groups = popularity_groups(counts)
        assert groups[1] == COLD
        assert groups[0] == 1
        assert groups[-1] == 10
        assert np.bincount(groups, minlength=11).tolist() == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]
        assert popularity_groups(np.array([0, 3])).tolist() == [COLD, 1]

    def test_each_slice_has_its_own_mean_and_difference(self) -> None:
        values = {"a": np.array([0.0, 1.0, 1.0, 0.0]), "b": np.array([1.0, 1.0, 0.0, 0.0])}
        masks = {"first": np.array([True, True, False, False]), "none": np.zeros(4, np.bool_)}
        table = sliced("t", "a", values, masks, seed=1, groups=np.arange(4), resamples=50)
        a, b = table.rows
        assert list(a.metrics) == ["first (2)"]
        assert a.metrics["first (2)"].mean == 0.5
        assert b.metrics["first (2)"].mean == 1.0
        assert b.differences["first (2)"].mean == 0.5
        assert not a.differences

    def test_a_slice_of_few_users_has_no_interval(self) -> None:
        users = np.repeat(np.arange(12), 2)
        masks = {"few": users < 9, "enough": users < 10}
        table = sliced("t", "a", {"a": np.arange(24.0)}, masks, seed=1, groups=users, resamples=20)
        few, enough = table.rows[0].metrics.values()
        assert few.mean == np.arange(18.0).mean()
        assert np.isnan(few.low)
        assert enough.low < enough.mean < enough.high

    def test_an_unknown_baseline_is_refused(self) -> None:
        with pytest.raises(ValueError, match="baseline"):
            sliced("t", "c", {"a": np.zeros(2)}, {}, seed=1, groups=np.arange(2))


def test_a_table_with_tests_says_p_and_survives_json() -> None:
    lists = {"a": {"hit@1": np.array([1.0, 0.0, 1.0])}, "b": {"hit@1": np.array([0.0, 0.0, 1.0])}}
    table = compared("t", "a", lists, seed=1, resamples=50, permutations=100)
    assert table.rows[1].p_values["hit@1"] == 1.0
    assert not table.rows[0].p_values
    assert type(table).from_json(table.to_json()) == table
    assert [str(column.header) for column in table.to_rich().columns][-1] == "p"
