"""The world of the pipeline's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .world import World


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.bundles.refresh()
    return world
