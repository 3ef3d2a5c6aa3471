"""What an encoder is."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Input = TypeVar("Input", contravariant=True)


class Encoder(Protocol[Input]):
    """Gives what is alike vectors that are alike: texts, or images as the content of their files.

    Vectors of two encoders are never comparable, but those of the two sides of a :class:`shortlist_content.clip.Clip`.
    """

    name: str
    """Which model it is, with what tells it from another version of it."""

    def encode(self, one: Input) -> NDArray[np.float32]:
        """Return the vector of one input, ``(d,)``, of length 1. It does not depend on what else is encoded.

        Raises:
            Unreadable: The input is not what it should be.
        """
        ...


class Unreadable(ValueError):
    """An input that cannot be encoded; says why. Never reaches a user as it is: such inputs are counted."""


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``vector`` at length 1.

    Raises:
        Unreadable: It has no direction.
    """
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not (np.isfinite(length) and length > 0.0):
        raise Unreadable(f"the encoder's output has the length {length:g}")
    return (vector / length).astype(np.float32)
