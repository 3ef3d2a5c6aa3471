"""What the gateway keeps of a bundle: ids, what to show, and what is popular. No numpy."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shortlist_bundle import layout
from shortlist_bundle.blob_table import BlobTable
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.item_attributes import load_item_attributes
from shortlist_bundle.item_ids import load_item_ids
from shortlist_bundle.user_ids import load_user_ids
from shortlist_domain.errors import BundleInvalid

_CACHED_IDS = 200_000
"""Ids kept as Python objects at most; beyond it they are looked up in the mapped file, some microseconds each."""


class ShownValues(dict[int, tuple[Any, ...]]):
    """The values that items are shown with under one attribute, by row, none twice; read as they are asked for."""

    def __init__(self, catalogue: "Catalogue", attribute: str) -> None:
        super().__init__()
        self._catalogue = catalogue
        self._attribute = attribute

    def __missing__(self, row: int) -> tuple[Any, ...]:
        value = self._catalogue.display(row).get(self._attribute)
        several = value if isinstance(value, list) else (value,)
        found = tuple({_interned(one): None for one in several if one is not None and one != ""})
        if len(self) < _CACHED_IDS:
            self[row] = found
        return found


def _interned(value: Any) -> Any:
    # An attribute has few texts, which would be kept anew for each item that has them.
    return sys.intern(value) if isinstance(value, str) else value


class Catalogue:
    """Items of one bundle, by row and by external id."""

    def __init__(self, bundle: Bundle) -> None:
        """Read what the gateway needs.

        Raises:
            BundleInvalid: A file is damaged or not what it should be.
        """
        self.manifest = bundle.manifest
        self.bundle_id = bundle.bundle_id
        self._ids = load_item_ids(bundle)
        self._n_trained = len(self._ids) - self.manifest.added_items
        self._display = BlobTable(bundle.map(layout.ITEM_DISPLAY))
        self.attributes = load_item_attributes(bundle, len(self._ids))
        """What filters compare."""

        self.users = load_user_ids(bundle)
        """Users that the bundle has vectors of; ``None`` where it has none."""

        if len(self._ids) != len(self._display):
            raise BundleInvalid(f"{self.bundle_id}: {len(self._ids)} ids, {len(self._display)} display entries")
        self._shown: dict[str, ShownValues] = {}
        self._row_of: dict[str, int] = {}
        self._id_of: dict[int, str] = {}
        try:
            popular = json.loads(bundle.read(layout.POPULAR))
            self._overall = self._checked(popular["overall"])
            self._segment_order = tuple(str(a) for a in popular["segment_order"])
            self._segments = {str(k): self._checked(v) for k, v in popular["segments"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleInvalid(f"{self.bundle_id}: popular lists cannot be read: {error!r}") from error

    def __len__(self) -> int:
        return len(self._ids)

    def is_known_to_models(self, rows: Iterable[int]) -> bool:
        """Whether models know any of ``rows``: items that were added after the training they never see in a history."""
        return any(row < self._n_trained for row in rows)

    def row(self, item_id: str) -> int | None:
        """Return the row of ``item_id``, or ``None`` where the catalogue does not have it."""
        row = self._row_of.get(item_id)
        if row is None:
            row = self._ids.find(item_id.encode())
            if row is not None and len(self._row_of) < _CACHED_IDS:
                self._row_of[item_id] = row
        return row

    def rows(self, item_ids: Sequence[str]) -> list[int | None]:
        """Return the row of each id, ``None`` for those that the catalogue does not have."""
        found = list(map(self._row_of.get, item_ids))
        if None in found:
            return [self.row(item_id) if row is None else row for item_id, row in zip(item_ids, found, strict=True)]
        return found

    def item_id(self, row: int) -> str:
        """Return the external id of ``row``."""
        item_id = self._id_of.get(row)
        if item_id is None:
            item_id = self._ids[row].decode()
            if len(self._id_of) < _CACHED_IDS:
                self._id_of[row] = item_id
        return item_id

    def display(self, row: int) -> Mapping[str, Any]:
        """Return what may be shown of the item in ``row``: texts, numbers, flags and lists of texts, by name."""
        fields: dict[str, Any] = json.loads(self._display[row])
        return fields

    def has_field(self, name: str) -> bool:
        """Whether items have something to show under ``name``, be it that some have no value."""
        return name in self.attributes.schema

    def shown_values(self, attribute: str) -> ShownValues:
        """Return what items are shown with under ``attribute``; kept for the attributes that items have by column."""
        found = self._shown.get(attribute)
        if found is None:
            found = ShownValues(self, attribute)
            if self.has_field(attribute):  # callers may ask for any name; those that exist are few
                self._shown[attribute] = found
        return found

    def popular(self, attributes: Mapping[str, str]) -> tuple[str, Sequence[int]]:
        """Return the most specific popular list for an actor, best first, and its segment; empty: everybody's."""
        for attribute in self._segment_order:
            segment = f"{attribute}={attributes.get(attribute)}"
            if segment in self._segments:
                return segment, self._segments[segment]
        return "", self._overall

    @property
    def popular_overall(self) -> Sequence[int]:
        """Rows that are popular with everybody, best first."""
        return self._overall

    def _checked(self, rows: Sequence[int]) -> Sequence[int]:
        if not all(isinstance(row, int) and 0 <= row < len(self._ids) for row in rows) or len(set(rows)) != len(rows):
            raise BundleInvalid(f"{self.bundle_id}: a popular list has rows twice or outside the catalogue")
        return tuple(rows)
