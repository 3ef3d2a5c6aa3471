"""Violations of requests to the gateway's RecommendationService and EventService."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb

from .cases import LONG, NAN, TOO_LONG, UNHONOURED, Case, Rpc

ACTOR = {"actor": {"user_id": "ann"}}
ITEM = {"item_id": "item-001"}
MANY = [f"i{n}" for n in range(1001)]
DAY = {"seconds": 86_400}


def constraint(changes: object, path: str, permitted: str) -> Case:
    return Case({"constraints": changes}, f"constraints.{path}", permitted)


def tree(node: object, path: str, permitted: str) -> Case:
    return Case({"filter": {"ast": node}}, f"filter.ast{path}", permitted)


def compared(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    node = {"comparison": {"field": "year", "operator": 1, **changes}}
    return tree(node, f".comparison.{path}", permitted)


def context(changes: object, path: str, permitted: str) -> Case:
    return Case({"context": changes}, f"context.{path}", permitted)


COMMON = (
    Case({"actor": {}}, "actor.user_id", "is required where visitor_id and session_id are empty"),
    Case({"actor": {"user_id": LONG}}, "actor.user_id", TOO_LONG),
    Case({"actor": {"visitor_id": "\u0000"}}, "actor.visitor_id", "control character"),
    Case({"actor": {"user_id": "u", "tenant": LONG}}, "actor.tenant", TOO_LONG),
    Case({"actor": {"user_id": "u", "session_id": LONG}}, "actor.session_id", TOO_LONG),
    Case({"actor": {"session_id": "\u0000"}}, "actor.session_id", "control character"),
    Case({"request_id": LONG}, "request_id", TOO_LONG),
    Case({"request_id": "a\nb"}, "request_id", "the control character U+000A at position 1"),
    Case({"bundle_id": "x" * 129}, "bundle_id", "at most 128 are allowed"),
    Case({"bundle_id": "tiny-0"}, "bundle_id", "held: tiny-", grpc.StatusCode.FAILED_PRECONDITION),
)
CONFIG = Case({"serving_config": "nobody"}, "serving_config", "'default'", grpc.StatusCode.NOT_FOUND)
TOKEN = Case({"consistency_token": "t"}, "consistency_token", "is not a token of a write of this actor")
FIELDS = Case({"item_fields": ["a"] * 51}, "item_fields", "at most 50 are allowed")
SIZES = (
    Case({"slate_size": -1}, "slate_size", "it must be in [1, 1000], or 0 for 10"),
    Case({"slate_size": 1001}, "slate_size", "it must be in [1, 1000], or 0 for 10"),
)
CONTEXT = (
    context({"events": [ITEM] * 101}, "events", "at most 100 are allowed"),
    context({"events": [{}]}, "events[0].item_id", "is required"),
    context({"events": [{**ITEM, "event_id": LONG}]}, "events[0].event_id", TOO_LONG),
    context({"events": [{**ITEM, "event_type": "x" * 65}]}, "events[0].event_type", "at most 64 are allowed"),
    context({"events": [{**ITEM, "event_type": "impression"}]}, "events[0].event_type", "leave the event out"),
    context({"events": [{**ITEM, "value": NAN}]}, "events[0].value", "it must be a finite number"),
    context({"events": [{**ITEM, "event_time": "9999-01-01T00:00:00Z"}]}, "events[0].event_time", "at most 300 s"),
    context({"events": [{**ITEM, "attribution_token": "t"}]}, "events[0].attribution_token", UNHONOURED),
    context({"events": [{**ITEM, "surface": LONG}]}, "events[0].surface", TOO_LONG),
    context({"attributes": [{"name": "a", "text": "b"}] * 51}, "attributes", "at most 50 are allowed"),
    context({"attributes": [{"text": "b"}]}, "attributes[0].name", "1 to 64 bytes"),
    context(
        {"attributes": [{"name": "a", "text": "b"}, {"name": "a", "texts": {"values": ["c"]}}]},
        "attributes[1].name",
        "each name is allowed once",
    ),
    context({"attributes": [{"name": "a"}]}, "attributes[0].value", "a text, several texts, a finite number or a flag"),
    context({"attributes": [{"name": "a", "text": "x" * 1025}]}, "attributes[0].text", "at most 1024 are allowed"),
    context({"attributes": [{"name": "a", "number": NAN}]}, "attributes[0].number", "it must be a finite number"),
    context(
        {"attributes": [{"name": "a", "time": "2024-01-01T00:00:00Z"}]}, "attributes[0].time", "a text, several texts"
    ),
    context({"attributes": [{"name": "a", "duration": "1s"}]}, "attributes[0].duration", "a text, several texts"),
    context(
        {"attributes": [{"name": "a", "texts": {"values": ["b"] * 101}}]}, "attributes[0].texts.values", "at most 100"
    ),
    context({"surface": LONG}, "surface", TOO_LONG),
    context({"item_ids_in_view": MANY[:101]}, "item_ids_in_view", "at most 100 are allowed"),
    context({"item_ids_in_view": [""]}, "item_ids_in_view[0]", "is required"),
)
FILTERS = (
    Case({"filter": {}}, "filter", "must be one of expression and ast, or named, or both"),
    Case({"filter": {"expression": "x" * 5001}}, "filter.expression", "at most 5000"),
    Case({"filter": {"expression": "year >"}}, "filter.expression", "expected"),
    Case({"filter": {"expression": "colour = 1"}}, "filter.expression", "there are id, genres"),
    Case({"filter": {"expression": "", "on_empty": 9}}, "filter.on_empty", "RETURN_EMPTY, RELAX_FILTER"),
    Case({"filter": {"named": {"name": "nobody"}}}, "filter.named.name", "it keeps none"),
    tree({}, "", "must be one of all, any, negation, comparison and history"),
    tree({"all": {}}, ".all.nodes", "it must have a node at least"),
    tree({"any": {}}, ".any.nodes", "it must have a node at least"),
    tree({"negation": {}}, ".negation", "must be one of all, any"),
    compared({"field": "", "number": 1}, "field", "1 to 256 are allowed"),
    compared({"operator": 0, "number": 1}, "operator", "it must be one of COMPARISON_OPERATOR_EQUAL"),
    compared({}, "value", "one of text, number, flag, texts, time and parameter"),
    compared({"text": "x" * 1025}, "text", "at most 1024 are allowed"),
    compared({"number": NAN}, "number", "it must be a finite number"),
    compared({"texts": {}}, "texts", "it must have a text at least"),
    compared({"texts": {"values": ["x" * 1025]}}, "texts.values[0]", "at most 1024 are allowed"),
    compared({"parameter": "x" * 65}, "parameter", "1 to 64"),
    tree({"history": {"event_types": ["a"] * 101}}, ".history.event_types", "at most 100 are allowed"),
    tree({"history": {"event_types": [""]}}, ".history.event_types[0]", "is empty"),
    tree({"history": {"parameters": ["x" * 65]}}, ".history.parameters[0]", "1 to 64"),
    tree({"history": {"lookback": "0s"}}, ".history.lookback", "it must be in (0 s, 315576000000 s]"),
    tree({"history": {"lookback_parameter": "x" * 65}}, ".history.lookback_parameter", "1 to 64 are allowed"),
)
KEPT = {"serving_config": "KEPT", "filter": {"named": {"name": "recent"}}}
NAMED = (
    Case(KEPT, "filter.named.parameters", "lacks 'since', a finite number"),
    Case(
        {**KEPT, "filter": {"named": {"name": "recent", "parameters": [{"name": "since", "text": "1"}]}}},
        "filter.named.parameters[0].text",
        "in `number`",
    ),
)
NO_TIME = Timestamp(seconds=10**15)
"""Has no form in JSON."""

COMPARED = selection_pb2.Comparison(field="released", operator=selection_pb2.COMPARISON_OPERATOR_EQUAL, time=NO_TIME)
UNWRITTEN = Case(
    pb.RecommendRequest(filter=selection_pb2.Filter(ast=selection_pb2.FilterNode(comparison=COMPARED))),
    "filter.ast.comparison.time",
    "of the years 1 to 9999",
)

LISTS = (
    constraint({"exclude_item_ids": MANY}, "exclude_item_ids", "at most 1000 are allowed"),
    constraint({"exclude_item_ids": [LONG]}, "exclude_item_ids[0]", TOO_LONG),
    constraint({"include_item_ids": MANY}, "include_item_ids", "at most 1000 are allowed"),
    constraint({"exclude_seen": {"event_types": ["a"] * 21}}, "exclude_seen.event_types", "at most 20 are allowed"),
    constraint({"exclude_seen": {"lookback": "0s"}}, "exclude_seen.lookback", "it must be in (0 s,"),
    constraint({"attribute_caps": [{"attribute": "a", "maximum": 1}] * 11}, "attribute_caps", "at most 10 are allowed"),
    constraint({"attribute_caps": [{"maximum": 1}]}, "attribute_caps[0].attribute", "is required"),
    constraint({"attribute_caps": [{"attribute": "a"}]}, "attribute_caps[0].maximum", "it must be in [1, 1000]"),
    constraint({"pins": [{"item_id": "a"}] * 101}, "pins", "at most 100 are allowed"),
    constraint({"pins": [{}]}, "pins[0].item_id", "is required"),
    constraint({"pins": [{"item_id": "a", "position": 10}]}, "pins[0].position", "it must be in [0, 9]"),
    constraint({"promotions": [{"filter": {"expression": ""}, "slots": 1}] * 6}, "promotions", "at most 5 are allowed"),
    constraint({"promotions": [{"slots": 1}]}, "promotions[0].filter", "must be one of expression and ast"),
    constraint({"promotions": [{"filter": {"expression": ""}}]}, "promotions[0].amount", "`share`, in (0, 1], or"),
    constraint(
        {"promotions": [{"filter": {"expression": ""}, "share": 1.5}]}, "promotions[0].share", "it must be in (0, 1]"
    ),
    constraint(
        {"promotions": [{"filter": {"expression": ""}, "slots": 11}]}, "promotions[0].slots", "it must be in [1, 10]"
    ),
    constraint({"boosts": [{"filter": {"expression": ""}, "factor": 1}] * 21}, "boosts", "at most 20 are allowed"),
    constraint({"boosts": [{"factor": 2}]}, "boosts[0].filter", "must be one of expression and ast"),
    constraint({"boosts": [{"filter": {"expression": ""}}]}, "boosts[0].factor", "is 0; it must be in [0.01, 100]"),
    constraint({"boosts": [{"filter": {"expression": ""}, "factor": NAN}]}, "boosts[0].factor", "it must be in"),
    constraint({"rotation": {"rate": 2, "half_life": "1s"}}, "rotation.rate", "it must be in [0, 1]"),
    constraint({"rotation": {"rate": 1}}, "rotation.half_life", "it must be above 0 s"),
)
RANKED = (
    constraint({"diversity": {"method": 9}}, "diversity.method", "it must be one of DIVERSITY_METHOD_UNSPECIFIED"),
    constraint({"diversity": {"strength": NAN}}, "diversity.strength", "it must be in [0, 1]"),
    constraint({"minimum_click_probability": 1.5}, "minimum_click_probability", "it must be in [0, 1]"),
    constraint({"exploration": {"method": 9, "slots": 1}}, "exploration.method", "it must be one of EXPLORATION"),
    constraint({"exploration": {"slots": 0}}, "exploration.slots", "it must be in [1, 10]"),
    constraint({"exploration": {"slots": 1, "strength": 2}}, "exploration.strength", "it must be in [0, 1] for"),
)
RECOMMEND = Rpc(
    ACTOR,
    [
        Case({"actor": None}, "actor", "is required, with a user_id, a visitor_id or a session_id"),
        *COMMON,
        *SIZES,
        *CONTEXT,
        *FILTERS,
        *NAMED,
        UNWRITTEN,
        *LISTS,
        *RANKED,
        CONFIG,
        TOKEN,
        FIELDS,
        Case({"debug_level": 2}, "debug_level", "DEBUG_LEVEL_FULL (1) is the only one"),
        Case({"candidate_count": 2001}, "candidate_count", "it must be in [0, 2000]"),
        Case({"experiment_override": "a:b"}, "experiment_override", "has no experiment"),
    ],
)
WITHOUT_RANKING = {"minimum_click_probability": 0.5, "diversity": {}, "exploration": {"slots": 1}}
SIMILAR_ITEMS = Rpc(
    {"item_ids": ["item-001"]},
    [
        *(case for case in COMMON if case.path != "actor.user_id" or case.permitted == TOO_LONG),
        *SIZES,
        FILTERS[3],
        LISTS[0],
        *(constraint({name: value}, name, UNHONOURED) for name, value in WITHOUT_RANKING.items()),
        CONFIG,
        FIELDS,
        Case({"item_ids": []}, "item_ids", "1 to 100 ids"),
        Case({"item_ids": ["a"] * 101}, "item_ids", "at most 100 are allowed"),
        Case({"item_ids": [LONG]}, "item_ids[0]", TOO_LONG),
        Case({"item_ids": ["nowhere"]}, "item_ids", "none of the items is in bundle", grpc.StatusCode.NOT_FOUND),
    ],
)
RERANK = Rpc(
    {**ACTOR, "item_ids": ["item-001"]},
    [
        *COMMON,
        CONTEXT[0],
        CONFIG,
        TOKEN,
        FIELDS,
        Case({"item_ids": []}, "item_ids", "1 to 1000 ids"),
        Case({"item_ids": MANY}, "item_ids", "at most 1000 are allowed"),
    ],
)
SIMILAR_USERS = Rpc(
    ACTOR,
    [
        *COMMON,
        CONTEXT[0],
        TOKEN,
        Case({"user_count": 1001}, "user_count", "it must be in [1, 1000]"),
    ],
)
RECOMMEND_USERS = Rpc(
    {"item_ids": ["item-000"]},
    [
        *(case for case in COMMON if not case.path.startswith("actor")),
        Case({"item_ids": []}, "item_ids", "1 to 100 ids"),
        Case({"item_ids": MANY}, "item_ids", "at most 100 are allowed"),
        Case({"item_ids": ["nowhere"]}, "item_ids", "none of the items", grpc.StatusCode.NOT_FOUND),
        Case({"user_count": 1001}, "user_count", "it must be in [1, 1000]"),
        Case({"tenant": LONG}, "tenant", TOO_LONG),
        Case({"tenant": "another"}, "tenant", "users.tenant=another", grpc.StatusCode.FAILED_PRECONDITION),
        Case({"exclude_user_ids": [LONG]}, "exclude_user_ids[0]", TOO_LONG),
        Case({"exclude_user_ids": MANY}, "exclude_user_ids", "at most 1000 are allowed"),
    ],
)


def within(case: Case) -> Case:
    """Return ``case`` of a request that is itself the field ``request``."""
    assert isinstance(case.changes, Mapping)
    return Case({"request": {**ACTOR, **case.changes}}, f"request.{case.path}", case.permitted, case.code)


INNER = (SIZES[0], FILTERS[3], LISTS[6], CONTEXT[0])
BATCH = Rpc(
    {"actors": [ACTOR["actor"]]},
    [
        Case({"actors": []}, "actors", "it must have 1 to 10000"),
        *(Case({"request": case.changes}, f"request.{case.path}", case.permitted) for case in INNER),
        Case({"request": ACTOR}, "request.actor", UNHONOURED),
        Case({"resume_token": "t"}, "resume_token", "is not a token"),
        Case({"request_id": "x" * 201}, "request_id", "at most 200 are allowed"),
    ],
)
COMPARE = Rpc(
    {"request": ACTOR, "other_bundle_id": "BUNDLE"},
    [
        Case({"request": None}, "request", "is required"),
        *map(within, INNER),
        Case({"base_bundle_id": "x" * 129}, "base_bundle_id", "at most 128 are allowed"),
        Case({"other_bundle_id": ""}, "other_bundle_id", "is required"),
        Case({"other_bundle_id": "tiny-0"}, "other_bundle_id", "held: tiny-", grpc.StatusCode.FAILED_PRECONDITION),
        Case({"request_id": LONG}, "request_id", TOO_LONG),
    ],
)
EXPLAIN = Rpc(
    {"request": ACTOR, **ITEM},
    [
        Case({"request": None}, "request", "is required where there is no attribution_token"),
        *map(within, INNER),
        Case({"attribution_token": "t"}, "attribution_token", "is not a token"),
        Case({"item_id": ""}, "item_id", "is required"),
        Case({"what_if": {}}, "what_if", "changes nothing; leave it unset"),
        Case({"what_if": {"dropped_features": ["a"] * 51}}, "what_if.dropped_features", "at most 50"),
        Case(
            {"what_if": {"serving_config": "nobody"}}, "what_if.serving_config", "'default'", grpc.StatusCode.NOT_FOUND
        ),
        Case({"what_if": {"bundle_id": "x" * 129}}, "what_if.bundle_id", "at most 128 are allowed"),
        Case({"request_id": LONG}, "request_id", TOO_LONG),
    ],
)
NEXT = Rpc(
    {"next_token": "NEXT_TOKEN"},
    [
        Case({"next_token": ""}, "next_token", "is required"),
        Case({"next_token": "t"}, "next_token", "is not a token"),
        Case({"slate_size": 1001}, "slate_size", "it must be in [1, 1000]"),
        Case({"request": ACTOR}, "request", "is in the token already; leave it unset"),
        Case({"request_id": LONG}, "request_id", TOO_LONG),
    ],
)


def written(changes: Mapping[str, object], path: str, permitted: str) -> Case:
    return Case({"events": [{**ITEM, **changes}]}, f"events[0].{path}", permitted)


WRITE = Rpc(
    {**ACTOR, "events": [ITEM]},
    [
        *(case for case in COMMON if not case.path.startswith("bundle_id")),
        Case({"events": []}, "events", "it must have 1 to 1000"),
        Case({"events": [ITEM] * 1001}, "events", "it must have 1 to 1000"),
        written({"item_id": ""}, "item_id", "is required"),
        written({"event_id": LONG}, "event_id", TOO_LONG),
        written({"event_type": "x" * 65}, "event_type", "at most 64 are allowed"),
        written({"value": "Infinity"}, "value", "it must be a finite number"),
        written({"event_time": "9999-01-01T00:00:00Z"}, "event_time", "at most 300 s are allowed"),
        written({"attribution_token": "t"}, "attribution_token", "is not a token"),
        written({"surface": LONG}, "surface", TOO_LONG),
        Case({"durability": 2}, "durability", "use DURABILITY_STORED"),
        Case({"durability": 9}, "durability", "DURABILITY_STORED"),
        Case({"attribution_token": "t"}, "attribution_token", "is not a token"),
    ],
)
RPCS: Mapping[str, Rpc] = {
    "RecommendationService.Recommend": RECOMMEND,
    "RecommendationService.RecommendNext": NEXT,
    "RecommendationService.ExplainRecommendation": EXPLAIN,
    "RecommendationService.CompareBundles": COMPARE,
    "RecommendationService.BatchRecommend": BATCH,
    "RecommendationService.SimilarItems": SIMILAR_ITEMS,
    "RecommendationService.SimilarUsers": SIMILAR_USERS,
    "RecommendationService.RecommendUsers": RECOMMEND_USERS,
    "RecommendationService.RerankItems": RERANK,
    "EventService.WriteEvents": WRITE,
}
