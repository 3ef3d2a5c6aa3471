"""Where models are fitted: a GPU where there is one, else the CPU. What comes out is on the CPU again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortlist_domain.errors import ShortlistError

DeviceName = Literal["auto", "cpu", "cuda"]

CPU = torch.device("cpu")


class NoSuchDevice(ShortlistError):
    """The device that was asked for is not there."""


def device_named(name: DeviceName) -> torch.device:
    """Return a device by name; ``auto`` is the GPU where there is one.

    Raises:
        NoSuchDevice: ``cuda``, and torch sees none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise NoSuchDevice(
            "device=cuda, but torch sees no GPU: install a build of torch with CUDA and check `nvidia-smi`, or use "
            "device=auto"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def described(device: torch.device) -> str:
    """Return the name of the GPU, or ``cpu``."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def on(device: torch.device, array: NDArray[np.generic]) -> Tensor:
    """Return an array as a tensor on ``device``; on the CPU they share their memory."""
    tensor = torch.from_numpy(array)
    # Pinned memory is copied while the CPU goes on to make the next batch.
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def mixed_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which matrix products run in bfloat16 on a GPU that can; parameters stay in float32."""
    is_able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_able)
