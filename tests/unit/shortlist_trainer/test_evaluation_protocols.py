"""Protocols: what is held out, what is relevant, what stays sealed, and agreement with the published tables' cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_evaluation.report import MetricTable
from shortlist_models.candidates import Histories, Popularity
from shortlist_trainer.benchmarks import TABLES
from shortlist_trainer.benchmarks.candidates import candidate
from shortlist_trainer.benchmarks.run import run_table
from shortlist_trainer.benchmarks.table import Sealed, TestIsSealed
from shortlist_trainer.candidate_models import NoSuchModel, Setup
from shortlist_trainer.evaluation import models, protocols
from shortlist_trainer.evaluation.models import Options, evaluate_models
from shortlist_trainer.evaluation.protocols import PROTOCOLS, Rules, Test, cut, described, text_of
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.evaluation.scoring import sampled_negatives
from shortlist_trainer.histories import only

from .conftest import dataset_of, quick

ALL = sorted(PROTOCOLS)

FAST = Options(ks=(5,), resamples=50, permutations=100)


def quiet(part: str, done: int, total: int) -> None:
    """Report to nobody."""


def opened(dataset: Dataset, rules: Rules) -> tuple[Dataset, Test]:
    known, sealed = cut(dataset, rules)
    sealed.unseal()
    return known, sealed.read()


def pairs(test: Test) -> set[tuple[int, int]]:
    owner = np.repeat(test.held_out.users, np.diff(test.held_out.indptr))
    return set(zip(owner.tolist(), test.held_out.rows.tolist(), strict=True))


def evaluated(
    dataset: Dataset, rules: Rules, options: Options = FAST, names: tuple[str, ...] = ("popularity",)
) -> Evaluation:
    return evaluate_models(dataset, rules, Setup(dataset, quick()), names, options, quiet)


def mean(table: MetricTable, row: str, metric: str) -> float:
    return next(r for r in table.rows if r.name == row).metrics[metric].mean


@pytest.mark.parametrize("protocol", ALL)
def test_no_held_out_pair_is_known_and_all_of_them_are_of_the_data(wide: Dataset, protocol: str) -> None:
    known, test = opened(wide, Rules(protocol))
    met = set(zip(known.user_rows.tolist(), known.item_rows.tolist(), strict=True))
    every = set(zip(wide.user_rows.tolist(), wide.item_rows.tolist(), strict=True))
    assert pairs(test)
    assert not pairs(test) & met
    assert pairs(test) <= every
    # Nobody is asked about before what is known of them.
    for user, now in zip(test.held_out.users.tolist(), test.held_out.now_s.tolist(), strict=True):
        assert now >= known.times_s[known.user_rows == user].max(initial=-np.inf)


def test_values_are_those_of_the_held_out_events(wide: Dataset) -> None:
    _, test = opened(wide, Rules("global-time"))
    user, row, value = test.held_out.users[0], test.held_out.rows[0], test.values[0]
    mine = (wide.user_rows == user) & (wide.item_rows == row)
    assert value in wide.values[mine]


def test_leave_one_out_holds_out_the_last_event_of_everybody_with_two(wide: Dataset) -> None:
    data = dataset_of([("a", "x", 1, 0), ("a", "y", 2, 1), ("b", "x", 1, 2), ("c", "x", 1, 3), ("c", "z", 4, 4)])
    known, test = opened(data, Rules("leave-one-out"))
    assert known.events == 3
    assert pairs(test) == {(0, 1), (2, 2)}
    assert test.values.tolist() == [2.0, 4.0]


def test_the_share_by_user_is_held_out_at_random_or_from_the_end(wide: Dataset) -> None:
    counts = np.bincount(wide.user_rows, minlength=len(wide.user_ids))
    for protocol in ("random", "per-user-time"):
        known, _ = cut(wide, Rules(protocol, share=0.3))
        left = np.bincount(known.user_rows, minlength=len(wide.user_ids))
        np.testing.assert_array_equal(left, np.round(0.7 * counts))
    for user in range(20):  # per-user-time, the last one cut
        mine = wide.times_s[wide.user_rows == user]
        kept = known.times_s[known.user_rows == user]
        assert kept.tolist() == mine[: len(kept)].tolist()
    other, _ = cut(wide, Rules("random", share=0.3, seed=2))
    assert other.item_rows.tolist() != cut(wide, Rules("random", share=0.3))[0].item_rows.tolist()


def test_nothing_known_is_as_late_as_what_a_global_cut_holds_out(wide: Dataset) -> None:
    known, test = opened(wide, Rules("global-time", share=0.25))
    assert known.times_s.max() < test.held_out.now_s.min()
    assert known.events / wide.events == pytest.approx(0.75, abs=0.01)


def test_low_values_are_taken_out_before_the_cut(wide: Dataset) -> None:
    known, test = opened(wide, Rules("global-time", positive_from=4.0))
    assert known.values.min() >= 4.0
    assert test.values.min() >= 4.0


def test_users_and_items_without_a_known_event_can_be_left_out() -> None:
    events = [(user, "x", 1.0, float(t)) for t, user in enumerate("abc")]
    events += [("a", "y", 1.0, 3.0), ("b", "new", 1.0, 8.0), ("newcomer", "x", 1.0, 8.0), ("b", "y", 1.0, 8.0)]
    data = dataset_of(events)
    _, all_ = opened(data, Rules("global-time", share=0.4))
    _, warm = opened(data, Rules("global-time", share=0.4, warm_only=True))
    assert len(pairs(all_)) == 3
    assert len(pairs(warm)) == 1
    assert described(warm.left_out) == "2 of users or items without a known event"


def test_what_was_met_before_or_is_there_twice_is_left_out_and_counted() -> None:
    data = dataset_of([("a", "x", 1, 0), ("b", "x", 1, 1), ("a", "x", 1, 2), ("a", "y", 1, 3), ("a", "y", 1, 4)])
    _, test = opened(data, Rules("global-time", share=0.6))
    assert pairs(test) == {(0, 1)}
    assert described(test.left_out) == "1 on items met before, 1 repeated"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (Rules("sideways"), "there is no protocol 'sideways'; there are leave-one-out, random"),
        (Rules("random", share=1.0), "share 1 must be above 0 and below 1"),
        (Rules("random", share=float("nan")), "share nan must be"),
        (Rules("random", positive_from=9.0), "no event is 9 or higher; the highest value is 5"),
        (Rules("leave-one-out", positive_from=5.0), "0 held out, of which 0 can be evaluated"),
    ],
)
def test_a_cut_that_leaves_nothing_is_refused_in_one_line(rules: Rules, message: str) -> None:
    data = dataset_of([("a", "x", 1, 0), ("a", "y", 5, 1), ("b", "x", 2, 2)])
    with pytest.raises(DataRefused, match=message) as refused:
        cut(data, rules)
    assert "\n" not in str(refused.value)


def test_events_of_one_moment_cannot_be_cut_by_time() -> None:
    data = dataset_of([(user, item, 1.0, 0.0) for user in "ab" for item in "xy"])
    with pytest.raises(DataRefused, match="leaves 0 events known"):
        cut(data, Rules("global-time"))


@pytest.mark.parametrize("protocol", ALL)
def test_the_rules_are_said_in_words(protocol: str) -> None:
    text = text_of(Rules(protocol, share=0.25, seed=7, positive_from=3.0, warm_only=True))
    assert text.startswith("events below 3 are taken out; ")
    assert text.endswith("users and items without a known event are left out.")
    assert "{" not in text


class Spy(Popularity):
    """Looks at the held-out part while it is fitted or asked."""

    def __init__(self, look: Callable[[], object]) -> None:
        super().__init__()
        self._look = look

    def fit(self, histories: Histories) -> None:
        self._look()
        super().fit(histories)


def test_a_model_that_looks_at_the_held_out_part_while_it_is_fitted_ends_the_evaluation(
    wide: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts: list[Sealed[Test]] = []

    def watched(whole: Dataset, rules: Rules) -> tuple[Dataset, Sealed[Test]]:
        known, sealed = cut(whole, rules)
        cuts.append(sealed)
        return known, sealed

    monkeypatch.setattr(protocols, "cut", watched)
    monkeypatch.setattr(models, "make_model", lambda name, setup: Spy(lambda: cuts[-1].read()))
    with pytest.raises(TestIsSealed):
        evaluated(wide, Rules("global-time"))


def test_every_model_is_fitted_before_the_held_out_part_is_opened_once(
    wide: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    class Watched(Sealed[Test]):
        def unseal(self) -> None:
            steps.append("open")
            super().unseal()

        def read(self) -> Test:
            steps.append("read")
            return super().read()

    def watched(whole: Dataset, rules: Rules) -> tuple[Dataset, Sealed[Test]]:
        known, sealed = cut(whole, rules)
        sealed.unseal()
        return known, Watched(sealed.read())

    monkeypatch.setattr(protocols, "cut", watched)
    monkeypatch.setattr(models, "make_model", lambda name, setup: Spy(lambda: steps.append(f"fit {name}")))
    evaluated(wide, Rules("global-time"), names=("one", "two"))
    assert steps == ["fit one", "fit two", "open", "read"]


def test_what_models_are_given_does_not_depend_on_the_held_out_part(
    wide: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[bytes, ...]] = []

    class Taker(Popularity):
        def fit(self, histories: Histories) -> None:
            columns = (histories.rows, histories.values, histories.times_s, histories.indptr)
            given.append(tuple(column.tobytes() for column in columns))
            super().fit(histories)

    setups: list[Setup] = []

    def make(name: str, setup: Setup) -> Popularity:
        setups.append(setup)
        return Taker()

    monkeypatch.setattr(models, "make_model", make)
    known, _ = cut(wide, Rules("global-time"))
    later = np.arange(wide.events) >= known.events
    other = replace(
        wide,
        item_rows=np.where(later, wide.item_rows[::-1], wide.item_rows),
        values=np.where(later, np.float32(1.0), wide.values),
    )
    for data in (wide, other):
        evaluated(data, Rules("global-time"))
    assert given[0] == given[1]
    assert {setup.dataset.events for setup in setups} == {known.events}


@pytest.mark.parametrize(
    ("table", "rules"),
    [
        ("ml-1m-time", Rules("global-time", 0.2, positive_from=3.0, warm_only=True)),
        ("ml-1m-sequential", Rules("leave-one-out")),
        ("ml-100k", Rules("random", 0.25, seed=1)),
    ],
)
def test_protocols_give_the_figures_of_the_published_tables_cut_alike(
    wide: Dataset, tmp_path: Path, table: str, rules: Rules
) -> None:
    once = without_repeats(wide)
    entries = {"popularity": candidate("events", Popularity, {})}
    whole = only(once, once.values >= 3.0) if rules.positive_from else once
    (row,) = run_table(
        replace(TABLES[table], entries=entries), whole, (), (1,), tmp_path, lambda part, done, total, loss: None
    )
    found = evaluated(once, rules, replace(FAST, ks=(10,))).tables[0]
    # Tables of lists break ties by row, an evaluation averages over them.
    assert mean(found, "popularity", "ndcg@10") == pytest.approx(row["metrics"]["ndcg@10"]["mean"], rel=0.02)
    assert found.evaluated == row["evaluated"]


def without_repeats(dataset: Dataset) -> Dataset:
    pair = dataset.user_rows.astype(np.int64) * len(dataset.item_ids) + dataset.item_rows
    first = np.zeros(dataset.events, np.bool_)
    first[np.unique(pair, return_index=True)[1]] = True
    return only(dataset, first)


class TestSampledNegatives:
    def test_they_are_drawn_from_what_is_neither_met_nor_held_out(self, wide: Dataset) -> None:
        known, test = opened(wide, Rules("leave-one-out"))
        drawn = sampled_negatives(known, test.held_out, 10, seed=3)
        again = sampled_negatives(known, test.held_out, 10, seed=3)
        np.testing.assert_array_equal(drawn.rows, again.rows)
        met = {(u, i) for u, i in zip(known.user_rows.tolist(), known.item_rows.tolist(), strict=True)}
        for user, mine in zip(test.held_out.users.tolist(), drawn.rows.tolist(), strict=True):
            assert len(set(mine)) == 10
            assert not met & {(user, item) for item in mine}
            assert not pairs(test) & {(user, item) for item in mine}

    def test_the_relevant_item_is_ranked_among_them_alone(self, wide: Dataset) -> None:
        known, test = opened(wide, Rules("leave-one-out"))
        drawn = sampled_negatives(known, test.held_out, 10, seed=1)
        counts = np.bincount(known.item_rows, minlength=len(known.item_ids))
        hits = [
            chance_of_a_hit(counts, target, mine) for target, mine in zip(test.held_out.rows, drawn.rows, strict=True)
        ]
        found = evaluated(wide, Rules("leave-one-out"), replace(FAST, sampled_negatives=10))
        assert mean(found.tables[0], "popularity", "sampled10 hit@5") == pytest.approx(np.mean(hits))

    def test_every_figure_of_a_sampled_ranking_says_so(self, wide: Dataset) -> None:
        found = evaluated(wide, Rules("leave-one-out"), replace(FAST, sampled_negatives=10))
        assert "SAMPLED" in found.protocol
        assert "SAMPLED 10 negatives" in found.tables[0].title
        assert all(name.startswith("sampled10 ") for name in found.tables[0].metrics)
        assert all("sampled10" in table.title for table in found.tables[1:])
        assert "coverage" in " ".join(found.notes)

    def test_more_than_there_are_is_refused(self, wide: Dataset) -> None:
        with pytest.raises(DataRefused, match="a user has only"):
            evaluated(wide, Rules("leave-one-out"), replace(FAST, sampled_negatives=299))


def chance_of_a_hit(counts: NDArray[np.int64], target: int, negatives: NDArray[np.int32]) -> float:
    """Return the chance to be among the first five, ties in random order."""
    better = int(np.sum(counts[negatives] > counts[target]))
    size = int(np.sum(counts[negatives] == counts[target])) + 1
    return float(np.clip(5 - better, 0, size)) / size


def test_unknown_models_are_refused_by_name(wide: Dataset) -> None:
    with pytest.raises(NoSuchModel, match="there is no model 'slim'"):
        evaluated(wide, Rules("global-time"), names=("slim",))


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ((), FAST, "no model is named"),
        (("ease", "ease"), FAST, "ease is named more than once"),
        (("ease",), replace(FAST, against="popularity"), "'popularity' is to be compared with and is not among ease"),
        (("ease",), replace(FAST, ks=(301,)), r"k=301 is not in \[1, 300\]"),
        (("ease",), replace(FAST, ks=(0,)), r"k=0 is not in \[1, 300\]"),
        (("ease",), replace(FAST, sampled_negatives=3), "k=5 is more than the 4 items"),
        (("ease",), replace(FAST, sampled_negatives=-1), "k=5 is more than the 0 items"),
        (("popularity",), replace(FAST, liked_from=3.0), "biases is one that does"),
        (("biases",), replace(FAST, liked_from=9.0), "auc of ratings is undefined: all .* on one side of 9"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    wide: Dataset, names: tuple[str, ...], options: Options, message: str
) -> None:
    with pytest.raises(DataRefused, match=message) as refused:
        evaluated(wide, Rules("global-time"), options, names)
    assert "\n" not in str(refused.value)


def test_one_user_is_not_enough_for_intervals() -> None:
    data = dataset_of([("a", item, 1.0, float(at)) for at, item in enumerate("vwxyz")] + [("b", "q", 1.0, 0.5)])
    with pytest.raises(DataRefused, match="1 of 1 users with held-out items can be evaluated, 2 are needed"):
        evaluated(data, Rules("leave-one-out"), replace(FAST, ks=(1,)))


def test_all_equal_ratings_are_ranked_and_cannot_be_told_apart(wide: Dataset) -> None:
    equal = replace(wide, values=np.full(wide.events, 3.0, np.float32))
    found = evaluated(equal, Rules("global-time"), names=("biases", "popularity"))
    ratings = next(t for t in found.tables if t.title.endswith("ratings"))
    assert mean(ratings, "biases", "rmse") == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(DataRefused, match="they go from 3 to 3"):
        evaluated(equal, Rules("global-time"), replace(FAST, liked_from=3.0), ("biases",))
