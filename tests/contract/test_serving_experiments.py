"""Experiments in serving configs: who gets which variant, how many do, and where it is said."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import Any

import grpc
import pytest

from shortlist.common.v1 import actor_pb2
from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_domain.deadline import Deadline
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import item_ids

from .config_calls import Configs
from .experiments import KEY, claims_of, experiment, record_of
from .questions import actor, ask, causes, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
PLATFORM = {"slate_log_share": 1.0, "token_keys": KEY}


@pytest.fixture
def stub(platform: Platform) -> Any:
    return RecommendationServiceStub(platform.channel)


async def variants_of(stub: Any, name: str, users: range) -> dict[int, tuple[str, str]]:
    """Return the variant and the config of each user, as the answers of a batch say."""
    request = pb.BatchRecommendRequest(
        actors=[actor(f"u{user}") for user in users], request=pb.RecommendRequest(serving_config=name, slate_size=1)
    )
    found: dict[int, tuple[str, str]] = {}
    async for one in stub.BatchRecommend(request):
        (variant,) = one.answer.meta.variants
        found[users[one.index]] = (variant, one.answer.meta.serving_config)
    return found


async def test_actors_are_divided_by_weight_and_stay_where_they_are(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, slate_size=4, experiment=experiment("split", a=(3, ""), b=(1, f"{name}-b")))
    n = 800
    first = await variants_of(stub, name, range(n))
    counts = Counter(first.values())
    assert set(counts) == {("split:a", name), ("split:b", f"{name}-b")}
    deviation = math.sqrt(n * 0.25 * 0.75)
    assert abs(counts["split:b", f"{name}-b"] - n / 4) < 4 * deviation
    assert await variants_of(stub, name, range(n)) == first, "the same actor, the same variant"


async def test_another_gateway_divides_alike_and_another_experiment_anew(
    platform: Platform, configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b")
    await configs.put(name, experiment=experiment("one", a=(1, ""), b=(1, f"{name}-b")))
    first = await variants_of(stub, name, range(200))
    other = Configs(await platform.gateway_over_the_wire())
    async with asyncio.timeout(10):
        while name not in await other.all():
            pass
    elsewhere: Any = RecommendationServiceStub(other.channel)
    assert await variants_of(elsewhere, name, range(200)) == first
    await configs.put(name, experiment=experiment("two", a=(1, ""), b=(1, f"{name}-b")))
    second = await variants_of(stub, name, range(200))
    alike = sum(first[user][1] == second[user][1] for user in range(200))
    assert abs(alike - 100) < 4 * math.sqrt(50), "independent of the other division"


async def test_raising_a_weight_moves_actors_one_way_only(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(f"{name}-b")
    await configs.put(name, experiment=experiment("ramp", b=(10, f"{name}-b"), a=(90, "")))
    before = await variants_of(stub, name, range(300))
    await configs.put(name, experiment=experiment("ramp", b=(30, f"{name}-b"), a=(70, "")))
    after = await variants_of(stub, name, range(300))
    moved = {(before[user][0], after[user][0]) for user in range(300) if before[user] != after[user]}
    assert moved == {("ramp:a", "ramp:b")}


async def test_a_variant_without_weight_is_nobodys(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, slate_size=4, experiment=experiment("off", a=(1, ""), b=(0, f"{name}-b")))
    found = await variants_of(stub, name, range(50))
    assert set(found.values()) == {("off:a", name)}
    assert len((await stub.Recommend(ask("u1", serving_config=name, slate_size=4))).results) == 4, "no limit of b's"


async def test_the_variant_stands_in_the_answer_its_token_and_its_record(
    platform: Platform, configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    record = await configs.get(f"{name}-b")
    await configs.put(name, experiment=experiment("said", b=(1, f"{name}-b")))
    answer = await stub.Recommend(ask("u1", serving_config=name))
    assert (list(answer.meta.variants), answer.meta.is_variant_forced) == (["said:b"], False)
    assert (answer.meta.serving_config, answer.meta.serving_config_version) == (f"{name}-b", record.version)
    assert len(answer.results) == 2
    claims = claims_of(answer)
    said = (claims.serving_config, claims.serving_config_version, list(claims.variants))
    assert said == (f"{name}-b", record.version, ["said:b"])
    logged = await record_of(platform, answer)
    said = (logged.serving_config, logged.serving_config_version, list(logged.variants))
    assert said == (f"{name}-b", record.version, ["said:b"])
    following = await stub.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert (list(following.meta.variants), following.meta.serving_config) == (["said:b"], f"{name}-b")
    explained = await stub.ExplainRecommendation(
        pb.ExplainRecommendationRequest(
            attribution_token=answer.meta.attribution_token, item_id=answer.results[0].item_id
        )
    )
    assert (list(explained.meta.variants), explained.explanation.rank) == (["said:b"], 0)


async def test_a_page_stays_with_the_variant_of_the_first_one(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(f"{name}-b")
    await configs.put(name, experiment=experiment("sticky", a=(1, ""), b=(0, f"{name}-b")))
    answer = await stub.Recommend(ask("u1", serving_config=name, slate_size=3))
    await configs.put(name, experiment=experiment("sticky", a=(0, ""), b=(1, f"{name}-b")))
    again = await stub.Recommend(ask("u1", serving_config=name, slate_size=3))
    assert list(again.meta.variants) == ["sticky:b"]
    following = await stub.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert (list(following.meta.variants), following.meta.serving_config) == (["sticky:a"], name)


async def test_a_request_keeps_to_the_limits_of_every_variant_so_that_chance_refuses_nobody(
    configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, slate_size=5, experiment=experiment("fair", a=(99, ""), b=(1, f"{name}-b")))
    for user in range(20):
        said = await refused(stub.Recommend(ask(f"u{user}", serving_config=name, slate_size=3)))
        assert said == f"slate_size: is 3; serving config '{name}-b' allows at most 2"
    assert len((await stub.Recommend(ask("u1", serving_config=name, slate_size=2))).results) == 2


async def test_visitors_tenants_and_requests_without_an_actor_are_divided_too(
    configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b")
    await configs.put(name, experiment=experiment("all", a=(1, ""), b=(1, f"{name}-b")))

    async def variant(**fields: Any) -> str:
        answer = await stub.Recommend(pb.RecommendRequest(serving_config=name, slate_size=1, **fields))
        return str(answer.meta.variants[0])

    def of(n: int) -> list[actor_pb2.Actor]:
        here = [actor_pb2.Actor(user_id=f"u{n}"), actor_pb2.Actor(visitor_id=f"u{n}")]
        return [*here, actor_pb2.Actor(user_id=f"u{n}", tenant="shop")]

    rows = [[await variant(actor=one) for one in of(n)] for n in range(40)]
    for column in range(3):
        assert {row[column] for row in rows} == {"all:a", "all:b"}
    assert any(row[0] != row[1] for row in rows)
    assert any(row[0] != row[2] for row in rows)
    items = item_ids(60)[:1]
    asked = [pb.SimilarItemsRequest(item_ids=items, serving_config=name, request_id=f"r{at}") for at in range(40)]
    first = [list((await stub.SimilarItems(one)).meta.variants) for one in asked]
    assert [list((await stub.SimilarItems(one)).meta.variants) for one in asked] == first, "by the request's id"
    assert {variants[0] for variants in first} == {"all:a", "all:b"}
    reranked = pb.RerankItemsRequest(actor=actor("u1"), item_ids=items, serving_config=name)
    assert list((await stub.RerankItems(reranked)).meta.variants) == [await variant(actor=actor("u1"))]


async def test_a_variant_that_cannot_answer_is_replaced_and_that_is_declared(
    platform: Platform, configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, slate_size=4, experiment=experiment("gone", b=(1, f"{name}-b")))
    await refused(configs.delete(f"{name}-b"), grpc.StatusCode.FAILED_PRECONDITION)
    documents = platform.service.features.store().documents
    await documents.write_document("serving_configs", f"{name}-b", None, None, Deadline.after(5.0))
    async with asyncio.timeout(10):
        while f"{name}-b" in await configs.all():
            pass
    answer = await stub.Recommend(ask("u1", serving_config=name))
    assert (len(answer.results), answer.meta.serving_config) == (4, name)
    assert causes(answer) == {"CONFIG_UNFIT"}
    assert f"variant 'gone:b' cannot answer: there is no serving config '{name}-b'" in answer.meta.warnings[0]
    (problem,) = (await configs.get(name)).problems
    assert problem.startswith(f"experiment.variants[0].serving_config is '{name}-b', which there is not")
