"""What is enumerated is compared with its definition, so that an addition stays red until it is whole."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import FileDescriptor

import shortlist_domain.errors as errors_module
from shortlist.common.v1 import answer_pb2
from shortlist.gateway.v1 import recommendation_service_pb2_grpc
from shortlist_domain.errors import ShortlistError
from shortlist_domain.stages import Source
from shortlist_gateway.query import Cause, Level, Outcome, ReasonKind
from shortlist_gateway.retail.messages import SERVICES as RETAIL_SERVICES
from shortlist_rpc.policy import POLICIES, Policy
from shortlist_rpc.status import STATUSES

ROOT = Path(__file__).parents[2]
SERVICE_PROTOS = sorted((ROOT / "protos").glob("shortlist/*/v*/*_service.proto"))


def descriptors() -> list[FileDescriptor]:
    names = [str(p.relative_to(ROOT / "protos").with_suffix("")).replace("/", ".") + "_pb2" for p in SERVICE_PROTOS]
    return [importlib.import_module(name).DESCRIPTOR for name in names]


def names_of_tests(folder: str) -> set[str]:
    """Return the names of the tests below ``folder``, those of contract suites included."""
    return {
        name
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def rows_under(heading: str) -> list[str]:
    """Return the rows of the tables of the contract under ``heading`` whose last column is the test."""
    section = (ROOT / "protos/README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and "| test |" not in line]
    return [row for row in rows if not row.startswith("| ---")]


def test_every_rpc_has_a_policy_and_every_policy_an_rpc() -> None:
    rpcs = {
        f"/{service.full_name}/{method.name}"
        for service in (*(s for d in descriptors() for s in d.services_by_name.values()), *RETAIL_SERVICES)
        for method in service.methods
    }
    assert len(rpcs) > 15
    assert rpcs == POLICIES.keys()


def test_deadlines_and_retries_in_the_contract_are_those_of_the_policies() -> None:
    text = (ROOT / "protos/README.md").read_text().split("\n## Deadlines and retries\n")[1].split("\n## ")[0]
    said = {}
    for calls, longest, again in re.findall(r"^\| (`.*`) \| (.*) \| (.*) \|$", text, re.MULTILINE):
        is_long = longest.startswith("no limit")
        timeout_s = 0.0 if is_long else float(longest.removesuffix(" s"))
        for name in re.findall(r"`(\w+)`", calls):
            said[name] = Policy(timeout_s, is_idempotent=not again.startswith("no"), is_long=is_long)
    public = ("/shortlist.gateway.", "/google.cloud.retail.")
    assert said == {path.rsplit("/", 1)[1]: policy for path, policy in POLICIES.items() if path.startswith(public)}


def test_every_rpc_has_a_paragraph_in_the_contract() -> None:
    text = (ROOT / "protos/README.md").read_text().split("## The calls, in short")[1].split("## Statuses")[0]
    assert set(re.findall(r"\*\*`([A-Z]\w+)`\*\*", text)) == {
        method.rsplit("/", 1)[1] for method in POLICIES if method.startswith("/shortlist.")
    }


def test_every_rpc_is_called_by_a_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    names = {method.rsplit("/", 1)[1] for method in POLICIES if method.startswith("/shortlist.")}
    assert {name for name in names if f".{name}(" not in tests} == set()


def test_every_error_has_a_status() -> None:
    defined = {
        value
        for value in vars(errors_module).values()
        if isinstance(value, type) and issubclass(value, ShortlistError) and value is not ShortlistError
    }
    assert defined == STATUSES.keys()
    assert grpc.StatusCode.UNKNOWN not in STATUSES.values()


@pytest.mark.parametrize(
    ("ours", "wire", "prefix"),
    [
        (Level, answer_pb2.DegradationLevel, "DEGRADATION_LEVEL_"),
        (Outcome, answer_pb2.StageOutcome, "STAGE_OUTCOME_"),
        (ReasonKind, answer_pb2.ReasonKind, "REASON_KIND_"),
    ],
)
def test_enums_of_the_pipeline_are_those_of_the_wire(ours: type, wire: object, prefix: str) -> None:
    names = {name.removeprefix(prefix) for name in wire.keys()}  # type: ignore[attr-defined]  # noqa: SIM118
    assert {member.value for member in ours} == names - {"UNSPECIFIED"}  # type: ignore[attr-defined]


def test_causes_of_the_pipeline_are_on_the_wire() -> None:
    names = {name.removeprefix("DEGRADATION_CAUSE_") for name in answer_pb2.DegradationCause.keys()}  # noqa: SIM118
    assert {cause.value for cause in Cause} <= names


def test_sources_are_documented_on_the_wire() -> None:
    text = (ROOT / "protos/shortlist/common/v1/answer.proto").read_text()
    for source in Source:
        assert f"`{source}`" in text


def test_the_generator_is_the_version_that_the_stubs_demand_and_that_we_depend_on() -> None:
    generated = (ROOT / "libs/gen/shortlist/gateway/v1/recommendation_service_pb2_grpc.py").read_text()
    found = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", generated)
    assert found
    project = (ROOT / "pyproject.toml").read_text()
    assert f'"grpcio>={found[1]},<2"' in project
    assert f'"grpcio-tools=={found[1]}"' in project
    assert importlib.metadata.version("grpcio-tools") == found[1]
    assert found[1] == recommendation_service_pb2_grpc.GRPC_GENERATED_VERSION


def test_modules_stay_short() -> None:
    lengths = {
        path: len(path.read_text().splitlines())
        for root in ("libs", "services")
        for path in (ROOT / root).rglob("*.py")
        if not {"gen", "shortlist_testing"} & set(path.relative_to(ROOT).parts)
    }
    assert len(lengths) > 50
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 300} == {}


def test_no_drawer_for_everything() -> None:
    drawers = {"utils", "util", "common", "core", "helpers", "misc"}
    ours = [p for root in ("libs", "services") for p in (ROOT / root).rglob("*") if "gen" not in p.parts]
    assert [p for p in ours if p.stem in drawers] == []


def test_every_row_of_the_edge_case_table_names_a_test_that_exists() -> None:
    table = (ROOT / "protos/README.md").read_text().split("## Edge cases")[1]
    rows = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    code = "\n".join(path.read_text() for path in sorted((ROOT / "tests/contract").glob("test_*.py")))
    tests = set(re.findall(r"^(?:async )?def (test_\w+)", code, re.MULTILINE))
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= tests, row


def test_every_complaint_of_the_peers_names_a_test_and_every_test_of_theirs_is_named() -> None:
    rows = rows_under("What users of the peers asked for")
    tests = names_of_tests("tests") | names_of_tests("libs/shortlist_testing")
    assert len(rows) > 30
    named: set[str] = set()
    for row in rows:
        own = set(re.findall(r"`(test_\w+)`", row.split("|")[-2]))
        assert own, row
        assert own <= tests, row
        named |= own
    assert names_of_tests("tests/contract/peers") <= named


def test_every_row_of_the_migration_tables_names_a_test_that_exists() -> None:
    rows, tests = rows_under("Migration"), names_of_tests("tests")
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.split("|")[-2])
        assert named, row
        assert set(named) <= tests, row
