"""EfficientNet-Lite0 up to its pooled features, as published for mobile devices: no squeeze and excitation, ReLU6.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", table 1, with the changes
of the Lite variants: stem and head keep their width. Blocks are inverted residuals (Sandler et al. 2018, MobileNetV2).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

WIDTH = 1280
"""Size of the features."""

SIDE = 224
"""Height and width of the images that it was trained on."""

_EPSILON = 1e-3
_STEM = 32


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expand: int
    width: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """Images ``(b, 3, 224, 224)`` to features ``(b, 1280)``; parameters are named as in the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Convolution(3, _STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        blocks: list[nn.Module] = []
        width = _STEM
        for stage in _STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(_Block(width, stage.width, stage.kernel, stride, stage.expand))
                width = stage.width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _Convolution(width, WIDTH, 1, 1)
        self._bn1 = nn.BatchNorm2d(WIDTH, eps=_EPSILON)

    def forward(self, image: Tensor) -> Tensor:
        """Return the mean of the last feature map over the image."""
        x = nn.functional.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        x = nn.functional.relu6(self._bn1(self._conv_head(x)))
        return x.mean(dim=(2, 3))


class _Block(nn.Module):
    """Widen, filter each channel, narrow; added to its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self._is_residual = stride == 1 and inputs == outputs
        self._expands = expand > 1
        if self._expands:
            self._expand_conv = _Convolution(inputs, hidden, 1, 1)
            self._bn0 = nn.BatchNorm2d(hidden, eps=_EPSILON)
        self._depthwise_conv = _Convolution(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = nn.BatchNorm2d(hidden, eps=_EPSILON)
        self._project_conv = _Convolution(hidden, outputs, 1, 1)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs
        if self._expands:
            x = nn.functional.relu6(self._bn0(self._expand_conv(x)))
        x = nn.functional.relu6(self._bn1(self._depthwise_conv(x)))
        out: Tensor = self._bn2(self._project_conv(x))
        return inputs + out if self._is_residual else out


class _Convolution(nn.Conv2d):
    """A convolution without bias that pads like the framework the weights come from: what is odd goes to the end."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)
        # Every map that a stride of 2 meets has an even side, for 224 is 7 times 2 to the 5th.
        whole = kernel - stride
        self._around = (whole // 2, whole - whole // 2) * 2

    def forward(self, x: Tensor) -> Tensor:
        if any(self._around):
            x = nn.functional.pad(x, self._around)
        return super().forward(x)


def load_weights(weights: dict[str, Tensor]) -> EfficientNetLite0:
    """Return the network with published ``weights``; those of the classifier are left out.

    Raises:
        RuntimeError: Weights are absent, too many, or of another shape.
    """
    network = EfficientNetLite0()
    network.load_state_dict({name: value for name, value in weights.items() if not name.startswith("_fc.")})
    return network.eval()


def example_input(rows: int = 2) -> Tensor:
    """Return images of noise, ``(rows, 3, 224, 224)``, to trace and to compare with."""
    return torch.empty(rows, 3, SIDE, SIDE).uniform_(-1.0, 1.0, generator=torch.Generator().manual_seed(0))
