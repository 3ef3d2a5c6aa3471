"""The users of a bundle: none unless asked for, and each with the vector that serving gives for its history."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest

from shortlist_bundle import layout
from shortlist_bundle.store import BundleStore
from shortlist_bundle.user_ids import load_user_ids
from shortlist_bundle.user_vectors import as_of_last_event, directions, load_user_scales
from shortlist_data.dataset import Dataset
from shortlist_retrieval.index import build_index
from shortlist_retrieval.loading import LoadedBundle
from shortlist_trainer.histories import only
from shortlist_trainer.presets import ConfigRefused, load_config
from shortlist_trainer.publish import add_bundle
from shortlist_trainer.train import train

from .conftest import Run, actor, quick

LATER_S = 1e9
TEMPERATURE = 0.5


def test_a_bundle_has_no_users_unless_they_are_asked_for(run: Run) -> None:
    assert not set(layout.USER_FILES) & run.result.files.keys()
    assert not any(name.startswith("user_index/") for name in run.result.metrics)


def test_users_are_embedded_as_serving_embeds_them(world: Dataset, tmp_path: Path) -> None:
    dataset = only(world, world.user_rows != world.user_rows[0])
    nobody = dataset.user_ids[world.user_rows[0]]
    changes = ("users.vectors=true", "users.tenant=shop", f"two_tower.temperature={TEMPERATURE}")
    result = train(dataset, quick(*changes), tmp_path / "run", build_index)
    bundle = add_bundle(BundleStore(tmp_path), dataset, result)
    bundle.verify()
    loaded, ids = LoadedBundle(bundle), load_user_ids(bundle)
    assert loaded.users is not None
    assert ids is not None
    assert ids.tenant == "shop"
    scales = load_user_scales(bundle, len(ids))
    named = [ids.user_id(row) for row in range(len(ids))]
    assert named == [dataset.user_ids[user] for user in np.unique(dataset.user_rows)]
    assert nobody not in named
    assert result.metrics["user_index/n"] == len(named)
    for row in (0, len(ids) // 2, len(ids) - 1):
        user = dataset.user_ids.index(named[row])
        asked = as_of_last_event(actor(dataset, user, now_s=dataset.times_s[-1] + LATER_S))
        embedding = loaded.embed(asked)
        expected, _ = directions(embedding[None, :])
        np.testing.assert_allclose(loaded.users.vectors[row], expected[0], atol=1e-4)
        logits = loaded.embeddings.astype(np.float64) @ embedding / TEMPERATURE
        np.testing.assert_allclose(scales.lengths[row], np.linalg.norm(embedding[:-1]) / TEMPERATURE, rtol=1e-3)
        np.testing.assert_allclose(scales.normalisers[row], np.log(np.exp(logits).sum()), atol=1e-3)


def test_users_change_nothing_else_of_a_bundle(world: Dataset, tmp_path: Path) -> None:
    without = train(world, quick(), tmp_path, build_index).files
    # The models are those of the run before: what is written of users is no part of what they are fitted by.
    files = train(world, quick("users.vectors=true"), tmp_path, build_index, resume=True).files
    assert files.keys() - without.keys() == set(layout.USER_FILES)
    assert {name: files[name] for name in without} == without


def test_users_who_are_alike_met_the_same_items(wide: Dataset, tmp_path: Path) -> None:
    """By what they did alone: the models are told nothing else of the users."""
    untold = dataclasses.replace(wide, user_attributes=())
    config = load_config("tiny", overrides=("threads=1", "users.vectors=true", "evaluation.resamples=50"))
    vectors = np.load(io.BytesIO(train(untold, config, tmp_path, build_index).files[layout.USER_VECTORS]))
    met = np.zeros((len(wide.user_ids), len(wide.item_ids)), np.float32)
    met[wide.user_rows, wide.item_rows] = 1.0
    met = met[np.unique(wide.user_rows)]
    common = met @ met.T
    shares = common / (met.sum(axis=1)[:, None] + met.sum(axis=1) - common)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2.0)
    alike = np.take_along_axis(shares, np.argsort(-cosines, axis=1)[:, :10], axis=1)
    assert alike.mean() > 1.5 * shares[~np.eye(len(shares), dtype=bool)].mean()


def test_a_setting_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ConfigRefused, match=r"users\.vectors"):
        quick("users.vectors=perhaps")
