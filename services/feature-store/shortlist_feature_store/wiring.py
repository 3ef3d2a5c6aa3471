"""Puts the feature store together: the store alone, for one process, or behind gRPC."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import grpc

from shortlist.featurestore.v1 import feature_store_service_pb2 as pb
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import add_FeatureStoreServiceServicer_to_server
from shortlist_domain.errors import NotReady, UpstreamFailed
from shortlist_feature_store.memory_store import MemoryStore
from shortlist_feature_store.redis_link import RedisLink
from shortlist_feature_store.redis_store import RedisStore
from shortlist_feature_store.servicer import FeatureStoreServicer
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.store import FeatureStore
from shortlist_feature_store.valkey import EmbeddedValkey
from shortlist_telemetry.catalogue import LogEvent
from shortlist_telemetry.logging import get_log


@contextlib.asynccontextmanager
async def open_store(settings: FeatureStoreSettings, *, may_be_memory: bool = True) -> AsyncIterator[FeatureStore]:
    """Open the store that ``settings`` describe, and a Valkey of our own where they name no Redis.

    A configured Redis that is away is no error here: calls fail until it is back.

    Args:
        settings: Which.
        may_be_memory: Whether a Valkey that cannot start is replaced by the in-memory twin, with a warning.

    Raises:
        ValueError: The Redis URL is none.
        shortlist_feature_store.valkey.FolderInUse: Another process runs a Valkey in the folder.
        UpstreamFailed: Our own Valkey cannot start, and memory was ruled out.
    """
    async with contextlib.AsyncExitStack() as stack:
        url = settings.redis_url.get_secret_value()
        store: FeatureStore
        try:
            if not url:
                valkey = EmbeddedValkey(settings.valkey_folder)
                await valkey.start()
                stack.push_async_callback(valkey.stop)
                url = valkey.url
            link = RedisLink(url, settings.redis_connections, settings.redis_waiting, settings.redis_failures)
            store = RedisStore(link, settings.limits)
        except UpstreamFailed as error:
            if not may_be_memory:
                raise
            get_log("feature-store").warning(
                LogEvent.EMBEDDED_STORE,
                state="FEATURES ARE KEPT IN MEMORY ONLY: everything written is lost when this process ends, and no "
                "other process sees it. Set SHORTLIST_FEATURE_STORE_REDIS_URL to keep it.",
                reason=error.reason,
            )
            store = MemoryStore(settings.limits)
        stack.push_async_callback(store.aclose)
        yield store


class FeatureStoreService:
    """The feature store as :class:`shortlist_rpc.server.Service`."""

    rpc_names = (pb.DESCRIPTOR.services_by_name["FeatureStoreService"].full_name,)

    def __init__(self, settings: FeatureStoreSettings) -> None:
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()
        self._store: FeatureStore | None = None
        self._servicer = FeatureStoreServicer(self.store)

    def store(self) -> FeatureStore:
        """Return the store.

        Raises:
            NotReady: It is not open yet.
        """
        if self._store is None:
            raise NotReady("the feature store is starting")
        return self._store

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the servicer."""
        add_FeatureStoreServiceServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Open the store. Waits for a Valkey of our own, which may have a long file to read; for no other.

        Raises:
            ValueError: The Redis URL is none.
            shortlist_feature_store.valkey.FolderInUse: Another process runs a Valkey in the folder.
        """
        self._store = await self._stack.enter_async_context(open_store(self._settings))

    def is_ready(self) -> bool:
        """Return whether the store is open.

        A Redis that goes away later does not make it unready: every replica would be at once, and callers are better
        served by a quick UNAVAILABLE than by no address at all.
        """
        return self._store is not None

    async def close(self) -> None:
        """Close the store, and end a Valkey of our own."""
        await self._stack.aclose()
