"""Puts the gateway together: over gRPC here, or over engines in the same process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from shortlist.gateway.v1 import event_service_pb2, recommendation_service_pb2, serving_config_service_pb2
from shortlist.gateway.v1.event_service_pb2_grpc import add_EventServiceServicer_to_server
from shortlist.gateway.v1.recommendation_service_pb2_grpc import add_RecommendationServiceServicer_to_server
from shortlist.gateway.v1.serving_config_service_pb2_grpc import add_ServingConfigServiceServicer_to_server
from shortlist_bundle.store import BundleStore
from shortlist_domain.feature_stage import FeatureStage
from shortlist_domain.stages import RankingStage, RetrievalStage
from shortlist_gateway.attribution import Attribution
from shortlist_gateway.batch import Batch
from shortlist_gateway.bundles import ActiveBundle
from shortlist_gateway.clients import FeatureStoreClient, RankingClient, RetrievalClient
from shortlist_gateway.configs.changes import ConfigChanges
from shortlist_gateway.configs.choice import ServingChoice
from shortlist_gateway.configs.registry import ServingConfigs
from shortlist_gateway.configs.servicer import ServingConfigServicer
from shortlist_gateway.continuation import Continuation
from shortlist_gateway.events import EventIntake
from shortlist_gateway.pipeline import Pipeline
from shortlist_gateway.recommend_users import RecommendUsers
from shortlist_gateway.requests import recommend_query
from shortlist_gateway.seals import Keyring
from shortlist_gateway.servicer import EventServicer, RecommendationServicer
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.similar_users import SimilarUsers
from shortlist_gateway.slate_log import SlateLog
from shortlist_rpc.channel import open_channel
from shortlist_telemetry.catalogue import LogEvent, Metrics
from shortlist_telemetry.logging import get_log

if TYPE_CHECKING:
    from shortlist_gateway.retail.servicer import RetailServicer


class GatewayService:
    """The gateway as :class:`shortlist_rpc.server.Service`."""

    def __init__(
        self,
        features: FeatureStage,
        retrieval: RetrievalStage,
        ranking: RankingStage,
        settings: GatewaySettings,
        metrics: Metrics,
        channels: tuple[grpc.aio.Channel, ...] = (),
    ) -> None:
        store = BundleStore(settings.bundle_store)
        self._bundles = ActiveBundle(store, retrieval, ranking, metrics, settings.bundle_poll_s)
        pipeline = Pipeline(features, retrieval, ranking, self._bundles, settings)
        similar_users = SimilarUsers(features, retrieval, self._bundles, settings)
        recommend_users = RecommendUsers(retrieval, self._bundles, settings)
        if not settings.keys:
            get_log("gateway").warning(LogEvent.NO_SIGNING_KEY, setting="SHORTLIST_GATEWAY_TOKEN_KEYS")
        self._configs = ServingConfigs(features, self._bundles, settings.config_folder, settings.config_poll_s, metrics)
        changes = ConfigChanges(self._configs, self._bundles, is_allowed=settings.are_configs_changeable)
        self._config_door = ServingConfigServicer(self._configs, changes)
        keyring = Keyring(settings.keys)
        attribution = Attribution(keyring, settings.attribution_ttl_s)
        continuation = Continuation(keyring, self._bundles, settings.continuation_ttl_s, recommend_query)
        batch = Batch(keyring, settings.batch_concurrency)
        self._slate_log = SlateLog(features, settings.slate_log_share, settings.slate_log_queue, metrics)
        self._recommendation = RecommendationServicer(
            pipeline,
            similar_users,
            recommend_users,
            self._bundles,
            ServingChoice(self._configs),
            attribution,
            continuation,
            batch,
            self._slate_log,
            metrics,
        )
        self._event = EventServicer(EventIntake(features, self._bundles, attribution))
        self._retail = _retail(self._recommendation, self._event, attribution, settings)
        self.rpc_names = (
            recommendation_service_pb2.DESCRIPTOR.services_by_name["RecommendationService"].full_name,
            event_service_pb2.DESCRIPTOR.services_by_name["EventService"].full_name,
            serving_config_service_pb2.DESCRIPTOR.services_by_name["ServingConfigService"].full_name,
            *(self._retail.rpc_names if self._retail else ()),
        )
        self._channels = channels

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the servicers."""
        add_RecommendationServiceServicer_to_server(self._recommendation, server)
        add_EventServiceServicer_to_server(self._event, server)
        add_ServingConfigServiceServicer_to_server(self._config_door, server)
        if self._retail:
            self._retail.add_to(server)

    async def start(self) -> None:
        """Begin to follow bundles and serving configs, and to log slates."""
        self._bundles.start()
        self._configs.start()
        self._slate_log.start()

    def is_ready(self) -> bool:
        """Return whether any bundle answers; stages that are away do not make the gateway unready.

        Serving configs are waited for a second, so that a first answer is not made without them for want of a poll.
        """
        return self._bundles.is_ready and self._configs.is_settled

    async def close(self) -> None:
        """Stop following, log what waits, close channels."""
        await self._bundles.close()
        await self._configs.close()
        await self._slate_log.close()
        for channel in self._channels:
            await channel.close()


def _retail(
    recommendation: RecommendationServicer, event: EventServicer, attribution: Attribution, settings: GatewaySettings
) -> RetailServicer | None:
    if not settings.is_retail_served:
        return None
    from shortlist_gateway.retail.servicer import RetailServicer  # brings packages that the gateway does without

    values = {str(name): value for name, value in settings.retail_event_values.items()}
    return RetailServicer(recommendation, event, attribution, values)


def gateway_over_grpc(settings: GatewaySettings, metrics: Metrics) -> GatewayService:
    """Return a gateway whose stages are other processes. Needs a running event loop."""
    targets = (settings.feature_store_target, settings.retrieval_target, settings.ranking_target)
    channels = tuple(open_channel(target) for target in targets)
    return GatewayService(
        FeatureStoreClient(channels[0]),
        RetrievalClient(channels[1]),
        RankingClient(channels[2]),
        settings,
        metrics,
        channels,
    )
