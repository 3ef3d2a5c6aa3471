"""Files of pictures to arrays, with bounds on what a file may ask for."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shortlist_content.encoder import Unreadable

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})
"""Files that are taken for pictures."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 50_000_000
"""Largest picture that is decoded."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture becomes a network's input."""

    side: int
    """Height and width."""

    mean: tuple[float, float, float]
    """Taken from red, green and blue of [0, 255]."""

    deviation: tuple[float, float, float]
    """What the rest is divided by."""

    is_cropped: bool
    """Whether the middle square is cut out. Otherwise the whole picture is squeezed into the square: of a poster, title
    and faces are at the ends."""

    def __call__(self, content: bytes) -> NDArray[np.float32]:
        """Return the picture in ``content`` as ``(1, 3, side, side)``.

        Raises:
            Unreadable: It is not a whole picture of a known format, or too large.
        """
        picture = _decoded(content)
        if self.is_cropped:
            scale = self.side / min(picture.size)
            wide, high = (max(self.side, round(length * scale)) for length in picture.size)
            left, top = (wide - self.side) // 2, (high - self.side) // 2
            picture = picture.resize((wide, high), Image.Resampling.BICUBIC)
            picture = picture.crop((left, top, left + self.side, top + self.side))
        else:
            picture = picture.resize((self.side, self.side), Image.Resampling.BICUBIC)
        values = (np.asarray(picture, np.float32) - np.array(self.mean, np.float32)) / np.array(
            self.deviation, np.float32
        )
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _decoded(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; what matters is whether the pixels can be had
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
            if picture.width * picture.height > MAX_PIXELS:
                raise Unreadable(f"{picture.width} x {picture.height} pixels, {MAX_PIXELS:,} are allowed")
            return picture.convert("RGB")
    except Unreadable:
        raise
    except Exception as error:  # decoders raise whatever they meet
        raise Unreadable(f"not a picture that can be read: {error}") from error
