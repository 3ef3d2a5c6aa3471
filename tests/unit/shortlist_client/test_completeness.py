"""Whatever a gateway can be asked, both clients can ask: every RPC, and every field of its request."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message

from shortlist.common.v1 import actor_pb2, selection_pb2
from shortlist.gateway.v1 import event_service_pb2, recommendation_service_pb2, serving_config_service_pb2
from shortlist.gateway.v1.recommendation_service_pb2 import RecommendRequest
from shortlist.gateway.v1.serving_config_service_pb2 import ServingConfig
from shortlist_client import AsyncClient, Client, rating
from shortlist_rpc.policy import POLICIES

Clients = type[Client] | type[AsyncClient]
both = pytest.mark.parametrize("clients", [Client, AsyncClient])

RPCS: list[MethodDescriptor] = [
    rpc
    for file in (recommendation_service_pb2, event_service_pb2, serving_config_service_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
]
OF_CONFIGS = {
    "ListServingConfigs": "list",
    "GetServingConfig": "get",
    "PutServingConfig": "put",
    "DeleteServingConfig": "delete",
    "ListServingConfigVersions": "versions",
    "RollbackServingConfig": "rollback",
}
"""Methods of ``serving_configs``; all other methods are the client's own, named like the RPC."""

PIN = selection_pb2.Constraints(pins=[selection_pb2.Pin(item_id="a", position=1)])
TREE = selection_pb2.FilterNode(comparison=selection_pb2.Comparison(field="year", number=1))
SAMPLES: Mapping[str, tuple[Any, ...]] = {
    "actors": (["ann", actor_pb2.Actor(tenant="t", visitor_id="v")],),
    "attributes": ({"text": "a", "number": 2, "flag": True, "texts": ["a", "b"]},),
    "attribution_token": ("", "t"),  # of an answer that is explained: instead of an actor
    "base_bundle_id": ("b",),
    "bundle_id": ("b",),
    "candidate_count": (3,),
    "config": (ServingConfig(name="home", slate_size=3),),
    "consistency_token": ("t",),
    "constraints": (PIN,),
    "debug": (True,),
    "dropped_features": (["user_mean"],),
    "events": ([rating("a", 5.0, event_id="e")],),
    "exclude_item_ids": (["b"], []),
    "exclude_user_ids": (["bob"],),
    "expected_version": (4,),
    "experiment_override": ("e:b",),
    "filter": ("year:*", TREE),
    "item_fields": (["title"],),
    "item_id": ("a",),
    "item_ids": (["a", "b"],),
    "item_ids_in_view": (["c"],),
    "name": ("home",),
    "named_filter": (selection_pb2.NamedFilter(name="recent"),),
    "next_token": ("t",),
    "on_empty": (selection_pb2.EMPTY_POLICY_RELAX_FILTER,),
    "other_bundle_id": ("b",),
    "request": (RecommendRequest(slate_size=3),),
    "request_id": ("r",),
    "resume_token": ("t",),
    "serving_config": ("home",),
    "session_id": ("s",),
    "slate_size": (3,),
    "surface": ("home",),
    "user_count": (3,),
    "user_id": ("ann",),
    "validate_only": (True,),
    "version": (3,),
    "visitor_id": ("v",),
    "what_if_bundle_id": ("b",),
    "what_if_serving_config": ("home",),
    "without_history": (True,),
}
"""For each argument of each method but ``timeout_s``, the values that it is called with, one after the other."""

AROUND = {
    "context.attributes.time": "for parameters of filters alone: `named_filter` has it",
    "context.attributes.duration": "likewise",
}


def within_request(unreached: Mapping[str, str]) -> dict[str, str]:
    return {f"request.{path}": why for path, why in unreached.items()}


UNREACHED: Mapping[str, Mapping[str, str]] = {
    "Recommend": AROUND,
    "ExplainRecommendation": within_request(
        AROUND | dict.fromkeys(("item_fields", "debug_level", "validate_only", "request_id"), "refused")
    ),
    "CompareBundles": within_request(AROUND | dict.fromkeys(("bundle_id", "validate_only", "request_id"), "refused")),
    "BatchRecommend": within_request(
        AROUND | dict.fromkeys(("actor", "consistency_token", "validate_only", "request_id"), "refused")
    ),
    "SimilarUsers": AROUND,
    "RerankItems": AROUND,
    "WriteEvents": {"durability": "there is one, which is the default; the other is not honoured yet"},
}
"""By RPC, the fields of its request that no argument leads to, and why."""


WHOLE = {message.DESCRIPTOR.full_name for message in (actor_pb2.Actor, actor_pb2.Event, ServingConfig)}


class Answer:
    """Of a call that goes nowhere."""

    def __await__(self) -> Generator[None, None, Answer]:
        return self
        yield

    def __iter__(self) -> Iterator[Message]:
        return iter(())

    async def __aiter__(self) -> AsyncIterator[Message]:
        for never in self:
            yield never

    def cancel(self) -> None:
        """Do nothing."""


