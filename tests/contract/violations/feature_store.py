"""Violations of requests to the feature store."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import grpc

from .cases import LONG, TOO_LONG, Case, Rpc

KEY = {"key": {"actor_id": "u/ann"}}
DOCUMENT = {"collection": "a", "name": "b"}
NAMED = (
    Case({"collection": "A"}, "collection", "1 to 64 lower-case letters, digits and `_` are needed"),
    Case({"name": ""}, "name", "is required"),
)
ACTOR = (
    Case({"key": {"actor_id": "ann"}}, "key.actor_id", "`u/`, `v/` or `s/` and the id of a user, visitor or session"),
    Case({"key": {"actor_id": f"u/{LONG}"}}, "key.actor_id", TOO_LONG),
    Case({"key": {"actor_id": "u/a", "tenant": LONG}}, "key.tenant", TOO_LONG),
    Case({"key": {"actor_id": "u/a", "session_id": LONG}}, "key.session_id", TOO_LONG),
    Case({"key": {"actor_id": "s/a", "session_id": "a"}}, "key.session_id", "must be empty"),
)
TENANT = Case({"tenant": LONG}, "tenant", TOO_LONG)
LATE = "9999-01-01T00:00:00Z"


def event(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    return Case({"events": [{"item_id": "i", **changes}]}, f"events[0].{path}", permitted)


def attribute(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    return Case(
        {"attributes": [{"name": "a", "text": "b"}, {"name": "c", **changes}]}, f"attributes[1].{path}", permitted
    )


RPCS: Mapping[str, Rpc] = {
    "FeatureStoreService.ReadActor": Rpc(
        KEY,
        [
            *ACTOR,
            Case({"min_version": -1}, "min_version", "0 or more is needed"),
            Case({"min_session_version": -1}, "min_session_version", "0 or more is needed"),
        ],
    ),
    "FeatureStoreService.EraseActor": Rpc(KEY, ACTOR),
    "FeatureStoreService.GetHistory": Rpc(KEY, [*ACTOR, Case({"limit": 5001}, "limit", "0 to 5000 is needed")]),
    "FeatureStoreService.GetFeatures": Rpc(
        {"entity": 2, "entity_ids": ["i"], "feature_names": ["item_count"]},
        [
            TENANT,
            Case({"entity": 0}, "entity", "USER or ITEM is needed"),
            Case({"entity_ids": []}, "entity_ids", "1 to 1000 are needed"),
            Case({"entity_ids": [""]}, "entity_ids[0]", "is required"),
            Case({"feature_names": []}, "feature_names", "1 to 100 are needed"),
            Case({"feature_names": ["luck"]}, "feature_names[0]", "kept for items: item_count"),
        ],
    ),
    "FeatureStoreService.GetFreshness": Rpc({}, [TENANT]),
    "FeatureStoreService.WatchItems": Rpc({}, [TENANT]),
    "FeatureStoreService.WriteFeatures": Rpc(
        {**KEY, "attributes": [{"name": "a", "text": "b"}]},
        [
            *ACTOR,
            Case({"attributes": []}, "attributes", "1 to 100 are needed"),
            attribute({"name": "", "text": "b"}, "name", "is required"),
            attribute({"name": "x" * 65, "text": "b"}, "name", "at most 64 are allowed"),
            attribute({"name": "a", "text": "b"}, "name", "is there twice"),
            attribute({"text": "x" * 1025}, "text", "at most 1024 are allowed"),
            attribute({}, "value", "is required"),
            attribute({"number": 1}, "number", "only text is kept"),
            attribute({"texts": {"values": ["a"]}}, "texts", "only text is kept"),
            attribute({"time": LATE}, "time", "only text is kept"),
            Case({"event_time": LATE}, "event_time", "at most 300 s are allowed"),
        ],
    ),
    "FeatureStoreService.AppendEvents": Rpc(
        {**KEY, "events": [{"item_id": "i"}]},
        [
            *ACTOR,
            Case({"events": []}, "events", "1 to 1000 are needed"),
            event({"item_id": ""}, "item_id", "is required"),
            event({"event_id": LONG}, "event_id", TOO_LONG),
            event({"event_type": "x" * 65}, "event_type", "at most 64 are allowed"),
            event({"value": "NaN"}, "value", "a finite number in the range of float32 is needed"),
            event({"event_time": LATE}, "event_time", "at most 300 s are allowed"),
            event({"attribution_token": "t"}, "attribution_token", "leave it empty"),
            event({"surface": LONG}, "surface", TOO_LONG),
        ],
    ),
    "FeatureStoreService.AppendSlates": Rpc(
        {"slates": [{"slate_id": "s", "schema_version": 1}]},
        [
            Case({"slates": []}, "slates", "1 to 1000 are needed"),
            Case({"slates": [{"schema_version": 1}]}, "slates[0].slate_id", "it must have 1 to 64"),
            Case({"slates": [{"slate_id": "s"}]}, "slates[0].schema_version", "1 or more is needed"),
        ],
    ),
    "FeatureStoreService.ListDocuments": Rpc({"collection": "a"}, NAMED[:1]),
    "FeatureStoreService.ListDocumentVersions": Rpc(DOCUMENT, NAMED),
    "FeatureStoreService.ReadDocument": Rpc(
        DOCUMENT,
        [
            *NAMED,
            Case({"version": -1}, "version", "0 or more is needed"),
            Case({"name": "nobody"}, "name", "nobody", grpc.StatusCode.NOT_FOUND),
        ],
    ),
    "FeatureStoreService.WriteDocument": Rpc(
        DOCUMENT,
        [
            *NAMED,
            Case({"content": base64.b64encode(bytes(65_537)).decode()}, "content", "at most 65536 are allowed"),
            Case({"expected_version": -1}, "expected_version", "0 or more is needed"),
        ],
    ),
}
