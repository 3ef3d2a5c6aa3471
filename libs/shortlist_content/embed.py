"""Embeddings of the items of a data set."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_content.encoder import Encoder, Unreadable
from shortlist_content.inputs import Pictures
from shortlist_content.pinned_wheels import Report
from shortlist_data.content import Content, ContentKind
from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused

BAD_SHARE = 0.05
"""Share of the inputs that may be unreadable."""

_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embeddings of one kind, and what became of the inputs."""

    content: Content
    unknown: int
    """Inputs of ids that the data set does not have; they are left out."""

    unreadable: Mapping[str, str]
    """Why, by item id, of the inputs that could not be read; those items are without content."""

    is_new: bool
    """False where the data set already had just these."""


def embed_texts(
    dataset: Dataset, texts: Mapping[str, str], source: str, encoder: Encoder[str], report: Report
) -> Embedded:
    """Return the embeddings of ``texts`` by item id.

    Args:
        dataset: Whose items.
        texts: By item id, none blank. Items without one are without content.
        source: Where they are from, in words.
        encoder: Encodes them.
        report: Told of the progress.

    Raises:
        DataRefused: None of the ids is an item, or too many cannot be encoded.
    """
    ids = [item_id for item_id in dataset.item_ids if item_id in texts]
    inputs = _Inputs(ContentKind.TEXT, source, len(texts) - len(ids), ids, lambda i: texts[i].encode())
    return _embedded(dataset, inputs, lambda content: encoder.encode(content.decode()), encoder.name, report)


def embed_pictures(dataset: Dataset, pictures: Pictures, encoder: Encoder[bytes], report: Report) -> Embedded:
    """Return the embeddings of ``pictures``; otherwise as :func:`embed_texts`.

    Raises:
        DataRefused: None of the ids is an item, or too many files are not pictures.
    """
    held = set(pictures.ids)
    ids = [item_id for item_id in dataset.item_ids if item_id in held]
    inputs = _Inputs(ContentKind.IMAGE, pictures.name, len(held) - len(ids), ids, pictures.read)
    return _embedded(dataset, inputs, encoder.encode, encoder.name, report)


@dataclass(frozen=True, slots=True)
class _Inputs:
    kind: ContentKind
    source: str
    unknown: int
    ids: list[str]
    read: Callable[[str], bytes]


def _embedded(
    dataset: Dataset, inputs: _Inputs, encode: Callable[[bytes], NDArray[np.float32]], name: str, report: Report
) -> Embedded:
    if not inputs.ids:
        raise DataRefused(
            f"none of the {inputs.unknown:,} ids of {inputs.source} is an item of {dataset.name}, whose ids are like "
            f"{', '.join(repr(i) for i in dataset.item_ids[:3])}"
        )
    digest, unreadable = _digest(inputs)
    rows = {item_id: row for row, item_id in enumerate(dataset.item_ids)}
    before = dataset.content.get(inputs.kind)
    if before is not None and (before.encoder, before.inputs_sha256) == (name, digest):
        again = {i: unreadable.get(i, "could not be encoded") for i in inputs.ids if not before.known[rows[i]]}
        return Embedded(before, inputs.unknown, again, is_new=False)
    vectors: NDArray[np.float32] | None = None
    known = np.zeros(len(rows), np.bool_)
    for done, item_id in enumerate(inputs.ids, start=1):
        if item_id not in unreadable:
            try:
                vector = encode(inputs.read(item_id))
            except Unreadable as error:
                unreadable[item_id] = str(error)
            else:
                vectors = np.zeros((len(rows), len(vector)), np.float32) if vectors is None else vectors
                vectors[rows[item_id]], known[rows[item_id]] = vector, True
        report(inputs.kind.value, done, len(inputs.ids))
    if vectors is None or len(unreadable) > BAD_SHARE * len(inputs.ids):
        first = "; ".join(f"{item_id}: {reason}" for item_id, reason in list(unreadable.items())[:_SAMPLES])
        raise DataRefused(
            f"{len(unreadable):,} of {len(inputs.ids):,} inputs of {inputs.source} cannot be read, {BAD_SHARE:.0%} are "
            f"allowed; the first: {first}"
        )
    return Embedded(Content(vectors, known, name, inputs.source, digest), inputs.unknown, unreadable, is_new=True)


def _digest(inputs: _Inputs) -> tuple[str, dict[str, str]]:
    """Return a digest over the ids and inputs, and why those that cannot be had cannot."""
    digest = hashlib.sha256(inputs.source.encode())
    failed: dict[str, str] = {}
    for item_id in inputs.ids:
        try:
            content = inputs.read(item_id)
        except (OSError, zipfile.BadZipFile) as error:
            failed[item_id], content = str(error), b""
        digest.update(f"{item_id} {len(content)} ".encode() + hashlib.sha256(content).digest())
    return digest.hexdigest(), failed
