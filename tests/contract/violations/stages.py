"""Violations of requests to retrieval and ranking, the Open Inference Protocol included."""

from __future__ import annotations

import math
from collections.abc import Mapping

import grpc

from .cases import LONG, NAN, Case, Rpc, packed

BUNDLE = {"bundle_id": "BUNDLE"}
HELD = grpc.StatusCode.FAILED_PRECONDITION
COLUMN = "has 3 bytes; a value takes 4"
ODD = "AAAA"
BELOW = "the bundle's rows are below 60"
ACTOR = (
    Case({"actor": {"now_s": NAN}}, "actor.now_s", "finite, of the years 1 to 9999"),
    Case({"actor": {"history_rows": ODD}}, "actor.history_rows", COLUMN),
    Case(
        {
            "actor": {
                "history_rows": packed("I", 60),
                "history_values": packed("f", 1),
                "history_times_s": packed("d", 1),
            }
        },
        "actor.history_rows[0]",
        BELOW,
    ),
    Case({"actor": {"history_values": packed("f", 1)}}, "actor.history_values", "history_rows has 0"),
    Case({"actor": {"history_times_s": packed("d", 1)}}, "actor.history_times_s", "history_rows has 0"),
)
COMMON = (
    Case({"bundle_id": ""}, "bundle_id", "is required"),
    Case({"bundle_id": "tiny-0"}, "bundle_id", "held: tiny-", HELD),
    *ACTOR,
)


