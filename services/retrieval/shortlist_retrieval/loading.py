"""A bundle as retrieval holds it: verified, parsed, cross-checked, warmed up."""

import time
from array import array

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import golden, layout
from shortlist_bundle.actor_inputs import actor_inputs
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.chosen_values import load_chosen_values
from shortlist_bundle.content import load_content
from shortlist_bundle.feature_list import FeatureList
from shortlist_bundle.item_attributes import load_item_attributes
from shortlist_bundle.item_ids import load_item_ids
from shortlist_bundle.item_table import load_counters
from shortlist_bundle.item_tower import ItemTower
from shortlist_bundle.model_rows import ModelRows
from shortlist_bundle.neighbours import load_neighbours
from shortlist_bundle.request_checks import check_golden_actor
from shortlist_bundle.session import Session
from shortlist_domain.errors import BundleInvalid, UpstreamFailed
from shortlist_domain.stages import ActorFeatures
from shortlist_retrieval.filter_masks import FilterMasks
from shortlist_retrieval.index import VectorIndex, prepare_thread
from shortlist_retrieval.newest_items import load_newest
from shortlist_retrieval.popular_lists import PopularLists
from shortlist_retrieval.selection import Selection
from shortlist_retrieval.users import load_users

TOWER_INPUTS = ("history_rows", "history_values", "history_ages_s", "user_categories", "user_numbers", "context")

_PARITY_AT = 100
_PARITY_RECALL = 0.8
"""Share of the exact 100 nearest that the index must find for the golden actors together; far below what it was built
for, far above what an index over other vectors finds."""

_REORDER_S = 1.0
_REORDER_ROWS_PER_S = 50_000


class LoadedBundle:
    """Everything the sources read. Nothing of it changes but the counters."""

    def __init__(self, bundle: Bundle) -> None:
        """Load and check ``bundle``.

        Raises:
            BundleInvalid: A file is damaged, the files do not fit together, or the golden requests come out otherwise.
        """
        prepare_thread()
        self.bundle_id = bundle.bundle_id
        self.manifest = bundle.manifest
        self.embeddings: NDArray[np.float32] = _float32(map_array(bundle, layout.ITEM_EMBEDDINGS, np.dtype("<f4")))
        """Shape ``(n, d)``."""

        self.n_items, self.dim = self.embeddings.shape
        if not self.n_items or not self.dim:
            raise BundleInvalid(f"{layout.ITEM_EMBEDDINGS} has the shape {self.embeddings.shape}")
        self.features = FeatureList.from_json(bundle.read(layout.FEATURE_LIST))
        self.neighbour_rows, self.neighbour_scores = load_neighbours(bundle, self.n_items)
        self.popular = PopularLists(bundle.read(layout.POPULAR), self.n_items)
        self.newest = load_newest(bundle, self.n_items)
        """Rows by the time at which items came, newest first, and days since 1970 by row."""

        self.content = load_content(bundle, self.n_items)
        """``None`` where the bundle has none; the content source then proposes nothing."""

        self.model_rows = ModelRows(bundle.manifest, self.n_items)
        ids = load_item_ids(bundle)
        if len(ids) != self.n_items:
            raise BundleInvalid(f"{layout.ITEM_IDS} has {len(ids)} ids for {self.n_items} items")
        self.filters = FilterMasks(load_item_attributes(bundle, self.n_items), ids)
        self._chosen = load_chosen_values(bundle, self.features, self.dim)
        self.counters = load_counters(bundle, self.n_items)
        self.index = VectorIndex(bundle.map(layout.INDEX), self.embeddings)
        self.users = load_users(bundle, self.dim)
        """``None`` where the bundle has none."""

        self._tower = Session(bundle.read(layout.USER_TOWER), TOWER_INPUTS, ("embedding",))
        self.item_tower = ItemTower(bundle.read(layout.ITEM_TOWER), self.dim)
        self._order = (-1, 0.0, np.empty(0), np.empty(0, np.int32))
        self.live_order()
        self._check_golden(golden.from_json(bundle.read(layout.GOLDEN)))

    def embed(self, actor: ActorFeatures) -> NDArray[np.float32]:
        """Return the actor's embedding, shape ``(d,)``; events on items that the models do not know change nothing.

        Raises:
            UpstreamFailed: The tower's output is not finite.
        """
        actor = self.model_rows.of(actor)
        (embedding,) = self._tower.run(actor_inputs(actor, self.features))
        if not np.isfinite(embedding).all():
            raise UpstreamFailed(layout.USER_TOWER, "the output is not finite")
        vector: NDArray[np.float32] = embedding[0]
        shift = self._chosen.of(actor) if self._chosen is not None else None
        return vector if shift is None else vector + shift

    def live_order(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Return counts by row and the rows by them, most first, lower row first where equal; at most seconds old."""
        version, until_s, counts, order = self._order
        now_s = time.monotonic()
        if version != self.counters.version and now_s >= until_s:
            version, counts = self.counters.version, self.counters.counts.copy()
            order = np.argsort(-counts, kind="stable").astype(np.int32)
            # Sorting a large catalogue takes long; it is done as seldom as keeps it below some percent of the time.
            self._order = (version, now_s + _REORDER_S + self.n_items / _REORDER_ROWS_PER_S, counts, order)
        return counts, order

    def rewind(self, counters: NDArray[np.float64]) -> None:
        """Take the counters of another moment, as :meth:`shortlist_bundle.item_table.ItemCounters.rewind`."""
        self.counters.rewind(counters)
        self._order = (-1, 0.0, np.empty(0), np.empty(0, np.int32))

    def _check_golden(self, requests: list[golden.GoldenRequest]) -> None:
        everything = Selection(self.n_items, np.empty(0, np.int64))
        k = min(_PARITY_AT, self.n_items)
        found = 0
        for number, request in enumerate(requests):
            check_golden_actor(request.actor, self.n_items)
            try:
                embedding = self.embed(request.actor)
            except UpstreamFailed as error:
                raise BundleInvalid(f"golden request {number}: {error}") from error
            except Exception as error:  # onnxruntime raises its own untyped exceptions
                raise BundleInvalid(f"golden request {number}: the user tower fails: {error}") from error
            if embedding.shape != (self.dim,):
                raise BundleInvalid(f"the user tower gives {embedding.shape}, the embeddings have {self.dim} columns")
            if not golden.close(array("f", embedding.tolist()), request.embedding):
                raise BundleInvalid(f"golden request {number}: the embedding is not the one of the manifest's models")
            rows = self.index.search(embedding, k, everything)[0]
            exact = np.argpartition(-(self.embeddings @ embedding), k - 1)[:k]
            found += len(np.intersect1d(rows, exact))
        if found < _PARITY_RECALL * k * len(requests):
            raise BundleInvalid(f"the index finds {found} of {k * len(requests)} nearest rows of the golden requests")


def _float32(found: NDArray[np.generic]) -> NDArray[np.float32]:
    return found.view(np.float32)
