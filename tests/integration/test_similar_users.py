"""SimilarUsers over a bundle that was trained with user vectors, with the data set in the store: both say the same."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle import layout
from shortlist_bundle.store import BundleStore
from shortlist_bundle.user_ids import load_user_ids
from shortlist_cli.train_commands import train
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate
from shortlist_feature_store.load import load
from shortlist_testing.platform import platform_over

if TYPE_CHECKING:
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

QUICK = (
    "users.vectors=true",
    "users.tenant=shop",
    "two_tower.epochs=2",
    "two_tower.width=8",
    "ranker.queries=300",
    "ranker.epochs=1",
    "evaluation.test_events=100",
    "evaluation.validation_events=100",
    "evaluation.resamples=20",
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Return a folder with a data set and the bundle store to which ``shortlist train`` published."""
    world = simulate(users=150, items=60, events=4_000, seed=11)
    # One moment an event: an order of ties would be the store's.
    world = replace(world, times_s=np.floor(world.times_s[0]) + 300.0 * np.arange(world.events))
    save(world, tmp_path / "data")
    app = typer.Typer()
    app.command()(train)
    settings = [part for change in QUICK for part in ("--set", change)]
    folders = ["--out", str(tmp_path / "run"), "--store", str(tmp_path / "bundles")]
    done = CliRunner().invoke(app, [str(tmp_path / "data"), *folders, *settings])
    assert done.exit_code == 0, done.output
    return tmp_path


async def test_what_the_store_knows_of_a_user_points_where_its_vector_in_the_bundle_does(trained: Path) -> None:
    store = BundleStore(trained / "bundles")
    release = store.current()
    assert release is not None
    bundle = store.open(release)
    users = load_user_ids(bundle)
    assert users is not None
    vectors = np.load(io.BytesIO(bundle.read(layout.USER_VECTORS))).astype(np.float64)

    async with platform_over(trained / "bundles", release.bundle_id) as platform:
        await load(platform.service.features.store(), trained / "data", "shop")
        stub: RecommendationServiceAsyncStub = RecommendationServiceStub(platform.channel)
        for row in range(0, len(users), 29):
            actor = actor_pb2.Actor(tenant="shop", user_id=users.user_id(row))
            answer = await stub.SimilarUsers(pb.SimilarUsersRequest(actor=actor, user_count=20), timeout=10)
            cosines = vectors @ vectors[row]
            cosines[row] = -2.0
            found = [user.similarity for user in answer.results]
            own = [cosines[users.row(user.user_id) or 0] for user in answer.results]
            np.testing.assert_allclose(found, own, atol=2e-3)
            np.testing.assert_allclose(found, np.sort(cosines)[::-1][:20], atol=2e-3)
            assert answer.meta.actor_known
            assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_NONE
