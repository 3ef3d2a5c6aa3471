"""Which service a command line runs, and whose settings win."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shortlist_cli.serving import OneProcess, service_of
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import GatewayService
from shortlist_ranking.wiring import RankingService
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_retrieval.wiring import RetrievalService
from shortlist_testing.running import own_metrics


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("all", OneProcess),
        ("gateway", GatewayService),
        ("retrieval", RetrievalService),
        ("ranking", RankingService),
        ("feature-store", FeatureStoreService),
    ],
)
async def test_each_stage_is_a_service(stage: str, kind: type, tmp_path: Path) -> None:
    service, settings = service_of(stage, tmp_path, "", {"port": 0}, own_metrics())
    assert isinstance(service, kind)
    assert settings.port == 0
    await service.close()


async def test_the_command_line_wins_over_the_environment_and_that_over_the_work_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_RETRIEVAL_PORT", "1234")
    service, settings = service_of("retrieval", tmp_path, "", {}, own_metrics())
    assert isinstance(settings, RetrievalSettings)
    assert (settings.port, settings.bundle_store) == (1234, tmp_path / "bundles")
    await service.close()
    monkeypatch.setenv("SHORTLIST_RETRIEVAL_BUNDLE_STORE", "/elsewhere")
    service, settings = service_of("retrieval", tmp_path, "", {"port": 0}, own_metrics())
    assert isinstance(settings, RetrievalSettings)
    assert (settings.port, settings.bundle_store) == (0, Path("/elsewhere"))
    await service.close()


async def test_in_one_process_the_stages_read_the_work_folder_too(tmp_path: Path) -> None:
    service, settings = service_of("all", tmp_path, "", {"port": 0}, own_metrics())
    assert isinstance(settings, GatewaySettings)
    assert settings.bundle_store == tmp_path / "bundles"
    assert not service.is_ready()
    await service.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "nothing"),
        (("gateway", "--log-level", "LOUD"), "LOUD"),
        (("gateway", "--port", "70000"), "port"),
    ],
)
def test_a_wrong_command_line_ends_in_a_few_words(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shortlist_cli.main", "serve", *arguments, "--var", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
