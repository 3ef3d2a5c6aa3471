"""A request that forces the variant of its serving config's experiment: what answers, and where it is said."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from shortlist.gateway.v1 import recommendation_service_pb2 as pb
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform
from shortlist_testing.tiny_bundle import item_ids

from .config_calls import Configs
from .experiments import KEY, claims_of, experiment, record_of
from .questions import actor, ask, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
PLATFORM = {"slate_log_share": 1.0, "token_keys": KEY}


@pytest.fixture
def stub(platform: Platform) -> Any:
    return RecommendationServiceStub(platform.channel)


async def test_a_forced_variant_answers_and_that_is_said_wherever_the_variant_is(
    platform: Platform, configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, slate_size=4, experiment=experiment("e", a=(1, ""), b=(0, f"{name}-b")))
    ordinary = await stub.Recommend(ask("u1", serving_config=name))
    assert (list(ordinary.meta.variants), ordinary.meta.is_variant_forced) == (["e:a"], False)
    answer = await stub.Recommend(ask("u1", serving_config=name, experiment_override="e:b"))
    assert (list(answer.meta.variants), answer.meta.is_variant_forced) == (["e:b"], True)
    assert (answer.meta.serving_config, len(answer.results)) == (f"{name}-b", 2), "though nobody falls to it"
    assert (list(claims_of(answer).variants), claims_of(answer).is_variant_forced) == (["e:b"], True)
    logged = await record_of(platform, answer)
    assert (list(logged.variants), logged.is_variant_forced) == (["e:b"], True)
    following = await stub.RecommendNext(pb.RecommendNextRequest(next_token=answer.meta.next_token))
    assert (list(following.meta.variants), following.meta.is_variant_forced) == (["e:b"], True)
    assert following.meta.serving_config == f"{name}-b"
    token = answer.meta.attribution_token
    item = answer.results[0].item_id
    explained = await stub.ExplainRecommendation(pb.ExplainRecommendationRequest(attribution_token=token, item_id=item))
    assert (list(explained.meta.variants), explained.meta.is_variant_forced) == (["e:b"], True)
    assert explained.explanation.rank == 0


async def test_a_forced_variant_of_the_same_config_and_the_one_that_would_have_answered_are_marked_too(
    configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(name, experiment=experiment("e", a=(1, "")))
    answer = await stub.Recommend(ask("u1", serving_config=name, experiment_override="e:a"))
    assert (list(answer.meta.variants), answer.meta.is_variant_forced) == (["e:a"], True)


async def test_only_the_limits_of_the_forced_variant_count(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, slate_size=5, experiment=experiment("e", a=(1, ""), b=(1, f"{name}-b")))
    asked = {"serving_config": name, "slate_size": 3}
    assert "at most 2" in await refused(stub.Recommend(ask("u1", **asked)))
    assert len((await stub.Recommend(ask("u1", experiment_override="e:a", **asked))).results) == 3
    said = await refused(stub.Recommend(ask("u1", experiment_override="e:b", **asked)))
    assert said == f"slate_size: is 3; serving config '{name}-b' allows at most 2"


async def test_variants_that_there_are_not_are_refused_and_those_there_are_named(
    configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b")
    await configs.put(name, experiment=experiment("e", a=(1, ""), b=(0, f"{name}-b")))
    for forced in ("e:c", "f:a", "a", ":", "e:a:", "e:" + "x" * 5000):
        said = await refused(stub.Recommend(ask("u1", serving_config=name, experiment_override=forced)))
        assert said.startswith("experiment_override: is ")
        assert said.endswith(f"; serving config '{name}' has 'e:a', 'e:b'")
        assert len(said) < 400
    said = await refused(stub.Recommend(ask("u1", serving_config=f"{name}-b", experiment_override="e:b")))
    assert said == f"experiment_override: is 'e:b'; serving config '{name}-b' has no experiment"
    said = await refused(stub.Recommend(ask("u1", serving_config=name, experiment_override="x", slate_size=-1)))
    assert "experiment_override: is 'x'" in said
    assert "slate_size: is -1" in said, "what else is wrong is named with it"


async def test_every_call_that_holds_a_request_takes_a_forced_variant(
    platform: Platform, configs: Configs, stub: Any, name: str
) -> None:
    await configs.put(f"{name}-b", slate_size=2)
    await configs.put(name, experiment=experiment("e", a=(1, ""), b=(0, f"{name}-b")))
    right: dict[str, Any] = {"serving_config": name, "experiment_override": "e:b"}
    wrong: dict[str, Any] = {"serving_config": name, "experiment_override": "e:c"}
    batch = pb.BatchRecommendRequest(actors=[actor("u1"), actor("u2")], request=pb.RecommendRequest(**right))
    answers = [one.answer async for one in stub.BatchRecommend(batch)]
    assert [(list(one.meta.variants), one.meta.is_variant_forced) for one in answers] == [(["e:b"], True)] * 2
    compare = pb.CompareBundlesRequest(request=ask("u1", **right), other_bundle_id=platform.bundle_id)
    compared = await stub.CompareBundles(compare)
    assert [list(half.meta.variants) for half in (compared.base, compared.other)] == [["e:b"]] * 2
    assert compared.base.meta.is_variant_forced
    explain = pb.ExplainRecommendationRequest(request=ask("u1", **right), item_id=item_ids(60)[0])
    explained = await stub.ExplainRecommendation(explain)
    assert (list(explained.meta.variants), explained.meta.is_variant_forced) == (["e:b"], True)
    dry = await stub.Recommend(ask("u1", validate_only=True, **right))
    assert (list(dry.meta.variants), dry.meta.is_variant_forced) == (["e:b"], True)
    batch.request.CopyFrom(pb.RecommendRequest(**wrong))
    with pytest.raises(grpc.aio.AioRpcError, match=r"request\.experiment_override: is 'e:c'"):
        await anext(aiter(stub.BatchRecommend(batch)))
    compare.request.CopyFrom(ask("u1", **wrong))
    assert (await refused(stub.CompareBundles(compare))).startswith("request.experiment_override: is 'e:c'")
    explain.request.CopyFrom(ask("u1", **wrong))
    assert (await refused(stub.ExplainRecommendation(explain))).startswith("request.experiment_override: is 'e:c'")


async def test_an_explanation_of_a_token_stays_with_its_variant(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(name, experiment=experiment("e", a=(1, ""), c=(0, "")))
    answer = await stub.Recommend(ask("u1", serving_config=name))
    token, item = answer.meta.attribution_token, answer.results[0].item_id
    for forced, is_right in (("e:a", True), ("e:c", False)):
        asked = pb.ExplainRecommendationRequest(
            attribution_token=token, item_id=item, request=pb.RecommendRequest(experiment_override=forced)
        )
        if is_right:
            assert not (await stub.ExplainRecommendation(asked)).meta.is_variant_forced, "it was not"
        else:
            said = await refused(stub.ExplainRecommendation(asked))
            assert said == "request.experiment_override: is not the token's variant, e:a; leave it unset"


async def test_a_fallback_of_a_forced_variant_is_marked(configs: Configs, stub: Any, name: str) -> None:
    await configs.put(f"{name}-safe")
    await configs.put(f"{name}-b", on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config=f"{name}-safe")
    await configs.put(name, experiment=experiment("e", a=(1, ""), b=(0, f"{name}-b")))
    empty = {"filter": {"expression": "year > 3000"}}
    answer = await stub.Recommend(ask("u1", serving_config=name, experiment_override="e:b", **empty))
    assert (answer.meta.serving_config, answer.meta.is_variant_forced) == (f"{name}-safe", True)
    assert list(answer.meta.variants) == ["e:b"]
