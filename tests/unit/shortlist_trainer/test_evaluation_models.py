"""Models under a protocol: tables against slow references, comparisons, and how long it may take."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score, root_mean_squared_error

from shortlist_data.dataset import Dataset
from shortlist_data.simulate import simulate
from shortlist_models.candidates import Biases, Ease
from shortlist_trainer.candidate_models import Setup
from shortlist_trainer.evaluation.models import Options, evaluate_models
from shortlist_trainer.evaluation.protocols import Rules
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.histories import histories_of

from .conftest import quick
from .test_evaluation_protocols import evaluated, mean, opened, quiet

OPTIONS = Options(ks=(5, 20), resamples=50, permutations=200, liked_from=4.0)
RULES = Rules("global-time")


@pytest.fixture(scope="module")
def found(wide: Dataset) -> Evaluation:
    return evaluate_models(wide, RULES, Setup(wide, quick()), ("popularity", "ease", "biases"), OPTIONS, quiet)


def table(found: Evaluation, ending: str) -> int:
    return next(at for at, each in enumerate(found.tables) if each.title.endswith(ending))


def test_accuracy_is_what_a_user_by_user_computation_gives(wide: Dataset, found: Evaluation) -> None:
    known, test = opened(wide, RULES)
    model = Ease()
    model.fit(histories_of(known))
    asked = histories_of(known, test.held_out.users, test.held_out.now_s)
    scores = model.score(asked)
    gains, hits, aucs = [], [], []
    for at in range(len(asked)):
        mine = scores[at].copy()
        seen = asked.rows[asked.indptr[at] : asked.indptr[at + 1]]
        relevant = test.held_out.rows[test.held_out.indptr[at] : test.held_out.indptr[at + 1]]
        free = np.setdiff1d(np.arange(300), seen)
        labels = np.isin(free, relevant)
        aucs.append(roc_auc_score(labels, mine[free]))
        if not len(seen):
            continue  # all scores tie: the means over orders are tested elsewhere
        order = free[np.argsort(-mine[free], kind="stable")][:5]
        found_at = np.isin(order, relevant)
        hits.append(found_at.any())
        ideal = sum(1 / np.log2(i + 2) for i in range(min(5, len(relevant))))
        gains.append(sum(1 / np.log2(i + 2) for i in np.flatnonzero(found_at)) / ideal)
    assert mean(found.tables[0], "ease", "auc") == pytest.approx(np.mean(aucs))
    warm = evaluated(wide, replace(RULES, warm_only=True), replace(OPTIONS, liked_from=None), ("ease",))
    assert mean(warm.tables[0], "ease", "hit@5") == pytest.approx(np.mean(hits), abs=0.02)
    assert mean(warm.tables[0], "ease", "ndcg@5") == pytest.approx(np.mean(gains), abs=0.02)


def test_rating_errors_are_those_of_scikit_learn(wide: Dataset, found: Evaluation) -> None:
    known, test = opened(wide, RULES)
    model = Biases()
    model.fit(histories_of(known))
    predicted = model.ratings(histories_of(known, test.held_out.users, test.held_out.now_s))
    owner = np.repeat(np.arange(len(test.held_out.users)), np.diff(test.held_out.indptr))
    mine = predicted[owner, test.held_out.rows]
    ratings = found.tables[table(found, "ratings")]
    assert mean(ratings, "biases", "rmse") == pytest.approx(root_mean_squared_error(test.values, mine))
    assert mean(ratings, "biases", "mae") == pytest.approx(mean_absolute_error(test.values, mine))
    assert mean(ratings, "biases", "auc from 4") == pytest.approx(roc_auc_score(test.values >= 4, mine))
    assert [row.name for row in ratings.rows] == ["biases"]
    assert any("do not apply to popularity, ease" in note for note in found.notes)


def test_models_are_compared_with_popularity_or_with_whom_one_names(wide: Dataset, found: Evaluation) -> None:
    popularity, ease, _ = found.tables[0].rows
    assert found.tables[0].baseline == "popularity"
    assert not popularity.differences
    assert set(ease.differences) == set(ease.p_values) == set(ease.metrics)
    assert all(0 < p <= 1 for p in ease.p_values.values())
    other = evaluated(wide, RULES, replace(OPTIONS, liked_from=None, against="ease"), ("popularity", "ease"))
    assert other.tables[0].baseline == "ease"
    first = other.tables[0].rows[0]
    assert first.differences["ndcg@5"].mean == pytest.approx(-ease.differences["ndcg@5"].mean)


def test_without_popularity_the_first_model_is_compared_with(wide: Dataset) -> None:
    names = ("decayed_popularity", "segment_popularity")
    other = evaluated(wide, RULES, replace(OPTIONS, liked_from=None), names)
    assert other.tables[0].baseline == "decayed_popularity"


def test_slices_add_up_to_the_whole(wide: Dataset, found: Evaluation) -> None:
    _, test = opened(wide, RULES)
    by_popularity = found.tables[table(found, "by popularity of the item")]
    by_known = found.tables[table(found, "by known events of the user")]
    for each, total in ((by_popularity, len(test.held_out.rows)), (by_known, len(test.held_out.users))):
        sizes = [int(label.rsplit("(", 1)[1].rstrip(")").replace(",", "")) for label in each.metrics]
        assert sum(sizes) == total == each.evaluated
        whole = sum(
            row.metrics[label].mean * size
            for label, size in zip(each.metrics, sizes, strict=True)
            for row in each.rows[:1]
        )
        if each is by_known:
            assert whole / total == pytest.approx(mean(found.tables[0], "popularity", "ndcg@5"))
    assert any(label.startswith("0 (") for label in by_known.metrics), "cold users are a slice"


def test_lists_are_described(found: Evaluation) -> None:
    lists = found.tables[table(found, "lists")]
    assert {"novelty@5", "diversity@5", "coverage@20", "gini@20"} <= set(lists.metrics)
    assert mean(lists, "ease", "coverage@20") > mean(lists, "popularity", "coverage@5")
    assert np.isnan(next(r for r in lists.rows).metrics["gini@5"].low), "one number has no interval"


def test_without_attributes_diversity_does_not_apply_and_it_is_said(wide: Dataset) -> None:
    bare = replace(wide, item_attributes=(), item_numbers=())
    found = evaluated(bare, RULES, replace(OPTIONS, liked_from=None))
    lists = found.tables[table(found, "lists")]
    assert "novelty@5" in lists.metrics
    assert not any(metric.startswith("diversity") for metric in lists.metrics)
    assert any(note.startswith("diversity does not apply") for note in found.notes)


def test_the_results_are_plain_json_with_all_that_was_chosen(found: Evaluation) -> None:
    content = json.loads(found.to_json())
    assert content["settings"]["rules"]["protocol"] == "global-time"
    assert content["settings"]["models"] == ["popularity", "ease", "biases"]
    assert content["settings"]["training"]["seed"] == 1
    assert content["versions"]["numpy"]
    assert len(content["tables"]) == len(found.tables)


def test_equal_seeds_give_equal_figures(wide: Dataset, found: Evaluation) -> None:
    again = evaluate_models(wide, RULES, Setup(wide, quick()), ("popularity", "ease", "biases"), OPTIONS, quiet)
    assert [each.to_json() for each in again.tables] == [each.to_json() for each in found.tables]


def test_two_thousand_users_and_three_thousand_items_are_ranked_in_seconds() -> None:
    """A guard against loops over users or items; measured at a tenth of this."""
    data = simulate(users=2_000, items=3_000, events=60_000, seed=1)
    started = time.perf_counter()
    done = evaluate_models(
        data, Rules("leave-one-out"), Setup(data, quick()), ("popularity",), Options(ks=(10, 50)), quiet
    )
    spent = time.perf_counter() - started
    assert sum(done.seconds["all models"].values()) < 10.0, spent
