"""The TypeScript client, built from the protos as they are and run by node against the whole platform."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from shortlist.gateway.v1 import serving_config_service_pb2
from shortlist_rpc.policy import POLICIES
from shortlist_testing.certificates import self_made
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "clients/typescript"
WITHIN_S = 120.0


async def run(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command; returns its exit status and what it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"{command[0]} did not end within {WITHIN_S:g} s"
    return process.returncode or 0, out.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform"), users=True) as platform:
        yield platform


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, installed and built in a copy beside a copy of the protos; its example asks ``platform``."""
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    _, version = await run("node", "--version", cwd=ROOT)
    if int(re.findall(r"\d+", version)[0]) < 20:
        pytest.skip(f"node {version.strip()} is older than 20")
    root = tmp_path_factory.mktemp("typescript")
    made = ("node_modules", "dist", "generated", "protos", "package-lock.json")
    shutil.copytree(ROOT / "protos/shortlist", root / "protos/shortlist")
    package = shutil.copytree(SOURCE, root / "clients/typescript", ignore=shutil.ignore_patterns(*made))
    example = package / "example.ts"
    example.write_text(example.read_text().replace("127.0.0.1:50051", platform.address))
    install = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
    status, said = await run(*install, cwd=package)
    if status:
        pytest.skip(f"npm cannot install @grpc/grpc-js and typescript here: {said[-500:]}")
    status, said = await run("npm", "run", "build", cwd=package)
    assert status == 0, said
    return package


async def test_its_own_tests_pass_against_the_platform(built: Path, platform: Platform, tmp_path: Path) -> None:
    certificate = self_made(tmp_path, "server")
    environment = {
        "SHORTLIST_ADDRESS": platform.address,
        "SHORTLIST_ITEMS": ",".join(item_ids(3)),
        "TEST_CERTIFICATE": str(certificate.certificate),
        "TEST_KEY": str(certificate.key),
    }
    status, said = await run("npm", "test", cwd=built, environment=environment)
    assert status == 0, said
    assert re.search(r"pass 8\b", said), said
    assert re.search(r"skipped 0\b", said), said


async def test_its_example_prints_five_items(built: Path) -> None:
    status, said = await run("node", "dist/example.js", cwd=built)
    assert status == 0, said
    assert len(re.findall(r"^\d item-", said, re.MULTILINE)) == 5


async def test_its_readme_shows_the_example_in_ten_lines() -> None:
    example = (SOURCE / "example.ts").read_text()
    assert f"```ts\n{example}```" in (SOURCE / "README.md").read_text()
    assert len([line for line in example.splitlines() if line]) <= 10


async def test_it_has_a_method_for_every_rpc_of_the_gateway_with_its_deadline_and_retries() -> None:
    source = (SOURCE / "src/client.ts").read_text()
    constants = re.findall(r"^const (\w+_MS) = ([\d_]+);", source, re.MULTILINE)
    lengths = {name: int(ms.replace("_", "")) / 1000 for name, ms in constants}
    methods = dict(re.findall(r"^  (\w+)\(\s*(.*?)^  \}", source, re.MULTILINE | re.DOTALL))
    gateway = {
        path.rsplit("/")[-1]: policy for path, policy in POLICIES.items() if path.startswith("/shortlist.gateway.")
    }
    assert len(gateway) > 10
    for rpc, policy in gateway.items():
        body = methods[rpc[0].lower() + rpc[1:]]
        assert body.startswith(f"request: {rpc}Request"), "a message of the protos: every field is there"
        assert f"{rpc}Response__Output" in body
        (length,) = re.findall(r"options\.timeoutMs \?\? (\w+)", body)
        assert policy.is_long or lengths[length] == policy.timeout_s, rpc
    repeated = re.findall(r'"(\w+)"', re.findall(r"^const READ_ONLY = \[(.*?)\];", source, re.MULTILINE)[0])
    service = serving_config_service_pb2.DESCRIPTOR.services_by_name["ServingConfigService"]
    of_configs = {rpc.name for rpc in service.methods}
    assert set(repeated) == {rpc for rpc in of_configs if gateway[rpc].is_idempotent}
    assert all(gateway[rpc].is_idempotent for rpc in gateway.keys() - of_configs), "repeated by the service"
