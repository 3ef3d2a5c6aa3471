"""Static columns of items: one encoder for the items of a training and for those that come after it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_data.errors import DataRefused

MAX_VALUES_PER_ATTRIBUTE = 200
"""Most frequent values of an item attribute that get a column; rarer ones have none."""

LARGEST = 8.0
"""Bound of a static number: deviations, or centuries from 1900."""

NO_ATTRIBUTES = "no_attributes"
"""Name of the one static column of items that have no attributes: 1 for every item, as models take at least one."""

_CONTENT = "content_"
_MISSING = "_missing"
_AGREE = 1e-5
"""Largest difference, absolute plus relative, of a column encoded again, on another processor than the training's."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a number becomes a column: ``(number - centre) / unit``."""

    centre: float
    unit: float
    """Above 0."""


_YEAR = Scale(1900.0, 100.0)


@dataclass(frozen=True, slots=True)
class ItemEncoder:
    """Attributes and numbers of items to static columns."""

    values: Mapping[str, tuple[str, ...]]
    """Values that have a column, in alphabetical order, by attribute."""

    scales: Mapping[str, Scale | None]
    """By number; ``None`` where no item of the training had one: it counts as missing, as models never saw any."""

    @classmethod
    def fitted(cls, items: pl.DataFrame, attributes: Sequence[str], numbers: Sequence[str]) -> ItemEncoder:
        """Return the encoder of a training.

        Args:
            items: Its items table.
            attributes: Columns of texts or lists of texts; the 200 most frequent values of each get a column.
            numbers: Columns of numbers; ``year`` is told in centuries from 1900, any other standardised over the items
                that have it.
        """
        return cls(
            {attribute: _frequent(items[attribute]) for attribute in attributes},
            {number: _scale(number, items[number]) for number in numbers},
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in order: ``genres=Comedy`` of each value, then of each number it and its flag."""
        named = [f"{attribute}={value}" for attribute, values in self.values.items() for value in values]
        return (*named, *(name for number in self.scales for name in (number, f"{number}{_MISSING}")))

    def encode(self, items: pl.DataFrame) -> NDArray[np.float32]:
        """Return the columns of ``items``, ``(n, f)``, finite.

        A value of an attribute is a column of zeros and ones. A number is clipped to 8 either way, so that one absurd
        entry cannot carry a score away; where it is missing its column is 0 and its flag 1.
        """
        columns: list[NDArray[np.float32]] = []
        for attribute, values in self.values.items():
            columns.extend(_multi_hot(items[attribute], values).T)
        for number, scale in self.scales.items():
            columns.extend(_scaled(items[number], scale))
        return np.stack(columns, axis=1) if columns else np.zeros((len(items), 0), np.float32)


@dataclass(frozen=True, slots=True)
class StaticColumns:
    """The static columns of a bundle, for items that come after its training."""

    encoder: ItemEncoder
    others: tuple[str, ...] = ()
    """Names of what stands behind the encoder's columns: content, or :data:`NO_ATTRIBUTES`."""

    def encode(self, items: pl.DataFrame) -> NDArray[np.float32]:
        """Return the columns of ``items`` ``(n, f)``, which have no content: zeros, and the flags that say so."""
        flags = [float(name == NO_ATTRIBUTES or name.endswith(_MISSING)) for name in self.others]
        constant = np.tile(np.array(flags, np.float32), (len(items), 1))
        return np.concatenate([self.encoder.encode(items), constant], axis=1)


def static_columns(items: pl.DataFrame, names: Sequence[str], trained: NDArray[np.float32]) -> StaticColumns:
    """Return the columns of a bundle, out of the items that it was trained with.

    Args:
        items: These items.
        names: Names of the columns, in order.
        trained: Their columns, ``(n, f)``: fitted and encoded again, what is not content must come out the same.

    Raises:
        DataRefused: It does not; the columns are of another release.
    """
    encoder = ItemEncoder.fitted(items, _attributes(items, names), _numbers(items, names))
    n = len(encoder.columns)
    others = tuple(names[n:])
    if tuple(names[:n]) != encoder.columns or not all(o == NO_ATTRIBUTES or o.startswith(_CONTENT) for o in others):
        raise DataRefused("the static columns of the bundle are not those that this release makes of its items")
    again = encoder.encode(items)
    if again.shape != trained[:, :n].shape or not np.allclose(again, trained[:, :n], rtol=_AGREE, atol=_AGREE):
        raise DataRefused("the static columns of the bundle's items come out differently in this release")
    return StaticColumns(encoder, others)


def unknown_values(encoder: ItemEncoder, items: pl.DataFrame) -> dict[str, list[str]]:
    """Return values in ``items`` that have no column, by attribute; models know nothing of them."""
    found = {}
    for attribute, values in encoder.values.items():
        if unknown := sorted(set(_pairs(items[attribute])["value"].to_list()) - set(values)):
            found[attribute] = unknown
    return found


def _attributes(items: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the columns of texts that ``names`` has values of, in its order."""
    places = {}
    for column in items.iter_columns():
        if column.dtype in (pl.String, pl.List(pl.String)) and column.name != "item_id":
            has = (place for place, name in enumerate(names) if name.startswith(f"{column.name}="))
            if (place := next(has, None)) is not None:
                places[column.name] = place
    return sorted(places, key=places.__getitem__)


def _numbers(items: pl.DataFrame, names: Sequence[str]) -> list[str]:
    return [
        name
        for name, flag in itertools.pairwise(names)
        if flag == f"{name}{_MISSING}" and name in items.columns and items[name].dtype.is_numeric()
    ]


def _pairs(column: pl.Series) -> pl.DataFrame:
    """Return each row with each of its values, once, as ``row`` and ``value``."""
    frame = pl.DataFrame({"row": np.arange(len(column)), "value": column})
    if isinstance(column.dtype, pl.List):
        frame = frame.explode("value")
    return frame.filter(pl.col("value").is_not_null()).unique()


def _frequent(column: pl.Series) -> tuple[str, ...]:
    counts = _pairs(column).group_by("value").len().sort(["len", "value"], descending=[True, False])
    return tuple(sorted(counts["value"].head(MAX_VALUES_PER_ATTRIBUTE).to_list()))


def _multi_hot(column: pl.Series, values: Sequence[str]) -> NDArray[np.float32]:
    positions = {value: position for position, value in enumerate(values)}
    matrix = np.zeros((len(column), len(values)), np.float32)
    known = _pairs(column).filter(pl.col("value").is_in(list(values)))
    matrix[known["row"].to_numpy(), [positions[v] for v in known["value"]]] = 1.0
    return matrix


def _scale(name: str, column: pl.Series) -> Scale | None:
    if name == "year":
        return _YEAR
    raw = _floats(column)
    finite = raw[np.isfinite(raw)]
    if len(finite) == 0:
        return None
    deviation = float(np.std(finite))
    return Scale(float(np.mean(finite)), deviation if deviation > 0 else 1.0)


def _scaled(column: pl.Series, scale: Scale | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a number's column and its flag."""
    raw = _floats(column)
    missing = ~np.isfinite(raw) if scale is not None else np.ones(len(raw), np.bool_)
    centre, unit = (scale.centre, scale.unit) if scale is not None else (0.0, math.inf)
    scaled = np.clip((raw - centre) / unit, -LARGEST, LARGEST)
    return np.where(missing, 0.0, scaled).astype(np.float32), missing.astype(np.float32)


def _floats(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
