"""Violations of requests to the gateway's ServingConfigService."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from .cases import Case, Rpc

EXPERIMENT = {"name": "x", "variants": [{"name": "a", "weight": 1}]}
MISSING = grpc.StatusCode.NOT_FOUND


def config(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    return Case({"config": {"name": "wrong", **changes}}, f"config.{path}", permitted)


def experiment(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    return config({"experiment": {**EXPERIMENT, **changes}}, f"experiment.{path}", permitted)


def variant(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    one = {"name": "a", "weight": 1, **changes}
    return experiment({"variants": [one, {"name": "b", "weight": 1}]}, f"variants[0].{path}", permitted)


def kept(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    one = {"name": "f", "expression": "year > $y", "parameters": [{"name": "y", "kind": 2}], **changes}
    return config({"filters": [one]}, f"filters[0].{path}", permitted)


PUT = Rpc(
    {"config": {"name": "wrong"}, "validate_only": True},
    [
        Case({"config": None}, "config", "is required"),
        config({"name": "A"}, "name", "1 to 64 lower-case letters"),
        config({"description": "x" * 1025}, "description", "at most 1024 are allowed"),
        config({"sources": [{"source": "popular"}, {"source": "popular"}]}, "sources[1].source", "allowed once"),
        config({"sources": [{"source": "popular", "quota": 2}]}, "sources[0].quota", "it must be in [0, 1]"),
        config({"sources": [{"source": "popular", "weight": 0}]}, "sources[0].weight", "it must be in (0, 1000]"),
        config(
            {"sources": [{"source": "popular", "quota": 0.6}, {"source": "two_tower", "quota": 0.6}]},
            "sources",
            "at most 1 is possible",
        ),
        config({"candidate_count": 2001}, "candidate_count", "it must be in [0, 2000]"),
        config({"head_weights": [{"head": "luck", "weight": 1}]}, "head_weights[0].head", "it must be one of click"),
        config({"head_weights": [{"head": "click", "weight": -1}]}, "head_weights[0].weight", "it must be in [0,"),
        config({"head_weights": [{"head": "click"}]}, "head_weights", "at least one must be above 0"),
        config({"ranker": 9}, "ranker", "it must be RANKER_NONE"),
        config({"ranker": 1, "head_weights": [{"head": "click", "weight": 1}]}, "head_weights", "needs a ranker"),
        config({"slate_size": 1001}, "slate_size", "it must be in [1, 1000], or 0 for no limit"),
        config({"constraints": {"pins": [{}]}}, "constraints.pins[0].item_id", "is required"),
        config({"on_empty": 9}, "on_empty", "it must be"),
        config({"fallback_config": "nobody"}, "fallback_config", "which there is not"),
        experiment({"name": ""}, "name", "1 to 64 lower-case letters"),
        experiment({"variants": []}, "variants", "it must have 1 to 10"),
        variant({"name": "A"}, "name", "1 to 64 lower-case letters"),
        variant({"weight": -1}, "weight", "it must be in [0, "),
        variant({"serving_config": "nobody"}, "serving_config", "which there is not"),
        config({"filters": [{"name": f"f{n}", "expression": ""} for n in range(101)]}, "filters", "more than 100"),
        kept({"name": ""}, "name", "1 to 64 lower-case letters"),
        kept({"expression": "year >"}, "expression", "expected"),
        config({"filters": [{"name": "f", "ast": {"negation": {}}}]}, "filters[0].ast.negation", "must be one of all"),
        kept({"parameters": [{"name": "y", "kind": 2}] * 21}, "parameters", "at most 20 are allowed"),
        kept({"parameters": [{"name": "y"}]}, "parameters[0].kind", "it must be one of"),
        kept({"parameters": [{"name": "1", "kind": 2}]}, "parameters[0].name", "then letters, digits and"),
        kept({"expression": "seen($y)"}, "expression", "names $y for a type of event, which is a text"),
        kept({"expression": None, "ast": {"history": {"lookback_parameter": "y"}}}, "ast", "which is a duration"),
        Case({"expected_version": -1}, "expected_version", "0 or more is needed"),
    ],
)
RPCS: Mapping[str, Rpc] = {
    "ServingConfigService.PutServingConfig": PUT,
    "ServingConfigService.GetServingConfig": Rpc(
        {"name": "default"},
        [
            Case({"name": "nobody"}, "name", "'default'", MISSING),
            Case({"version": -1}, "version", "0 or more is needed"),
        ],
    ),
    "ServingConfigService.DeleteServingConfig": Rpc(
        {},
        [
            Case({}, "name", "is required"),
            Case({"name": "a", "expected_version": -1}, "expected_version", "0 or more is needed"),
        ],
    ),
    "ServingConfigService.ListServingConfigVersions": Rpc({}, [Case({}, "name", "is required")]),
    "ServingConfigService.RollbackServingConfig": Rpc(
        {},
        [
            Case({}, "name", "is required"),
            Case({"name": "a", "version": -1}, "version", "0 or more is needed"),
            Case({"name": "a", "expected_version": -1}, "expected_version", "0 or more is needed"),
        ],
    ),
}
