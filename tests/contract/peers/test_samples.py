"""A request for every RPC that can be sent as it stands (feast#2743), sent by grpcurl, which knows nothing of ours."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_rpc.policy import POLICIES
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import tiny_user_id

from ..questions import ask

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[3]
SAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "deploy/ghz").glob("*.json"))}
STAGES = {
    "retrieval": "retrieval",
    "ranking": "ranking",
    "GRPCInferenceService": "ranking",
    "featurestore": "feature-store",
}
FIRST = ("ServingConfigService.PutServingConfig", "FeatureStoreService.WriteDocument")
LAST = ("ServingConfigService.RollbackServingConfig", "ServingConfigService.DeleteServingConfig")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHORTLIST_GATEWAY_IS_RETAIL_SERVED", "true")
        async with running_platform(tmp_path_factory.mktemp("platform"), n_items=600, users=True) as platform:
            yield platform


async def test_feast_2743_a_sample_request_of_every_rpc_is_answered(platform: Platform) -> None:
    """How to call the server by hand was asked for, in vain."""
    addresses = {stage: await platform.stage_address(stage) for stage in ("retrieval", "ranking", "feature-store")}
    first = await RecommendationServiceStub(platform.channel).Recommend(ask("1"), timeout=5)
    fillings = {
        "BUNDLE_ID": platform.bundle_id,
        "NEXT_TOKEN": first.meta.next_token,
        r"\{\{randomInt 1 1682\}\}": "item-001",
        r"\{\{randomInt (\d+) \d+\}\}": r"\1",
        r"\{\{\.\w+\}\}": "2026-01-02T03:04:05Z",
    }

    async def send(name: str) -> None:
        sample = SAMPLES[name]
        body = json.dumps(sample["data"])
        for template, filling in fillings.items():
            body = re.sub(template, filling, body)
        if name.endswith("SimilarUsers"):
            body = json.dumps({"actor": {"user_id": tiny_user_id(3)}, "user_count": 3})
        part = sample["call"].split(".")[1]
        address = addresses.get(STAGES.get(part, ""), platform.address)
        service, method = sample["call"].rsplit(".", 1)
        is_endless = POLICIES[f"/{service}/{method}"].is_long and method.startswith("Watch")
        most_s = "2" if is_endless else "10"
        found, said = await grpcurl("-max-time", most_s, "-d", body, address, f"{service}/{method}")
        if is_endless:
            assert found, said
        else:
            assert said == "", name

    for fillings["written by ghz"] in ("written once", "written again"):
        for name in FIRST:
            await send(name)
    others = [name for name in SAMPLES if name not in FIRST + LAST]
    assert len(others) > 35
    for start in range(0, len(others), 4):
        await asyncio.gather(*(send(name) for name in others[start : start + 4]))
    for name in LAST:
        await send(name)


async def grpcurl(*arguments: str) -> tuple[str, str]:
    """Return what grpcurl printed as the answer, and as an error."""
    beside = Path(sys.executable).parent / "grpcurl"
    tool = str(beside) if beside.exists() else shutil.which("grpcurl")
    if not tool:
        pytest.skip("grpcurl is not installed")
    process = await asyncio.create_subprocess_exec(
        tool, "-plaintext", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return out.decode(), err.decode()
