"""The feature store as a process: its own Valkey, gRPC, the end by SIGTERM, and another life."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from shortlist.common.v1 import actor_pb2
from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist_testing.redis import running_valkey

KEY = pb.ActorKey(actor_id="u/1")
APPEND = pb.AppendEventsRequest(key=KEY, events=[actor_pb2.Event(item_id="a", event_id="1")])


@contextmanager
def service(**settings: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run it until it says that it is ready; yield its address."""
    environment = {**os.environ, "SHORTLIST_FEATURE_STORE_PORT": "0"}
    environment |= {f"SHORTLIST_FEATURE_STORE_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "shortlist_feature_store"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = ""
            for line in process.stderr:
                entry = json.loads(line)
                address = entry.get("address", address)
                if entry["event"] == "ready":
                    break
            yield address, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
            assert process.wait(20) == 0


def test_a_process_keeps_what_was_written_over_its_end(tmp_path: Path) -> None:
    for versions_before in (0, 1):
        with service(valkey_folder=str(tmp_path)) as (address, _), grpc.insecure_channel(address) as channel:
            stub = FeatureStoreServiceStub(channel)
            assert stub.ReadActor(pb.ReadActorRequest(key=KEY)).version == versions_before
            assert list(stub.AppendEvents(APPEND).added) == [versions_before == 0]


def test_a_dead_redis_is_unavailable_and_named_until_it_is_back(tmp_path: Path) -> None:
    with (
        running_valkey(tmp_path, keep_data=True) as valkey,
        service(redis_url=valkey.url) as (address, _),
        grpc.insecure_channel(address) as channel,
    ):
        stub = FeatureStoreServiceStub(channel)
        stub.AppendEvents(APPEND)
        valkey.kill()
        for _ in range(10):
            with pytest.raises(grpc.RpcError) as failed:
                stub.ReadActor(pb.ReadActorRequest(key=KEY), timeout=1.0)
            assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "redis" in str(failed.value.details())
        valkey.restart()
        assert _first_answer(stub).version == 1


def test_the_password_is_not_logged(tmp_path: Path) -> None:
    with running_valkey(tmp_path) as valkey:
        url = valkey.url.replace("redis://", "redis://:s3cr3t@")
        environment = {**os.environ, "SHORTLIST_FEATURE_STORE_PORT": "0", "SHORTLIST_FEATURE_STORE_REDIS_URL": url}
        command = [sys.executable, "-m", "shortlist_feature_store"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            said += process.stderr.read()
    assert "starting" in said
    assert "s3cr3t" not in said


def _first_answer(stub: FeatureStoreServiceStub) -> pb.ReadActorResponse:
    """Ask until there is an answer; the test's own timeout ends it."""
    while True:
        try:
            answer: pb.ReadActorResponse = stub.ReadActor(pb.ReadActorRequest(key=KEY), timeout=0.2)
            return answer
        except grpc.RpcError:
            continue
