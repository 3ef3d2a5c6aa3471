"""A data set: events in time order, the users and items they connect, and what was left out while reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.content import Content, ContentKind


@dataclass(frozen=True, slots=True)
class Skipped:
    """Rows (or single fields) that were left out for one reason."""

    table: str
    """``interactions``, ``users`` or ``items``."""

    reason: str
    count: int
    samples: tuple[str, ...] = ()
    """The first few, with file and line."""

    is_bad: bool = True
    """Whether they count towards the share of bad rows. Repeated events and empty lines do not."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was read, and what became of it."""

    source: str
    """Where the data came from, in words."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows found in each table, the skipped ones included."""

    skipped: tuple[Skipped, ...] = ()

    def bad(self, table: str) -> int:
        """Return how many rows or fields of ``table`` were left out as bad."""
        return sum(s.count for s in self.skipped if s.table == table and s.is_bad)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Interactions between users and items, in order of time.

    A *row* of a user or item is its position in ``user_ids`` or ``item_ids``; item rows are those of the bundle that is
    trained from here.
    """

    name: str

    user_ids: tuple[str, ...]
    """External ids in ascending UTF-8 byte order: everybody in the users table or with an event."""

    item_ids: tuple[str, ...]
    """External ids in ascending UTF-8 byte order: everything in the items table or with an event."""

    users: pl.DataFrame
    """One row per user row: ``user_id`` and attributes (``String``, null where unknown)."""

    items: pl.DataFrame
    """One row per item row: ``item_id``, ``title`` (``String``, null where unknown) and attributes: ``String``,
    ``List(String)`` where an item has several values, ``Float64`` for numbers; and what no model reads: ``Boolean`` and
    ``Datetime`` (UTC)."""

    user_rows: NDArray[np.int32]
    """User row of each event, shape ``(m,)``. Events are sorted by time, ties keep the order of the file."""

    item_rows: NDArray[np.int32]
    """Item row of each event, shape ``(m,)``."""

    values: NDArray[np.float32]
    """Rating or strength of each event, shape ``(m,)``, finite."""

    times_s: NDArray[np.float64]
    """Seconds since 1970 UTC, shape ``(m,)``, non-decreasing."""

    user_attributes: tuple[str, ...]
    """Categorical columns of ``users`` that models use."""

    item_attributes: tuple[str, ...]
    """Categorical and multi-valued columns of ``items`` that models use."""

    item_numbers: tuple[str, ...]
    """Numeric columns of ``items`` that models use."""

    report: ReadReport
    content: Mapping[ContentKind, Content] = field(default_factory=dict)
    """Embeddings of the items' texts and images, by kind; empty where nobody embedded any."""

    @property
    def events(self) -> int:
        """Number of events, ``m``."""
        return len(self.user_rows)
