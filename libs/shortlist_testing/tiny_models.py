"""Small hand-made ONNX graphs whose answers can be followed with pencil and paper."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.generic]


def user_tower(
    items: NDArray[np.float32], categories: Sequence[NDArray[np.float32]], start: NDArray[np.float32], length: int
) -> bytes:
    """Return a tower that says ``start + sum of category rows + weighted mean of the history's item embeddings``.

    An event weighs 2^-age in places (the last 1, the one before 1/2, ...) times (1 + value / 10), so that the last
    event is felt most. The last dimension is not touched by history and categories: ``start`` holds the 1 that the
    item's bias is multiplied with.

    Args:
        items: Item embeddings, shape ``(n, d)``.
        categories: One table per categorical attribute, shape ``(1 + values, d)``, row 0 for unknown.
        start: Embedding of an actor of whom nothing is known, shape ``(d,)``.
        length: History length L.
    """
    places = (0.5 ** np.arange(length - 1, -1, -1)).astype(np.float32)[None, :, None]
    table = items.copy()
    table[:, -1] = 0.0
    constants: dict[str, Array] = {
        "table": table,
        "places": places,
        "start": start[None, :],
        "zero": np.array(0, np.int64),
        "tenth": np.array(0.1, np.float32),
        "one": np.array(1.0, np.float32),
        "tiny": np.array(1e-6, np.float32),
        "last_axis": np.array([2], np.int64),
        "events": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Max", ["history_rows", "zero"], ["rows"]),
        helper.make_node("Gather", ["table", "rows"], ["embedded"]),
        helper.make_node("GreaterOrEqual", ["history_rows", "zero"], ["there"]),
        helper.make_node("Cast", ["there"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["history_values", "tenth"], ["tenths"]),
        helper.make_node("Add", ["tenths", "one"], ["strength"]),
        helper.make_node("Mul", ["mask", "strength"], ["masked"]),
        helper.make_node("Unsqueeze", ["masked", "last_axis"], ["masked3"]),
        helper.make_node("Mul", ["masked3", "places"], ["weights"]),
        helper.make_node("Mul", ["embedded", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "events"], ["summed"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "events"], ["mass"], keepdims=0),
        helper.make_node("Add", ["mass", "tiny"], ["mass_safe"]),
        helper.make_node("Div", ["summed", "mass_safe"], ["mean"]),
        helper.make_node("Add", ["mean", "start"], ["sum_0"]),
    ]
    for column, values in enumerate(categories):
        constants[f"column_{column}"] = np.array(column, np.int64)
        constants[f"category_{column}"] = values
        nodes += [
            helper.make_node("Gather", ["user_categories", f"column_{column}"], [f"value_{column}"], axis=1),
            helper.make_node("Gather", [f"category_{column}", f"value_{column}"], [f"part_{column}"]),
            helper.make_node("Add", [f"sum_{column}", f"part_{column}"], [f"sum_{column + 1}"]),
        ]
    nodes.append(helper.make_node("Identity", [f"sum_{len(categories)}"], ["embedding"]))
    inputs = [
        helper.make_tensor_value_info("history_rows", TensorProto.INT64, ["B", length]),
        helper.make_tensor_value_info("history_values", TensorProto.FLOAT, ["B", length]),
        helper.make_tensor_value_info("user_categories", TensorProto.INT64, ["B", len(categories)]),
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["B", items.shape[1]])]
    return model("user_tower", nodes, inputs, outputs, constants)


def item_tower(weights: NDArray[np.float32]) -> bytes:
    """Return a tower that says ``item_features @ weights``, weights of shape ``(f, d)``."""
    f, d = weights.shape
    return model(
        "item_tower",
        [helper.make_node("MatMul", ["item_features", "weights"], ["embedding"])],
        [helper.make_tensor_value_info("item_features", TensorProto.FLOAT, ["N", f])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", d])],
        {"weights": weights},
    )


def ranker(
    dim: int,
    context: int,
    features: NDArray[np.float32],
    numbers: NDArray[np.float32],
    hour: float = 0.0,
) -> bytes:
    """Return a linear ranker.

    ``click = <user_embedding, item_embedding> + <features, item_features> + <numbers, item_numbers> + hour * hours``
    and ``rating = clip(3 + click / 4, 1, 5)``.

    Args:
        dim: Embedding size d.
        context: Context features x, at least 1.
        features: Weights, shape ``(f,)``.
        numbers: Weights, shape ``(q,)``.
        hour: Weight of the first context feature.
    """
    hours = np.zeros((context, 1), np.float32)
    hours[0] = hour
    constants: dict[str, Array] = {
        "w_features": features[:, None],
        "w_numbers": numbers[:, None],
        "w_context": hours,
        "columns": np.array([1], np.int64),
        "quarter": np.array(0.25, np.float32),
        "three": np.array(3.0, np.float32),
        "low": np.array(1.0, np.float32),
        "high": np.array(5.0, np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["item_embeddings", "user_embedding"], ["products"]),
        helper.make_node("ReduceSum", ["products", "columns"], ["affinity"], keepdims=1),
        helper.make_node("MatMul", ["item_features", "w_features"], ["from_features"]),
        helper.make_node("MatMul", ["item_numbers", "w_numbers"], ["from_numbers"]),
        helper.make_node("MatMul", ["context", "w_context"], ["from_context"]),
        helper.make_node("Sum", ["affinity", "from_features", "from_numbers", "from_context"], ["logit"]),
        helper.make_node("Squeeze", ["logit", "columns"], ["click"]),
        helper.make_node("Mul", ["click", "quarter"], ["spread"]),
        helper.make_node("Add", ["spread", "three"], ["centred"]),
        helper.make_node("Clip", ["centred", "low", "high"], ["rating"]),
    ]
    inputs = [
        helper.make_tensor_value_info("user_embedding", TensorProto.FLOAT, [1, dim]),
        helper.make_tensor_value_info("context", TensorProto.FLOAT, [1, context]),
        helper.make_tensor_value_info("item_features", TensorProto.FLOAT, ["N", len(features)]),
        helper.make_tensor_value_info("item_numbers", TensorProto.FLOAT, ["N", len(numbers)]),
        helper.make_tensor_value_info("item_embeddings", TensorProto.FLOAT, ["N", dim]),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("click", "rating")]
    return model("ranker", nodes, inputs, outputs, constants)


def model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, Array],
) -> bytes:
    """Return a checked model of one graph, its constants inside."""
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString()
    return content
