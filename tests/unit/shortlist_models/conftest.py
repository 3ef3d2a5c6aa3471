"""Settings of all tests of the models."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Threads that wait for each other on a busy machine make these small models ten times slower."""
    torch.set_num_threads(1)
