"""The item tower of a bundle: embeddings of items that the training did not see, by what they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.session import Session
from shortlist_domain.errors import UpstreamFailed


class ItemTower:
    """The tower, ready to run."""

    def __init__(self, content: bytes, dim: int) -> None:
        """Load the model.

        Args:
            content: Content of ``item_tower.onnx``.
            dim: Dimension of the bundle's embeddings.

        Raises:
            BundleInvalid: It is not a model, or has other inputs or outputs.
        """
        self._session = Session(content, ("item_features",), ("embedding",))
        self._dim = dim

    def embed(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the tower makes of static columns ``(m, f)``, ``(m, d)``.

        Raises:
            UpstreamFailed: The output is not finite, or of another size than the embeddings.
        """
        (embeddings,) = self._session.run({"item_features": columns})
        if embeddings.shape != (len(columns), self._dim) or not np.isfinite(embeddings).all():
            raise UpstreamFailed(layout.ITEM_TOWER, f"the output is not {len(columns)} x {self._dim} finite numbers")
        return embeddings
