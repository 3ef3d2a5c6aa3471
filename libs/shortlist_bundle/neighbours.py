"""Item neighbours and what they say of a history: the one place where training and serving add them up."""

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.actor_inputs import recent_ages_s
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.feature_list import FeatureList
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures


def fading(ages_s: NDArray[np.float32], half_life_s: float | None) -> NDArray[np.float64] | None:
    """Return what the events of histories count, ``0.5 ** (older / half_life_s)``, in (0, 1].

    ``older`` is how much older an event is than the last one of its history: whoever comes back after a year comes back
    to the same neighbours.

    Args:
        ages_s: Seconds between event and request, ``(.., l)``, oldest first, padded on the left.
        half_life_s: ``None``: every event counts 1, and so ``None`` is returned.
    """
    if half_life_s is None:
        return None
    weights: NDArray[np.float64] = np.exp2(np.minimum(ages_s[..., -1:].astype(np.float64) - ages_s, 0.0) / half_life_s)
    return weights


def recent_events(actor: ActorFeatures, features: FeatureList) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """Return the items of the events that the models see, oldest first, ``(l,)``, and what each counts."""
    recent = np.frombuffer(actor.history_rows, np.uint32)[-features.history_length :].astype(np.int64)
    return recent, fading(recent_ages_s(actor, features.history_length), features.neighbour_half_life_s)


def actor_neighbour_scores(
    actor: ActorFeatures,
    features: FeatureList,
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    n_items: int,
) -> NDArray[np.float32]:
    """Return the feature ``neighbour_score`` of every item for one actor, ``(n_items,)``."""
    recent, weights = recent_events(actor, features)
    return neighbour_scores_of(recent, neighbour_rows, neighbour_scores, n_items, weights)


def neighbour_scores_of(
    history_rows: NDArray[np.integer],
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    n_items: int,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Return, for every item, the sum of its similarities to the events of one history.

    An item that occurs in two events counts twice. Sums are taken in float64 and rounded once.

    Args:
        history_rows: Rows of the actor's recent events, shape ``(l,)``; negative and too large rows are padding.
        neighbour_rows: ``(n, m)``, -1 where an item has fewer neighbours.
        neighbour_scores: ``(n, m)``, similarities.
        n_items: n, the number of items.
        weights: What each event counts, ``(l,)``; ``None``: all count 1.

    Returns:
        Scores, shape ``(n_items,)``; 0 for items that are nobody's neighbour.
    """
    history = np.asarray(history_rows, np.int64)
    valid = (history >= 0) & (history < n_items)
    history = history[valid]
    if not len(history):
        return np.zeros(n_items, np.float32)
    # Row -1 (padding) lands in slot 0, which is cut off.
    slots = neighbour_rows.take(history, axis=0).ravel() + 1
    similarities = neighbour_scores.take(history, axis=0)
    counted = similarities if weights is None else similarities * weights[valid][:, None]
    return np.bincount(slots, counted.ravel(), n_items + 1)[1:].astype(np.float32)


def batch_neighbour_scores(
    histories: NDArray[np.integer],
    neighbour_rows: NDArray[np.int32],
    neighbour_scores: NDArray[np.float32],
    n_items: int,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Return :func:`neighbour_scores_of` of each row of ``histories`` ``(b, l)``, as ``(b, n_items)``.

    ``weights`` are ``(b, l)`` where they are given.
    """
    actors, n_actors = np.arange(len(histories)), len(histories)
    history = np.asarray(histories, np.int64)
    valid = (history >= 0) & (history < n_items)
    owner = np.broadcast_to(actors[:, None], history.shape)[valid]
    events = history[valid]
    if not len(events):
        return np.zeros((n_actors, n_items), np.float32)
    slots = neighbour_rows[events].astype(np.int64) + 1 + (owner * (n_items + 1))[:, None]
    similarities = neighbour_scores[events]
    counted = similarities if weights is None else similarities * weights[valid][:, None]
    sums = np.bincount(slots.ravel(), counted.ravel(), n_actors * (n_items + 1))
    return sums.reshape(n_actors, n_items + 1)[:, 1:].astype(np.float32)


def load_neighbours(bundle: Bundle, n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the neighbour lists and their similarities, each ``(n_items, m)``.

    Raises:
        BundleInvalid: Of different shapes, or with a row outside [-1, n_items).
    """
    rows = map_array(bundle, layout.NEIGHBOUR_ROWS, np.dtype("<i4"))
    scores = map_array(bundle, layout.NEIGHBOUR_SCORES, np.dtype("<f4"), rows.shape[1])
    if len(rows) != n_items or len(scores) != n_items:
        raise BundleInvalid(f"neighbours of {len(rows)} and {len(scores)} items, embeddings of {n_items}")
    if rows.size and not (int(rows.min()) >= -1 and int(rows.max()) < n_items):
        raise BundleInvalid(f"{layout.NEIGHBOUR_ROWS} holds rows outside [-1, {n_items})")
    return rows.view(np.int32), scores.view(np.float32)
