"""A bundle stage by stage: the figures of its own run, popularity as it was at the cut, and what is refused."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shortlist_bundle.store import BundleStore
from shortlist_cli.evaluate.bundles import (
    Numbers,
    Trained,
    bundle_in,
    bundle_of_run,
    evaluate_bundle,
)
from shortlist_cli.evaluate.choose import Choice, evaluated
from shortlist_cli.evaluate.stages import StageEngines
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_totals
from shortlist_data.simulate import simulate
from shortlist_data.split import global_time_split
from shortlist_domain.errors import NotFound
from shortlist_evaluation.report import MetricTable
from shortlist_retrieval.index import build_index
from shortlist_trainer.evaluation.asked import Asked, asked_of
from shortlist_trainer.evaluation.models import Options
from shortlist_trainer.evaluation.protocols import Rules, cut_at
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.presets import load_config
from shortlist_trainer.publish import add_bundle, publish_bundle, remember_bundle
from shortlist_trainer.train import TrainResult, train

QUICK = (
    "two_tower.epochs=2",
    "two_tower.width=8",
    "ranker.queries=300",
    "ranker.epochs=2",
    "evaluation.test_events=60",
    "evaluation.validation_events=60",
    "evaluation.resamples=50",
    "fusion.candidates=60",
    "fusion.per_source=60",
    "evaluation.recall_at=20",
)


def rows(*items: int) -> NDArray[np.int32]:
    return np.array(items, np.int32)


def quiet(part: str, done: int, total: int) -> None:
    """Report to nobody."""


@pytest.fixture(scope="module")
def world() -> Dataset:
    return simulate(users=250, items=150, events=6_000, seed=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def result(world: Dataset, folder: Path) -> TrainResult:
    """Train into ``run`` and publish into ``bundles``."""
    done = train(world, load_config("tiny", overrides=QUICK), folder / "run", build_index)
    store = BundleStore(folder / "bundles")
    bundle = add_bundle(store, world, done)
    remember_bundle(folder / "run", folder / "bundles", bundle)
    publish_bundle(store, bundle)
    return done


@pytest.fixture(scope="module")
def trained(result: TrainResult, folder: Path) -> Trained:
    return bundle_of_run(folder / "run", None)


@pytest.fixture(scope="module")
def found(world: Dataset, trained: Trained) -> Evaluation:
    numbers = Numbers(ks=(10, 20), resamples=50, permutations=100)
    return evaluate_bundle(world, trained, numbers, quiet)


def means(table: MetricTable, name: str) -> dict[str, float]:
    (row,) = (row for row in table.rows if row.name == name)
    return {metric: interval.mean for metric, interval in row.metrics.items()}


@pytest.mark.parametrize("name", ["two_tower", "item_neighbours"])
def test_a_source_has_the_figures_that_its_run_found_with_other_code(
    result: TrainResult, found: Evaluation, name: str
) -> None:
    """The run ranks with PyTorch in batches, this with the exported models as serving does."""
    frozen, here = means(result.tables[0], name), means(found.tables[0], name)
    assert frozen["recall@20"] > 0
    for metric in ("ndcg@10", "hit@10", "recall@20"):
        assert here[metric] == pytest.approx(frozen[metric], abs=0.005)


def test_the_funnel_goes_from_the_sources_over_fusion_to_the_pipeline(found: Evaluation) -> None:
    funnel = next(table for table in found.tables if table.title.endswith("funnel"))
    assert [row.name for row in funnel.rows] == ["popular", "two_tower", "item_neighbours", "fusion", "pipeline"]
    deepest = funnel.metrics[-1]
    fusion, pipeline = means(funnel, "fusion"), means(funnel, "pipeline")
    assert fusion[deepest] == pytest.approx(pipeline[deepest]), "ranking loses nothing, it orders"
    assert all(np.diff(list(fusion.values())) >= 0)
    assert found.details["funnel"]["fusion"] == fusion


def test_the_heads_are_measured_as_probabilities_and_ratings(found: Evaluation) -> None:
    click = next(table for table in found.tables if table.title.endswith("click head"))
    rating = next(table for table in found.tables if table.title.endswith("rating head"))
    assert {"auc", "logloss", "ece", "prevalence"} == set(click.metrics)
    assert 0.3 < means(rating, "pipeline")["rmse"] < 3.0
    assert sum(each["count"] for each in found.details["reliability"]) == click.evaluated


def test_popularity_is_as_it_was_at_the_cut(world: Dataset, trained: Trained) -> None:
    at = global_time_split(world, trained.split.train, trained.split.validation).validation_end
    known, sealed = cut_at(world, at)
    sealed.unseal()
    users = asked_of(known, sealed.read().held_out)
    engines = StageEngines(trained.bundle, world.item_ids, 60, item_totals(world, at))
    try:
        who = next(each for each in users if len(each.item_rows))
        lists = engines._by_source(engines.actor(who), _column(who))
    finally:
        engines.close()
    counts = np.bincount(world.item_rows[:at], minlength=len(world.item_ids))
    free = np.setdiff1d(np.arange(len(world.item_ids)), who.item_rows)
    expected = free[np.argsort(-counts[free], kind="stable")][:60]
    assert lists["popular"].tolist() == expected.tolist()
    after = np.bincount(world.item_rows, minlength=len(world.item_ids))
    assert expected.tolist() != free[np.argsort(-after[free], kind="stable")][:60].tolist()


def test_items_that_the_bundle_does_not_have_are_counted_and_never_rated(world: Dataset, trained: Trained) -> None:
    at = global_time_split(world).validation_end
    known, sealed = cut_at(world, at)
    sealed.unseal()
    who = asked_of(known, sealed.read().held_out)[0]
    engines = StageEngines(trained.bundle, [*world.item_ids, "zzz-new"], 60)
    try:
        ratings = engines.ratings(who, np.array([0, len(world.item_ids)]))
    finally:
        engines.close()
    assert engines.absent == 1
    assert np.isfinite(ratings[0])
    assert np.isnan(ratings[1])


def _column(who: Asked) -> array[int]:
    return array("I", np.sort(who.seen_rows).tolist())


def test_nobody_is_asked_for_with_what_came_after_the_cut(world: Dataset) -> None:
    at = global_time_split(world).validation_end
    known, sealed = cut_at(world, at)
    assert known.times_s.max() <= world.times_s[at - 1]
    sealed.unseal()
    for who in asked_of(known, sealed.read().held_out):
        assert who.now_s == world.times_s[at - 1]
        assert who.times_s.max(initial=-np.inf) <= who.now_s


class TestWhatARequestCarries:
    who = Asked("u", {}, rows(1, 2, 3, 2, 4), np.ones(5, np.float32), np.arange(5.0), 10.0, rows(4, 2, 3, 1))

    def test_the_latest_events_and_by_name_what_was_seen_before_them(self) -> None:
        less = self.who.carried(events=2, excluded=1)
        assert less.item_rows.tolist() == [2, 4]
        assert less.times_s.tolist() == [3.0, 4.0]
        assert less.seen_rows.tolist() == [4, 2, 3], "item 1, met first, does not fit"

    def test_times_move_with_the_moment_of_asking(self) -> None:
        later = self.who.moved_to(1000.0)
        assert (later.now_s - later.times_s).tolist() == (10.0 - self.who.times_s).tolist()


class TestRefusals:
    def test_a_folder_without_a_finished_run(self, tmp_path: Path) -> None:
        with pytest.raises(DataRefused, match="is not the folder of a finished run"):
            bundle_of_run(tmp_path, None)

    def test_a_bundle_that_is_not_there(self, folder: Path, trained: Trained) -> None:
        with pytest.raises(NotFound, match="has no bundle 'nothing'"):
            bundle_in(folder / "bundles", "nothing")
        assert bundle_in(folder / "bundles", "current").bundle.bundle_id == trained.bundle.bundle_id

    def test_a_store_without_a_release(self, tmp_path: Path) -> None:
        with pytest.raises(DataRefused, match="has no current bundle"):
            bundle_in(tmp_path, "current")

    def test_a_run_that_names_a_bundle_that_was_removed(self, folder: Path, trained: Trained, tmp_path: Path) -> None:
        (tmp_path / "bundle.json").write_text(json.dumps({"store": str(tmp_path), "bundle_id": "gone"}))
        (tmp_path / "config.json").write_text((folder / "run" / "config.json").read_text())
        with pytest.raises(NotFound, match="has no bundle 'gone'"):
            bundle_of_run(tmp_path, None)

    def test_a_list_beyond_the_catalogue(self, world: Dataset, trained: Trained) -> None:
        with pytest.raises(DataRefused, match=r"k=151 is not in \[1, 150\]"):
            evaluate_bundle(world, trained, Numbers(ks=(151,)), quiet)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"run": Path("x"), "bundle": "current"}, "--run and --bundle both name a bundle"),
            (
                {"bundle": "current", "models": ("ease",)},
                "--model is about candidate models and does not go with --bundle",
            ),
            (
                {"target": "a:1", "settings": ("seed=1",)},
                "--set is about candidate models and does not go with --target",
            ),
            ({"run": Path("x"), "rules": Rules("random")}, "--run is evaluated on the test part of its own run"),
            ({"target": "a:1", "options": Options(ks=(1001,))}, "k=1001 is more than the 1,000 items"),
        ],
    )
    def test_arguments_that_contradict_each_other(
        self, world: Dataset, tmp_path: Path, changes: dict[str, object], message: str
    ) -> None:
        plain: dict[str, object] = {
            "rules": Rules("global-time"),
            "options": Options(),
            "models": (),
            "settings": (),
            "run": None,
            "bundle": "",
            "store": tmp_path,
            "is_store_given": False,
            "target": "",
            "as_users": False,
            "concurrency": 1,
            "timeout_s": 1.0,
        }
        with pytest.raises(DataRefused, match=message):
            evaluated(world, Choice(**{**plain, **changes}), quiet)  # type: ignore[arg-type]


def test_a_bundle_is_not_measured_on_what_its_models_know(world: Dataset, tmp_path: Path) -> None:
    done = train(world, load_config("tiny", overrides=(*QUICK, "refit=true")), tmp_path / "run", build_index)
    store = BundleStore(tmp_path / "bundles")
    publish_bundle(store, add_bundle(store, world, done))
    numbers = Numbers(ks=(10,), resamples=50, permutations=100)
    with pytest.raises(DataRefused, match=r"were fitted on events until \d{4}-\d\d-\d\d, .* they know it\."):
        evaluate_bundle(world, bundle_in(tmp_path / "bundles", "current"), numbers, quiet)
