"""A platform that serves Google Retail, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
import pytest_asyncio

from shortlist_testing.platform import Platform, running_platform

from .calls import Retail


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHORTLIST_GATEWAY_IS_RETAIL_SERVED", "true")
        environment.setenv("SHORTLIST_GATEWAY_RETAIL_EVENT_VALUES", '{"purchase-complete": 5}')
        async with running_platform(tmp_path_factory.mktemp("platform")) as platform:
            yield platform


@pytest.fixture(scope="module")
def retail(platform: Platform) -> Iterator[Retail]:
    with grpc.insecure_channel(platform.address) as channel:
        yield Retail(channel)
