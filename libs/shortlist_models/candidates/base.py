"""What a candidate model is: fitted on histories, it scores the whole catalogue for any history, known or new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True, slots=True)
class Histories:
    """Events of ``b`` users, each user's in order of time."""

    users: NDArray[np.int32]
    """User rows, ``(b,)``."""

    now_s: NDArray[np.float64]
    """When each user is asked about, seconds since 1970 UTC, ``(b,)``; not before the last of its events."""

    indptr: NDArray[np.int64]
    """Events of user ``i`` are ``[indptr[i], indptr[i + 1])`` of the columns below, ``(b + 1,)``."""

    rows: NDArray[np.int32]
    """Item rows."""

    values: NDArray[np.float32]
    """Ratings or strengths, finite."""

    times_s: NDArray[np.float64]
    """Seconds since 1970 UTC."""

    n_items: int
    """Size of the catalogue n."""

    categories: NDArray[np.int64] | None = None
    """Categorical attributes of the users, ``(b, c)``; 0 is unknown, what else a number means is the caller's."""

    def __len__(self) -> int:
        return len(self.users)

    def take(self, begin: int, end: int) -> Histories:
        """Return the users ``[begin, end)``."""
        end = min(end, len(self))
        events = slice(self.indptr[begin], self.indptr[end])
        return Histories(
            self.users[begin:end],
            self.now_s[begin:end],
            self.indptr[begin : end + 1] - self.indptr[begin],
            self.rows[events],
            self.values[events],
            self.times_s[events],
            self.n_items,
            None if self.categories is None else self.categories[begin:end],
        )

    def matrix(self, *, is_weighted: bool = False, half_life_s: float | None = None) -> Any:
        """Return who met what, a ``scipy`` CSR matrix float32 ``(b, n)``; of repeated events the last one counts.

        Args:
            is_weighted: Entries are the values; else they are 1.
            half_life_s: Entries are multiplied by ``0.5 ** (age / half_life_s)``, ages counted from the latest event of
                the same user, so that a user who pauses keeps a history; ``None``: they are not.
        """
        owner = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        pair = owner.astype(np.int64) * self.n_items + self.rows
        # The last of repeated events counts: the first one of the reversed order.
        _, first = np.unique(pair[::-1], return_index=True)
        kept = len(pair) - 1 - first
        data = self.values[kept] if is_weighted else np.ones(len(kept), np.float32)
        if half_life_s is not None and len(kept):
            # Users without events own none of the entries; their place may hold anything.
            latest = self.times_s[np.maximum(self.indptr[1:] - 1, 0)]
            data = data * np.exp2((self.times_s - latest[owner])[kept] / half_life_s)
        shape = (len(self), self.n_items)
        return sparse.csr_matrix((data.astype(np.float32), (owner[kept], self.rows[kept])), shape=shape)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Events of each item, ``(n,)``."""
        return np.bincount(self.rows, minlength=self.n_items).astype(np.int64)


class CandidateModel(Protocol):
    """Proposes items for a user."""

    def fit(self, histories: Histories) -> None:
        """Learn from ``histories``. Fitting again forgets what was learnt before.

        Raises:
            ModelRefused: There is nothing to learn from, or it is not what it should be; says what and how much.
        """
        ...

    def score(self, histories: Histories) -> NDArray[np.float32]:
        """Return scores ``(b, n)``, finite, higher is better; seen items are scored like any other.

        Raises:
            ModelRefused: ``histories`` are over another number of items than the model was fitted on.
        """
        ...

    def export(self) -> Mapping[str, NDArray[Any]]:
        """Return the arrays that are enough to score with: what a bundle stores of the model, by name."""
        ...


@runtime_checkable
class RatingModel(Protocol):
    """A candidate model that also predicts ratings, on the scale of the values it was fitted on."""

    def ratings(self, histories: Histories) -> NDArray[np.float32]:
        """Return the predicted rating of every item, ``(b, n)``, finite."""
        ...


class ModelRefused(ValueError):
    """A model cannot be fitted on what it was given."""


def require_events(histories: Histories, least: int = 1) -> None:
    """Check that there is something to learn from, and that it is what :class:`Histories` says.

    Raises:
        ModelRefused: Fewer than ``least`` events, no items, a row outside of the catalogue, or a value or time that is
            not finite; says which and how many.
    """
    n, events = histories.n_items, len(histories.rows)
    if n < 1 or events < least:
        raise ModelRefused(f"{events} events on {n} items; at least {least} on at least 1 are needed")
    outside = int(np.count_nonzero((histories.rows < 0) | (histories.rows >= n)))
    if outside:
        raise ModelRefused(f"{outside} of {events} events are on rows outside of the catalogue of {n} items")
    for name, column in (("values", histories.values), ("times", histories.times_s)):
        wrong = int(np.count_nonzero(~np.isfinite(column)))
        if wrong:
            raise ModelRefused(f"{wrong} of {events} {name} are NaN or infinite; leave these events out")


def require_catalogue(histories: Histories, n_items: int) -> None:
    """Check that histories are over the ``n_items`` that a model was fitted on: rows of another catalogue mean others.

    Raises:
        ModelRefused: They are not; says by how much the catalogues differ.
    """
    if histories.n_items != n_items:
        more = histories.n_items - n_items
        raise ModelRefused(
            f"the model was fitted on {n_items} items, the histories are over {histories.n_items} "
            f"({abs(more)} {'more' if more > 0 else 'fewer'}): fit it on the catalogue of today"
        )
