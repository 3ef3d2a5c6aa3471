"""Serving configs when things go wrong: the store away, what it keeps damaged, a bundle they do not fit.

Serving goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_bundle import layout
from shortlist_bundle.item_attributes import item_attributes_file
from shortlist_domain.deadline import Deadline
from shortlist_feature_store.keys import documents_key
from shortlist_feature_store.settings import FeatureStoreSettings
from shortlist_feature_store.wiring import FeatureStoreService
from shortlist_gateway.clients import FeatureStoreClient
from shortlist_gateway.configs.registry import COLLECTION
from shortlist_gateway.settings import GatewaySettings
from shortlist_gateway.wiring import GatewayService
from shortlist_testing.redis import running_valkey
from shortlist_testing.running import own_metrics, running
from shortlist_testing.tiny_bundle import publish, tiny_attributes, tiny_bundle, tiny_files

from .config_calls import Configs
from .config_platform import becomes, platform_on
from .questions import ask, causes, refused


async def test_with_the_store_gone_the_last_good_configs_go_on(tmp_path: Path) -> None:
    tiny_bundle(tmp_path)
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey) as (_, configs, stub):
            record = await configs.put("home", slate_size=3)
            valkey.kill()
            for _ in range(3):
                await asyncio.sleep(0.2)
                answer = await stub.Recommend(ask("u1", serving_config="home"))
                assert (len(answer.results), answer.meta.serving_config_version) == (3, record.version)
            assert (await configs.get("home")).config == record.config
            assert set(await configs.all()) == {"default", "home"}
            for call in (configs.put("home", slate_size=4), configs.delete("home"), configs.history("home")):
                await refused(call, grpc.StatusCode.UNAVAILABLE)
            valkey.restart()
            await becomes(lambda: _put_works(configs))
            assert (await configs.get("other")).config.slate_size == 5


async def _put_works(configs: Configs) -> bool:
    try:
        await configs.put("other", slate_size=5)
    except grpc.aio.AioRpcError as error:
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise
        return False
    return True


async def test_before_the_store_was_ever_read_a_named_config_is_unavailable_and_the_default_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_bundle(tmp_path)
    with running_valkey() as valkey:
        valkey.kill()
        async with platform_on(tmp_path, valkey) as (_, configs, stub):
            said = await refused(stub.Recommend(ask("u1", serving_config="home")), grpc.StatusCode.UNAVAILABLE)
            assert "not read yet" in said
            answer = await stub.Recommend(ask("u1"))
            assert len(answer.results) == 10
            assert "serving_config: configs were not read yet; the built-in default answered" in answer.meta.warnings
            await refused(configs.get("home"), grpc.StatusCode.UNAVAILABLE)
            assert "the store was not read yet" in (await configs.all())["default"].problems[0]
            said = capsys.readouterr().out
            assert "configs_away" in said
            assert "config_refused" not in said, "nothing is wrong with a config"
            valkey.restart()
            await becomes(lambda: _put_works(configs))
            answer = await stub.Recommend(ask("u1", serving_config="other"))
            assert (len(answer.results), list(answer.meta.warnings)) == (5, [])


@pytest.mark.parametrize("raw", ["", "damaged, and long enough to have a head and a content"])
async def test_a_damaged_config_in_the_store_changes_nothing_for_callers(tmp_path: Path, raw: str) -> None:
    tiny_bundle(tmp_path)
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey) as (_, configs, stub):
            record = await configs.put("home", slate_size=3)
            valkey.command("HSET", documents_key(COLLECTION), "home", raw)
            valkey.command("HSET", documents_key(COLLECTION), "late", raw)

            async def is_said() -> bool:
                return "late" in await configs.all() and bool((await configs.all())["home"].problems)

            await becomes(is_said)
            listed = await configs.all()
            assert "is damaged; version" in listed["home"].problems[0]
            assert "is damaged" in listed["late"].problems[0]
            answer = await stub.Recommend(ask("u1", serving_config="home"))
            assert (len(answer.results), answer.meta.serving_config_version) == (3, record.version)
            said = await refused(stub.Recommend(ask("u1", serving_config="late")), grpc.StatusCode.UNAVAILABLE)
            assert "'late' cannot be used here" in said
            assert len((await stub.Recommend(ask("u1"))).results) == 10
            await refused(configs.put("home", record.version, slate_size=2), grpc.StatusCode.ABORTED)
            await configs.put("home", slate_size=2)
            assert len((await stub.Recommend(ask("u1", serving_config="home"))).results) == 2
            assert list((await configs.get("home")).problems) == []


async def test_a_history_is_bounded_and_says_what_it_does_not_have(tmp_path: Path) -> None:
    tiny_bundle(tmp_path)
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey) as (_, configs, _stub):
            written = [(await configs.put("home", slate_size=1 + at)).version for at in range(8)]
            assert [record.version for record in await configs.history("home")] == written[:2:-1]
            said = await refused(configs.rollback("home", written[0]), grpc.StatusCode.NOT_FOUND)
            assert f"version {written[0]} of 'home' is not kept" in said
            assert (await configs.rollback("home", written[3])).config.slate_size == 4
            await refused(configs.get("home", written[0]), grpc.StatusCode.NOT_FOUND)


async def test_what_does_not_fit_a_new_bundle_is_left_out_declared_and_reported(tmp_path: Path) -> None:
    release = tiny_bundle(tmp_path, content=True)
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey) as (_, configs, stub):
            fields: dict[str, Any] = {
                "slate_size": 5,
                "sources": [{"source": "content"}, {"source": "popular"}],
                "constraints": {
                    "attribute_caps": [{"attribute": "genres", "maximum": 2}],
                    "promotions": [{"filter": {"expression": "year > 2000"}, "slots": 1}],
                },
            }
            record = await configs.put("home", **fields)
            answer = await stub.Recommend(ask("u1", serving_config="home"))
            assert (answer.meta.bundle.bundle_id, causes(answer)) == (release.bundle_id, set())
            attributes = {name: column for name, column in tiny_attributes(60).items() if name != "year"}
            poorer = publish(tmp_path, tiny_files() | {layout.ITEM_ATTRIBUTES: item_attributes_file(60, attributes)})

            async def is_swapped() -> bool:
                found = await stub.Recommend(ask("u1", serving_config="home"))
                return bool(found.meta.bundle.bundle_id == poorer.bundle_id)

            await becomes(is_swapped)
            answer = await stub.Recommend(ask("u1", serving_config="home"))
            assert causes(answer) == {"CONFIG_UNFIT"}
            assert (len(answer.results), answer.meta.serving_config_version) == (5, record.version)
            assert {one.source for result in answer.results for one in result.provenance} == {"popular"}
            warnings = "\n".join(answer.meta.warnings)
            assert "serving_config: sources[0].source is 'content', which bundle" in warnings
            assert "promotions[0].filter.expression" in warnings
            problems = (await configs.get("home")).problems
            assert [problem in warnings for problem in problems] == [True, True]
            dry = await stub.Recommend(ask("u1", serving_config="home", validate_only=True))
            assert causes(dry) == {"CONFIG_UNFIT"}
            said = await refused(configs.put("home", **fields))
            assert "config.sources[0].source: is 'content'" in said
            assert "config.constraints.promotions[0].filter.expression" in said


async def test_configs_are_not_changed_by_calls_where_that_is_switched_off(tmp_path: Path) -> None:
    tiny_bundle(tmp_path)
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey, are_configs_changeable=False) as (_, configs, stub):
            for call in (configs.put("home"), configs.delete("default"), configs.rollback("home")):
                said = await refused(call, grpc.StatusCode.FAILED_PRECONDITION)
                assert "are not changed by calls here" in said
            assert set(await configs.all()) == {"default"}
            assert len((await stub.Recommend(ask("u1"))).results) == 10


async def test_a_config_of_a_later_release_is_not_honoured_in_part(tmp_path: Path) -> None:
    tiny_bundle(tmp_path)
    later = pb.ServingConfig(name="home", slate_size=3).SerializeToString() + b"\xc0\x3e\x01"  # field 1000
    inner = b"\x3a\x03\xc0\x3e\x01"  # constraints with a field 1000
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey) as (platform, configs, stub):
            documents = platform.service.features.store().documents
            for name, content in (("home", later), ("nested", b"\x0a\x06nested" + inner)):
                await documents.write_document(COLLECTION, name, content, None, Deadline.after(5.0))
                await becomes(lambda name=name: _is_there(configs, name))  # type: ignore[misc]
                (problem,) = (await configs.get(name)).problems
                assert "(1000): is a field that this release does not know" in problem
                await refused(stub.Recommend(ask("u1", serving_config=name)), grpc.StatusCode.UNAVAILABLE)
            config = pb.ServingConfig.FromString(later)
            said = await refused(configs.stub.PutServingConfig(pb.PutServingConfigRequest(config=config)))
            assert said == "config.(1000): is a field that this release does not know"


async def _is_there(configs: Configs, name: str) -> bool:
    return name in await configs.all()


async def test_a_hundred_configs_are_read_by_a_gateway_that_starts(tmp_path: Path) -> None:
    tiny_bundle(tmp_path)
    with running_valkey() as valkey:
        async with platform_on(tmp_path, valkey) as (platform, configs, _):
            documents = platform.service.features.store().documents
            for at in range(100):
                config = pb.ServingConfig(name=f"c{at}", description="x" * 1000).SerializeToString()
                await documents.write_document(COLLECTION, f"c{at}", config, None, Deadline.after(5.0))
            for is_dry in (True, False):
                call = configs.put("more", validate_only=is_dry)
                assert "100 serving configs" in await refused(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
            await configs.put("c7", slate_size=4)
        async with platform_on(tmp_path, valkey) as (_, configs, stub):
            assert len(await configs.all()) == 101
            assert (await stub.Recommend(ask("u1", serving_config="c99"))).meta.serving_config == "c99"


async def test_a_gateway_apart_from_its_store_keeps_configs_while_that_is_gone(tmp_path: Path) -> None:
    tiny_bundle(tmp_path)
    metrics = own_metrics()
    with running_valkey(keep_data=True) as valkey:
        features = FeatureStoreSettings(redis_url=SecretStr(valkey.url), drain_grace_s=0.5)
        async with platform_on(tmp_path, valkey) as (platform, _, _stub), contextlib.AsyncExitStack() as stack:
            service = platform.service
            settings = GatewaySettings(port=0, bundle_store=tmp_path, config_poll_s=0.05, drain_grace_s=0.5)
            async with running(FeatureStoreService(features), features) as store:
                channel = await stack.enter_async_context(grpc.aio.insecure_channel(store.address))
                client = FeatureStoreClient(channel)
                gateway = GatewayService(client, service.retrieval.engine, service.ranking.engine, settings, metrics)
                door = await stack.enter_async_context(running(gateway, settings))
                asked = await stack.enter_async_context(grpc.aio.insecure_channel(door.address))
                configs, stub = Configs(asked), RecommendationServiceStub(asked)
                record = await configs.put("home", 0, slate_size=3)
                await refused(configs.put("home", 0, slate_size=4), grpc.StatusCode.ABORTED)
                assert [one.version for one in await configs.history("home")] == [record.version]
            await refused(configs.put("home", slate_size=4), grpc.StatusCode.UNAVAILABLE)
            await asyncio.sleep(0.3)
            answer = await stub.Recommend(ask("u1", serving_config="home"))
            assert (len(answer.results), answer.meta.serving_config_version) == (3, record.version)
            assert metrics.serving_configs.labels("usable")._value.get() == 1
