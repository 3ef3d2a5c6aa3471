"""Ranking as Triton's own client finds it: a real process, a real socket, and the numbers of RankCandidates."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from shortlist.common.v1.actor_features_pb2 import ActorFeatures, NumberFeature, TextFeature
from shortlist.ranking.v1 import ranking_service_pb2 as pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import RankingServiceStub
from shortlist_testing.processes import StageProcess
from shortlist_testing.tiny_bundle import NOW_S, tiny_bundle

README = Path(__file__).parents[2] / "protos/README.md"
PROGRAM = Path(__file__).with_name("triton_calls.py")
DIM = 9
ACTOR = ActorFeatures(
    now_s=NOW_S,
    attributes=[TextFeature(name="gender", value="F"), TextFeature(name="age", value="25")],
    numbers=[NumberFeature(name="user_count", value=2.0)],
    history_rows=array("I", [1, 9]).tobytes(),
    history_values=array("f", [5.0, 2.0]).tobytes(),
    history_times_s=array("d", [NOW_S - 60.0, NOW_S - 30.0]).tobytes(),
)
ROWS = array("I", [5, 0, 17, 3]).tobytes()

Answers = dict[str, Any]


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StageProcess, str]]:
    folder = tmp_path_factory.mktemp("ranking")
    bundle_id = tiny_bundle(folder / "bundles", dim=DIM).bundle_id
    settings = {"bundle_store": str(folder / "bundles"), "feature_store_target": ""}
    process = StageProcess("ranking", settings, folder / "ranking.log")
    process.start()
    try:
        yield process, bundle_id
    finally:
        process.kill()


@pytest.fixture(scope="module")
def seen(ranking: tuple[StageProcess, str]) -> Answers:
    """What Triton's client saw."""
    process, bundle_id = ranking
    command = [sys.executable, str(PROGRAM), process.address, bundle_id, str(DIM)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers: Answers = json.loads(done.stdout)
    return answers


def ranked(ranking: tuple[StageProcess, str], embedding: bytes = b"") -> dict[str, list[float]]:
    """Return what RankCandidates says to the same question."""
    process, bundle_id = ranking
    with grpc.insecure_channel(process.address) as channel:
        request = pb.RankCandidatesRequest(bundle_id=bundle_id, actor=ACTOR, rows=ROWS, actor_embedding=embedding)
        answer = RankingServiceStub(channel).RankCandidates(request, timeout=5)
    columns = {"score": answer.scores, "click": answer.click, "rating": answer.rating}
    return {name: array("f", column).tolist() for name, column in columns.items()}


def test_triton_sees_a_live_server_and_a_ready_model(seen: Answers) -> None:
    assert seen["live"]
    assert seen["ready"]
    assert seen["server"] == "shortlist"
    assert seen["model_ready"] == [True, True, False, False]


def test_triton_sees_names_datatypes_and_shapes(seen: Answers, ranking: tuple[StageProcess, str]) -> None:
    assert seen["versions"] == [ranking[1]]
    assert seen["inputs"]["rows"] == ["UINT32", [-1]]
    assert seen["inputs"]["actor_embedding"] == ["FP32", [DIM]]
    assert seen["inputs"]["attribute_names"] == ["BYTES", [-1]]
    assert seen["inputs"]["now_s"] == ["FP64", [1]]
    assert seen["outputs"] == {name: ["FP32", [-1]] for name in ("score", "click", "rating")}


def test_triton_gets_the_numbers_of_rank_candidates(seen: Answers, ranking: tuple[StageProcess, str]) -> None:
    expected = ranked(ranking)
    assert len(set(expected["score"])) == 4
    assert seen["full"] == seen["pinned"] == expected
    assert seen["one_output"] == {"rating": expected["rating"]}
    assert seen["embedding"] == ranked(ranking, array("f", [0.25] * DIM).tobytes())
    assert seen["embedding"] != expected


def test_triton_may_give_the_rows_alone_or_none_of_them(seen: Answers) -> None:
    assert seen["alone"] == 4
    assert seen["none"] == {"score": [], "click": [], "rating": []}


@pytest.mark.parametrize(
    ("case", "status", "said"),
    [
        ("model", "NOT_FOUND", "there is no model 'other'"),
        ("version", "FAILED_PRECONDITION", "bundle 'other' is not held here"),
        ("datatype", "INVALID_ARGUMENT", "tensor 'rows' is 'INT64'; it must be UINT32"),
        ("shape", "INVALID_ARGUMENT", "tensor 'rows' has shape [2, 2]; it must be [-1]"),
        ("embedding", "INVALID_ARGUMENT", "actor_embedding: tensor has 10 entries; the bundle's have 9"),
        ("outside", "INVALID_ARGUMENT", "history_rows[1]: tensor is 60; the bundle's rows are below 60"),
        ("output", "INVALID_ARGUMENT", "is 'logits'; the outputs are score, click, rating"),
        ("parameter", "INVALID_ARGUMENT", "['priority'] are not honoured"),
    ],
)
def test_triton_is_told_what_is_wrong(seen: Answers, case: str, status: str, said: str) -> None:
    found_status, found = seen["refused"][case]
    assert found_status == f"StatusCode.{status}"
    assert said in found


def test_the_example_of_the_readme_prints_scores(ranking: tuple[StageProcess, str]) -> None:
    (example,) = re.findall(r"```python\n(import numpy.*?)```", README.read_text(), re.DOTALL)
    assert "127.0.0.1:50053" in example
    program = example.replace("127.0.0.1:50053", ranking[0].address)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip(" []\n").split()) == 3
