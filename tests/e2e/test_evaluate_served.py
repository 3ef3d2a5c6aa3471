"""The pipeline as it is served: a real server over gRPC gives the figures of the same bundle's engines in-process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shortlist_cli.bench.server import wait_ready
from shortlist_cli.evaluate.bundles import Numbers, evaluate_target
from shortlist_data.dataset import Dataset
from shortlist_data.prepared import save
from shortlist_data.simulate import simulate
from shortlist_testing.processes import free_port
from shortlist_trainer.evaluation.asked import asked_of
from shortlist_trainer.evaluation.protocols import Rules, cut
from shortlist_trainer.evaluation.results import Evaluation
from shortlist_trainer.evaluation.served import NotServed, Replay, replay

pytestmark = pytest.mark.timeout(240)

SHORTLIST = (sys.executable, "-m", "shortlist_cli.main")
QUICK = (
    "two_tower.epochs=3",
    "two_tower.width=16",
    "ranker.queries=500",
    "ranker.epochs=1",
    "evaluation.test_events=60",
    "evaluation.validation_events=100",
    "evaluation.resamples=20",
)

TOLERANCE = 0.002
"""Between a served and an offline mean. Both ask the same models about the same events; seconds pass between them, so
that a candidate may move where two scores are all but equal."""


PATIENT = {f"SHORTLIST_GATEWAY_{stage}_BUDGET_S": "5" for stage in ("READ_ACTOR", "RETRIEVE", "RANK")}
"""A busy machine must not degrade what is compared."""


def quiet(part: str, done: int, total: int) -> None:
    """Report to nobody."""


def shortlist(*arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [*SHORTLIST, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def world() -> Dataset:
    return simulate(users=300, items=200, events=8_000, seed=4)


@pytest.fixture(scope="module")
def folder(world: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a work folder with a data set, a run of it and a published bundle."""
    work = tmp_path_factory.mktemp("work")
    save(world, work / "data")
    settings = [part for change in QUICK for part in ("--set", change)]
    shortlist("train", "data", "--out", "run", "--store", "var/bundles", *settings, cwd=work)
    return work


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Serve the bundle in a process of its own."""
    port = free_port()
    command = [*SHORTLIST, "serve", "--var", "var", "--port", str(port), "--log-level", "WARNING"]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **PATIENT})
    try:
        wait_ready(f"127.0.0.1:{port}", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_served_figures_are_those_of_the_same_bundle_offline(folder: Path, address: str) -> None:
    shortlist(
        "evaluate", "data", "--target", address, "--run", "run", "-k", 10, "-k", 50, "--resamples", 50,
        "--timeout-s", 10, "--json", "served.json", cwd=folder,
    )  # fmt: skip
    content = json.loads((folder / "served.json").read_text(encoding="utf-8"))
    accuracy = {row["name"]: row["metrics"] for row in content["tables"][0]["rows"]}
    assert accuracy["served"]["recall@50"]["mean"] > 0.1
    for metric, served in accuracy["served"].items():
        assert served["mean"] == pytest.approx(accuracy["offline"][metric]["mean"], abs=TOLERANCE), metric
    said = content["details"]["served"]
    assert said["calls"] == sum(said["bundles"].values()) > 30
    assert said["failed"] == {}
    run = json.loads((folder / "run" / "bundle.json").read_text(encoding="utf-8"))
    assert set(said["bundles"]) == {run["bundle_id"]}


def served(world: Dataset, how: Replay, k: int) -> Evaluation:
    return evaluate_target(world, Rules("global-time"), None, Numbers((k,), resamples=20, permutations=20), how, quiet)


def test_a_gateway_is_evaluated_without_its_bundle_at_hand_and_degraded_answers_are_named(
    world: Dataset, address: str
) -> None:
    """More is asked for than there is, so that every slate is short."""
    found = served(world, Replay(address, k=200, timeout_s=10.0), 200)
    assert [row.name for row in found.tables[0].rows] == ["popularity", "served"]
    (said,) = (note for note in found.notes if "answers were degraded" in note)
    assert "SHORT_SLATE" in said
    assert sum(found.details["served"]["degraded"].values()) > 30


def test_users_can_be_asked_for_by_id_alone(world: Dataset, address: str) -> None:
    found = served(world, Replay(address, as_users=True, timeout_s=10.0), 10)
    assert "by user id" in found.protocol
    assert found.details["served"]["failed"] == {}


def test_a_gateway_that_is_not_there_is_said_in_one_line(world: Dataset) -> None:
    known, sealed = cut(world, Rules("leave-one-out"))
    sealed.unseal()
    users = asked_of(known, sealed.read().held_out)[:3]
    how = Replay(f"127.0.0.1:{free_port()}", timeout_s=0.3)
    with pytest.raises(NotServed, match="answered none of 3 calls; the last one said UNAVAILABLE"):
        replay(users, world.item_ids, how, quiet)
    with pytest.raises(ValueError, match="k=0"):
        replay(users, world.item_ids, Replay("a:1", k=0), quiet)