def spread(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    usual = {"method": 1, "strength": 0.5, "count": 1}
    return Case({"rows": packed("I", 1), "spread": {**usual, **changes}}, f"spread.{path}", permitted)


def tensor(changes: Mapping[str, object], path: str, permitted: str, field: str = "inputs[0].") -> Case:
    usual = {"name": "rows", "datatype": "UINT32", "shape": [1], "contents": {"uint_contents": [1]}}
    return Case({"inputs": [{**usual, **changes}]}, f"{field}{path}", permitted)


WRONG_CONTENTS = {
    "bool_contents": [True],
    "int_contents": [1],
    "int64_contents": [1],
    "uint64_contents": [1],
    "fp32_contents": [1],
    "fp64_contents": [1],
    "bytes_contents": ["AA=="],
}
RPCS: Mapping[str, Rpc] = {
    "RetrievalService.RetrieveCandidates": Rpc(
        BUNDLE,
        [
            *COMMON,
            Case({"candidate_count": 2001}, "candidate_count", "it must be in [1, 2000]"),
            Case({"candidate_count": -1}, "candidate_count", "it must be in [1, 2000]"),
            Case({"exclude_rows": ODD}, "exclude_rows", COLUMN),
            Case({"exclude_rows": packed("I", 1, 60)}, "exclude_rows[1]", BELOW),
            Case({"allow_rows": packed("I", 60), "restrict": True}, "allow_rows[0]", BELOW),
            Case({"anchor_rows": packed("I", 60)}, "anchor_rows[0]", BELOW),
            Case({"quotas": [{"source": "luck", "share": 0.5}]}, "quotas[0].source", "there are two_tower"),
            Case({"quotas": [{"source": "popular", "share": 2}]}, "quotas[0].share", "it must be in [0, 1]"),
            Case({"quotas": [{"source": "popular"}] * 2}, "quotas[1].source", "a second time"),
            Case(
                {"quotas": [{"source": "popular", "share": 0.6}, {"source": "two_tower", "share": 0.6}]},
                "quotas",
                "at most 1 is possible",
            ),
            Case({"sources": ["luck"]}, "sources[0]", "there are two_tower"),
            Case({"weights": [{"source": "luck", "weight": 1}]}, "weights[0].source", "there are two_tower"),
            Case({"weights": [{"source": "popular", "weight": 0}]}, "weights[0].weight", "(0, 1000]"),
            Case({"weights": [{"source": "popular", "weight": 1}] * 2}, "weights[1].source", "a second time"),
            Case({"filter": {"expression": "year > 1"}}, "filter.ast", "is required in a filter"),
            Case({"filter": {"ast": {"all": {}}}}, "filter.ast.all.nodes", "a node at least"),
        ],
    ),
    "RetrievalService.RetrieveUsers": Rpc(
        BUNDLE,
        [
            *COMMON,
            Case({"user_count": 1001}, "user_count", "it must be in [1, "),
            Case({"user_row": 10_000}, "user_row", "the bundle's users are below"),
            Case({"exclude_rows": ODD}, "exclude_rows", COLUMN),
            Case({"item_rows": ODD}, "item_rows", COLUMN),
            Case({"item_rows": packed("I", 60)}, "item_rows[0]", BELOW),
            Case({"item_rows": packed("I", 1), "user_row": 1}, "item_rows", "one of the two at most"),
        ],
    ),
    "RetrievalService.EmbedActor": Rpc(BUNDLE, COMMON),
    "RetrievalService.EmbedItems": Rpc(
        {**BUNDLE, "item_features": packed("f", 0, 1, 0, 0)},
        [
            Case({"bundle_id": ""}, "bundle_id", "is required"),
            Case({"bundle_id": "tiny-0"}, "bundle_id", "held: tiny-", HELD),
            Case({"item_features": ODD}, "item_features", COLUMN),
            Case({"item_features": packed("f", 1, 2, 3)}, "item_features", "an item takes 4"),
            Case({"item_features": ""}, "item_features", "it must be in [1, 1000]"),
            Case({"item_features": packed("f", *[0] * 4004)}, "item_features", "it must be in [1, 1000]"),
            Case({"item_features": packed("f", 0, 0, 0, math.inf)}, "item_features", "not finite"),
        ],
    ),
    "RankingService.RankCandidates": Rpc(
        BUNDLE,
        [
            *COMMON,
            Case({"rows": ODD}, "rows", COLUMN),
            Case({"rows": packed("I", 1, 60)}, "rows[1]", BELOW),
            Case({"rows": packed("I", *[1] * 2001)}, "rows", "at most 2000 are allowed"),
            Case({"actor_embedding": packed("f", 1)}, "actor_embedding", "the bundle's have 9"),
            Case({"heads": ["click"]}, "heads", "leave it empty for all heads"),
            Case({"retrieval_scores": packed("f", 1)}, "retrieval_scores", "has 1 entries for 0 rows"),
            Case({"head_weights": [{"head": "luck", "weight": 1}]}, "head_weights[0].head", "there are click"),
            Case({"head_weights": [{"head": "click", "weight": -1}]}, "head_weights[0].weight", "[0, inf) is needed"),
            Case({"head_weights": [{"head": "click", "weight": 1}] * 2}, "head_weights[1].head", "a second time"),
            Case({"head_weights": [{"head": "click"}]}, "head_weights", "at least one must be above 0"),
            spread({"method": 0}, "method", "it must be one of DIVERSITY_METHOD_MMR"),
            spread({"strength": 2}, "strength", "it must be in [0, 1]"),
            spread({"count": 0}, "count", "it must be in [1, 200]"),
            spread({"held": packed("I", 1)}, "held", "not below 1"),
            spread({"kept": packed("f", 2)}, "kept", "outside of [0, 1]"),
            spread({"boosts": packed("f", 0)}, "boosts", "not finite and above 0"),
            spread({"minimum_click_probability": 2}, "minimum_click_probability", "it must be in [0, 1]"),
        ],
    ),
    "GRPCInferenceService.ModelMetadata": Rpc(
        {"name": "ranker"},
        [
            Case({"name": "other"}, "name", "there is 'ranker'", grpc.StatusCode.NOT_FOUND),
            Case({"version": "tiny-0"}, "version", "held: tiny-", HELD),
        ],
    ),
    "GRPCInferenceService.ModelInfer": Rpc(
        {
            "model_name": "ranker",
            "inputs": [{"name": "rows", "datatype": "UINT32", "shape": [1], "contents": {"uint_contents": [1]}}],
        },
        [
            Case({"model_name": "other"}, "model_name", "there is 'ranker'", grpc.StatusCode.NOT_FOUND),
            Case({"model_version": "tiny-0"}, "model_version", "held: tiny-", HELD),
            Case({"id": LONG}, "id", "at most 256 are allowed"),
            Case({"parameters": {"priority": {"int64_param": "1"}}}, "parameters", "leave them out"),
            Case({"inputs": []}, "inputs", "'rows' is required"),
            tensor({"name": "other"}, "name", "the inputs are rows"),
            tensor({"datatype": "FP32"}, "datatype", "it must be UINT32"),
            tensor({"shape": [1, 1]}, "shape", "it must be [-1]"),
            tensor({"parameters": {"a": {"bool_param": True}}}, "parameters", "none are honoured"),
            tensor({"contents": {"uint_contents": [1, 2]}}, "contents.uint_contents", "its shape is [1]"),
            *(
                tensor({"contents": {name: value}}, f"contents.{name}", "belong in uint_contents")
                for name, value in WRONG_CONTENTS.items()
            ),
            Case({"outputs": [{"name": "other"}]}, "outputs[0].name", "the outputs are score"),
            Case({"outputs": [{"name": "score"}] * 2}, "outputs[1].name", "asked for twice"),
            Case(
                {"outputs": [{"name": "score", "parameters": {"a": {"bool_param": True}}}]},
                "outputs[0].parameters",
                "none are honoured",
            ),
            Case({"raw_input_contents": ["AAAA", "AAAA"]}, "raw_input_contents", "inputs has 1"),
        ],
    ),
}
