"""The rolling baseline against a slow reference; intervals against theory; tables as they are printed."""

from __future__ import annotations

import io
import json
import math
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_evaluation import (
    Interval,
    MetricRow,
    MetricTable,
    bootstrap,
    compared,
    paired_bootstrap,
    rank_of,
    rolling_popularity_ranks,
)


def slow_ranks(
    users: NDArray[np.int32], items: NDArray[np.int32], times: NDArray[np.float64], n: int, position: int
) -> tuple[int, int]:
    earlier = times < times[position]
    counts = np.bincount(items[earlier], minlength=n).astype(float)
    excluded = np.zeros(n, bool)
    excluded[items[earlier & (users == users[position])]] = True
    ranks = rank_of(counts[None], np.array([items[position]]), excluded[None])
    return int(ranks.better[0]), int(ranks.tied[0])


class TestRollingPopularity:
    @pytest.mark.parametrize("seed", range(4))
    def test_it_agrees_with_counting_anew_for_every_event_with_ties_and_repeats(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        users = random.integers(0, 9, 300).astype(np.int32)
        items = np.minimum(random.geometric(0.15, 300), 24).astype(np.int32)
        times = np.sort(random.integers(0, 90, 300)).astype(float)
        positions = np.flatnonzero(random.random(300) < 0.7)
        ranks = rolling_popularity_ranks(users, items, times, 25, positions)
        expected = [slow_ranks(users, items, times, 25, int(p)) for p in positions]
        assert list(zip(ranks.better.tolist(), ranks.tied.tolist(), strict=True)) == expected

    def test_by_hand(self) -> None:
        users, items = np.array([0, 1, 0, 1]), np.array([2, 2, 1, 0])
        ranks = rolling_popularity_ranks(users, items, np.array([1.0, 2.0, 3.0, 4.0]), 3, np.arange(4))
        assert ranks.expected.tolist() == [2.0, 1.0, 1.5, 2.0]

    def test_an_item_the_user_has_met_cannot_be_recommended(self) -> None:
        ranks = rolling_popularity_ranks(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 2.0]), 3, np.array([1]))
        assert ranks.expected.tolist() == [np.inf]

    def test_no_positions_have_no_ranks(self) -> None:
        ranks = rolling_popularity_ranks(np.array([0]), np.array([1]), np.array([1.0]), 3, np.zeros(0, np.int64))
        assert len(ranks) == 0

    @pytest.mark.parametrize("positions", [[1, 1], [1, 0], [-1], [2]])
    def test_positions_out_of_order_or_range_are_refused(self, positions: list[int]) -> None:
        with pytest.raises(ValueError, match="positions"):
            rolling_popularity_ranks(
                np.array([0, 0]), np.array([0, 1]), np.array([1.0, 2.0]), 3, np.array(positions, np.int64)
            )

    def test_times_that_descend_are_refused(self) -> None:
        with pytest.raises(ValueError, match="descend"):
            rolling_popularity_ranks(np.array([0, 0]), np.array([0, 1]), np.array([2.0, 1.0]), 3, np.array([0]))

    def test_its_cost_per_event_does_not_grow_with_the_catalogue(self) -> None:
        random = np.random.default_rng(1)
        users, times = random.integers(0, 2000, 30_000), np.arange(30_000.0)

        def seconds(items: int) -> float:
            start = time.process_time()
            rows = random.integers(0, items, 30_000)
            rolling_popularity_ranks(users, rows, times, items, np.arange(10_000, 30_000))
            return time.process_time() - start

        assert seconds(200_000) < 5 * seconds(2_000)


