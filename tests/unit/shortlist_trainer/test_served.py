"""What is evaluated is what is served: the stages' own engines give the evaluated lists from the published bundle."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.store import BundleStore
from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_domain.deadline import Deadline
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures, RankRequest, RetrieveRequest
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.index import build_index
from shortlist_retrieval.wiring import load_shelf
from shortlist_rpc.executor import BoundedExecutor
from shortlist_trainer.actors import frozen_at
from shortlist_trainer.bundle_files import bundle_files
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit import Clock, Fitted, fit
from shortlist_trainer.publish import add_bundle
from shortlist_trainer.train import TrainResult

from .conftest import quick

CANDIDATES = 40
CONFIG = quick("two_tower.epochs=4", f"fusion.candidates={CANDIDATES}", f"fusion.per_source={CANDIDATES}")


class Holding:
    """A host that holds one loaded bundle."""

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def get(self, bundle_id: str) -> object:
        return self._loaded


@pytest.fixture(scope="module")
def fitted(world: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"), "", resume=False)
    return fit(world, CONFIG, checkpoints, lambda *_: None, Clock())


@pytest.fixture(scope="module")
def bundle(world: Dataset, fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    files, _ = bundle_files(fitted, CONFIG, build_index)
    result = TrainResult(files, {}, (), {}, {}, 0)
    return add_bundle(BundleStore(tmp_path_factory.mktemp("store")), world, result)


def actor(dataset: Dataset, user: int, now_s: float) -> ActorFeatures:
    mine = np.flatnonzero(dataset.user_rows == user)
    return ActorFeatures(
        now_s=now_s,
        attributes={name: dataset.users[name][user] for name in dataset.user_attributes},
        numbers=user_numbers(dataset.values[mine].tolist()),
        history_rows=array("I", dataset.item_rows[mine].tolist()),
        history_values=array("f", dataset.values[mine].tolist()),
        history_times_s=array("d", dataset.times_s[mine].tolist()),
    )


async def test_the_engines_give_the_evaluated_list_of_every_actor(
    world: Dataset, fitted: Fitted, bundle: Bundle, tmp_path: Path
) -> None:
    now = float(world.times_s[-1]) + 60.0
    users = np.arange(0, 400, 16, dtype=np.int32)
    moments = frozen_at(fitted.prepared.sequences, users, world.events, now)
    totals = item_totals(world, world.events)[None]
    candidates = fitted.pipeline.retrieval.candidates(moments, totals)
    lists = fitted.pipeline.lists(moments, candidates)
    shelf: Shelf = load_shelf(bundle)
    executor = BoundedExecutor(1, 4, "test")
    retrieval = RetrievalEngine(Holding(shelf), executor)  # type: ignore[arg-type]
    ranking = RankingEngine(Holding(LoadedRanker(bundle)), executor)  # type: ignore[arg-type]
    deadline = Deadline.after(60.0)
    for row, user in enumerate(users):
        served = actor(world, int(user), now)
        seen = array("I", served.history_rows)
        found = await retrieval.retrieve(
            RetrieveRequest(bundle.bundle_id, served, CANDIDATES, exclude_rows=seen), deadline
        )
        expected = lists["fusion"][row]
        assert set(found.rows) == set(expected[expected >= 0].tolist())
        ranked = await ranking.rank(RankRequest(bundle.bundle_id, served, found.rows, found.actor_embedding), deadline)
        best = np.array(found.rows)[np.argsort(-np.array(ranked.scores), kind="stable")]
        pipeline = lists["pipeline"][row]
        assert best[:10].tolist() == pipeline[pipeline >= 0][:10].tolist()
        assert 0.0 <= min(ranked.click) <= max(ranked.click) <= 1.0
    executor.close()
