"""Encoders of a few numbers, in the files that real ones come in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

WORDS = ("[UNK]", "war", "love", "space", "robot", "dog", ".")
"""Vocabulary; a word's id is its position."""

STATES = np.eye(len(WORDS), dtype=np.float32)
"""State of each token: a direction of its own."""


def tokenizer_json() -> bytes:
    """Return a ``tokenizer.json`` that splits at blanks and knows :data:`WORDS`."""
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    content: str = tokenizer.to_str()
    return content.encode()


def text_model(output: str = "last_hidden_state") -> bytes:
    """Return ONNX from ``input_ids`` to the states of the tokens, or, as ``text_embeds``, to the sum of them."""
    summed = output == "text_embeds"
    nodes = [helper.make_node("Gather", ["states", "input_ids"], ["found" if summed else output])]
    if summed:
        nodes.append(helper.make_node("ReduceSum", ["found", "tokens"], [output], keepdims=0))
    shape: list[str | int | None] = ["b", STATES.shape[1]] if summed else ["b", "t", STATES.shape[1]]
    return _model(
        nodes,
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "t"])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        {"states": STATES, "tokens": np.array([1], np.int64)},
    )


def image_model(given: str = "image", wanted: str = "embedding") -> bytes:
    """Return ONNX from pictures ``(b, 3, 224, 224)`` to the mean of each colour, ``(b, 3)``."""
    return _model(
        [helper.make_node("ReduceMean", [given], [wanted], axes=[2, 3], keepdims=0)],
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, ["b", 3, 224, 224])],
        [helper.make_tensor_value_info(wanted, TensorProto.FLOAT, ["b", 3])],
        {},
    )


def write_text_encoder(folder: Path) -> Path:
    """Write a text encoder to ``folder`` and return it."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(text_model())
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    return folder


def write_image_encoder(folder: Path) -> Path:
    """Write an image encoder to ``folder`` and return it."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(image_model())
    return folder


def write_clip(folder: Path) -> Path:
    """Write both sides of a CLIP to ``folder`` and return it."""
    folder.mkdir(parents=True)
    (folder / "text_model.onnx").write_bytes(text_model("text_embeds"))
    (folder / "vision_model.onnx").write_bytes(image_model("pixel_values", "image_embeds"))
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    return folder


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (20, 30), form: str = "PNG") -> bytes:
    """Return the content of a file that shows nothing but ``colour``."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, form)
    return buffer.getvalue()


def _model(
    nodes: list[onnx.NodeProto],
    given: list[onnx.ValueInfoProto],
    wanted: list[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray],
) -> bytes:
    used = {name for node in nodes for name in node.input}
    held = [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used]
    graph = helper.make_graph(nodes, "tiny", given, wanted, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content
