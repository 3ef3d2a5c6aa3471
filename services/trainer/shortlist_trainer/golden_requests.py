"""Golden requests: actors of every kind, with what the exported models answer, computed as serving computes it."""

from __future__ import annotations

import io
from array import array
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.actor_inputs import ModelInputs, actor_inputs, history_embeddings
from shortlist_bundle.feature_list import FeatureList
from shortlist_bundle.golden import GoldenRequest
from shortlist_bundle.neighbours import actor_neighbour_scores
from shortlist_bundle.session import Session
from shortlist_domain.features import item_numbers, user_numbers
from shortlist_domain.stages import ActorFeatures
from shortlist_models.calibration import Calibration
from shortlist_trainer.prepare import Prepared

CANDIDATES = 40
"""Candidates of each golden request."""

RANKER_ITEM_SIDE = ("item_rows", "item_features", "item_numbers", "item_embeddings")


def golden_requests(
    prepared: Prepared, features: FeatureList, calibration: Calibration, files: Mapping[str, bytes]
) -> list[GoldenRequest]:
    """Return golden requests over the exported models in ``files``."""
    arrays = {name: np.load(io.BytesIO(files[name]), allow_pickle=False) for name in _ARRAYS}
    actors = golden_actors(prepared)
    names = tuple(actor_inputs(actors[0], features))
    tower = Session(files[layout.USER_TOWER], names, ("embedding",))
    ranker_names = (*names, "user_embedding", "history_embeddings", *RANKER_ITEM_SIDE)
    ranker = Session(files[layout.RANKER], ranker_names, ("click", "rating"))
    rows = np.unique(np.linspace(0, prepared.n_items - 1, CANDIDATES).astype(np.int64))
    requests = []
    for actor in actors:
        inputs = actor_inputs(actor, features)
        (embedding,) = tower.run(inputs)
        history = history_embeddings(inputs["history_rows"], arrays[layout.ITEM_EMBEDDINGS])
        item_side = _item_side(rows, actor, features, arrays)
        click, rating = ranker.run({**inputs, "user_embedding": embedding, "history_embeddings": history, **item_side})
        requests.append(
            GoldenRequest(
                actor,
                array("I", rows.tolist()),
                array("f", embedding[0].tolist()),
                array("f", calibration.probability(click).tolist()),
                array("f", rating.tolist()),
            )
        )
    return requests


_ARRAYS = (
    layout.ITEM_FEATURES,
    layout.ITEM_COUNTERS,
    layout.ITEM_EMBEDDINGS,
    layout.NEIGHBOUR_ROWS,
    layout.NEIGHBOUR_SCORES,
)


def golden_actors(prepared: Prepared) -> list[ActorFeatures]:
    """Return actors with the longest, a middling and the shortest history, with less known of them, and strangers."""
    sequences = prepared.sequences
    lengths = np.diff(sequences.start)
    by_length = np.argsort(lengths, kind="stable")
    some = by_length[lengths[by_length] > 0]
    chosen = [int(some[-1]), int(some[len(some) // 2]), int(some[0])]
    now = float(np.ceil(prepared.dataset.times_s[-1])) + 3600.0
    actors = [_actor(prepared, user, now, attributes=True) for user in chosen]
    middling = actors[1]
    actors.append(_actor(prepared, chosen[1], now, attributes=False))
    actors.append(
        ActorFeatures(
            now_s=now,
            attributes={**middling.attributes, **dict.fromkeys(prepared.categories.names[:1], "…")},
            numbers=middling.numbers,
            history_rows=middling.history_rows[-1:],
            history_values=middling.history_values[-1:],
            history_times_s=middling.history_times_s[-1:],
        )
    )
    actors.append(ActorFeatures(now_s=now, attributes=middling.attributes))
    actors.append(ActorFeatures(now_s=now))
    actors.append(ActorFeatures(now_s=now + 86_400.0 * 3.5, attributes=actors[0].attributes))
    return actors


def _actor(prepared: Prepared, user: int, now_s: float, *, attributes: bool) -> ActorFeatures:
    sequences, categories = prepared.sequences, prepared.categories
    places = slice(int(sequences.start[user]), int(sequences.start[user + 1]))
    index = categories.index[user]
    known = {n: v[i - 1] for n, v, i in zip(categories.names, categories.values, index, strict=True) if i > 0}
    return ActorFeatures(
        now_s=now_s,
        attributes=known if attributes else {},
        numbers=user_numbers(sequences.values[places].tolist()),
        history_rows=array("I", sequences.items[places].tolist()),
        history_values=array("f", sequences.values[places].tolist()),
        history_times_s=array("d", sequences.times_s[places].tolist()),
    )


def _item_side(
    rows: NDArray[np.int64], actor: ActorFeatures, features: FeatureList, arrays: Mapping[str, NDArray[np.generic]]
) -> ModelInputs:
    near = actor_neighbour_scores(
        actor,
        features,
        arrays[layout.NEIGHBOUR_ROWS].astype(np.int32),
        arrays[layout.NEIGHBOUR_SCORES].astype(np.float32),
        len(arrays[layout.ITEM_FEATURES]),
    )
    numbers = []
    for row in rows:
        count, value_sum = arrays[layout.ITEM_COUNTERS][row]
        known = {**item_numbers(float(count), float(value_sum)), "neighbour_score": float(near[row])}
        numbers.append([known[name] for name in features.item_numbers])
    return {
        "item_rows": rows,
        "item_features": arrays[layout.ITEM_FEATURES][rows],
        "item_numbers": np.array(numbers, np.float32),
        "item_embeddings": arrays[layout.ITEM_EMBEDDINGS][rows],
    }
