"""Dockerfile, compose and Kubernetes against the code that they run: rows, settings, ports, probes, and hardening."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shortlist_rpc.server import LIVENESS
from shortlist_rpc.settings import ServerSettings

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir())
SERVING = [name for name in SERVICES if name != "trainer"]
KUSTOMIZATIONS = ("base", "overlays/dev", "overlays/prod")
METRICS_PORT = 9090


def settings_class(service: str) -> type[ServerSettings]:
    module = importlib.import_module(f"shortlist_{service.replace('-', '_')}.settings")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, ServerSettings) and value.__module__ == module.__name__
    )
    return found


def prefix(service: str) -> str:
    return f"SHORTLIST_{service.upper().replace('-', '_')}_"


def port_of(service: str) -> int:
    port: int = settings_class(service).model_fields["port"].default
    return port


def rpc_names(service: str) -> set[str]:
    area = service.replace("-", "")
    text = "".join(
        path.read_text("utf-8") for path in (ROOT / "protos/shortlist" / area / "v1").glob("*_service.proto")
    )
    return {f"shortlist.{area}.v1.{name}" for name in re.findall(r"^service (\w+)", text, re.MULTILINE)}


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compose() -> Json:
    """The compose file as compose reads it, the train profile included."""
    config: Json = json.loads(run(str(BIN / "docker-compose"), "--profile", "train", "config", "--format", "json"))
    return config


@pytest.fixture(scope="module", params=KUSTOMIZATIONS)
def objects(request: pytest.FixtureRequest) -> list[Json]:
    """What a kustomization renders to."""
    rendered = run(str(BIN / "kubectl"), "kustomize", f"k8s/{request.param}")
    return [document for document in yaml.safe_load_all(rendered) if document]


@pytest.fixture(scope="module")
def image_environment() -> dict[str, dict[str, str]]:
    """Variables that the Dockerfile sets, by service."""
    stages = re.split(r"^FROM ", (ROOT / "deploy/docker/Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    named = {re.split(r"\s+", stage)[2]: stage for stage in stages if stage.startswith("runtime AS ")}
    return {name: dict(re.findall(r"(SHORTLIST_\w+)=(\S+)", stage)) for name, stage in named.items()}


def of_kind(objects: list[Json], *kinds: str) -> dict[str, Json]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] in kinds}


def pod_specs(objects: list[Json]) -> dict[str, Json]:
    """Return the pod template's spec of everything that runs, by name."""
    specs = {name: each["spec"] for name, each in of_kind(objects, "Deployment", "StatefulSet").items()}
    specs |= {name: each["spec"]["jobTemplate"]["spec"] for name, each in of_kind(objects, "CronJob").items()}
    return {name: spec["template"]["spec"] for name, spec in specs.items()}


def containers(objects: list[Json]) -> Iterator[tuple[str, Json, Json]]:
    for name, pod in pod_specs(objects).items():
        for container in pod.get("initContainers", []) + pod["containers"]:
            yield name, pod, container


def variables(container: Json) -> dict[str, str]:
    """Return the environment of a container; a reference to its own CPU limit becomes that number."""
    limit = str(container["resources"]["limits"]["cpu"])
    secret = "some text out of a Secret"
    return {
        each["name"]: each.get("value", secret if "secretKeyRef" in each.get("valueFrom", {}) else limit)
        for each in container.get("env", [])
    }


