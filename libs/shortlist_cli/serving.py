"""Which service a ``shortlist serve`` runs, and all of them in one process without a wire between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc

from shortlist_domain.deadline import Deadline
from shortlist_domain.documents import DocumentStage
from shortlist_domain.feature_stage import AppendResult
from shortlist_domain.stages import ActorKey, ActorState, Event, ItemDeltas
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import GatewayService, gateway_over_grpc
from shortlist_ranking.settings import RankingSettings
from shortlist_ranking.wiring import Ranking, RankingService
from shortlist_retrieval.settings import RetrievalSettings
from shortlist_retrieval.wiring import Retrieval, RetrievalService
from shortlist_rpc.server import Service
from shortlist_rpc.settings import ServerSettings
from shortlist_telemetry.catalogue import Metrics

S = TypeVar("S", bound=ServerSettings)

_OPENING_POLL_S = 0.05


def service_of(
    stage: str, var: Path, redis_url: str, given: Mapping[str, Any], metrics: Metrics
) -> tuple[Service, ServerSettings]:
    """Return a service and its settings. Needs a running event loop.

    Args:
        stage: ``all``, or a service by its folder name.
        var: Work folder; its bundles and Valkey stand in where the environment names no others.
        redis_url: Redis; empty runs a Valkey in ``var``.
        given: Settings of the server that win over the environment.
        metrics: Instruments of the process.

    Raises:
        pydantic.ValidationError: A setting is out of range.
        KeyError: There is no such stage.
    """
    bundles = {"bundle_store": var / "bundles"}
    store = {"valkey_folder": var / "valkey"}
    redis = {"redis_url": redis_url} if redis_url else {}
    if stage == "all":
        gateway = _settings(GatewaySettings, bundles, given)
        features = _settings(FeatureStoreSettings, store, redis)
        retrieval = _settings(RetrievalSettings, bundles, {})
        ranking = _settings(RankingSettings, bundles, {})
        return OneProcess(features, retrieval, ranking, gateway, metrics), gateway
    if stage == "gateway":
        gateway = _settings(GatewaySettings, bundles, given)
        return gateway_over_grpc(gateway, metrics), gateway
    if stage == "retrieval":
        retrieval = _settings(RetrievalSettings, bundles, given)
        return RetrievalService(retrieval, metrics), retrieval
    if stage == "ranking":
        ranking = _settings(RankingSettings, bundles, given)
        return RankingService(ranking, metrics), ranking
    if stage == "feature-store":
        features = _settings(FeatureStoreSettings, store, {**redis, **given})
        return FeatureStoreService(features), features
    raise KeyError(f"there is no stage {stage!r}")


class OneProcess:
    """All stages behind one port as :class:`shortlist_rpc.server.Service`; they call each other as objects."""

    def __init__(
        self,
        features: FeatureStoreSettings,
        retrieval: RetrievalSettings,
        ranking: RankingSettings,
        gateway: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        self.features = FeatureStoreService(features)
        store = _OpenStore(self.features)
        self.retrieval = Retrieval(retrieval, store, metrics)
        self.ranking = Ranking(ranking, store, metrics)
        self.gateway = GatewayService(store, self.retrieval.engine, self.ranking.engine, gateway, metrics)
        self.rpc_names = self.gateway.rpc_names

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the gateway's servicers."""
        self.gateway.add_to(server)

    async def start(self) -> None:
        """Begin to load and connect."""
        self.retrieval.start()
        self.ranking.start()
        await self.gateway.start()
        await self.features.start()

    def is_ready(self) -> bool:
        """Return whether every stage is."""
        stages = (self.retrieval.host, self.ranking.host, self.features, self.gateway)
        return all(stage.is_ready() for stage in stages)

    async def close(self) -> None:
        """Close the stages, the gateway first: it is the only one that calls others."""
        await self.gateway.close()
        await self.retrieval.close()
        await self.ranking.close()
        await self.features.close()


class _OpenStore:
    """The store of a service that opens it while others are already there."""

    def __init__(self, service: FeatureStoreService) -> None:
        self._service = service

    @property
    def documents(self) -> DocumentStage:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        return self._service.store().documents

    async def read_actor(
        self,
        key: ActorKey,
        min_version: int,
        deadline: Deadline,
        *,
        with_impressions: bool = False,
        min_session_version: int = 0,
    ) -> ActorState:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        return await self._service.store().read_actor(
            key,
            min_version,
            deadline,
            with_impressions=with_impressions,
            min_session_version=min_session_version,
        )

    async def append_events(self, key: ActorKey, events: Sequence[Event], deadline: Deadline) -> AppendResult:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        return await self._service.store().append_events(key, events, deadline)

    async def append_slates(self, records: Sequence[bytes], deadline: Deadline) -> int:
        """See :class:`shortlist_domain.feature_stage.FeatureStage`."""
        return await self._service.store().append_slates(records, deadline)

    async def watch_items(self, tenant: str, cursor: str) -> AsyncIterator[ItemDeltas]:
        """See :class:`shortlist_domain.item_feed.ItemFeed`; waits until the store is open."""
        while not self._service.is_ready():  # noqa: ASYNC110 - services are asked, they do not tell
            await asyncio.sleep(_OPENING_POLL_S)
        async for deltas in self._service.store().watch_items(tenant, cursor):
            yield deltas


def _settings(kind: type[S], stand_ins: Mapping[str, Any], given: Mapping[str, Any]) -> S:
    """Return settings: what is given wins over the environment, which wins over what stands in."""
    from_environment = kind()
    missing = {name: value for name, value in stand_ins.items() if name not in from_environment.model_fields_set}
    return kind(**missing, **given)
