"""Content of items: what a text or an image says of them, as vectors of a pretrained encoder.

The vectors of the kinds lie in spaces of their own and are never compared across kinds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UNIT_WITHIN = 1e-3
"""How far the length of a vector may be from 1."""


class ContentKind(StrEnum):
    """What was encoded."""

    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class Content:
    """Embeddings of one kind for the items of a data set."""

    vectors: NDArray[np.float32]
    """Shape ``(n, d)``, one row an item row: of length 1, zeros where the item has none."""

    known: NDArray[np.bool_]
    """Whether the item has a text or an image, ``(n,)``."""

    encoder: str
    """Name of the encoder, with its version."""

    source: str
    """What was encoded, in words."""

    inputs_sha256: str = ""
    """Digest over ids and inputs: the same inputs under the same encoder give the same vectors."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32 or self.vectors.shape[1] < 1:
            raise ValueError(f"content vectors are {self.vectors.dtype} {self.vectors.shape}, not float32 (n, d)")
        if self.known.shape != self.vectors.shape[:1] or self.known.dtype != np.bool_:
            raise ValueError(f"content is known of {self.known.dtype} {self.known.shape} items, not bool (n,)")
        lengths = np.linalg.norm(self.vectors.astype(np.float64), axis=1)
        if not np.isfinite(lengths).all() or np.abs(lengths - self.known).max(initial=0.0) > _UNIT_WITHIN:
            raise ValueError("content vectors are not of length 1 where known, and zeros elsewhere")


def write_content(content: Mapping[ContentKind, Content], folder: Path) -> dict[str, dict[str, object]]:
    """Write ``content_<kind>.npy`` and ``content_<kind>_known.npy`` to ``folder`` and return what describes them."""
    described: dict[str, dict[str, object]] = {}
    for kind in sorted(content):
        of_kind = content[kind]
        np.save(folder / _vectors_file(kind), of_kind.vectors, allow_pickle=False)
        np.save(folder / _known_file(kind), of_kind.known, allow_pickle=False)
        described[kind.value] = {
            "encoder": of_kind.encoder,
            "source": of_kind.source,
            "inputs_sha256": of_kind.inputs_sha256,
            "dimensions": of_kind.vectors.shape[1],
            "normalised": "length 1",
            "items": int(of_kind.known.sum()),
        }
    return described


def content_files(content: Mapping[ContentKind, Content]) -> list[str]:
    """Return the names of the files that :func:`write_content` writes."""
    return [file(kind) for kind in sorted(content) for file in (_vectors_file, _known_file)]


def read_content(described: Mapping[str, Mapping[str, Any]], folder: Path, n_items: int) -> dict[ContentKind, Content]:
    """Return what :func:`write_content` wrote.

    Raises:
        KeyError: ``described`` lacks something.
        ValueError: A file is not what it should be; names a kind that there is not.
        OSError: A file cannot be read.
    """
    found: dict[ContentKind, Content] = {}
    for name, of_kind in described.items():
        kind = ContentKind(name)
        vectors, known = (np.load(folder / file(kind), allow_pickle=False) for file in (_vectors_file, _known_file))
        if len(vectors) != n_items or vectors.shape[1:] != (of_kind["dimensions"],):
            raise ValueError(f"{_vectors_file(kind)} is {vectors.shape} for {n_items} items")
        texts = (str(of_kind[key]) for key in ("encoder", "source", "inputs_sha256"))
        found[kind] = Content(vectors, known, *texts)
    return found


def describe(content: Mapping[ContentKind, Content]) -> str:
    """Return one line that tells this content from any other; empty where there is none."""
    if not content:
        return ""
    return json.dumps({k.value: [c.encoder, c.inputs_sha256, int(c.known.sum())] for k, c in sorted(content.items())})


def _vectors_file(kind: ContentKind) -> str:
    return f"content_{kind.value}.npy"


def _known_file(kind: ContentKind) -> str:
    return f"content_{kind.value}_known.npy"
