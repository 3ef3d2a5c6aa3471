"""ONNX models: the only module that imports onnxruntime."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# onnxruntime reports usage to its makers from the moment it is imported, and waits for the network to do so. Nothing
# that serves other people's users may; set the variable to 0 to allow it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from shortlist_domain.errors import BundleInvalid


class Session:
    """A model, ready to run. Thread-safe: the session holds no state of a run."""

    def __init__(self, content: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Load a model from verified bytes.

        Args:
            content: The model. Weights in other files are refused, since nothing vouches for them.
            inputs: Inputs that the caller will feed; a model may do without some of them.
            outputs: Outputs that the model must have, in the order in which :meth:`run` returns them.

        Raises:
            BundleInvalid: It is not a model, or has other inputs or outputs.
        """
        options = onnxruntime.SessionOptions()
        # One thread per run: the executor in front decides how many run at once, and nobody spins on a core meanwhile.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own untyped exceptions
            raise BundleInvalid(f"onnxruntime refuses the model: {error}") from error
        self._inputs = tuple(i.name for i in self._session.get_inputs())
        unknown = set(self._inputs) - set(inputs)
        missing = set(outputs) - {o.name for o in self._session.get_outputs()}
        if unknown or missing:
            raise BundleInvalid(f"the model wants inputs {sorted(unknown)} and lacks outputs {sorted(missing)}")
        self._outputs = list(outputs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that the model reads."""
        return self._inputs

    def output_width(self, name: str) -> int | None:
        """Return the size of the last axis of output ``name``, ``None`` where it is not fixed."""
        shape = next(o.shape for o in self._session.get_outputs() if o.name == name)
        return shape[-1] if shape and isinstance(shape[-1], int) else None

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        """Run the model once. Inputs that it does not have are left out."""
        outputs: list[NDArray[np.float32]] = self._session.run(self._outputs, {n: inputs[n] for n in self._inputs})
        return outputs
