"""Predict of Google Retail, by its own client, and what goes beside answers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from grpc_health.v1 import health_pb2, health_pb2_grpc

from shortlist.common.v1.selection_pb2 import Constraints, Diversity
from shortlist.gateway.v1 import serving_config_service_pb2 as configs_pb
from shortlist.gateway.v1.serving_config_service_pb2_grpc import ServingConfigServiceStub
from shortlist_client import AsyncClient, rating
from shortlist_gateway.retail.messages import SERVICES, PredictRequest, UserEvent, WriteUserEventRequest
from shortlist_testing.platform import Platform

from .calls import CATALOG, CONFIG, CONFIG_FORM, ITEMS, README, SIMILAR, Retail, home, ids, seen

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_predict_is_recommend(platform: Platform, retail: Retail) -> None:
    async with AsyncClient(platform.address) as client:
        for user in ("ann", "bob"):
            await client.write_events([rating(ITEMS[len(user) + i], 5.0) for i in range(3)], user)
            theirs = await retail.predict(home(user_info={"user_id": user}), page_size=7)
            ours = await client.recommend(user, slate_size=7)
            assert ids(theirs) == [result.item_id for result in ours.results]
            assert len(theirs.results) == 7
        assert len((await retail.predict(home())).results) == 10


async def test_the_events_context_counts_and_is_not_written(retail: Retail) -> None:
    before = ids(await retail.predict(home(visitor_id="ctx")))
    looking = await retail.predict(seen(ITEMS[8], visitor_id="ctx"))
    assert ids(looking) != before
    assert ITEMS[8] not in ids(looking)
    assert ids(await retail.predict(home(visitor_id="ctx"))) == before


async def test_attributes_of_the_event_are_the_actors(platform: Platform, retail: Retail) -> None:
    theirs = await retail.predict(home(attributes={"genres": {"text": ["Horror", "Western"]}}))
    async with AsyncClient(platform.address) as client:
        ours = await client.recommend(visitor_id="v1", attributes={"genres": ["Horror", "Western"]})
    assert ids(theirs) == [result.item_id for result in ours.results]


async def test_return_score_and_return_product_fill_the_metadata(platform: Platform, retail: Retail) -> None:
    answer = await retail.predict(home(), params={"returnScore": True, "returnProduct": True}, page_size=3)
    async with AsyncClient(platform.address) as client:
        ours = await client.recommend(visitor_id="v1", slate_size=3, item_fields=["title", "genres"])
    for result, native in zip(answer.results, ours.results, strict=True):
        assert result.metadata["score"] == pytest.approx(native.heads.click_probability)
        product = result.metadata["product"]
        assert product["id"] == result.id
        assert product["title"] == native.fields[0].text
        assert list(product["attributes"]["genres"]["text"]) == list(native.fields[1].texts.values)
    assert not (await retail.predict(home())).results[0].metadata


async def test_missing_products_are_missing_ids(retail: Retail) -> None:
    answer = await retail.predict(seen(ITEMS[0], "nowhere"))
    assert list(answer.missing_ids) == ["nowhere"]
    assert answer.results


async def test_validate_only_gives_no_results_and_says_so(retail: Retail) -> None:
    answer = await retail.predict(home(), validate_only=True)
    assert answer.validate_only
    assert not answer.results
    with pytest.raises(exceptions.InvalidArgument, match="page_size"):
        await retail.predict(home(), validate_only=True, page_size=-1)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ('(genres: ANY("Comedy", "Drama")) AND NOT (genres: ANY("Drama"))', 'genres:"Comedy"'),
        ('attributes.genres: ANY("Horror") OR id: ANY("item-001")', 'genres:"Horror" OR id = "item-001"'),
        ('-genres: ANY("Comedy") AND title != "ANY (of) attributes.x"', 'NOT genres:"Comedy"'),
    ],
)
async def test_an_attribute_filter_is_a_filter(platform: Platform, retail: Retail, theirs: str, ours: str) -> None:
    found = await retail.predict(home(), filter=theirs, params={"filterSyntaxV2": True}, page_size=30)
    async with AsyncClient(platform.address) as client:
        native = await client.recommend(visitor_id="v1", filter=ours, slate_size=30)
    assert ids(found) == [result.item_id for result in native.results]
    assert 10 < len(found.results) <= 30


async def test_a_filter_that_nothing_passes_is_strict_unless_told_otherwise(retail: Retail) -> None:
    filters = {"filter": 'genres: ANY("Opera")'}
    assert not ids(await retail.predict(home(), params={"filterSyntaxV2": True}, **filters))
    relaxed = await retail.predict(home(), params={"filterSyntaxV2": True, "strictFiltering": False}, **filters)
    assert ids(relaxed) == ids(await retail.predict(home()))


@pytest.mark.parametrize(("level", "strength"), [("low", 0.25), ("medium", 0.5), ("high", 0.75)])
async def test_a_diversity_level_is_a_strength(platform: Platform, retail: Retail, level: str, strength: float) -> None:
    found = await retail.predict(home(), params={"diversityLevel": f"{level}-diversity"})
    spread = Constraints(diversity=Diversity(strength=strength))
    async with AsyncClient(platform.address) as client:
        native = await client.recommend(visitor_id="v1", constraints=spread)
    assert ids(found) == [result.item_id for result in native.results]
    assert ids(await retail.predict(home(), params={"diversityLevel": "no-diversity"})) == ids(
        await retail.predict(home())
    )


async def test_similar_items_is_similar_items(platform: Platform, retail: Retail) -> None:
    theirs = await retail.predict(seen(ITEMS[4]), placement=SIMILAR, page_size=3)
    async with AsyncClient(platform.address) as client:
        ours = await client.similar_items([ITEMS[4]], slate_size=3)
    assert ids(theirs) == [result.item_id for result in ours.results]
    with pytest.raises(exceptions.NotFound):
        await retail.predict(seen("nowhere"), placement=SIMILAR)


async def test_a_placement_gets_the_settings_of_its_config(platform: Platform, retail: Retail) -> None:
    configs: Any = ServingConfigServiceStub(platform.channel)

    async def put(name: str, **fields: Any) -> None:
        config = configs_pb.ServingConfig(name=name, **fields)
        await configs.PutServingConfig(configs_pb.PutServingConfigRequest(config=config))

    await put("shop-safe", slate_size=2)
    await put("shop-home", slate_size=4, on_empty="EMPTY_POLICY_FALLBACK_CONFIG", fallback_config="shop-safe")
    place = f"{CATALOG}/placements/shop-home"
    assert len((await retail.predict(home(), placement=place)).results) == 4
    with pytest.raises(exceptions.InvalidArgument, match="page_size: is 5; serving config 'shop-home' allows"):
        await retail.predict(home(), placement=place, page_size=5)
    nothing = {"filter": "attributes.year > 3000", "params": {"filterSyntaxV2": True}}
    assert len((await retail.predict(home(), placement=place, **nothing)).results) == 2, "the fallback's"
    nothing["params"] = {"filterSyntaxV2": True, "strictFiltering": True}
    assert not (await retail.predict(home(), placement=place, **nothing)).results
    nothing["params"] = {"filterSyntaxV2": True, "strictFiltering": False}
    with pytest.raises(exceptions.InvalidArgument, match=r"params\['strictFiltering'\]: is RELAX_FILTER;"):
        await retail.predict(home(), placement=place, **nothing)


async def test_a_placement_names_a_serving_config(retail: Retail) -> None:
    assert (await retail.predict(home(), placement=f"{CATALOG}/placements/default")).results
    with pytest.raises(exceptions.NotFound, match="'other'"):
        await retail.predict(home(), placement=f"{CATALOG}/servingConfigs/other")


async def test_what_retails_answers_have_no_field_for_is_in_trailing_metadata(
    platform: Platform, retail: Retail
) -> None:
    predict = "/google.cloud.retail.v2.PredictionService/Predict"
    event = UserEvent(event_type="home-page-view", visitor_id="v1", uri="https://shop.test/", session_id="s")
    event.user_info.user_agent = "a browser"
    event.attribution_token = (await retail.predict(home(visitor_id="v1"))).attribution_token
    said = await retail.trailing(predict, PredictRequest(placement=CONFIG, user_event=event, labels={"page": "home"}))
    assert said["shortlist-not-kept"] == [
        "labels['page']",
        "user_event.uri",
        "user_event.user_info.user_agent",
        "user_event.attribution_token",
    ]
    assert said["shortlist-answer"]["bundle_id"] == platform.bundle_id
    assert said["shortlist-answer"]["level"] == "DEGRADATION_LEVEL_NONE"
    write = "/google.cloud.retail.v2.UserEventService/WriteUserEvent"
    event = UserEvent(event_type="add-to-cart", visitor_id="v9", cart_id="c")
    event.product_details.add(quantity={"value": 2}).product.id = "new"
    said = await retail.trailing(write, WriteUserEventRequest(parent=CATALOG, user_event=event))
    assert said["shortlist-not-kept"] == ["user_event.cart_id", "user_event.product_details[].quantity"]
    assert said["shortlist-missing-ids"] == ["new"]


async def test_long_lists_in_metadata_are_cut_and_say_so(platform: Platform, retail: Retail) -> None:
    event = UserEvent(event_type="add-to-cart", visitor_id="long")
    for number in range(1000):
        event.product_details.add().product.id = f"unknown-{'ü' * 40}-{number}"
    write = "/google.cloud.retail.v2.UserEventService/WriteUserEvent"
    said = await retail.trailing(write, WriteUserEventRequest(parent=CATALOG, user_event=event))
    assert said["shortlist-missing-ids"][0] == f"unknown-{'ü' * 40}-0"
    assert len(said["shortlist-missing-ids"]) + said["shortlist-missing-ids-left-out"] == 1000
    with pytest.raises(exceptions.InvalidArgument, match="event_type: is 'xxx"):
        await retail.predict(home(event_type="x" * 100_000))


@pytest.mark.parametrize(
    ("event", "fields", "said"),
    [
        (home(), {"placement": "projects/p/servingConfigs/default"}, "placement: is 'projects/p"),
        (home(), {"placement": CATALOG}, "placement: is"),
        (home(), {"placement": ""}, f"placement: is ''; it must be {CONFIG_FORM}"),
        (home(), {"page_size": 1001}, "page_size: is 1001"),
        (home(), {"page_token": "2"}, "page_token: is not used"),
        (home(), {"filter": 'tag="Red"'}, "filter: the syntax of tags is not honoured"),
        (home(), {"filter": "colour > 3", "params": {"filterSyntaxV2": True}}, "filter: "),
        (home(), {"filter": "year: IN(1, 2)", "params": {"filterSyntaxV2": True}}, "filter: IN(...) is not honoured"),
        (home(), {"params": {"returnScore": "yes"}}, "params['returnScore']: must be a boolean"),
        (home(), {"params": {"priceRerankLevel": "high-price-reranking"}}, "params['priceRerankLevel']: is not"),
        (home(), {"params": {"diversityLevel": "auto-diversity"}}, "params['diversityLevel']: is 'auto-diversity'"),
        (home(), {"params": {"diversityLevel": 3}}, "params['diversityLevel']: must be a string"),
        (home(), {"params": {"priceRerankLevel": True}}, "params['priceRerankLevel']: must be a string"),
        (home(), {"params": {"whatever": 1}}, "params['whatever']: is not honoured"),
        (
            home(visitor_id=""),
            {},
            "user_event.user_info.user_id: is required where visitor_id and session_id are empty",
        ),
        (home(visitor_id="\x07"), {}, "user_event.visitor_id: has the control character"),
        (home(search_query="red shoes"), {}, "user_event.search_query: is not honoured"),
        (home(page_categories=["Shoes"]), {}, "user_event.page_categories: is not honoured"),
        (home(event_type="search"), {}, "user_event.event_type: is 'search'"),
        (home(product_details=[{"product": {"id": "a"}}]), {}, "user_event.product_details: must be empty"),
        (home(attributes={"a": {"text": ["x"], "numbers": [1.0]}}), {}, "user_event.attributes: must be a text"),
        (seen(""), {}, "user_event.product_details[0].product.id: is required and empty"),
        (home(), {"placement": SIMILAR}, "user_event.event_type: must be one with products"),
    ],
)
async def test_what_is_wrong_with_predict_is_named_in_retails_words(
    retail: Retail, event: dict[str, Any], fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(exceptions.InvalidArgument) as caught:
        await retail.predict(event, **fields)
    assert said in caught.value.message


async def test_health_and_reflection_know_both_services(platform: Platform) -> None:
    for service in SERVICES:
        request = health_pb2.HealthCheckRequest(service=service.full_name)
        answer = await health_pb2_grpc.HealthStub(platform.channel).Check(request)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    grpcurl = shutil.which("grpcurl", path=str(Path(sys.executable).parent)) or shutil.which("grpcurl")
    if grpcurl is None:
        pytest.skip("grpcurl is not installed")
    body = json.dumps({"placement": CONFIG, "userEvent": {"eventType": "home-page-view", "visitorId": "v"}})
    method = "google.cloud.retail.v2.PredictionService/Predict"
    process = await asyncio.create_subprocess_exec(
        grpcurl, "-plaintext", "-d", body, platform.address, method, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode()
    assert len(json.loads(out)["results"]) == 10


async def test_the_example_of_the_readme_prints_ten_items(platform: Platform) -> None:
    (example,) = re.findall(r"```python\n(import grpc\nfrom google.*?)```", README.read_text(), re.DOTALL)
    assert "127.0.0.1:50051" in example
    program = example.replace("127.0.0.1:50051", platform.address)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    lines = out.decode().splitlines()
    assert len(lines) == 10
    assert all(0.0 <= float(line.rsplit(" ", 1)[1]) <= 1.0 for line in lines)
