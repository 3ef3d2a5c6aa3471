"""Clients that are not ours: they know the wire, or nothing but reflection."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shortlist_testing.platform import Platform, running_platform

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
SERVICE = "shortlist.gateway.v1.RecommendationService"
BODY = '{"actor":{"user_id":"42"},"slate_size":5}'


def tool(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(tmp_path_factory.mktemp("platform")) as platform:
        yield platform


async def run(*command: str, cwd: Path | None = None) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_grpcurl_lists_describes_and_calls_by_reflection(platform: Platform) -> None:
    grpcurl = tool("grpcurl")
    listed = await run(grpcurl, "-plaintext", platform.address, "list")
    assert {SERVICE, "shortlist.gateway.v1.EventService", "grpc.health.v1.Health"} <= set(listed.split())
    described = await run(grpcurl, "-plaintext", platform.address, "describe", f"{SERVICE}.Recommend")
    assert "rpc Recommend ( .shortlist.gateway.v1.RecommendRequest )" in described
    answer = json.loads(await run(grpcurl, "-plaintext", "-d", BODY, platform.address, f"{SERVICE}/Recommend"))
    assert len(answer["results"]) == 5
    assert answer["meta"]["degradation"]["level"] == "DEGRADATION_LEVEL_NONE"


async def test_buf_curl_calls_by_reflection(platform: Platform) -> None:
    url = f"http://{platform.address}/{SERVICE}/Recommend"
    arguments = ("curl", "--protocol", "grpc", "--http2-prior-knowledge", "--reflect", "-d", BODY, url)
    answer = json.loads(await run(tool("buf"), *arguments))
    assert len(answer["results"]) == 5


async def test_grpc_js_loads_the_protos_and_calls(platform: Platform, tmp_path: Path) -> None:
    npm, node = tool("npm"), tool("node")
    program = tmp_path / "call.js"
    program.write_text(
        f"""
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const files = ["shortlist/gateway/v1/recommendation_service.proto", "shortlist/gateway/v1/event_service.proto"];
const definition = loader.loadSync(files, {{ includeDirs: [{str(ROOT / "protos")!r}], enums: String }});
const v1 = grpc.loadPackageDefinition(definition).shortlist.gateway.v1;
const plain = grpc.credentials.createInsecure();
const events = new v1.EventService({platform.address!r}, plain);
const recommendation = new v1.RecommendationService({platform.address!r}, plain);
const actor = {{ userId: "from-js" }};
events.WriteEvents({{ actor, events: [{{ itemId: "item-001", value: 5 }}] }}, (failed, written) => {{
  if (failed) throw failed;
  recommendation.Recommend(
    {{ actor, slateSize: 5, consistencyToken: written.consistencyToken }},
    (error, answer) => {{
      if (error) throw error;
      console.log(JSON.stringify({{ written: written.written, ...answer }}));
      process.exit(0);
    }});
}});
"""
    )
    packages = ("@grpc/grpc-js@1", "@grpc/proto-loader@0.8")
    try:
        await run(npm, "install", "--no-audit", "--no-fund", "--silent", *packages, cwd=tmp_path)
    except (TimeoutError, AssertionError) as error:
        pytest.skip(f"npm cannot install @grpc/grpc-js here: {error}")
    answer = json.loads(await run(node, str(program), cwd=tmp_path))
    assert answer["written"] == 1
    assert len(answer["results"]) == 5
    assert answer["meta"]["actorKnown"]
    assert answer["meta"]["degradation"]["level"] == "DEGRADATION_LEVEL_NONE"
