"""Which rows of a bundle its models know: all but those of items that were added after the training."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np

from shortlist_bundle.manifest import Manifest
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures


class ModelRows:
    """The first rows of a bundle, which models have vectors of."""

    def __init__(self, manifest: Manifest, n_items: int) -> None:
        """Take what ``manifest`` says of a bundle of ``n_items`` items.

        Raises:
            BundleInvalid: More items were added than there are, or none is left that a model knows.
        """
        self.added = manifest.added_items
        """Items that no model knows, in the last rows."""

        if not 0 <= self.added < max(n_items, 1):
            raise BundleInvalid(f"the manifest says that {self.added} of {n_items} items were added after the training")
        self._known = n_items - self.added

    def of(self, actor: ActorFeatures) -> ActorFeatures:
        """Return ``actor`` as models see it: without the events on added items.

        A model that looks a row up which it was not fitted with fails, or takes another item's vector for it. What
        somebody did to added items still counts wherever no model is asked: what was seen, and filters.
        """
        if not self.added or not len(actor.history_rows):
            return actor
        known = np.frombuffer(actor.history_rows, np.uint32) < self._known
        if known.all():
            return actor
        kept = np.flatnonzero(known).tolist()
        return replace(
            actor,
            history_rows=array("I", [actor.history_rows[place] for place in kept]),
            history_values=array("f", [actor.history_values[place] for place in kept]),
            history_times_s=array("d", [actor.history_times_s[place] for place in kept]),
        )