class TestIntervals:
    def test_the_interval_is_near_the_normal_one_for_many_independent_values(self) -> None:
        values = np.random.default_rng(0).normal(3, 2, 4000)
        interval = bootstrap(values, seed=1)
        half = 1.96 * values.std() / math.sqrt(4000)
        assert interval.mean == pytest.approx(values.mean())
        assert interval.high - interval.mean == pytest.approx(half, rel=0.1)
        assert interval.mean - interval.low == pytest.approx(half, rel=0.1)

    def test_it_covers_the_true_mean_about_nineteen_times_out_of_twenty(self) -> None:
        random = np.random.default_rng(5)
        intervals = [bootstrap(random.normal(1, 1, 60), seed=s, resamples=400) for s in range(200)]
        covered = np.mean([i.low <= 1 <= i.high for i in intervals])
        assert 0.89 <= covered <= 0.99

    def test_it_is_deterministic_and_depends_on_the_seed(self) -> None:
        values = np.random.default_rng(0).random(50)
        assert bootstrap(values, seed=1) == bootstrap(values, seed=1)
        assert bootstrap(values, seed=1) != bootstrap(values, seed=2)

    def test_values_of_one_user_that_agree_count_as_one_observation(self) -> None:
        per_user = np.random.default_rng(0).random(100)
        values, groups = np.repeat(per_user, 50), np.repeat(np.arange(100), 50)
        naive, clustered = bootstrap(values, seed=1), bootstrap(values, seed=1, groups=groups)
        assert clustered.mean == naive.mean
        assert (clustered.high - clustered.low) == pytest.approx(math.sqrt(50) * (naive.high - naive.low), rel=0.15)

    def test_groups_of_one_are_no_groups(self) -> None:
        values = np.random.default_rng(0).random(80)
        assert bootstrap(values, seed=1, groups=np.arange(80)) == bootstrap(values, seed=1)

    def test_groups_may_be_names_and_lie_scattered(self) -> None:
        values = np.array([1.0, 0.0, 1.0, 0.0])
        interval = bootstrap(values, seed=1, groups=np.array(["b", "a", "b", "a"]))
        assert (interval.low, interval.mean, interval.high) == (0.0, 0.5, 1.0)

    def test_a_small_steady_gain_is_seen_in_pairs_though_not_in_means(self) -> None:
        random = np.random.default_rng(0)
        base = random.random(500)
        better = base + random.normal(0.01, 0.02, 500)
        difference = paired_bootstrap(better, base, seed=1)
        assert difference.low > 0
        assert bootstrap(better, seed=1).low < bootstrap(base, seed=1).high

    def test_no_values_have_no_interval_and_one_has_no_width(self) -> None:
        assert math.isnan(bootstrap(np.zeros(0), seed=1).mean)
        assert bootstrap(np.array([2.0]), seed=1) == Interval(2.0, 2.0, 2.0)

    def test_what_cannot_be_averaged_is_refused(self) -> None:
        with pytest.raises(ValueError, match="finite"):
            bootstrap(np.array([1.0, np.nan]), seed=1)
        with pytest.raises(ValueError, match="groups"):
            bootstrap(np.array([1.0, 2.0]), seed=1, groups=np.array([1]))
        with pytest.raises(ValueError, match="not pairs"):
            paired_bootstrap(np.array([1.0]), np.array([1.0, 2.0]), seed=1)


def table() -> MetricTable:
    base = {"ndcg@10": np.array([0.0, 0.5, 1.0, 0.5]), "hit@10": np.array([0.0, 1.0, 1.0, 1.0])}
    return compared(
        "simulated | rolling",
        "popularity",
        {"popularity": base, "two-tower": {"ndcg@10": base["ndcg@10"] + 0.25, "recall@200": base["hit@10"]}},
        seed=1,
        left_out=3,
        notes=("seed 1",),
    )


class TestReport:
    def test_differences_are_to_the_baseline_and_only_where_both_have_the_metric(self) -> None:
        popularity, tower = table().rows
        assert popularity.differences == {}
        assert tower.differences == {"ndcg@10": Interval(0.25, 0.25, 0.25)}
        assert table().metrics == ("ndcg@10", "hit@10", "recall@200")
        assert table().evaluated == 4

    def test_markdown_has_one_row_per_list_and_as_many_cells_as_headings(self) -> None:
        lines = [line for line in table().to_markdown().splitlines() if line.startswith("|")]
        assert len(lines) == 4
        assert {line.count("|") for line in lines} == {8}
        assert "+0.2500 [+0.2500, +0.2500]" in lines[3]

    def test_json_comes_back_equal_also_without_values(self) -> None:
        empty = MetricTable("t", "a", (MetricRow("a", {"m": bootstrap(np.zeros(0), seed=1)}),), 0)
        assert MetricTable.from_json(table().to_json()) == table()
        assert json.loads(empty.to_json())["rows"][0]["metrics"]["m"]["mean"] is None
        assert math.isnan(MetricTable.from_json(empty.to_json()).rows[0].metrics["m"].mean)

    def test_the_terminal_shows_names_as_they_are(self) -> None:
        console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=300)
        console.print(compared("t", "a", {"a": {"m": np.ones(3)}, "[red]b": {"m": np.ones(3)}}, seed=1).to_rich())
        assert "[red]b" in console.file.getvalue()
        assert "1.0000 [1.0000, 1.0000]" in console.file.getvalue()

    def test_a_terminal_cuts_no_name_and_no_figure(self) -> None:
        values = {"popular": {"recall@200": np.array([0.25, 0.5])}, "item_neighbours": {"recall@200": np.ones(2)}}
        shown = {}
        for width in (200, 80, 50):
            console = pytest.importorskip("rich.console").Console(file=io.StringIO(), width=width)
            console.print(compared("t", "popular", values, seed=1).to_rich())
            shown[width] = console.file.getvalue()
        whole = ("item_neighbours", "recall@200", "1.0000 [1.0000, 1.0000]", "+0.6250 [+0.5000, +0.7500]")
        assert any(all(cell in line for cell in whole) for line in shown[80].splitlines())
        digits = {width: sorted(filter(str.isdigit, content)) for width, content in shown.items()}
        assert digits[50] == digits[80] == digits[200]

    def test_lists_about_different_users_are_refused(self) -> None:
        with pytest.raises(ValueError, match="lengths are"):
            compared("t", "a", {"a": {"m": np.ones(3)}, "b": {"m": np.ones(2)}}, seed=1)
        with pytest.raises(ValueError, match="baseline 'c'"):
            compared("t", "c", {"a": {"m": np.ones(3)}}, seed=1)
