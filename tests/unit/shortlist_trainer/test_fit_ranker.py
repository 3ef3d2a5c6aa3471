"""Every ranker that a setting names is fitted, exported, and served as it is evaluated."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle.actor_inputs import actor_inputs
from shortlist_bundle.store import BundleStore
from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import RankRequest
from shortlist_models.rankers import RANKERS, STRUCTURED
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_rpc.executor import BoundedExecutor
from shortlist_trainer.actors import frozen_at
from shortlist_trainer.bundle_files import bundle_files, feature_list
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.choose import choose
from shortlist_trainer.config import TrainConfig
from shortlist_trainer.evaluate import Pipeline, held_out_places, rolling_values
from shortlist_trainer.fit import Clock, Fitted, fit
from shortlist_trainer.fit_ranker import RankerFit, Scorer, fit_ranker
from shortlist_trainer.presets import load_config
from shortlist_trainer.publish import add_bundle
from shortlist_trainer.ranker_samples import Samples, draw_samples, ranker_inputs
from shortlist_trainer.train import TrainResult, _ranker

from .conftest import actor, flat_index

VARIANTS = {
    **{name: (f"ranker.model={name}",) for name in RANKERS},
    **{f"{name} stacked": (f"ranker.model={name}", "ranker.structure=stacked") for name in sorted(STRUCTURED)},
    **{f"{name} attention": (f"ranker.model={name}", "ranker.attention=true") for name in RANKERS},
    "neumf pretrained": ("ranker.model=neumf", "ranker.pretraining=true"),
}


def settings(*overrides: str) -> TrainConfig:
    """Return settings of a run in which ranking has something to gain."""
    return load_config("tiny", overrides=("threads=1", "evaluation.validation_events=200", *overrides))


def quiet(*_: object) -> None:
    """Report to nobody."""


class Holding:
    """A host that holds one loaded bundle."""

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def get(self, bundle_id: str) -> object:
        return self._loaded


@pytest.fixture(scope="module")
def base(world: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A run whose retrieval all rankers here stand on."""
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"), "", resume=False)
    return fit(world, settings(), checkpoints, quiet, Clock())


@pytest.fixture(scope="module")
def samples(base: Fitted) -> Samples:
    """What all rankers here are fitted on."""
    config = settings("ranker.attention=true")
    return draw_samples(base.prepared, base.pipeline.retrieval, config.ranker, config.seed, quiet)


def ranker_of(base: Fitted, samples: Samples, config: TrainConfig, folder: Path, *, resume: bool = False) -> Scorer:
    checkpoints = Checkpoints(folder, "", resume)
    table = base.pipeline.retrieval.table
    return fit_ranker(RankerFit(base.prepared, table, samples, config.ranker, config.seed, checkpoints, quiet))


@dataclass(frozen=True, slots=True)
class Made:
    """A fitted ranker in a bundle that ranking has taken: the golden requests came out."""

    fitted: Fitted
    loaded: LoadedRanker


@pytest.fixture(params=VARIANTS)
def made(request: pytest.FixtureRequest, world: Dataset, base: Fitted, samples: Samples, tmp_path: Path) -> Made:
    config = settings(*VARIANTS[request.param])
    pipeline = Pipeline(
        base.prepared, base.pipeline.retrieval, ranker_of(base, samples, config, tmp_path), base.pipeline.weights
    )
    split = base.prepared.split
    choices = choose(pipeline, held_out_places(base.prepared, split.train_end, split.validation_end, 200, 1), quiet)
    pipeline.weights = choices.order.weights
    fitted = replace(base, pipeline=pipeline, choices=choices)
    files, _ = bundle_files(fitted, config, flat_index)
    result = TrainResult(files, {}, (), {"ranker": _ranker(config.ranker)}, {}, 0)
    return Made(fitted, LoadedRanker(add_bundle(BundleStore(tmp_path / "store"), world, result)))


