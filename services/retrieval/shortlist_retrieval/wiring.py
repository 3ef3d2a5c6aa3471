"""Puts retrieval together: the stage alone, for one process, or behind gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc

from shortlist.retrieval.v1 import retrieval_service_pb2 as pb
from shortlist.retrieval.v1.retrieval_service_pb2_grpc import add_RetrievalServiceServicer_to_server
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.host import BundleHost
from shortlist_bundle.item_table import ItemCounters, ItemFeedReader
from shortlist_bundle.store import BundleStore
from shortlist_domain.item_feed import ItemFeed
from shortlist_retrieval.engine import RetrievalEngine, Shelf
from shortlist_retrieval.index import prepare_thread
from shortlist_retrieval.loading import LoadedBundle
from shortlist_retrieval.servicer import RetrievalServicer
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_retrieval.sources import SOURCES
from shortlist_rpc.channel import open_channel
from shortlist_rpc.executor import BoundedExecutor
from shortlist_rpc.item_feed import ItemFeedClient
from shortlist_telemetry.catalogue import Metrics


def load_shelf(bundle: Bundle) -> Shelf:
    """Return ``bundle`` loaded, with every source over it.

    Raises:
        BundleInvalid: As :class:`shortlist_retrieval.loading.LoadedBundle`.
    """
    loaded = LoadedBundle(bundle)
    return Shelf(loaded, tuple(make(loaded) for make in SOURCES.values()))


class Retrieval:
    """The stage with what it owns: bundles, threads, the item feed. No gRPC server."""

    def __init__(self, settings: RetrievalSettings, feed: ItemFeed | None, metrics: Metrics | None = None) -> None:
        store = BundleStore(settings.bundle_store)
        self.host: BundleHost[Shelf] = BundleHost(
            store, load_shelf, metrics, settings.bundle_poll_s, settings.bundle_grace_s
        )
        self._executor = BoundedExecutor(
            settings.threads, settings.max_queued, "retrieval", prepare_thread, settings.inline_below_s
        )
        self.feed = ItemFeedReader(feed, self._counters, settings.tenant) if feed is not None else None
        self.engine = RetrievalEngine(self.host, self._executor, settings.quotas)

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
        return [held.value.bundle.counters for held in self.host.held()]


class RetrievalService:
    """Retrieval as :class:`shortlist_rpc.server.Service`."""

    rpc_names = (pb.DESCRIPTOR.services_by_name["RetrievalService"].full_name,)

    def __init__(self, settings: RetrievalSettings, metrics: Metrics | None = None) -> None:
        """Make the service. Needs a running event loop."""
        target = settings.feature_store_target
        self._channel = open_channel(target) if target else None
        self._stage = Retrieval(settings, ItemFeedClient(self._channel) if self._channel else None, metrics)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the servicer."""
        servicer = RetrievalServicer(self._stage.engine, self._stage.host, self._stage.feed)
        add_RetrievalServiceServicer_to_server(servicer, server)

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
