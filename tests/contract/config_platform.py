"""A platform whose store of serving configs can be killed, and patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_cli.serving import OneProcess
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_gateway.settings import GatewaySettings
from shortlist_ranking.settings import RankingSettings
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_testing.platform import Platform
from shortlist_testing.redis import RunningValkey
from shortlist_testing.running import own_metrics

from .config_calls import Configs


@asynccontextmanager
async def platform_on(
    bundles: Path, valkey: RunningValkey, **gateway: object
) -> AsyncIterator[tuple[Platform, Configs, Any]]:
    """Run every stage over the bundles in a folder, with the store on a Valkey that can be killed."""
    usual: dict[str, object] = {
        "port": 0,
        "bundle_store": bundles,
        "bundle_poll_s": 0.05,
        "config_poll_s": 0.05,
        "drain_grace_s": 1.0,
    }
    budgets = {"read_actor_budget_s": 0.4, "retrieve_budget_s": 0.6, "rank_budget_s": 0.6}
    settings = GatewaySettings.model_validate(usual | budgets | gateway)
    service = OneProcess(
        FeatureStoreSettings(redis_url=SecretStr(valkey.url), document_versions=5),
        RetrievalSettings(bundle_store=bundles, bundle_poll_s=0.05),
        RankingSettings(bundle_store=bundles, bundle_poll_s=0.05),
        settings,
        own_metrics(),
    )
    async with Platform(service, "", settings, valkey).open() as platform:
        yield platform, Configs(platform.channel), RecommendationServiceStub(platform.channel)


async def becomes(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await true():
            await asyncio.sleep(0.02)
