"""Small worlds, and one run over one of them for all tests that look at what a run makes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from shortlist_data.assemble import assemble
from shortlist_data.content import Content, ContentKind
from shortlist_data.dataset import Dataset, ReadReport
from shortlist_data.simulate import simulate
from shortlist_domain.features import user_numbers
from shortlist_domain.stages import ActorFeatures
from shortlist_trainer.config import TrainConfig
from shortlist_trainer.presets import load_config
from shortlist_trainer.train import TrainResult, train


def flat_index(embeddings: NDArray[np.float32]) -> tuple[bytes, dict[str, float]]:
    """Return an exact index, as the retrieval stage builds it for small catalogues."""
    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings)
    return faiss.serialize_index(index).tobytes(), {"n": float(len(embeddings))}


def dataset_of(events: list[tuple[str, str, float, float]], name: str = "by-hand") -> Dataset:
    """Return a data set of events (user, item, value, time)."""
    frame = pl.DataFrame(events, schema=["user_id", "item_id", "value", "time_s"], orient="row")
    users = pl.DataFrame({"user_id": sorted({e[0] for e in events})})
    items = pl.DataFrame({"item_id": sorted({e[1] for e in events})})
    return assemble(name, frame, users, items, report=ReadReport("by hand"))


def quick(*overrides: str) -> TrainConfig:
    """Return settings for a run of about a second."""
    smallest = (
        "threads=1",
        "two_tower.epochs=2",
        "two_tower.width=8",
        "ranker.queries=300",
        "ranker.epochs=2",
        "evaluation.test_events=100",
        "evaluation.validation_events=100",
        "evaluation.resamples=50",
    )
    return load_config("tiny", overrides=(*smallest, *overrides))


def with_content(dataset: Dataset) -> Dataset:
    """Return ``dataset`` with texts that say something of what items are, but of every ninth item."""
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(len(dataset.item_ids), 7))
    known = np.arange(len(vectors)) % 9 > 0
    vectors = np.where(known[:, None], vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 0.0)
    content = Content(vectors.astype(np.float32), known, "by hand", "nothing", "digest")
    return replace(dataset, content={ContentKind.TEXT: content})


@dataclass(frozen=True, slots=True)
class Run:
    """A world and what a run made of it."""

    dataset: Dataset
    config: TrainConfig
    folder: Path
    result: TrainResult


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Threads that wait for each other on a busy machine make these small models ten times slower."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def world() -> Dataset:
    return simulate(users=400, items=80, events=10_000, seed=3)


@pytest.fixture(scope="session")
def wide() -> Dataset:
    """Return a world in which nobody has met most items."""
    return simulate(users=250, items=300, events=6_000, seed=5)


@pytest.fixture(scope="session")
def run(world: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    config = load_config("tiny", overrides=("threads=1",))
    return Run(world, config, folder, train(world, config, folder, flat_index))


def actor(dataset: Dataset, user: int, now_s: float, known: int | None = None) -> ActorFeatures:
    """Return what serving would know of a user by the first ``known`` events, or by all."""
    mine = np.flatnonzero(dataset.user_rows == user)[:known]
    return ActorFeatures(
        now_s=now_s,
        attributes={name: dataset.users[name][user] for name in dataset.user_attributes},
        numbers=user_numbers(dataset.values[mine].tolist()),
        history_rows=array("I", dataset.item_rows[mine].tolist()),
        history_values=array("f", dataset.values[mine].tolist()),
        history_times_s=array("d", dataset.times_s[mine].tolist()),
    )
