"""Vectors of the users of a data set, made once for the bundle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_bundle import blob_table, layout
from shortlist_bundle.arrays import array_bytes
from shortlist_bundle.user_ids import users_file
from shortlist_bundle.user_vectors import directions, scales_of
from shortlist_trainer.actors import Moments, history_inputs, known_until
from shortlist_trainer.fit_towers import Towers
from shortlist_trainer.prepare import Prepared

_AT_ONCE = 1024

BuildIndex = Callable[[NDArray[np.float32]], tuple[bytes, dict[str, float]]]
"""Vectors ``(n, d)`` to a serialized index and facts about it."""


def user_files(
    prepared: Prepared, towers: Towers, tenant: str, temperature: float, build_index: BuildIndex
) -> tuple[dict[str, bytes], dict[str, float]]:
    """Return the files of a bundle about its users, and the facts that the index builder gave.

    Every user with an event is in them whose vector points anywhere, each with all of its events, as of its last one.

    Args:
        prepared: Whose users.
        towers: What embeds them.
        tenant: Whose users these are.
        temperature: By which the towers' logits were divided in training.
        build_index: Makes the index of the vectors.
    """
    users = np.flatnonzero(np.diff(prepared.sequences.start))
    embeddings = _embedded(prepared, towers, users)
    vectors, points = directions(embeddings)
    users, vectors = users[points], np.ascontiguousarray(vectors[points])
    scales = scales_of(embeddings[points], towers.table.detach().numpy(), temperature)
    index, facts = build_index(vectors)
    files = {
        layout.USERS: users_file(tenant),
        layout.USER_IDS: blob_table.encode(prepared.dataset.user_ids[user].encode() for user in users),
        layout.USER_VECTORS: array_bytes(vectors),
        layout.USER_SCALES: array_bytes(scales),
        layout.USER_INDEX: index,
    }
    return files, {f"user_index/{name}": value for name, value in facts.items()}


def _embedded(prepared: Prepared, towers: Towers, users: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the embeddings of ``users`` as of their last events, ``(u, d)``."""
    sequences = prepared.sequences
    ends = sequences.start[users + 1]
    moments = known_until(sequences, users, ends, sequences.times_s[ends - 1])
    parts = [_part(prepared, towers, moments.take(slice(at, at + _AT_ONCE))) for at in range(0, len(users), _AT_ONCE)]
    return np.concatenate(parts)


def _part(prepared: Prepared, towers: Towers, moments: Moments) -> NDArray[np.float32]:
    rows, values, ages = history_inputs(prepared.sequences, moments, towers.users.history_length)
    with torch.no_grad():
        embedded: NDArray[np.float32] = towers.users.embed(
            towers.table[:, :-1],
            torch.from_numpy(rows),
            torch.from_numpy(values),
            torch.from_numpy(ages),
            torch.from_numpy(prepared.categories.index[moments.users]),
            torch.from_numpy(moments.numbers),
            torch.from_numpy(moments.context),
        ).numpy()
    return embedded
