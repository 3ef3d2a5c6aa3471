"""The load configurations of ``deploy/ghz`` against the protos: one for each RPC, and data that its request takes."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor

from shortlist_gateway.retail.messages import SERVICES as RETAIL_SERVICES
from shortlist_rpc.policy import POLICIES

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy" / "ghz").glob("*.json"))
PORTS = {
    "gateway": 50051,
    "retrieval": 50052,
    "ranking": 50053,
    "featurestore": 50054,
    "GRPCInferenceService": 50053,
    "cloud": 50051,
}
TEMPLATES = {
    r"\{\{randomInt (\d+) \d+\}\}": r"\1",
    r"\{\{\.(WorkerID|RequestNumber|UUID)\}\}": "7",
    r"\{\{\.Timestamp\}\}": "2026-01-02T03:04:05+01:00",
}
"""What ghz puts in the place of its templates, by example."""


def methods() -> dict[str, tuple[MethodDescriptor, str | None]]:
    """Return every RPC by file name, with the proto that defines it; none where ghz has to ask by reflection."""
    found: dict[str, tuple[MethodDescriptor, str | None]] = {
        f"{service.name}.{method.name}": (method, None) for service in RETAIL_SERVICES for method in service.methods
    }
    for proto in sorted((ROOT / "protos").glob("shortlist/*/v*/*_service.proto")):
        name = str(proto.relative_to(ROOT / "protos").with_suffix("")).replace("/", ".") + "_pb2"
        for service in importlib.import_module(name).DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found[f"{service.name}.{method.name}"] = (method, str(proto.relative_to(ROOT)))
    return found


def config_of(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return config


def test_there_is_a_configuration_for_every_rpc_and_no_other() -> None:
    assert {path.stem for path in FILES} == methods().keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_names_its_rpc_its_proto_and_its_port_on_loopback(path: Path) -> None:
    method, proto = methods()[path.stem]
    config = config_of(path)
    assert config["name"] == path.stem
    assert config["call"] == method.full_name
    assert config.get("proto") == proto
    assert config.get("import-paths") == (["protos"] if proto else None)
    assert config["host"] == f"127.0.0.1:{PORTS[method.full_name.split('.')[1]]}"
    assert config["insecure"] is True


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_load_is_bounded(path: Path) -> None:
    config = config_of(path)
    assert 1 <= config["rps"] <= 1000
    assert 1 <= config["connections"] <= config["concurrency"] <= 64
    assert re.fullmatch(r"\d+s", config["duration"])
    assert int(config["duration"][:-1]) <= 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_data_is_a_request(path: Path) -> None:
    method, _ = methods()[path.stem]
    data = config_of(path)["data"]
    text = json.dumps(data)
    for template, example in TEMPLATES.items():
        text = re.sub(template, example, text)
    assert "{{" not in text
    request = json_format.Parse(text, message_factory.GetMessageClass(method.input_type)())
    assert {field.name for field, _ in request.ListFields()} == data.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_caller_waits_as_long_as_the_policy_says_and_a_stream_without_end_is_closed(path: Path) -> None:
    method, _ = methods()[path.stem]
    config = config_of(path)
    assert method.containing_service is not None
    policy = POLICIES[f"/{method.containing_service.full_name}/{method.name}"]
    number, unit = re.fullmatch(r"(\d+)(ms|s)", config["timeout"]).groups()  # type: ignore[union-attr]
    timeout_s = int(number) * {"ms": 0.001, "s": 1.0}[unit]
    if policy.is_long:
        assert re.fullmatch(r"\d+s", config["stream-call-duration"])
        assert int(config["stream-call-duration"][:-1]) < timeout_s
    else:
        assert timeout_s == pytest.approx(policy.timeout_s)
        assert not method.server_streaming
        assert not method.client_streaming