class Recording:
    """Stub of every service; notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, float]] = []

    def __getattr__(self, rpc: str) -> Any:
        def call(request: Message, timeout: float) -> Answer:
            self.calls.append((rpc, request, timeout))
            return Answer()

        return call


def method_of(client: Client | AsyncClient, rpc: MethodDescriptor) -> Any:
    if rpc.containing_service.name == "ServingConfigService":
        return getattr(client.serving_configs, OF_CONFIGS[rpc.name])
    return getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", rpc.name).lower())


def arguments_of(method: Any) -> dict[str, Any]:
    """Return the type of each argument of ``method`` but its deadline, those behind ``**fields`` included."""
    types = typing.get_type_hints(method)
    for name in ("return", "timeout_s"):
        types.pop(name)
    fields = types.pop("fields", None)
    return types | (typing.get_type_hints(typing.get_args(fields)[0]) if fields else {})


def messages_in(kind: Any) -> set[str]:
    """Return the names of the messages that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, Message):
        return {kind.DESCRIPTOR.full_name}
    return {name for each in typing.get_args(kind) for name in messages_in(each)}


def fields_of(descriptor: Descriptor, whole: set[str]) -> Iterator[str]:
    """Yield the paths of a message's fields, down to values and to messages that are ``whole``."""
    for field in descriptor.fields:
        inner = field.message_type
        if inner is None or inner.full_name in whole or inner.full_name.startswith("google."):
            yield field.name
        else:
            yield from (f"{field.name}.{path}" for path in fields_of(inner, whole))


def reached(message: Message, whole: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield those of these paths that are set in ``message``, each with a value."""
    for field, value in message.ListFields():
        inner = field.message_type
        for each in value if field.is_repeated else (value,):
            if inner is None or inner.full_name in whole or inner.full_name.startswith("google."):
                yield field.name, each
            else:
                yield from ((f"{field.name}.{path}", found) for path, found in reached(each, whole))


async def asked(clients: Clients, rpc: MethodDescriptor, **given: Any) -> tuple[Message, float]:
    """Call the method of ``rpc``, and return the request and the deadline that went out."""
    client: Any = clients("127.0.0.1:1", tenant="t")
    client._recommendation = client._event = client.serving_configs._stub = recording = Recording()
    answer = method_of(client, rpc)(**given)
    if rpc.server_streaming:
        if clients is AsyncClient:
            assert [one async for one in answer] == []
        else:
            assert list(answer) == []
    elif clients is AsyncClient:
        await answer
    closed = client.close()
    if inspect.isawaitable(closed):
        await closed
    ((name, request, timeout_s),) = recording.calls
    assert name == rpc.name
    return request, timeout_s


@both
@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
async def test_every_field_of_every_request_can_be_given(clients: Clients, rpc: MethodDescriptor) -> None:
    client: Any = clients("127.0.0.1:1")
    arguments = arguments_of(method_of(client, rpc))
    whole = {name for kind in arguments.values() for name in messages_in(kind)}
    found: list[tuple[str, Any]] = []
    for n in range(max((len(SAMPLES[name]) for name in arguments), default=1)):
        given = {name: SAMPLES[name][n % len(SAMPLES[name])] for name in arguments}
        request, _ = await asked(clients, rpc, **given)
        found.extend(reached(request, whole))
    missing = set(fields_of(rpc.input_type, whole)) - {path for path, _ in found}
    assert missing == UNREACHED.get(rpc.name, {}).keys()
    values = [value for _, value in found]
    for sample in (one for name in arguments for given in SAMPLES[name] for one in (given, *flat(given))):
        if isinstance(sample, Message):
            assert sample in values, "a message arrives as it is given"


def flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


@both
@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
async def test_nothing_is_sent_that_was_not_given(clients: Clients, rpc: MethodDescriptor) -> None:
    client: Any = clients("127.0.0.1:1")
    parameters = inspect.signature(method_of(client, rpc)).parameters.values()
    required = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    request, timeout_s = await asked(clients, rpc, **{name: SAMPLES[name][0] for name in required})
    assert {path.split(".")[-1] for path, _ in reached(request, WHOLE)} <= {*required, "actor", "tenant"}
    policy = POLICIES[f"/{rpc.containing_service.full_name}/{rpc.name}"]
    if not policy.is_long:
        assert timeout_s == policy.timeout_s, "as long as the gateway gives it"


async def test_both_clients_take_the_same_arguments() -> None:
    for rpc in RPCS:
        method, other = (method_of(clients("127.0.0.1:1"), rpc) for clients in (Client, AsyncClient))
        assert inspect.signature(method).parameters == inspect.signature(other).parameters, rpc.name
    assert OF_CONFIGS.keys() <= {rpc.name for rpc in RPCS}
