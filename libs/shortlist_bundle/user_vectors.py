"""Where the taste of users points: one rule for the vectors that a bundle holds and for the actor that is asked about.

The vector of a user is the output of the user tower without its last column, which is 1 for everybody and meets an
item's bias, at length 1; so inner products are cosines. It is taken as of the moment of the user's last event: neither
the time of day nor how long ago somebody was last there is taste, and the same history has the same vector whenever it
is asked about.

Directions compare tastes. They do not say whom an item suits: a tower is trained to tell items apart for one user, so
that only the softmax over all items compares between users. For that the scales keep what the directions lost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import map_array
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.user_ids import load_user_ids
from shortlist_domain.errors import BundleInvalid
from shortlist_domain.stages import ActorFeatures

SHORTEST = 1e-6
"""Length up to which a vector points nowhere."""

_UNIT_TOLERANCE = 1e-3
_LOGITS_AT_ONCE = 1 << 24


class UserScales(NamedTuple):
    """What makes probabilities of directions. Both are of logits divided by the temperature of the training."""

    lengths: NDArray[np.float32]
    """Length of each user's vector before it was made 1, ``(u,)``."""

    normalisers: NDArray[np.float32]
    """Logarithm of the sum of ``exp(logit)`` over all items of the training, ``(u,)``."""


def as_of_last_event(actor: ActorFeatures) -> ActorFeatures:
    """Return ``actor`` as of its last event; one without events stays as it is."""
    return replace(actor, now_s=actor.history_times_s[-1]) if actor.history_times_s else actor


def directions(embeddings: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return where outputs of the user tower ``(u, d)`` point, ``(u, d - 1)``, and which point anywhere, ``(u,)``.

    A vector that points nowhere is all zeros.
    """
    tastes = embeddings[:, :-1]
    lengths = np.linalg.norm(tastes.astype(np.float64), axis=1)
    points = lengths > SHORTEST
    found: NDArray[np.float32] = (tastes / np.where(points, lengths, np.inf)[:, None]).astype(np.float32)
    return found, points


def scales_of(
    embeddings: NDArray[np.float32], items: NDArray[np.float32], temperature: float = 1.0
) -> NDArray[np.float32]:
    """Return the columns of :class:`UserScales`, ``(u, 2)``.

    Args:
        embeddings: Outputs of the user tower, ``(u, d)``.
        items: Embeddings of all items, ``(n, d)``.
        temperature: Of the training, above 0.
    """
    at_once = max(1, _LOGITS_AT_ONCE // max(1, len(items)))
    lengths = np.linalg.norm(embeddings[:, :-1].astype(np.float64), axis=1) / temperature
    parts = []
    for at in range(0, len(embeddings), at_once):
        logits = embeddings[at : at + at_once] @ items.T / np.float32(temperature)
        tops = logits.max(axis=1)
        parts.append(tops + np.log(np.exp(logits - tops[:, None]).sum(axis=1)))
    return np.stack([lengths, np.concatenate(parts)], axis=1).astype(np.float32)


def load_user_scales(bundle: Bundle, n_users: int) -> UserScales:
    """Return the scales of the ``n_users`` users of ``bundle``.

    Raises:
        BundleInvalid: They are not as many, or a length is negative.
    """
    columns = map_array(bundle, layout.USER_SCALES, np.dtype("<f4"), 2).view(np.float32)
    if len(columns) != n_users:
        raise BundleInvalid(f"{layout.USER_SCALES} has {len(columns)} rows for {n_users} user ids")
    if (columns[:, 0] < 0.0).any():
        raise BundleInvalid(f"{layout.USER_SCALES} has lengths below 0")
    return UserScales(np.ascontiguousarray(columns[:, 0]), np.ascontiguousarray(columns[:, 1]))


def load_user_vectors(bundle: Bundle, dim: int) -> NDArray[np.float32] | None:
    """Return the vectors of the users of ``bundle``, ``(u, dim - 1)``; ``None`` where it has none.

    Raises:
        BundleInvalid: They are not as many as the ids, not of the tower's size, or not of length 1; or as
            :func:`shortlist_bundle.user_ids.load_user_ids`.
    """
    users = load_user_ids(bundle)
    if users is None:
        return None
    vectors = map_array(bundle, layout.USER_VECTORS, np.dtype("<f4"), dim - 1).view(np.float32)
    if len(vectors) != len(users):
        raise BundleInvalid(f"{layout.USER_VECTORS} has {len(vectors)} rows for {len(users)} user ids")
    lengths = np.linalg.norm(vectors, axis=1)
    if (worst := int(np.argmax(np.abs(lengths - 1.0)))) >= 0 and abs(float(lengths[worst]) - 1.0) > _UNIT_TOLERANCE:
        raise BundleInvalid(f"the user vector of row {worst} has the length {lengths[worst]:g}, not 1")
    return vectors
