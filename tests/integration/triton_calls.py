"""What a caller of Triton does, with Triton's own client: a program of its own, since that client and our generated
code both define the messages of the package ``inference``, which one process can hold once.

``python triton_calls.py ADDRESS BUNDLE_ID DIM`` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

NOW_S = 1_700_000_000.0
TENSORS: dict[str, NDArray[Any]] = {
    "rows": np.array([5, 0, 17, 3], np.uint32),
    "now_s": np.array([NOW_S], np.float64),
    "history_rows": np.array([1, 9], np.uint32),
    "history_values": np.array([5.0, 2.0], np.float32),
    "history_times_s": np.array([NOW_S - 60.0, NOW_S - 30.0], np.float64),
    "attribute_names": np.array(["gender", "age"], np.object_),
    "attribute_values": np.array(["F", "25"], np.object_),
    "number_names": np.array(["user_count"], np.object_),
    "number_values": np.array([2.0], np.float64),
}
DATATYPES = {np.uint32: "UINT32", np.int64: "INT64", np.float32: "FP32", np.float64: "FP64", np.object_: "BYTES"}


def tensor(name: str, values: NDArray[Any]) -> triton.InferInput:
    given = triton.InferInput(name, list(values.shape), DATATYPES[values.dtype.type])
    given.set_data_from_numpy(values)
    return given


def infer(
    client: triton.InferenceServerClient, tensors: dict[str, NDArray[Any]], **options: Any
) -> dict[str, list[float]]:
    wanted = options.pop("outputs", ("score", "click", "rating"))
    outputs = [triton.InferRequestedOutput(name) for name in wanted]
    inputs = [tensor(name, values) for name, values in tensors.items()]
    model = options.pop("model", "ranker")
    answer = client.infer(model, inputs, outputs=outputs, **options)
    return {name: answer.as_numpy(name).tolist() for name in wanted}


def refused(client: triton.InferenceServerClient, tensors: dict[str, NDArray[Any]], **options: Any) -> list[str]:
    try:
        infer(client, tensors, **options)
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return ["OK", ""]


def main(address: str, bundle_id: str, dim: int) -> dict[str, Any]:
    rows = TENSORS["rows"]
    with triton.InferenceServerClient(address) as client:
        metadata = client.get_model_metadata("ranker")
        return {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": [
                client.is_model_ready(*which)
                for which in (("ranker",), ("ranker", bundle_id), ("ranker", "other"), ("other",))
            ],
            "server": client.get_server_metadata().name,
            "versions": list(metadata.versions),
            "inputs": {t.name: [t.datatype, list(t.shape)] for t in metadata.inputs},
            "outputs": {t.name: [t.datatype, list(t.shape)] for t in metadata.outputs},
            "full": infer(client, TENSORS),
            "pinned": infer(client, TENSORS, model_version=bundle_id, request_id="7", client_timeout=5.0),
            "embedding": infer(client, TENSORS | {"actor_embedding": np.full(dim, 0.25, np.float32)}),
            "one_output": infer(client, TENSORS, outputs=("rating",)),
            "alone": len(infer(client, {"rows": rows})["score"]),
            "none": infer(client, TENSORS | {"rows": rows[:0]}),
            "refused": {
                "model": refused(client, TENSORS, model="other"),
                "version": refused(client, TENSORS, model_version="other"),
                "datatype": refused(client, TENSORS | {"rows": rows.astype(np.int64)}),
                "shape": refused(client, TENSORS | {"rows": rows.reshape(2, 2)}),
                "embedding": refused(client, TENSORS | {"actor_embedding": np.zeros(dim + 1, np.float32)}),
                "outside": refused(client, TENSORS | {"history_rows": np.array([1, 60], np.uint32)}),
                "output": refused(client, TENSORS, outputs=("logits",)),
                "parameter": refused(client, TENSORS, priority=3),
            },
        }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
