"""The item feed over gRPC: what retrieval and ranking read counters from."""

from collections.abc import AsyncIterator

import grpc

from shortlist.featurestore.v1.feature_store_service_pb2 import WatchItemsRequest
from shortlist.featurestore.v1.feature_store_service_pb2_grpc import FeatureStoreServiceStub
from shortlist_domain.stages import ItemDelta, ItemDeltas
from shortlist_rpc.status import to_domain


class ItemFeedClient:
    """:class:`shortlist_domain.item_feed.ItemFeed` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = FeatureStoreServiceStub(channel)

    async def watch_items(self, tenant: str, cursor: str) -> AsyncIterator[ItemDeltas]:
        """See :class:`shortlist_domain.item_feed.ItemFeed`; raises a domain error where the stream breaks."""
        call = self._stub.WatchItems(WatchItemsRequest(tenant=tenant, cursor=cursor))
        try:
            async for step in call:
                deltas = tuple(ItemDelta(item.item_id, item.count, item.value_sum) for item in step.items)
                yield ItemDeltas(deltas, step.cursor, step.is_snapshot)
        except grpc.aio.AioRpcError as error:
            raise to_domain("feature-store", error) from error
        finally:
            call.cancel()
