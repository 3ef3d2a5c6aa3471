"""Content of items and what it says of a history: the one place where training and serving weigh events by content."""

import json
import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import array_bytes, map_array
from shortlist_bundle.bundle import Bundle
from shortlist_domain.errors import BundleInvalid


@dataclass(frozen=True, slots=True)
class EventWeights:
    """How much each event of a history says about its actor's taste."""

    half_life: float
    """Number of later events after which an event counts half, above 0."""

    value_mean: float
    """Value of an event that counts 1, on the data set's own scale."""

    value_deviation: float
    """An event two of these below the mean counts nothing, two above it twice. 0: all values are alike."""

    def __post_init__(self) -> None:
        if not (self.half_life > 0.0 and self.value_deviation >= 0.0):
            raise BundleInvalid(
                f"half_life {self.half_life} must be above 0, value_deviation {self.value_deviation} not below"
            )
        if not all(math.isfinite(number) for number in asdict(self).values()):
            raise BundleInvalid(f"{self} holds a number that is not finite")

    def of(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the weight of each event, ``(l,)``, in [0, 2].

        ``weight = 2^(-later / half_life) * clip(1 + (value - value_mean) / (2 value_deviation), 0, 2)``, with ``later``
        the number of events after it: what somebody liked, and did lately, says most; what somebody disliked, nothing.

        Args:
            values: Values of the events, oldest first; one that is not finite is taken for the mean.
        """
        recency = np.exp2(-np.arange(len(values))[::-1] / self.half_life)
        if self.value_deviation == 0.0:
            return recency
        above = np.where(np.isfinite(values), values, self.value_mean) - self.value_mean
        weights: NDArray[np.float64] = recency * np.clip(1.0 + above / (2.0 * self.value_deviation), 0.0, 2.0)
        return weights


class ContentTable:
    """Content vectors of all items: inner products say how alike two items are."""

    def __init__(self, vectors: NDArray[np.float16], weights: EventWeights) -> None:
        """Take vectors ``(n, d)``, finite; a row of zeros is an item without content.

        Half precision is what bundles hold; it is widened once, so that training and serving sum the same numbers.
        """
        self.vectors = vectors.astype(np.float32)
        self.known: NDArray[np.bool_] = (self.vectors != 0.0).any(axis=1)
        """Whether an item has content, ``(n,)``."""

        self.weights = weights

    def scores(self, rows: NDArray[np.integer], values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return how alike every item is to the events of one history, ``(n,)``: the weighted mean of its similarities.

        Args:
            rows: Rows of the actor's recent events, oldest first, ``(l,)``; negative ones are padding.
            values: Their values, ``(l,)``.

        Returns:
            Zeros where no event is on an item with content, or none that weighs anything.
        """
        kept = rows >= 0
        weights = self.weights.of(values[kept])
        return self._alike(rows[kept], weights)

    def like(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return how alike every item is to the items ``rows``, ``(n,)``: the plain mean of its similarities."""
        return self._alike(rows, np.ones(len(rows)))

    def contributions(
        self, rows: NDArray[np.integer], weights: NDArray[np.float64], of: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return what each event on ``rows`` ``(l,)`` gave to the scores of the items ``of`` ``(m,)``, as ``(m, l)``.

        On a scale of its own: what counts is which is the largest.
        """
        given: NDArray[np.float32] = self.vectors[of] @ (self.vectors[rows] * weights[:, None].astype(np.float32)).T
        return given

    def _alike(self, rows: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        weights = np.where(self.known[rows], weights, 0.0)
        total = weights.sum()
        if not total > 0.0:
            return np.zeros(len(self.vectors), np.float32)
        target = (weights / total) @ self.vectors[rows].astype(np.float64)
        scores: NDArray[np.float32] = self.vectors @ target.astype(np.float32)
        return scores


def content_files(table: ContentTable) -> dict[str, bytes]:
    """Return the files of a bundle that hold ``table``."""
    return {
        layout.CONTENT_EMBEDDINGS: array_bytes(table.vectors.astype(np.float16)),
        layout.CONTENT: json.dumps(asdict(table.weights), sort_keys=True).encode(),
    }


def load_content(bundle: Bundle, n_items: int) -> ContentTable | None:
    """Return the content of ``bundle``, ``None`` where it has none.

    Raises:
        BundleInvalid: One of its two files is absent, damaged, or of another number of items.
    """
    held = [name for name in (layout.CONTENT_EMBEDDINGS, layout.CONTENT) if name in bundle.manifest.files]
    if not held:
        return None
    vectors = map_array(bundle, layout.CONTENT_EMBEDDINGS, np.dtype("<f2")).view(np.float16)
    if len(vectors) != n_items:
        raise BundleInvalid(f"{layout.CONTENT_EMBEDDINGS} has {len(vectors)} items, {layout.ITEM_EMBEDDINGS} {n_items}")
    try:
        raw = json.loads(bundle.read(layout.CONTENT))
        weights = EventWeights(float(raw["half_life"]), float(raw["value_mean"]), float(raw["value_deviation"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleInvalid(f"{layout.CONTENT} cannot be read: {error!r}") from error
    return ContentTable(vectors, weights)