async def test_every_ranker_scores_in_serving_as_in_evaluation_and_beats_popularity(world: Dataset, made: Made) -> None:
    fitted, now = made.fitted, float(world.times_s[-1]) + 60.0
    users = np.arange(0, 400, 40, dtype=np.int32)
    moments = frozen_at(fitted.prepared.sequences, users, world.events, now)
    candidates = fitted.pipeline.retrieval.candidates(moments, item_totals(world, world.events)[None])
    click, rating = fitted.pipeline.scorer.scored(ranker_inputs(moments, candidates, candidates.fused))
    probability = fitted.choices.calibrated.calibration.probability(click)
    executor = BoundedExecutor(1, 4, "test")
    engine = RankingEngine(Holding(made.loaded), executor)  # type: ignore[arg-type]
    for row, user in enumerate(users):
        rows = candidates.fused[row][candidates.fused[row] >= 0]
        request = RankRequest(made.loaded.bundle_id, actor(world, int(user), now), array("I", rows.tolist()))
        served = await engine.rank(request, Deadline.after(60.0))
        np.testing.assert_allclose(served.click, probability[row, : len(rows)], atol=1e-4)
        np.testing.assert_allclose(served.rating, rating[row, : len(rows)], atol=1e-3)
    executor.close()
    split = fitted.prepared.split
    places = held_out_places(fitted.prepared, split.validation_end, world.events, 400, 1)
    ndcg = {name: of["ndcg@10"].mean() for name, of in rolling_values(fitted.pipeline, places, 50, quiet).items()}
    assert ndcg["pipeline"] > ndcg["popular"]


@pytest.mark.parametrize("name", RANKERS)
def test_the_manifest_says_which_ranker_it_is(name: str) -> None:
    config = settings(f"ranker.model={name}", "ranker.hidden=[8, 4]", "ranker.attention=true").ranker
    assert _ranker(config).startswith(f"{name}(")
    assert _ranker(config).endswith("hidden 8-4, attention)")


@pytest.mark.parametrize("known", [0, 1, 7, None])
def test_training_reads_the_history_that_serving_reads(world: Dataset, base: Fitted, known: int | None) -> None:
    features = feature_list(base.prepared, settings(), base.choices)
    prepared, now = base.prepared, float(world.times_s[-1]) + 60.0
    users = np.arange(0, 400, 40, dtype=np.int32)
    moments = frozen_at(prepared.sequences, users, world.events, now)
    if known is not None:
        moments = replace(moments, known=prepared.sequences.start[users] + known)
    candidates = base.pipeline.retrieval.candidates(moments, item_totals(world, world.events)[None])
    trained = ranker_inputs(moments, candidates, candidates.fused)
    for row, user in enumerate(users):
        served = actor_inputs(actor(world, int(user), now, known), features)
        np.testing.assert_array_equal(trained.history_rows[row], served["history_rows"][0])
        np.testing.assert_array_equal(trained.history_values[row], served["history_values"][0])
        np.testing.assert_array_equal(trained.history_ages_s[row], served["history_ages_s"][0])


def test_lists_carry_histories_only_where_a_ranker_attends_to_them(base: Fitted) -> None:
    for attention in (False, True):
        config = settings(f"ranker.attention={attention}", "ranker.queries=100").ranker
        drawn = draw_samples(base.prepared, base.pipeline.retrieval, config, 1, quiet)
        assert (drawn.inputs.history_rows.shape[1] > 0) == attention


def test_a_pretrained_neumf_resumes_to_the_same_ranker_and_its_parts_are_kept(
    base: Fitted, samples: Samples, tmp_path: Path
) -> None:
    config = settings(*VARIANTS["neumf pretrained"])
    whole = ranker_of(base, samples, config, tmp_path / "a").ranker.state_dict()
    assert {path.stem for path in (tmp_path / "a").iterdir()} == {"ranker", "ranker_gmf", "ranker_mlp"}
    (tmp_path / "a" / "ranker.pt").unlink()
    resumed = ranker_of(base, samples, config, tmp_path / "a", resume=True).ranker.state_dict()
    fresh = ranker_of(base, samples, settings("ranker.model=neumf"), tmp_path / "b").ranker.state_dict()
    for name, value in whole.items():
        assert value.equal(resumed[name]), name
    assert not whole["heads.weight"].equal(fresh["heads.weight"])


def test_judging_pairs_one_by_one_gives_logits_a_level(base: Fitted, samples: Samples, tmp_path: Path) -> None:
    config = settings("ranker.click_weight=1", "ranker.retrieval_weight=0", "ranker.learning_rate=0.02")
    sequences, split = base.prepared.sequences, base.prepared.split
    moments = frozen_at(sequences, np.arange(0, 400, 40), split.validation_end, float(sequences.times_s.max()))
    totals = item_totals(base.prepared.dataset, split.validation_end)[None]
    candidates = base.pipeline.retrieval.candidates(moments, totals)
    inputs = ranker_inputs(moments, candidates, candidates.fused)
    mean = {
        name: float((1.0 / (1.0 + np.exp(-scorer.scored(inputs)[0]))).mean())
        for name, scorer in (("pairs", ranker_of(base, samples, config, tmp_path)), ("lists", base.pipeline.scorer))
    }
    # One candidate of some dozens is the positive; a softmax over the list does not say so, pairs do.
    assert mean["pairs"] < 0.15 < 0.3 < mean["lists"]
