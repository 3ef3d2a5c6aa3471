"""What a request to a stage may hold, in rows of a bundle."""

from __future__ import annotations

from array import array

import numpy as np

from shortlist_domain.errors import BundleInvalid, Violation
from shortlist_domain.stages import ActorFeatures

_FIRST_S, _PAST_LAST_S = -62_135_596_800.0, 253_402_300_800.0
"""Years 1 to 9999, which is what a calendar has, in seconds since 1970."""


def actor_violations(actor: ActorFeatures, n_items: int) -> list[Violation]:
    """Return everything that is wrong with ``actor`` for a bundle of ``n_items`` items."""
    found = row_violations("actor.history_rows", actor.history_rows, n_items)
    n = len(actor.history_rows)
    for name, length in (
        ("history_values", len(actor.history_values)),
        ("history_times_s", len(actor.history_times_s)),
    ):
        if length != n:
            found.append(Violation(f"actor.{name}", f"has {length} entries, history_rows has {n}"))
    if not _FIRST_S <= actor.now_s < _PAST_LAST_S:
        found.append(
            Violation("actor.now_s", f"is {actor.now_s}; it must be seconds since 1970, finite, of the years 1 to 9999")
        )
    return found


def row_violations(field: str, rows: array[int], n_items: int) -> list[Violation]:
    """Return what is wrong with a column of rows: the first one that is outside the catalogue, if any."""
    if len(rows) == 0:
        return []
    column = np.frombuffer(rows, np.uint32)
    worst = int(column.max())
    if worst < n_items:
        return []
    position = int(np.argmax(column >= n_items))
    return [Violation(f"{field}[{position}]", f"is {column[position]}; the bundle's rows are below {n_items}")]


def check_golden_actor(actor: ActorFeatures, n_items: int) -> None:
    """Refuse a golden request that is not one of this bundle.

    Raises:
        BundleInvalid: With everything that is wrong with its actor.
    """
    violations = actor_violations(actor, n_items)
    if violations:
        raise BundleInvalid("golden request: " + "; ".join(f"{v.field} {v.description}" for v in violations))
