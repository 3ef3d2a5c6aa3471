"""Every stage is killed under traffic: each call is answered, what is missing is declared, and it comes back."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import pytest

from shortlist.common.v1 import actor_pb2, answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist.gateway.v1.serving_config_service_pb2_grpc import ServingConfigServiceStub
from shortlist_testing.processes import StageProcess, stages
from shortlist_testing.redis import RunningValkey, running_valkey
from shortlist_testing.tiny_bundle import tiny_bundle

pytestmark = pytest.mark.timeout(180)

WHOLE_WITHIN_S = 5.0
DOWN_FOR_S = 1.5
RPS = 40


@dataclass(frozen=True)
class Answered:
    at_s: float
    code: str
    level: int
    causes: frozenset[str]
    size: int


class Traffic:
    """Calls at a fixed rate from a thread of its own, each with a deadline, each kept."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, [("grpc.enable_retries", 0)])
        self._stub = RecommendationServiceStub(self._channel)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self.answers: list[Answered] = []

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._channel.close()

    def _run(self) -> None:
        for number in itertools.count():
            request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=f"u{number % 50}"), slate_size=5)
            try:
                answer = self._stub.Recommend(request, timeout=1.0)
            except grpc.RpcError as error:
                self.answers.append(Answered(time.monotonic(), error.code().name, 0, frozenset(), 0))
            else:
                degradation = answer.meta.degradation
                causes = frozenset(
                    answer_pb2.DegradationCause.Name(c).removeprefix("DEGRADATION_CAUSE_") for c in degradation.causes
                )
                size = len(answer.results)
                self.answers.append(Answered(time.monotonic(), "OK", degradation.level, causes, size))
            if self._stop.wait(1 / RPS):
                return

    def since(self, moment: float) -> list[Answered]:
        return [answer for answer in self.answers if answer.at_s >= moment]

    def wait_whole(self, since: float, within_s: float) -> float:
        """Return the seconds from ``since`` until ten answers in a row were whole."""
        until = since + within_s
        while time.monotonic() < until + 1.0:
            streak: list[Answered] = []
            for answer in self.since(since):
                streak = [*streak, answer] if answer.level == answer_pb2.DEGRADATION_LEVEL_NONE else []
                if len(streak) == 10:
                    return streak[0].at_s - since
            time.sleep(0.05)
        raise AssertionError(f"not whole within {within_s} s: {self.since(since)[-3:]}")


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningValkey]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as valkey:
        yield valkey


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, valkey: RunningValkey) -> Iterator[dict[str, StageProcess]]:
    folder = tmp_path_factory.mktemp("stages")
    tiny_bundle(folder / "bundles")
    with stages(folder, folder / "bundles", valkey.url) as platform:
        yield platform


CASES = {
    "retrieval": {"RETRIEVAL_DOWN", "RETRIEVAL_TIMEOUT"},
    "ranking": {"RANKING_DOWN", "RANKING_TIMEOUT"},
    "feature-store": {"FEATURES_DOWN", "FEATURES_TIMEOUT"},
    "redis": {"FEATURES_DOWN", "FEATURES_TIMEOUT"},
}


@pytest.mark.parametrize("victim", CASES)
def test_killing_it_under_traffic_is_declared_and_healed(
    platform: dict[str, StageProcess], valkey: RunningValkey, victim: str
) -> None:
    kill: Callable[[], object] = valkey.kill if victim == "redis" else platform[victim].kill
    restart: Callable[[], object] = valkey.restart if victim == "redis" else platform[victim].start
    with Traffic(platform["gateway"].address) as traffic:
        traffic.wait_whole(time.monotonic(), within_s=10.0)
        killed = time.monotonic()
        kill()
        time.sleep(DOWN_FOR_S)
        restart()
        back = time.monotonic()
        healed_s = traffic.wait_whole(back, WHOLE_WITHIN_S)
        time.sleep(0.3)
    answers = traffic.since(killed)
    assert {answer.code for answer in answers} == {"OK"}
    assert {answer.size for answer in answers} == {5}
    while_down = [a for a in answers if killed + 0.3 < a.at_s < killed + DOWN_FOR_S]
    assert len(while_down) > 10, "there was traffic while it was down"
    assert all(a.level > answer_pb2.DEGRADATION_LEVEL_NONE and a.causes & CASES[victim] for a in while_down)
    assert healed_s < WHOLE_WITHIN_S


def test_a_stage_that_hangs_costs_its_budget_and_no_more(platform: dict[str, StageProcess]) -> None:
    with Traffic(platform["gateway"].address) as traffic:
        traffic.wait_whole(time.monotonic(), within_s=10.0)
        platform["ranking"].pause()
        paused = time.monotonic()
        time.sleep(1.0)
        platform["ranking"].resume()
        resumed = time.monotonic()
        traffic.wait_whole(resumed, WHOLE_WITHIN_S)
    assert {answer.code for answer in traffic.answers} == {"OK"}
    hung = [a for a in traffic.since(paused + 0.3) if a.at_s < resumed]
    assert hung
    assert all("RANKING_TIMEOUT" in answer.causes for answer in hung)


def test_a_rolling_restart_fails_no_call(platform: dict[str, StageProcess]) -> None:
    with Traffic(platform["gateway"].address) as traffic:
        traffic.wait_whole(time.monotonic(), within_s=10.0)
        for stage in ("retrieval", "ranking", "feature-store"):
            assert platform[stage].terminate() == 0
            platform[stage].start()
        traffic.wait_whole(time.monotonic(), WHOLE_WITHIN_S)
    assert {answer.code for answer in traffic.answers} == {"OK"}


@pytest.mark.parametrize("victim", ["paused", "killed"])
def test_a_config_without_a_ranker_lacks_nothing_where_ranking_is_away(
    victim: str, platform: dict[str, StageProcess]
) -> None:
    ranking = platform["ranking"]
    with grpc.insecure_channel(platform["gateway"].address) as channel:
        config = configs_pb.ServingConfig(name="cheap", ranker=configs_pb.RANKER_NONE)
        ServingConfigServiceStub(channel).PutServingConfig(configs_pb.PutServingConfigRequest(config=config), timeout=5)
        stub = RecommendationServiceStub(channel)
        (ranking.pause if victim == "paused" else ranking.kill)()
        try:
            for user in range(20):
                request = pb.RecommendRequest(actor=actor_pb2.Actor(user_id=f"u{user}"))
                ranked = stub.Recommend(request, timeout=2)
                assert ranked.meta.degradation.level == answer_pb2.DEGRADATION_LEVEL_FALLBACK
                request.serving_config = "cheap"
                answer = stub.Recommend(request, timeout=2)
                assert (answer.meta.degradation.level, len(answer.results)) == (answer_pb2.DEGRADATION_LEVEL_NONE, 10)
        finally:
            ranking.resume()
            if victim == "killed":
                ranking.start()