def check_settings(service: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is a setting of the service, its value is taken, and targets name a port that is served."""
    fields = settings_class(service).model_fields
    for name, value in environment.items():
        assert name.startswith(prefix(service))
        assert name.removeprefix(prefix(service)).lower() in fields, f"{service} has no setting {name}"
        monkeypatch.setenv(name, value)
        if name.endswith("_TARGET"):
            scheme, _, target = value.rpartition("/")
            host, port = target.split(":")
            assert scheme == "dns://"
            assert name == f"{prefix(service)}{host.upper().replace('-', '_')}_TARGET"
            assert int(port) == port_of(host)
    settings_class(service)()


def test_every_service_has_an_extra_and_rows_in_compose_and_kubernetes(compose: Json, objects: list[Json]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(SERVICES) <= extras.keys()
    assert set(SERVICES) <= compose["services"].keys()
    assert set(SERVING) == of_kind(objects, "Deployment").keys()
    assert {"trainer"} == of_kind(objects, "CronJob").keys()
    assert set(SERVING) | {"redis"} == of_kind(objects, "Service").keys()
    assert set(SERVING) == of_kind(objects, "PodDisruptionBudget").keys()
    assert set(SERVICES) | {"redis", "deny-all", "allow-dns"} == of_kind(objects, "NetworkPolicy").keys()


def test_compose_builds_known_services(compose: Json) -> None:
    for name, service in compose["services"].items():
        if "build" in service:
            wanted = service["build"]["args"]["SERVICE"]
            assert wanted in SERVICES
            assert name.startswith(wanted)
            assert service["image"].split(":")[0] == f"shortlist/{wanted}"


@pytest.mark.parametrize("service", SERVING)
def test_settings_in_image_and_compose_exist(
    service: str, compose: Json, image_environment: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_settings(service, image_environment[service] | compose["services"][service]["environment"], monkeypatch)


@pytest.mark.parametrize("service", SERVING)
def test_settings_in_manifests_exist(service: str, objects: list[Json], monkeypatch: pytest.MonkeyPatch) -> None:
    (container,) = pod_specs(objects)[service]["containers"]
    check_settings(service, variables(container), monkeypatch)


@pytest.mark.parametrize("service", SERVING)
def test_an_image_listens_on_the_ports_that_it_exposes_and_probes(
    service: str, image_environment: dict[str, dict[str, str]]
) -> None:
    environment = image_environment[service]
    assert environment[prefix(service) + "HOST"] == "0.0.0.0"
    assert environment[prefix(service) + "METRICS_PORT"] == str(METRICS_PORT)
    text = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
    stage = text.split(f"FROM runtime AS {service}\n")[1].split("\nFROM ")[0]
    assert f"EXPOSE {port_of(service)} {METRICS_PORT}\n" in stage
    assert f'CMD ["python", "-m", "shortlist_rpc.probe", "127.0.0.1:{port_of(service)}"]\n' in stage
    assert f'ENTRYPOINT ["python", "-m", "shortlist_{service.replace("-", "_")}"]' in stage


@pytest.mark.parametrize("service", SERVING)
def test_ports_and_probes_in_manifests_are_those_of_the_service(service: str, objects: list[Json]) -> None:
    (container,) = pod_specs(objects)[service]["containers"]
    port = port_of(service)
    assert {p["name"]: p["containerPort"] for p in container["ports"]} == {"grpc": port, "metrics": METRICS_PORT}
    assert container["readinessProbe"]["grpc"]["service"] in rpc_names(service)
    for probe, wanted in (("readinessProbe", None), ("livenessProbe", LIVENESS), ("startupProbe", LIVENESS)):
        assert container[probe]["grpc"]["port"] == port
        assert wanted in (None, container[probe]["grpc"]["service"])
    headless = of_kind(objects, "Service")[service]["spec"]
    assert headless["clusterIP"] == "None"
    assert [(p["port"], p["targetPort"]) for p in headless["ports"]] == [(port, "grpc")]
    assert headless["selector"] == {"app.kubernetes.io/name": service}


@pytest.mark.parametrize("service", SERVING)
def test_a_pod_has_the_time_that_its_drain_takes(
    service: str, objects: list[Json], compose: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pod_specs(objects)[service]
    assert (
        float(compose["services"][service]["stop_grace_period"].removesuffix("s"))
        > settings_class(service)().drain_grace_s
    )
    check_settings(service, variables(pod["containers"][0]), monkeypatch)
    settings = settings_class(service)()
    assert settings.drain_wait_s >= 5
    assert pod["terminationGracePeriodSeconds"] >= settings.drain_wait_s + settings.drain_grace_s + 5


def test_every_container_of_kubernetes_is_confined(objects: list[Json]) -> None:
    for name, pod, container in containers(objects):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] >= 100, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["serviceAccountName"] == "shortlist", name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        for amount in ("requests", "limits"):
            assert container["resources"][amount].keys() == {"cpu", "memory"}, name
        if name != "trainer":
            assert {"readinessProbe", "livenessProbe", "startupProbe"} <= container.keys(), name
            mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
            assert mounts.get("/var/lib/shortlist/bundles", True), f"{name} may write bundles"


def test_every_container_of_compose_is_confined(compose: Json) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}, name
        if name in SERVING:
            mounts = {volume["target"]: volume.get("read_only", False) for volume in service.get("volumes", [])}
            assert mounts.get("/var/lib/shortlist/bundles", True), f"{name} may write bundles"


def test_compose_publishes_the_gateway_on_loopback_and_nothing_else(compose: Json) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published.keys() == {"gateway"}
    assert [(p["host_ip"], p["published"], p["target"]) for p in published["gateway"]] == [
        ("127.0.0.1", "50051", 50051)
    ]


def test_an_image_runs_as_a_numeric_user_that_is_not_root() -> None:
    text = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    assert text.index("USER 10001") < text.index("FROM runtime AS")


def test_no_image_reports_to_the_makers_of_onnxruntime() -> None:
    text = (ROOT / "deploy/docker/Dockerfile").read_text("utf-8")
    runtime = text.split(" AS runtime\n")[1].split("\nFROM ")[0]
    assert "ORT_DISABLE_TELEMETRY=1" in runtime


def test_network_policies_allow_what_settings_name_and_no_more(objects: list[Json]) -> None:
    policies = of_kind(objects, "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, pod in pod_specs(objects).items():
        targets = [
            re.split(r"[:/]+", value)[1:3]
            for container in pod["containers"]
            for variable, value in variables(container).items()
            if variable.endswith(("_TARGET", "_URL"))
        ]
        wanted = {(host, int(port)) for host, port in targets}
        allowed = {
            (peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], rule["ports"][0]["port"])
            for rule in policies[name]["spec"].get("egress", [])
            for peer in rule["to"]
            if "podSelector" in peer
        }
        assert allowed == wanted, name
        for host, port in wanted:
            sources = {
                peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name")
                for rule in policies[host]["spec"]["ingress"]
                if rule["ports"][0]["port"] == port
                for peer in rule["from"]
            }
            assert name in sources, f"{host} refuses {name}"


def test_production_has_replicas_spread_and_no_reflection() -> None:
    objects = list(yaml.safe_load_all(run(str(BIN / "kubectl"), "kustomize", "k8s/overlays/prod")))
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    assert scalers.keys() == set(SERVING)
    for name, deployment in of_kind(objects, "Deployment").items():
        spec = deployment["spec"]
        assert "replicas" not in spec, "would fight the autoscaler at each apply"
        assert scalers[name]["spec"]["minReplicas"] >= 2
        assert spec["template"]["spec"]["topologySpreadConstraints"]
        (container,) = spec["template"]["spec"]["containers"]
        assert variables(container)[prefix(name) + "IS_REFLECTIVE"] == "false"
