"""Whatever arrives, each call ends with a status that is documented for it: no INTERNAL, no UNKNOWN, and no hang."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shortlist.inference.v2 import inference_service_pb2 as inference_pb
from shortlist_gateway.retail.messages import SERVICES as RETAIL_SERVICES
from shortlist_rpc.policy import POLICIES
from shortlist_testing.platform import Platform, running_platform
from shortlist_testing.tiny_bundle import item_ids

from .any_message import every_method, messages, path_of, status_of
from .documented import statuses_of_calls
from .tame_values import tame_values

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAGES = {
    "shortlist.gateway.v1": "gateway",
    "shortlist.retrieval.v1": "retrieval",
    "shortlist.ranking.v1": "ranking",
    "inference": "ranking",
    "shortlist.featurestore.v1": "feature-store",
}
METHODS = every_method()
ALLOWED = {
    name: codes | {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT} for name, codes in statuses_of_calls().items()
}
"""What each call may end with here: of what all calls may, nothing is short, late or away."""

EXAMPLES = settings(
    phases=[Phase.generate], deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
TENSORS = st.sampled_from(["ranker", "rows", "now_s", "attribute_names", "score", "UINT32", "FP64", "BYTES", ""])
CATALOG = "projects/p/locations/global/catalogs/default_catalog"
RETAIL = st.sampled_from(
    [CATALOG, f"{CATALOG}/placements/default", "home-page-view", "add-to-cart", *item_ids(3), "", "a\x00"]
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHORTLIST_GATEWAY_IS_RETAIL_SERVED", "true")
        async with running_platform(tmp_path_factory.mktemp("platform"), users=True) as platform:
            yield platform


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channels(platform: Platform) -> dict[str, grpc.aio.Channel]:
    own = {stage: await platform.stage_channel(stage) for stage in ("retrieval", "ranking", "feature-store")}
    return {"gateway": platform.channel, **own}


async def check(channels: dict[str, grpc.aio.Channel], method: MethodDescriptor, raw: bytes) -> None:
    """Ask, and hold the status against those that are documented."""
    channel = channels[STAGES[method.containing_service.file.package]]
    is_endless = POLICIES[path_of(method)].is_long and method.name.startswith("Watch")
    code = await status_of(channel, path_of(method), raw, is_endless=is_endless)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:  # by the machine's load, once; what hangs does so again
        code = await status_of(channel, path_of(method), raw, is_endless=is_endless)
    assert code in ALLOWED[method.name]


@pytest.mark.parametrize("method", METHODS, ids=path_of)
@settings(EXAMPLES, max_examples=40)
@given(data=st.data())
async def test_any_message_gets_a_documented_status(
    channels: dict[str, grpc.aio.Channel], method: MethodDescriptor, data: st.DataObject
) -> None:
    await check(channels, method, data.draw(messages(method.input_type)).SerializeToString())


@pytest.mark.parametrize("method", [m for m in METHODS if m.input_type.fields], ids=path_of)
@settings(EXAMPLES, max_examples=40)
@given(data=st.data())
async def test_a_message_of_what_its_fields_may_be_gets_a_documented_status(
    platform: Platform, channels: dict[str, grpc.aio.Channel], method: MethodDescriptor, data: st.DataObject
) -> None:
    message = data.draw(messages(method.input_type, depth=5, tame=tame_values(platform.bundle_id)))
    await check(channels, method, message.SerializeToString())


@pytest.mark.parametrize("method", METHODS, ids=path_of)
@settings(EXAMPLES, max_examples=40)
@given(raw=st.binary(max_size=64))
async def test_any_bytes_get_a_documented_status(
    channels: dict[str, grpc.aio.Channel], method: MethodDescriptor, raw: bytes
) -> None:
    await check(channels, method, raw)


@settings(EXAMPLES, max_examples=150)
@given(data=st.data())
async def test_any_inference_gets_a_documented_status(
    channels: dict[str, grpc.aio.Channel], data: st.DataObject
) -> None:
    infer = inference_pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name["ModelInfer"]
    message = data.draw(messages(infer.input_type, texts=TENSORS))
    await check(channels, infer, message.SerializeToString())


@pytest.mark.parametrize("method", [service.methods[0] for service in RETAIL_SERVICES], ids=lambda m: m.name)
@settings(EXAMPLES, max_examples=100)
@given(data=st.data())
async def test_any_message_of_retail_gets_a_documented_status(
    platform: Platform, method: MethodDescriptor, data: st.DataObject
) -> None:
    message = data.draw(messages(method.input_type, depth=3, texts=RETAIL))
    assert await status_of(platform.channel, path_of(method), message.SerializeToString()) in ALLOWED[method.name]
