"""PyTorch modules to ONNX bytes: one file each, no external data, only plain operators."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence

import onnx
import torch
from torch import Tensor, nn

OPSET = 17


def to_onnx(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], dynamic: Sequence[str]) -> bytes:
    """Return ``module`` as a checked ONNX model.

    Args:
        module: Called with ``inputs`` by position.
        inputs: Example inputs by name, in the order of ``forward``.
        outputs: Names of the outputs.
        dynamic: Names of the inputs and outputs whose first axis may have any length.
    """
    module.eval()
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # The tracing exporter is announced to go; what it writes is small and stable, which the tests check.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            buffer,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {0: "rows"} for name in dynamic},
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
    content = buffer.getvalue()
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    return content
