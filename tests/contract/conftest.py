"""The whole platform in one process for the tests of a module, and somebody who asks."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceStub
from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceStub
from shortlist_testing.platform import Platform, running_platform

if TYPE_CHECKING:
    from shortlist.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from shortlist.gateway.v1.recommendation_service_pb2_grpc import RecommendationServiceAsyncStub

from .config_calls import Configs
from .slates import N


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The platform, with what the module's ``PLATFORM`` says of it; a module with needs beyond that has its own."""
    wanted = {"n_items": N, **getattr(request.module, "PLATFORM", {})}
    async with running_platform(tmp_path_factory.mktemp("platform"), **wanted) as platform:
        yield platform


@pytest.fixture(scope="module")
def recommendation(platform: Platform) -> RecommendationServiceAsyncStub:
    return RecommendationServiceStub(platform.channel)


@pytest.fixture(scope="module")
def event(platform: Platform) -> EventServiceAsyncStub:
    return EventServiceStub(platform.channel)


@pytest.fixture
def user() -> str:
    return f"user-{uuid.uuid4().hex}"


@pytest.fixture
def configs(platform: Platform) -> Configs:
    return Configs(platform.channel)


@pytest.fixture
def name() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"
