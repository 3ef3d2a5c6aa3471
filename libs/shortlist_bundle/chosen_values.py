"""Chosen values of item attributes: what they add to the embedding of an actor of whom no event is known."""

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures


class ChosenValues:
    """Where in the space of items the values of item attributes lie."""

    def __init__(self, vectors: NDArray[np.float32], features: FeatureList) -> None:
        """Take vectors ``(f, d)``, finite, in the order of ``features.item_columns``, which are ``attribute=value``."""
        self._vectors = vectors
        self._column = {name: position for position, name in enumerate(features.item_columns) if "=" in name}
        self._attributes = {name.partition("=")[0] for name in self._column}
        # A user attribute of the same name says what the actor is, not what it likes.
        self._attributes -= {vocabulary.name for vocabulary in features.user_categories}

    def of(self, actor: ActorFeatures) -> NDArray[np.float32] | None:
        """Return the mean vector of what ``actor`` chose, ``(d,)``; ``None`` where that is nothing that an item has.

        An actor with events gets none: events say more. One text under the name of an item attribute is a choice too.
        """
        if len(actor.history_rows):
            return None
        columns = {self._column.get(f"{name}={value}") for name, values in actor.chosen.items() for value in values}
        columns |= {
            self._column.get(f"{name}={value}") for name, value in actor.attributes.items() if name in self._attributes
        }
        return mean_vector(self._vectors, sorted(column for column in columns if column is not None))


def mean_vector(vectors: NDArray[np.float32], columns: list[int]) -> NDArray[np.float32] | None:
    """Return the mean of some rows of ``vectors``, ``(d,)``; ``None`` where there are none."""
    return vectors[columns].mean(axis=0) if columns else None


def load_chosen_values(bundle: Bundle, features: FeatureList, dim: int) -> ChosenValues | None:
    """Return the chosen values of ``bundle``, ``None`` where it has none.

    Raises:
        BundleInvalid: They do not fit the feature list or the embeddings, or are not finite.
    """
    if layout.CHOSEN_VALUES not in bundle.manifest.files:
        return None
    vectors = np.array(map_array(bundle, layout.CHOSEN_VALUES, np.dtype("<f4"), dim), np.float32)
    if len(vectors) != len(features.item_columns) or not np.isfinite(vectors).all():
        raise BundleInvalid(
            f"{layout.CHOSEN_VALUES} must have a finite row for each of {len(features.item_columns)} item columns; "
            f"it has {len(vectors)} rows"
        )
    return ChosenValues(vectors, features)
