"""Filters that serving configs keep, in short."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist_testing.filter_trees import ITEMS

from .questions import actor

TEXT, NUMBER, FLAG, TIME, TEXTS, DURATION = (
    selection_pb2.PARAMETER_KIND_TEXT,
    selection_pb2.PARAMETER_KIND_NUMBER,
    selection_pb2.PARAMETER_KIND_FLAG,
    selection_pb2.PARAMETER_KIND_TIME,
    selection_pb2.PARAMETER_KIND_TEXTS,
    selection_pb2.PARAMETER_KIND_DURATION,
)


def kept(name: str, expression: str, **kinds: selection_pb2.ParameterKind) -> selection_pb2.FilterDefinition:
    parameters = [selection_pb2.FilterParameter(name=n, kind=kind) for n, kind in kinds.items()]
    return selection_pb2.FilterDefinition(name=name, expression=expression, parameters=parameters)


RECENT = kept("recent", "year >= $since AND genres:$liked", since=NUMBER, liked=TEXTS)


def values(**given_values: Any) -> list[actor_pb2.Attribute]:
    """Return parameters, each in the form of its Python type."""
    forms: dict[type, Callable[[Any], dict[str, Any]]] = {
        bool: lambda value: {"flag": value},
        float: lambda value: {"number": value},
        str: lambda value: {"text": value},
        list: lambda value: {"texts": {"values": value}},
        Timestamp: lambda value: {"time": value},
        timedelta: lambda value: {"duration": value},
    }
    return [actor_pb2.Attribute(name=name, **forms[type(value)](value)) for name, value in given_values.items()]


def named(name: str, **fields: Any) -> selection_pb2.Filter:
    own = {key: fields.pop(key) for key in ("expression", "ast", "on_empty") if key in fields}
    return selection_pb2.Filter(named={"name": name, "parameters": values(**fields)}, **own)


N = 60
IDS = [item["id"] for item in ITEMS]


def ids(answer: pb.RecommendResponse | pb.RecommendNextResponse | pb.SimilarItemsResponse) -> set[str]:
    return {result.item_id for result in answer.results}


def ask(config: str, filter_: selection_pb2.Filter, user: str = "u", **fields: Any) -> pb.RecommendRequest:
    usual: dict[str, Any] = {"actor": actor(user), "slate_size": N}
    return pb.RecommendRequest(serving_config=config, filter=filter_, **{**usual, **fields})


COMEDIES = named("recent", since=1990.0, liked=["Comedy", "Drama"])


def passing(passes: Callable[[Mapping[str, Any]], Any]) -> set[str]:
    return {item["id"] for item in ITEMS if passes(item)}
