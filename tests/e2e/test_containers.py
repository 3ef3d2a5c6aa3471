"""The compose file on a real engine: build, serve, lose containers, recover, end.

Takes minutes and, where no engine runs, root; so it is asked for by ``SHORTLIST_TEST_CONTAINERS=1``. An engine at
``DOCKER_HOST`` or at the usual place is used, else ``tests/e2e/engine.sh`` starts one and ends it again.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendResponse
from shortlist_client import Client, rating
from shortlist_testing.tiny_bundle import tiny_bundle

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "tests/e2e/engine.sh"
BIN = Path(sys.executable).parent
BUNDLES = "/var/lib/shortlist/bundles"
STAGES = ("gateway", "retrieval", "ranking", "feature-store")
NONE = answer_pb2.DEGRADATION_LEVEL_NONE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Platform:
    """The compose project under a name of its own, so that it meets no other on the machine."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.project = f"shortlist-test-{secrets.token_hex(4)}"
        mine = {"COMPOSE_PROJECT_NAME": self.project, "SHORTLIST_TAG": "test", "SHORTLIST_PORT": str(self.port)}
        # The classic builder: older engines have no other, newer ones have it still.
        self._environment = {"DOCKER_BUILDKIT": "0", **environment, **mine}

    def compose(self, *arguments: str) -> str:
        return self._run([str(BIN / "docker-compose"), *arguments])

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        return self._run(["docker", *arguments], stdin)

    def python_in(self, service: str, code: str) -> str:
        return self.compose("exec", "-T", service, "python", "-c", code).strip()

    def inspected(self, service: str, template: str) -> str:
        identity = self.compose("ps", "--all", "--quiet", service).strip()
        return self.docker("inspect", "--format", template, identity).strip()

    def _run(self, command: list[str], stdin: bytes = b"") -> str:
        done = subprocess.run(
            command, input=stdin, cwd=ROOT, env=self._environment, capture_output=True, check=False, timeout=900
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr.decode()[-3000:]}")
        return done.stdout.decode()


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """An environment in which ``docker`` reaches an engine that has the public images, or stand-ins."""
    if os.environ.get("SHORTLIST_TEST_CONTAINERS") != "1":
        pytest.skip("CONTAINERS NOT TRIED: set SHORTLIST_TEST_CONTAINERS=1; takes minutes and needs a Docker engine")
    if not shutil.which("docker"):
        pytest.skip("CONTAINERS NOT TRIED: no docker command here")
    found = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    folder = ""
    if not _engine_answers(found):
        missing = [tool for tool in ("dockerd", "iptables") if not shutil.which(tool)]
        if "DOCKER_HOST" in os.environ or os.geteuid() != 0 or missing:
            pytest.skip(
                "CONTAINERS NOT TRIED: no engine answers (DOCKER_HOST names one), and none can be started: that takes "
                f"root, dockerd and iptables (missing here: {', '.join(missing) or 'root'}; Debian has docker.io)"
            )
        folder = tempfile.mkdtemp(prefix="shortlist-engine-")
        found["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    try:
        if folder:
            subprocess.run([ENGINE, "start", folder], env=found, check=True, timeout=60)
        subprocess.run([ENGINE, "images"], env=found, check=True, timeout=600)
        yield found
    finally:
        if folder:
            subprocess.run([ENGINE, "stop", folder], env=found, check=True, timeout=60)


def _engine_answers(environment: dict[str, str]) -> bool:
    return not subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def platform(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform, built from this checkout, serving a bundle of a few dozen items."""
    platform = Platform(environment)
    try:
        for stage in STAGES:
            _timed(f"build {stage}", partial(platform.compose, "build", stage))
        platform.compose("up", "--no-start", "--no-build")
        folder = tmp_path_factory.mktemp("bundles")
        tiny_bundle(folder)
        _put_into_volume(platform, folder)
        up = ("up", "--detach", "--no-build", "--wait", "--wait-timeout", "120")
        _timed("up", partial(platform.compose, *up))
        yield platform
    except AssertionError:
        print(platform.compose("logs", "--no-color", "--tail", "40"))
        raise
    finally:
        platform.compose("down", "--volumes", "--timeout", "2")


def _timed(what: str, action: Callable[[], object]) -> None:
    began = time.monotonic()
    action()
    print(f"{what}: {time.monotonic() - began:.1f} s")


def _put_into_volume(platform: Platform, folder: Path) -> None:
    """Copy a store into the bundle volume as the trainer would write it: by the images' own user."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, arcname=".")
    unpack = f"import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('{BUNDLES}/store')"
    move = "import os; [os.rename(f'{b}/store/{n}', f'{b}/{n}') for n in os.listdir(f'{b}/store')]"
    command = ["--entrypoint", "python", "shortlist/ranking:test", "-c", f"{unpack}; b = '{BUNDLES}'; {move}"]
    volume = f"{platform.project}_bundles:{BUNDLES}"
    platform.docker("run", "--rm", "--interactive", "--volume", volume, *command, stdin=packed.getvalue())


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(f"127.0.0.1:{platform.port}") as client:
        yield client


def until(wanted: Callable[[RecommendResponse], bool], client: Client, user_id: str) -> RecommendResponse:
    """Ask until an answer is as wanted; every answer before it must be a good one too."""
    give_up_at = time.monotonic() + 60.0
    while True:
        answer = client.recommend(user_id, slate_size=5)
        assert len(answer.results) == 5
        if wanted(answer):
            return answer
        assert time.monotonic() < give_up_at, f"still {answer.meta.degradation}"
        time.sleep(0.1)


def causes(answer: RecommendResponse) -> set[str]:
    names = [answer_pb2.DegradationCause.Name(cause) for cause in answer.meta.degradation.causes]
    return {name.removeprefix("DEGRADATION_CAUSE_") for name in names}


def test_the_published_port_gives_a_full_answer_made_from_what_was_just_written(client: Client) -> None:
    written = client.write_events([rating("item-000", 5.0), rating("item-004", 5.0)], "ann")
    assert written.written == 2
    answer = until(lambda a: a.meta.degradation.level == NONE, client, "ann")
    assert answer.meta.degradation.ranked_fraction == 1.0
    assert answer.meta.actor_known
    assert answer.meta.bundle.bundle_id
    assert {"item-000", "item-004"}.isdisjoint(result.item_id for result in answer.results)


@pytest.mark.parametrize("stage", STAGES)
def test_a_container_runs_as_nobody_in_particular_and_writes_nothing(platform: Platform, stage: str) -> None:
    attempt = (
        "import os, pathlib\n"
        "def refused(path):\n"
        "    try: pathlib.Path(path).write_text('x')\n"
        "    except OSError: return True\n"
        "    return False\n"
        f"print(os.getuid(), refused('/var/lib/shortlist/x'), refused('{BUNDLES}/x'), refused('/tmp/x'))"
    )
    expected = "10001 True True False"
    assert platform.python_in(stage, attempt) == expected


def test_the_gateway_image_holds_nothing_numerical_and_no_serving_image_a_trainer_or_pip(platform: Platform) -> None:
    find = "import importlib.util as u; print([m for m in {} if u.find_spec(m)])"
    heavy = ["numpy", "faiss", "onnxruntime", "redis", "torch", "pip"]
    assert platform.python_in("gateway", find.format(heavy)) == "[]"
    for stage in STAGES:
        assert platform.python_in(stage, find.format(["torch", "onnx", "pandas", "polars", "pip"])) == "[]"


def test_a_ranking_that_is_killed_is_declared_and_comes_back(platform: Platform, client: Client) -> None:
    platform.compose("kill", "ranking")
    answer = until(lambda a: a.meta.degradation.level != NONE, client, "ann")
    assert answer.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_FALLBACK
    assert causes(answer) & {"RANKING_DOWN", "RANKING_TIMEOUT"}
    assert answer.meta.degradation.ranked_fraction == 0.0
    platform.compose("start", "ranking")
    until(lambda a: a.meta.degradation.level == NONE, client, "ann")


def test_a_redis_that_is_killed_is_declared_and_what_was_written_is_still_there(
    platform: Platform, client: Client
) -> None:
    time.sleep(1.5)  # the append-only file is synced each second
    platform.compose("kill", "redis")
    answer = until(lambda a: a.meta.degradation.level != NONE, client, "ann")
    assert causes(answer) & {"FEATURES_DOWN", "FEATURES_TIMEOUT"}
    platform.compose("start", "redis")
    answer = until(lambda a: a.meta.degradation.level == NONE, client, "ann")
    assert answer.meta.actor_known
    assert {"item-000", "item-004"}.isdisjoint(result.item_id for result in answer.results)


def test_every_stage_ends_in_order_when_it_is_asked_to(platform: Platform) -> None:
    sizes = json.loads(platform.docker("image", "inspect", *(f"shortlist/{stage}:test" for stage in STAGES)))
    print({image["RepoTags"][0]: f"{image['Size'] / 1e6:.0f} MB" for image in sizes})
    platform.compose("stop", *STAGES)
    for stage in STAGES:
        assert platform.inspected(stage, "{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false", stage
