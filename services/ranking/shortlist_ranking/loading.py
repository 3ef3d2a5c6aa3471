"""A bundle as ranking holds it: verified, parsed, cross-checked, warmed up."""

from __future__ import annotations

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import golden, layout
from shortlist_bundle.actor_inputs import ACTOR_INPUTS, ModelInputs, actor_inputs, category_indices, history_embeddings
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.chosen_values import load_chosen_values
from shortlist_bundle.feature_list import FeatureList
from shortlist_bundle.item_table import load_counters
from shortlist_bundle.model_rows import ModelRows
from shortlist_bundle.neighbours import actor_neighbour_scores, load_neighbours
from shortlist_bundle.request_checks import check_golden_actor, row_violations
from shortlist_bundle.segment_lifts import load_segment_lifts
from shortlist_bundle.session import Session
from shortlist_domain.errors import BundleInvalid, UpstreamFailed
from shortlist_domain.stages import ActorFeatures
from shortlist_ranking.calibration import load_calibration

TOWER_INPUTS = ("history_rows", "history_values", "history_ages_s", "user_categories", "user_numbers", "context")
ITEM_INPUTS = ("item_rows", "item_features", "item_numbers", "item_embeddings")
HISTORY_EMBEDDINGS = "history_embeddings"
RANKER_INPUTS = (*TOWER_INPUTS, "has_history", "age_s", "user_embedding", HISTORY_EMBEDDINGS, *ITEM_INPUTS)
HEADS = ("click", "rating")
NEIGHBOUR_SCORE = "neighbour_score"


