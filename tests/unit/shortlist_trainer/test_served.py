"""What is evaluated is what is served: the stages' own engines give the evaluated lists from the published bundle."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle import layout
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.session import Session
from shortlist_bundle.store import BundleStore
from shortlist_data.dataset import Dataset
from shortlist_data.features import item_totals
from shortlist_domain.deadline import Deadline
from shortlist_domain.stages import ActorFeatures, RankRequest, RetrieveRequest
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.index import build_index
from shortlist_retrieval.wiring import load_shelf
from shortlist_rpc.executor import BoundedExecutor
from shortlist_trainer.actors import frozen_at, known_until
from shortlist_trainer.bundle_files import bundle_files
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import TrainConfig
from shortlist_trainer.fit import Clock, Fitted, fit
from shortlist_trainer.publish import add_bundle
from shortlist_trainer.train import TrainResult

from .conftest import actor, quick, with_content

CANDIDATES = 40
FEW = ("two_tower.epochs=4", f"fusion.candidates={CANDIDATES}", f"fusion.per_source={CANDIDATES}")
CONFIGS = {
    "attributes": quick(*FEW),
    "attributes and content": quick(*FEW),
    "neighbours by EASE, fading": quick(*FEW, "neighbours.model=ease", "neighbours.half_life_days=2"),
}


class Holding:
    """A host that holds one loaded bundle."""

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def get(self, bundle_id: str) -> object:
        return self._loaded


@pytest.fixture(scope="module", params=CONFIGS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def config(kind: str) -> TrainConfig:
    return CONFIGS[kind]


@pytest.fixture(scope="module")
def data(kind: str, world: Dataset) -> Dataset:
    return with_content(world) if "content" in kind else world


@pytest.fixture(scope="module")
def fitted(data: Dataset, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"), "", resume=False)
    return fit(data, config, checkpoints, lambda *_: None, Clock())


@pytest.fixture(scope="module")
def bundle(data: Dataset, config: TrainConfig, fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    files, _ = bundle_files(fitted, config, build_index)
    result = TrainResult(files, {}, (), {}, {}, 0)
    return add_bundle(BundleStore(tmp_path_factory.mktemp("store")), data, result)


async def test_the_engines_give_the_evaluated_list_of_every_actor(
    data: Dataset, fitted: Fitted, bundle: Bundle, tmp_path: Path
) -> None:
    now = float(data.times_s[-1]) + 60.0
    users = np.arange(0, 400, 16, dtype=np.int32)
    moments = frozen_at(fitted.prepared.sequences, users, data.events, now)
    totals = item_totals(data, data.events)[None]
    candidates = fitted.pipeline.retrieval.candidates(moments, totals)
    lists = fitted.pipeline.lists(moments, candidates)
    shelf: Shelf = load_shelf(bundle)
    has_content = bool(data.content)
    assert ("content" in lists) == has_content == (shelf.bundle.content is not None)
    proposed_by_content = 0
    executor = BoundedExecutor(1, 4, "test")
    retrieval = RetrievalEngine(Holding(shelf), executor)  # type: ignore[arg-type]
    ranking = RankingEngine(Holding(LoadedRanker(bundle)), executor)  # type: ignore[arg-type]
    deadline = Deadline.after(60.0)
    for row, user in enumerate(users):
        served = actor(data, int(user), now)
        seen = array("I", served.history_rows)
        found = await retrieval.retrieve(
            RetrieveRequest(bundle.bundle_id, served, CANDIDATES, exclude_rows=seen), deadline
        )
        expected = lists["fusion"][row]
        assert set(found.rows) == set(expected[expected >= 0].tolist())
        words = {word.source: word for word in found.provenance}
        if has_content and "content" in words:
            of_source = {
                found.rows[c]: r for c, r in zip(words["content"].candidates, words["content"].ranks, strict=True)
            }
            proposed = lists["content"][row].tolist()
            assert {rank: item for item, rank in of_source.items()}.items() <= dict(enumerate(proposed)).items()
            proposed_by_content += len(of_source)
        asked = RankRequest(bundle.bundle_id, served, found.rows, found.actor_embedding, found.scores)
        ranked = await ranking.rank(asked, deadline)
        best = np.array(found.rows)[np.argsort(-np.array(ranked.scores), kind="stable")]
        pipeline = lists["pipeline"][row]
        assert best[:10].tolist() == pipeline[pipeline >= 0][:10].tolist()
        assert 0.0 <= min(ranked.click) <= max(ranked.click) <= 1.0
    executor.close()
    assert (proposed_by_content > 100) == has_content


def test_content_is_part_of_the_items_columns_and_of_the_shares(
    data: Dataset, config: TrainConfig, fitted: Fitted, bundle: Bundle
) -> None:
    features = load_shelf(bundle).bundle.features
    columns = [name for name in features.item_columns if name.startswith("content_")]
    if not data.content:
        assert columns == []
        assert features.source_quotas == config.fusion.quotas
        assert layout.CONTENT_EMBEDDINGS not in bundle.manifest.files
        return
    assert columns == [*(f"content_text_{number:02d}" for number in range(7)), "content_text_missing"]
    assert features.source_quotas["content"] == config.fusion.content
    assert sum(features.source_quotas.values()) == pytest.approx(sum(config.fusion.quotas.values()))
    new = fitted.prepared.item_features[:1]
    tower = Session(bundle.read(layout.ITEM_TOWER), ("item_features",), ("embedding",))
    changed = new.copy()
    changed[:, features.item_columns.index("content_text_00")] += 1.0
    assert not np.allclose(tower.run({"item_features": new})[0], tower.run({"item_features": changed})[0])


async def test_the_engines_give_the_evaluated_list_of_who_chose_something(
    world: Dataset, fitted: Fitted, bundle: Bundle
) -> None:
    now = float(world.times_s[-1]) + 60.0
    prepared = fitted.prepared
    users = np.arange(0, 400, 80, dtype=np.int32)
    nothing_known = known_until(
        prepared.sequences, users, prepared.sequences.start[users], np.full(len(users), now, np.float64)
    )
    chosen = np.zeros((len(users), len(prepared.item_columns)), np.bool_)
    picks = [("g1",), ("g2", "g3"), ("nothing has this",), ("g4", "nothing has this"), ()]
    for row, values in enumerate(picks):
        for value in values:
            if f"genre={value}" in prepared.item_columns:
                chosen[row, prepared.item_columns.index(f"genre={value}")] = True
    totals = item_totals(world, world.events)[None]
    moments = replace(nothing_known, chosen=chosen)
    candidates = fitted.pipeline.retrieval.candidates(moments, totals)
    lists = fitted.pipeline.lists(moments, candidates)
    executor = BoundedExecutor(1, 4, "test")
    retrieval = RetrievalEngine(Holding(load_shelf(bundle)), executor)  # type: ignore[arg-type]
    ranking = RankingEngine(Holding(LoadedRanker(bundle)), executor)  # type: ignore[arg-type]
    deadline = Deadline.after(60.0)
    for row, user in enumerate(users):
        attributes = {name: world.users[name][int(user)] for name in world.user_attributes}
        served = ActorFeatures(now_s=now, attributes=attributes, chosen={"genre": picks[row]})
        found = await retrieval.retrieve(RetrieveRequest(bundle.bundle_id, served, CANDIDATES), deadline)
        expected = lists["fusion"][row]
        assert set(found.rows) == set(expected[expected >= 0].tolist())
        own = await ranking.rank(RankRequest(bundle.bundle_id, served, found.rows), deadline)
        asked = RankRequest(bundle.bundle_id, served, found.rows, found.actor_embedding)
        given = await ranking.rank(asked, deadline)
        np.testing.assert_allclose(own.scores, given.scores, atol=1e-4)
        whole = await ranking.rank(replace(asked, retrieval_scores=found.scores), deadline)
        best = np.array(found.rows)[np.argsort(-np.array(whole.scores), kind="stable")]
        assert best[:10].tolist() == lists["pipeline"][row][:10].tolist()
    executor.close()
