"""Puts ranking together: the stage alone, for one process, or behind gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc

from shortlist.inference.v2 import inference_service_pb2 as inference_pb
from shortlist.inference.v2.inference_service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from shortlist.ranking.v1 import ranking_service_pb2 as pb
from shortlist.ranking.v1.ranking_service_pb2_grpc import add_RankingServiceServicer_to_server
from shortlist_bundle.host import BundleHost
from shortlist_bundle.item_table import ItemCounters, ItemFeedReader
from shortlist_bundle.store import BundleStore
from shortlist_domain.item_feed import ItemFeed
from shortlist_ranking.engine import RankingEngine
from shortlist_ranking.loading import LoadedRanker
from shortlist_ranking.open_inference import OpenInferenceServicer
from shortlist_ranking.servicer import RankingServicer
from shortlist_ranking.settings import RankingSettings
from shortlist_rpc.channel import open_channel
from shortlist_rpc.executor import BoundedExecutor
from shortlist_rpc.item_feed import ItemFeedClient
from shortlist_telemetry.catalogue import Metrics


class Ranking:
    """The stage with what it owns: bundles, threads, the item feed. No gRPC server."""

    def __init__(self, settings: RankingSettings, feed: ItemFeed | None, metrics: Metrics | None = None) -> None:
        store = BundleStore(settings.bundle_store)
        self.host: BundleHost[LoadedRanker] = BundleHost(
            store, LoadedRanker, metrics, settings.bundle_poll_s, settings.bundle_grace_s
        )
        self._executor = BoundedExecutor(
            settings.threads, settings.max_queued, "ranking", inline_below_s=settings.inline_below_s
        )
        self.feed = ItemFeedReader(feed, self._counters, settings.tenant) if feed is not None else None
        self.engine = RankingEngine(self.host, self._executor, settings.step)

    def start(self) -> None:
        """Begin to load and to read counters; returns without waiting for either. Needs a running event loop."""
        self.host.start()
        if self.feed is not None:
            self.feed.start()

    async def close(self) -> None:
        """Let go of everything."""
        if self.feed is not None:
            await self.feed.close()
        await asyncio.to_thread(self.host.close)
        self._executor.close()

    def _counters(self) -> Sequence[ItemCounters]:
        return [held.value.counters for held in self.host.held()]


class RankingService:
    """Ranking as :class:`shortlist_rpc.server.Service`."""

    def __init__(self, settings: RankingSettings, metrics: Metrics | None = None) -> None:
        """Make the service. Needs a running event loop."""
        target = settings.feature_store_target
        self._channel = open_channel(target) if target else None
        self._stage = Ranking(settings, ItemFeedClient(self._channel) if self._channel else None, metrics)
        self._is_open_inference_served = settings.is_open_inference_served
        served = [pb.DESCRIPTOR.services_by_name["RankingService"]]
        if settings.is_open_inference_served:
            served.append(inference_pb.DESCRIPTOR.services_by_name["GRPCInferenceService"])
        self.rpc_names = tuple(service.full_name for service in served)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the servicers."""
        servicer = RankingServicer(self._stage.engine, self._stage.host, self._stage.feed)
        add_RankingServiceServicer_to_server(servicer, server)
        if self._is_open_inference_served:
            facade = OpenInferenceServicer(self._stage.engine, self._stage.host)
            add_GRPCInferenceServiceServicer_to_server(facade, server)

    async def start(self) -> None:
        """Begin to load and connect."""
        self._stage.start()

    def is_ready(self) -> bool:
        """Return whether a bundle is loaded. A feature store that is away does not make it unready."""
        return self._stage.host.is_ready()

    async def close(self) -> None:
        """Let go of everything."""
        await self._stage.close()
        if self._channel is not None:
            await self._channel.close()
