"""What every RPC may cost: the longest it may take, and whether repeating it is harmless."""

from dataclasses import dataclass

from shortlist_domain.deadline import Deadline

DEADLINE_FLOOR_S = 0.002
"""A call that arrives with less is refused: nothing worth answering fits."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules for one RPC."""

    timeout_s: float
    """Longest time it may take; a caller's deadline can only shorten it. Also what our own clients ask for."""

    is_idempotent: bool
    """Whether a client may send it again after UNAVAILABLE."""

    is_long: bool = False
    """A stream that lives until one side ends it; no timeout applies."""


POLICIES: dict[str, Policy] = {
    "/shortlist.gateway.v1.RecommendationService/Recommend": Policy(1.0, is_idempotent=True),
    "/shortlist.gateway.v1.RecommendationService/RecommendNext": Policy(1.0, is_idempotent=True),
    # Up to three answers' worth, and again for the what-if.
    "/shortlist.gateway.v1.RecommendationService/ExplainRecommendation": Policy(3.0, is_idempotent=True),
    "/shortlist.gateway.v1.RecommendationService/CompareBundles": Policy(2.0, is_idempotent=True),
    # As long as its actors need; each of them has the time of a Recommend.
    "/shortlist.gateway.v1.RecommendationService/BatchRecommend": Policy(0.0, is_idempotent=True, is_long=True),
    "/shortlist.gateway.v1.RecommendationService/SimilarItems": Policy(1.0, is_idempotent=True),
    "/shortlist.gateway.v1.RecommendationService/SimilarUsers": Policy(1.0, is_idempotent=True),
    "/shortlist.gateway.v1.RecommendationService/RecommendUsers": Policy(1.0, is_idempotent=True),
    "/shortlist.gateway.v1.RecommendationService/RerankItems": Policy(1.0, is_idempotent=True),
    "/shortlist.gateway.v1.ServingConfigService/ListServingConfigs": Policy(1.0, is_idempotent=True),
    "/shortlist.gateway.v1.ServingConfigService/GetServingConfig": Policy(1.0, is_idempotent=True),
    # Changes are not sent again: a repetition of what succeeded writes a version more, or says ABORTED.
    "/shortlist.gateway.v1.ServingConfigService/PutServingConfig": Policy(3.0, is_idempotent=False),
    "/shortlist.gateway.v1.ServingConfigService/DeleteServingConfig": Policy(3.0, is_idempotent=False),
    "/shortlist.gateway.v1.ServingConfigService/ListServingConfigVersions": Policy(3.0, is_idempotent=True),
    "/shortlist.gateway.v1.ServingConfigService/RollbackServingConfig": Policy(3.0, is_idempotent=False),
    # Idempotent through event ids, which are derived where the caller gives none.
    "/shortlist.gateway.v1.EventService/WriteEvents": Policy(2.0, is_idempotent=True),
    "/google.cloud.retail.v2.PredictionService/Predict": Policy(1.0, is_idempotent=True),
    # A Retail event has no id: without its own time, a second one is another event.
    "/google.cloud.retail.v2.UserEventService/WriteUserEvent": Policy(2.0, is_idempotent=False),
    "/shortlist.retrieval.v1.RetrievalService/RetrieveCandidates": Policy(0.5, is_idempotent=True),
    "/shortlist.retrieval.v1.RetrievalService/RetrieveUsers": Policy(0.5, is_idempotent=True),
    "/shortlist.retrieval.v1.RetrievalService/EmbedActor": Policy(0.5, is_idempotent=True),
    "/shortlist.retrieval.v1.RetrievalService/EmbedItems": Policy(1.0, is_idempotent=True),
    "/shortlist.retrieval.v1.RetrievalService/DescribeIndex": Policy(1.0, is_idempotent=True),
    "/shortlist.ranking.v1.RankingService/RankCandidates": Policy(0.5, is_idempotent=True),
    "/shortlist.ranking.v1.RankingService/DescribeModel": Policy(1.0, is_idempotent=True),
    "/inference.GRPCInferenceService/ServerLive": Policy(1.0, is_idempotent=True),
    "/inference.GRPCInferenceService/ServerReady": Policy(1.0, is_idempotent=True),
    "/inference.GRPCInferenceService/ModelReady": Policy(1.0, is_idempotent=True),
    "/inference.GRPCInferenceService/ServerMetadata": Policy(1.0, is_idempotent=True),
    "/inference.GRPCInferenceService/ModelMetadata": Policy(1.0, is_idempotent=True),
    "/inference.GRPCInferenceService/ModelInfer": Policy(0.5, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/ReadActor": Policy(0.25, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/GetFeatures": Policy(0.5, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/WriteFeatures": Policy(2.0, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/AppendEvents": Policy(2.0, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/GetHistory": Policy(0.5, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/WatchItems": Policy(0.0, is_idempotent=True, is_long=True),
    "/shortlist.featurestore.v1.FeatureStoreService/DescribeViews": Policy(1.0, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/GetFreshness": Policy(1.0, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/EraseActor": Policy(5.0, is_idempotent=True),
    # A repetition leaves a slate in the log twice; who writes the log decides that this is better than losing one.
    "/shortlist.featurestore.v1.FeatureStoreService/AppendSlates": Policy(2.0, is_idempotent=False),
    "/shortlist.featurestore.v1.FeatureStoreService/ListDocuments": Policy(1.0, is_idempotent=True),
    "/shortlist.featurestore.v1.FeatureStoreService/ReadDocument": Policy(1.0, is_idempotent=True),
    # Where a version is expected, a repetition of what succeeded says ABORTED; where none is, it writes a version more.
    "/shortlist.featurestore.v1.FeatureStoreService/WriteDocument": Policy(2.0, is_idempotent=False),
    "/shortlist.featurestore.v1.FeatureStoreService/ListDocumentVersions": Policy(1.0, is_idempotent=True),
}
"""Every RPC of the protos; a test holds the table against the descriptors."""


def deadline_for(method: str, caller_remaining_s: float | None) -> Deadline:
    """Return the deadline of a call to ``method``.

    Args:
        method: Full name, ``/package.Service/Method``.
        caller_remaining_s: What the caller's deadline leaves; ``None`` where it set none.
    """
    timeout_s = POLICIES[method].timeout_s
    return Deadline.after(timeout_s if caller_remaining_s is None else min(timeout_s, caller_remaining_s))
