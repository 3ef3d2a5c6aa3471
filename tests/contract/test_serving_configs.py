"""Serving configs kept by name: put, read, changed by one at a time, rolled back, and never in the way of serving."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from shortlist.common.v1 import selection_pb2
from shortlist.gateway.v1 import serving_config_service_pb2 as pb
from shortlist_testing.platform import Platform

from .config_calls import Configs
from .questions import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_config_that_is_put_is_read_and_listed(configs: Configs, name: str) -> None:
    record = await configs.put(name, description="for the home page", slate_size=12)
    assert record.version > 0
    assert record.origin == pb.SERVING_CONFIG_ORIGIN_STORE
    assert record.HasField("write_time")
    assert list(record.problems) == []
    assert await configs.get(name) == record
    listed = await configs.all()
    assert listed[name] == record
    assert list(listed) == sorted(listed)


async def test_the_default_config_is_there_without_being_put(configs: Configs) -> None:
    record = await configs.get("")
    assert (record.config, record.version) == (pb.ServingConfig(name="default"), 0)
    assert record.origin == pb.SERVING_CONFIG_ORIGIN_BUILT_IN
    put = await configs.put("default", slate_size=7)
    assert (await configs.get("default")).config.slate_size == 7
    await configs.delete("default", put.version)
    assert await configs.get("") == record
    said = await refused(configs.delete("default"), grpc.StatusCode.NOT_FOUND)
    assert "built in" in said


async def test_an_unknown_name_is_not_found_and_the_known_ones_are_named(configs: Configs, name: str) -> None:
    await configs.put(name)
    for call in (configs.get("unheard-of"), configs.delete("unheard-of"), configs.history("unheard-of")):
        said = await refused(call, grpc.StatusCode.NOT_FOUND)
        assert "'unheard-of'" in said
        assert f"'{name}'" in said
        assert "'default'" in said
    said = await refused(configs.rollback("unheard-of"), grpc.StatusCode.NOT_FOUND)
    assert "'unheard-of'" in said


async def test_what_is_wrong_with_a_config_is_named_with_path_and_range(configs: Configs, name: str) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"slate_size": 1001}, "config.slate_size: is 1001; it must be in [1, 1000]"),
        ({"candidate_count": -1}, "config.candidate_count: is -1; it must be in [0, 2000]"),
        ({"description": "x" * 1025}, "config.description: is 1025 bytes long; at most 1024"),
        ({"sources": [{"source": "psychic"}]}, "config.sources[0].source: is 'psychic', which bundle"),
        ({"sources": [{"source": "content"}]}, "it has two_tower, item_neighbours, popular"),
        ({"sources": [{"source": "popular", "quota": 1.5}]}, "config.sources[0].quota: is 1.5; it must be in [0, 1]"),
        (
            {"sources": [{"source": "popular", "weight": 0.0}]},
            "sources[0].weight: is 0; it must be in (0, 1000]",
        ),
        ({"sources": [{"source": "popular"}] * 2}, "config.sources[1].source: is 'popular' a second time"),
        (
            {"sources": [{"source": "popular", "quota": 0.6}, {"source": "two_tower", "quota": 0.6}]},
            "config.sources: have quotas of 1.2 together; at most 1",
        ),
        (
            {"head_weights": [{"head": "luck", "weight": 1}]},
            "head_weights[0].head: is 'luck'; it must be one of",
        ),
        ({"head_weights": [{"head": "click"}]}, "config.head_weights: are all 0"),
        ({"constraints": {"minimum_click_probability": 2.0}}, "config.constraints.minimum_click_probability: is 2"),
        ({"constraints": {"attribute_caps": [{"attribute": "genres"}]}}, "attribute_caps[0].maximum: is 0; it must be"),
        (
            {"constraints": {"attribute_caps": [{"attribute": "flavour", "maximum": 2}]}},
            "config.constraints.attribute_caps[0].attribute: is 'flavour', which no item of bundle",
        ),
        (
            {"constraints": {"promotions": [{"filter": {"expression": "flavour = 1"}, "slots": 1}]}},
            "config.constraints.promotions[0].filter.expression",
        ),
        (
            {"slate_size": 5, "constraints": {"pins": [{"item_id": "item-001", "position": 5}]}},
            "config.constraints.pins[0].position: is 5; it must be in [0, 4]",
        ),
        ({"on_empty": 9}, "config.on_empty: is 9"),
        ({"on_empty": "EMPTY_POLICY_FALLBACK_CONFIG"}, "config.fallback_config: is required"),
        ({"fallback_config": name}, "config.fallback_config: is the config itself"),
        ({"fallback_config": "unheard-of"}, "config.fallback_config: is 'unheard-of', which there is not"),
        ({"experiment": {"name": "x"}}, "config.experiment.variants: has 0 entries; it must have 1 to 10"),
        (
            {"experiment": {"name": "X", "variants": [{"name": "a", "weight": 1}]}},
            "config.experiment.name: is 'X'; it must be 1 to 64 lower-case",
        ),
        ({"experiment": {"name": "x", "variants": [{"name": "a"}]}}, "config.experiment.variants: have weights of 0"),
        (
            {"experiment": {"name": "x", "variants": [{"name": "a", "weight": 1, "serving_config": "unheard-of"}]}},
            "config.experiment.variants[0].serving_config: is 'unheard-of', which there is not",
        ),
    ]
    for fields, expected in cases:
        said = await refused(configs.put(name, **fields))
        assert expected in said, said
        assert expected in await refused(configs.put(name, validate_only=True, **fields))
    for bad in ("", "Home", "-x", "a/b", "x" * 65, "ü"):
        assert "config.name: is" in await refused(configs.put(bad))
    assert "config: has" in await refused(configs.put(name, description="x" * 40_000))
    assert "config: is required" in await refused(configs.stub.PutServingConfig(pb.PutServingConfigRequest()))
    assert "expected_version: is -1" in await refused(configs.put(name, -1))
    assert await refused(configs.get(name), grpc.StatusCode.NOT_FOUND), "nothing of it was written"


async def test_every_violation_is_named_at_once(configs: Configs, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await configs.put(name, slate_size=-1, candidate_count=-1, constraints={"minimum_click_probability": -1.0})
    (raw,) = (value for key, value in caught.value.trailing_metadata() or () if key == "grpc-status-details-bin")
    bad = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(raw).details[0].Unpack(bad)
    assert {violation.field for violation in bad.field_violations} == {
        "config.slate_size",
        "config.candidate_count",
        "config.constraints.minimum_click_probability",
    }


async def test_what_is_put_again_as_it_is_stays_at_its_version(configs: Configs, name: str) -> None:
    first = await configs.put(name, slate_size=3)
    assert await configs.put(name, slate_size=3) == first
    assert await configs.put(name, first.version, slate_size=3) == first
    await refused(configs.put(name, first.version + 1, slate_size=3), grpc.StatusCode.ABORTED)
    await refused(configs.put(name, 0, slate_size=3), grpc.StatusCode.ABORTED)
    assert len(await configs.history(name)) == 1
    second = await configs.put(name, slate_size=4)
    assert (await configs.put(name, slate_size=3)).version > second.version > first.version


async def test_validate_only_writes_nothing(configs: Configs, name: str) -> None:
    record = await configs.put(name, slate_size=3, validate_only=True)
    assert (record.config.slate_size, record.version) == (3, 0)
    await refused(configs.get(name), grpc.StatusCode.NOT_FOUND)
    first = await configs.put(name, slate_size=3)
    await refused(configs.put(name, 0, validate_only=True), grpc.StatusCode.ABORTED)
    await configs.put(name, first.version, slate_size=4, validate_only=True)
    assert await configs.get(name) == first


async def test_of_concurrent_puts_with_one_expected_version_exactly_one_wins(platform: Platform, name: str) -> None:
    channels = [platform.channel, await platform.gateway_over_the_wire()]
    doors = [Configs(channel) for channel in channels]
    first = await doors[0].put(name)
    puts = [doors[at % 2].put(name, first.version, slate_size=1 + at) for at in range(10)]
    done = await asyncio.gather(*puts, return_exceptions=True)
    won = [one for one in done if isinstance(one, pb.ServingConfigRecord)]
    lost = [one for one in done if isinstance(one, grpc.aio.AioRpcError)]
    assert (len(won), len(lost)) == (1, 9)
    assert {one.code() for one in lost} == {grpc.StatusCode.ABORTED}
    assert f"version {first.version} was expected" in str(lost[0].details())
    assert (await doors[0].get(name)).config.slate_size == won[0].config.slate_size
    assert len(await doors[0].history(name)) == 2


async def test_a_change_is_known_to_another_gateway_soon(platform: Platform, configs: Configs, name: str) -> None:
    other = Configs(await platform.gateway_over_the_wire())
    record = await configs.put(name, slate_size=3)
    async with asyncio.timeout(10):
        while name not in await other.all():
            await asyncio.sleep(0.02)
    assert await other.get(name) == record
    await configs.delete(name)
    async with asyncio.timeout(10):
        while name in await other.all():
            await asyncio.sleep(0.02)


async def test_a_rollback_is_a_new_version_and_can_be_rolled_back(configs: Configs, name: str) -> None:
    first = await configs.put(name, slate_size=1)
    second = await configs.put(name, slate_size=2)
    back = await configs.rollback(name)
    assert (back.config.slate_size, back.version > second.version) == (1, True)
    assert (await configs.get(name)).config.slate_size == 1
    again = await configs.rollback(name)
    assert again.config.slate_size == 2
    assert (await configs.rollback(name, first.version)).config.slate_size == 1
    versions = [record.version for record in await configs.history(name)]
    assert len(versions) == 5
    assert versions == sorted(versions, reverse=True)
    assert (await configs.get(name, second.version)).config.slate_size == 2
    dry = await configs.rollback(name, second.version, validate_only=True)
    assert (dry.config.slate_size, (await configs.get(name)).config.slate_size) == (2, 1)
    await refused(configs.rollback(name, second.version, expected_version=first.version), grpc.StatusCode.ABORTED)
    said = await refused(configs.rollback(name, 1 << 40), grpc.StatusCode.NOT_FOUND)
    assert f"version {1 << 40}" in said


async def test_what_was_put_once_has_nothing_to_go_back_to(configs: Configs, name: str) -> None:
    await configs.put(name)
    said = await refused(configs.rollback(name), grpc.StatusCode.NOT_FOUND)
    assert "no version before" in said


async def test_a_deleted_config_comes_back_by_a_rollback(configs: Configs, name: str) -> None:
    record = await configs.put(name, slate_size=4)
    await refused(configs.delete(name, record.version + 1), grpc.StatusCode.ABORTED)
    await configs.delete(name, record.version)
    await refused(configs.get(name), grpc.StatusCode.NOT_FOUND)
    assert [one.is_deleted for one in await configs.history(name)] == [True, False]
    back = await configs.rollback(name)
    assert back.config.slate_size == 4
    assert back.version > record.version


async def test_a_config_that_others_refer_to_is_not_deleted(configs: Configs, name: str) -> None:
    await configs.put(f"{name}-safe")
    await configs.put(name, fallback_config=f"{name}-safe")
    said = await refused(configs.delete(f"{name}-safe"), grpc.StatusCode.FAILED_PRECONDITION)
    assert f"is needed by {name}" in said
    await configs.put(name)
    await configs.delete(f"{name}-safe")


async def test_fallbacks_make_no_cycle_and_no_long_row(configs: Configs, name: str) -> None:
    a, b, c, d, e = (f"{name}-{letter}" for letter in "abcde")
    for one in (a, b, c, d, e):
        await configs.put(one)
    await configs.put(a, fallback_config=b)
    said = await refused(configs.put(b, fallback_config=a))
    assert "config.fallback_config: makes a cycle" in said
    await configs.put(b, fallback_config=c)
    assert "makes a cycle" in await refused(configs.put(c, fallback_config=a))
    await configs.put(c, fallback_config=d)
    said = await refused(configs.put(d, fallback_config=e))
    assert "makes 4 fallbacks in a row" in said
    assert "at most 3 may follow" in said


async def test_experiments_are_not_nested(configs: Configs, name: str) -> None:
    inner, outer = f"{name}-inner", f"{name}-outer"
    own = pb.ServingExperiment(name="e", variants=[pb.ServingVariant(name="a", weight=1)])
    others = pb.ServingExperiment(name="e", variants=[pb.ServingVariant(name="a", weight=1, serving_config=inner)])
    await configs.put(inner, experiment=own)
    said = await refused(configs.put(outer, experiment=others))
    assert "config.experiment.variants[0].serving_config" in said
    assert "has an experiment of its own" in said
    await configs.put(inner)
    await configs.put(outer, experiment=others)
    said = await refused(configs.put(inner, experiment=own))
    assert f"config.experiment: cannot be nested: '{outer}' has '{inner}' as a variant" in said


async def test_a_config_may_hold_every_constraint(configs: Configs, name: str) -> None:
    constraints = selection_pb2.Constraints(
        exclude_item_ids=["item-001"],
        include_item_ids=["item-002"],
        exclude_seen=selection_pb2.ExcludeSeen(event_types=["click"]),
        attribute_caps=[selection_pb2.AttributeCap(attribute="genres", maximum=2)],
        pins=[selection_pb2.Pin(item_id="item-002", position=999)],
        promotions=[selection_pb2.Promotion(filter=selection_pb2.Filter(expression="year > 1990"), share=0.2)],
        diversity=selection_pb2.Diversity(strength=0.5),
        minimum_click_probability=0.1,
        exploration=selection_pb2.Exploration(slots=2, strength=0.1),
    )
    constraints.rotation.rate = 0.5
    constraints.rotation.half_life.seconds = 60
    record = await configs.put(name, constraints=constraints)
    assert record.config.constraints == constraints
    assert list(record.problems) == []


async def test_fields_of_the_calls_are_checked(configs: Configs) -> None:
    stub = configs.stub
    for call, said in (
        (stub.GetServingConfig(pb.GetServingConfigRequest(version=-1)), "version: is -1; 0 or more is needed"),
        (stub.DeleteServingConfig(pb.DeleteServingConfigRequest()), "name: is required"),
        (stub.DeleteServingConfig(pb.DeleteServingConfigRequest(name="a", expected_version=-1)), "expected_version"),
        (stub.ListServingConfigVersions(pb.ListServingConfigVersionsRequest()), "name: is required"),
        (stub.RollbackServingConfig(pb.RollbackServingConfigRequest()), "name: is required"),
        (stub.RollbackServingConfig(pb.RollbackServingConfigRequest(name="a", version=-1)), "version: is -1"),
    ):
        assert said in await refused(call)
    listed = await stub.ListServingConfigs(pb.ListServingConfigsRequest())
    assert "default" in {record.config.name for record in listed.records}
