"""Fields that take any value of their type, and why. Flags, which do by nature, are not listed."""

from __future__ import annotations

from collections.abc import Mapping

_KEPT = "a record of what was served, kept as it is"
_ABSENT = "what the models do not know counts as absent"
_LOGS = "for logs alone"

ANY_VALUE: Mapping[str, str] = {
    **dict.fromkeys(("ActorFeatures.attributes", "ActorFeatures.numbers", "ActorFeatures.chosen"), _ABSENT),
    **dict.fromkeys(("TextFeature.name", "TextFeature.value", "NumberFeature.name", "NumberFeature.value"), _ABSENT),
    **dict.fromkeys(
        (
            "RetrieveCandidatesRequest.request_id",
            "RetrieveUsersRequest.request_id",
            "RankCandidatesRequest.request_id",
        ),
        _LOGS,
    ),
    **{
        f"SlateRecord.{name}": _KEPT
        for name in (
            "made_ms",
            "request_id",
            "tenant",
            "actor_id",
            "rpc",
            "bundle_id",
            "serving_config",
            "serving_config_version",
            "variants",
            "candidate_digest",
            "candidate_count",
            "items",
            "degradation_level",
            "degradation_causes",
            "logged_share",
            "surface",
            "session_id",
        )
    },
    **{f"LoggedItem.{name}": _KEPT for name in ("item_id", "position", "score", "propensity")},
    **dict.fromkeys(("RetrieveCandidatesRequest.weights", "ModelInferRequest.outputs"), "any number, each once"),
    "ModelReadyRequest.name": "another model is not ready, and no error",
    "ModelReadyRequest.version": "another version is not ready, and no error",
    "WatchItemsRequest.cursor": "one that means nothing here gets a snapshot",
}
