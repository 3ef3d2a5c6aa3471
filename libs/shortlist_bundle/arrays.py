"""Arrays in bundles: ``.npy`` content, mapped, never unpickled."""

import io

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from shortlist_bundle.bundle import Bundle
from shortlist_domain.errors import BundleInvalid


def map_array(
    bundle: Bundle, name: str, dtype: np.dtype[np.generic], columns: int | None = None
) -> NDArray[np.generic]:
    """Return the matrix ``name`` of ``bundle``, read-only, backed by the file.

    Args:
        bundle: Bundle to read from; the digest is checked first.
        name: File name, see :mod:`shortlist_bundle.layout`.
        dtype: Type that the array must have.
        columns: Number of columns that it must have; ``None`` accepts any.

    Raises:
        BundleInvalid: Not an array, of another type or shape, or with values that are not finite.
    """
    content = bundle.map(name)
    try:
        head = io.BytesIO(content[:4096])
        version = npy.read_magic(head)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran, found = read_header(head)
        if found != dtype or fortran or len(shape) != 2 or columns not in (None, shape[1]):
            raise BundleInvalid(f"{name} is {found} {shape}, expected {dtype} (n, {columns or 'any'})")
        array = np.ndarray(shape, found, buffer=content, offset=head.tell())
    except (ValueError, KeyError, TypeError) as error:
        raise BundleInvalid(f"{name} is not an array: {error!r}") from error
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BundleInvalid(f"{name} holds values that are not finite")
    return array


def array_bytes(array: NDArray[np.generic]) -> bytes:
    """Return ``array`` as the content of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