class LoadedRanker:
    """Everything that scoring reads. Nothing of it changes but the counters."""

    def __init__(self, bundle: Bundle) -> None:
        """Load and check ``bundle``.

        Raises:
            BundleInvalid: A file is damaged, the files do not fit together, or the golden requests come out otherwise.
        """
        self.bundle_id = bundle.bundle_id
        self.manifest = bundle.manifest
        self.features = FeatureList.from_json(bundle.read(layout.FEATURE_LIST))
        self.embeddings = map_array(bundle, layout.ITEM_EMBEDDINGS, np.dtype("<f4"))
        self.n_items, self.dim = self.embeddings.shape
        columns = len(self.features.item_columns)
        self.item_features = map_array(bundle, layout.ITEM_FEATURES, np.dtype("<f4"), columns)
        if not self.n_items or len(self.item_features) != self.n_items:
            raise BundleInvalid(f"features of {len(self.item_features)} items, embeddings of {self.n_items}")
        self.neighbour_rows, self.neighbour_scores = load_neighbours(bundle, self.n_items)
        self._chosen = load_chosen_values(bundle, self.features, self.dim)
        self._lifts = load_segment_lifts(bundle, self.features, self.n_items)
        self.counters = load_counters(bundle, self.n_items)
        self.calibration = load_calibration(bundle.read(layout.CALIBRATION))
        weights = self.features.head_weights
        if not weights or set(weights) - set(HEADS) or not all(math.isfinite(w) for w in weights.values()):
            raise BundleInvalid(f"head weights {dict(weights)}; heads are {', '.join(HEADS)}")
        self._tower = Session(bundle.read(layout.USER_TOWER), TOWER_INPUTS, ("embedding",))
        self._ranker = Session(bundle.read(layout.RANKER), RANKER_INPUTS, HEADS)
        self.inputs = self._ranker.inputs
        """Inputs that the ranker reads."""

        self._model_rows = ModelRows(bundle.manifest, self.n_items)
        if self._model_rows.added and "item_rows" in self.inputs:
            raise BundleInvalid(
                f"the ranker goes by item_rows, and knows none of the {self._model_rows.added} items that were added "
                "after its training; train with these items"
            )
        self._reads_history = HISTORY_EMBEDDINGS in self.inputs
        # The embeddings are found by the rows, which a graph that masks nothing might not read.
        self._actor_inputs = (*self.inputs, "history_rows") if self._reads_history else self.inputs

        self._check_golden(golden.from_json(bundle.read(layout.GOLDEN)))

    def user_side(self, actor: ActorFeatures, embedding: NDArray[np.float32] | None) -> ModelInputs:
        """Return the ranker's inputs that are the same for all candidates.

        Args:
            actor: Whose they are; events on items that the models do not know are left out.
            embedding: The actor's embedding ``(d,)``; ``None`` runs the user tower.

        Raises:
            UpstreamFailed: The tower's output is not finite.
        """
        actor = self._model_rows.of(actor)
        runs_tower = embedding is None and "user_embedding" in self.inputs
        inputs = actor_inputs(actor, self.features, ACTOR_INPUTS if runs_tower else self._actor_inputs)
        if runs_tower:
            tower = _finite(layout.USER_TOWER, self._tower.run(inputs))[0]
            shift = self._chosen.of(actor) if self._chosen is not None else None
            inputs["user_embedding"] = tower if shift is None else tower + shift
        elif embedding is not None:
            inputs["user_embedding"] = embedding.reshape(1, -1)
        if self._reads_history:
            inputs[HISTORY_EMBEDDINGS] = history_embeddings(inputs["history_rows"], self.embeddings)
        return inputs

    def number_columns(self, actor: ActorFeatures) -> list[NDArray[np.float32]]:
        """Return the columns of ``item_numbers`` for every item, ``(n,)`` each, live counters included."""
        actor = self._model_rows.of(actor)
        columns = []
        for name in self.features.item_numbers:
            if name == NEIGHBOUR_SCORE:
                lists = (self.neighbour_rows, self.neighbour_scores)
                columns.append(actor_neighbour_scores(actor, self.features, *lists, self.n_items))
            else:
                columns.append(self.counters.columns[name])
        return columns

    def lifts(self, actor: ActorFeatures, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return how much more popular ``rows`` are among users with the actor's attributes, ``(r,)``, where known."""
        if self._lifts is None:
            return None
        lifts: NDArray[np.float32] = self._lifts.of(category_indices(actor, self.features), rows[None])[0]
        return lifts

    def heads(
        self, user_side: ModelInputs, columns: list[NDArray[np.float32]], rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return click logits and ratings of ``rows``, ``(r,)`` each.

        Raises:
            UpstreamFailed: An output is not finite or not one number a candidate.
        """
        inputs = dict(user_side)
        if "item_rows" in self.inputs:
            inputs["item_rows"] = rows
        if "item_features" in self.inputs:
            inputs["item_features"] = self.item_features.take(rows, axis=0)
        if "item_numbers" in self.inputs:
            numbers = np.empty((len(rows), len(columns)), np.float32)
            for position, column in enumerate(columns):
                numbers[:, position] = column.take(rows)
            inputs["item_numbers"] = numbers
        if "item_embeddings" in self.inputs:
            inputs["item_embeddings"] = self.embeddings.take(rows, axis=0)
        click, rating = _finite(layout.RANKER, self._ranker.run(inputs))
        if click.shape != rows.shape or rating.shape != rows.shape:
            raise UpstreamFailed(layout.RANKER, f"gives {click.shape} and {rating.shape} for {rows.shape} candidates")
        return click, rating

    def _check_golden(self, requests: list[golden.GoldenRequest]) -> None:
        for number, request in enumerate(requests):
            check_golden_actor(request.actor, self.n_items)
            if row_violations("rows", request.rows, self.n_items):
                raise BundleInvalid(f"golden request {number} asks for rows outside the catalogue")
            rows = np.array(request.rows, np.int64)
            try:
                user_side = self.user_side(request.actor, None)
                click, rating = self.heads(user_side, self.number_columns(request.actor), rows)
            except UpstreamFailed as error:
                raise BundleInvalid(f"golden request {number}: {error}") from error
            except Exception as error:  # onnxruntime raises its own untyped exceptions
                raise BundleInvalid(f"golden request {number}: the models fail: {error}") from error
            for head, found, expected in (
                ("click", self.calibration.probabilities(click), request.click),
                ("rating", rating, request.rating),
            ):
                if not golden.close(array("f", found.tolist()), expected):
                    raise BundleInvalid(f"golden request {number}: {head} is not what the models gave when exported")


def _finite(model: str, outputs: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    if not all(np.isfinite(output).all() for output in outputs):
        raise UpstreamFailed(model, "an output is not finite")
    return outputs
