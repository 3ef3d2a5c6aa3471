"""The whole platform in one process, over a tiny bundle and a real Valkey, for tests of what callers see."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from pydantic import SecretStr

from shortlist_cli.serving import OneProcess
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.clients import RankingClient, RetrievalClient
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import GatewayService
from shortlist_ranking.settings import RankingSettings
from shortlist_ranking.wiring import RankingService
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_retrieval.wiring import RetrievalService
from shortlist_rpc.server import RunningServer, Service
from shortlist_testing.redis import RunningValkey, running_valkey
from shortlist_testing.running import own_metrics, running
from shortlist_testing.tiny_bundle import tiny_bundle


class Platform:
    """A running platform; what is opened on the way is closed with it."""

    def __init__(self, service: OneProcess, bundle_id: str, settings: GatewaySettings, valkey: RunningValkey) -> None:
        self.service = service
        self.bundle_id = bundle_id
        self.bundles = settings.bundle_store
        self.valkey = valkey
        self.max_message_bytes = settings.max_message_bytes
        self.address = ""
        self.server: RunningServer
        self.channel: grpc.aio.Channel
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()

    async def stage_channel(self, stage: str) -> grpc.aio.Channel:
        """Return a channel to a stage on a port of its own, over the same bundles or the same Valkey."""
        return await self._channel_to(await self._stage(stage))

    async def stage_address(self, stage: str) -> str:
        """Return where a stage listens, as in :meth:`stage_channel`."""
        return (await self._stage(stage)).address

    async def _stage(self, stage: str) -> RunningServer:
        folder = self._settings.bundle_store
        service: Service
        if stage == "retrieval":
            service = RetrievalService(RetrievalSettings(bundle_store=folder, feature_store_target=""))
        elif stage == "feature-store":
            service = FeatureStoreService(FeatureStoreSettings(redis_url=SecretStr(self.valkey.url)))
        else:
            service = RankingService(RankingSettings(bundle_store=folder, feature_store_target=""))
        return await self._stack.enter_async_context(running(service))

    async def gateway_with(self, ranking: Platform) -> grpc.aio.Channel:
        """Return a channel to a gateway over this platform's stages and the ranking of another."""
        features, retrieval = self.service.features.store(), self.service.retrieval.engine
        engine = ranking.service.ranking.engine
        service = GatewayService(features, retrieval, engine, self._settings, own_metrics())
        return await self._channel_to(await self._stack.enter_async_context(running(service)))

    async def gateway_over_the_wire(self) -> grpc.aio.Channel:
        """Return a channel to a gateway whose retrieval and ranking are behind ports of their own."""
        retrieval = RetrievalClient(await self.stage_channel("retrieval"))
        ranking = RankingClient(await self.stage_channel("ranking"))
        service = GatewayService(self.service.features.store(), retrieval, ranking, self._settings, own_metrics())
        return await self._channel_to(await self._stack.enter_async_context(running(service)))

    async def _channel_to(self, server: RunningServer) -> grpc.aio.Channel:
        options = [("grpc.enable_retries", 0)]
        return await self._stack.enter_async_context(grpc.aio.insecure_channel(server.address, options))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Platform]:
        """Serve while the context lasts."""
        async with running(self.service, self._settings) as server, self._stack:
            self.server = server
            self.address = server.address
            self.channel = await self._channel_to(server)
            yield self


@contextlib.asynccontextmanager
async def running_platform(
    folder: Path, n_items: int = 60, seed: int = 0, *, users: bool = False, **gateway: object
) -> AsyncIterator[Platform]:
    """Run every stage over a tiny bundle.

    Args:
        folder: Where bundles and the Valkey's data go.
        n_items: Catalogue size.
        seed: Another seed is another bundle.
        users: Whether the bundle has user vectors.
        gateway: Settings of the gateway that differ.
    """
    bundles = folder / "bundles"
    release = tiny_bundle(bundles, n_items=n_items, seed=seed, users=users)
    async with platform_over(bundles, release.bundle_id, **gateway) as platform:
        yield platform


@contextlib.asynccontextmanager
async def platform_over(bundles: Path, bundle_id: str, **gateway: object) -> AsyncIterator[Platform]:
    """Run every stage over a bundle store whose current bundle is ``bundle_id``, with an empty Valkey."""
    with running_valkey() as valkey:
        # Budgets are wide, so that a machine busy with other tests degrades no answer.
        budgets = {"read_actor_budget_s": 0.4, "retrieve_budget_s": 0.6, "rank_budget_s": 0.6}
        usual = {"port": 0, "bundle_store": bundles, "bundle_poll_s": 0.05, "config_poll_s": 0.05, "drain_grace_s": 1.0}
        settings = GatewaySettings.model_validate(usual | budgets | gateway)
        service = OneProcess(
            FeatureStoreSettings(redis_url=SecretStr(valkey.url)),
            RetrievalSettings(bundle_store=bundles, bundle_poll_s=0.05),
            RankingSettings(bundle_store=bundles, bundle_poll_s=0.05),
            settings,
            own_metrics(),
        )
        async with Platform(service, bundle_id, settings, valkey).open() as platform:
            yield platform
