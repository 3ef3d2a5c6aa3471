"""Items added to a bundle without training anything: a bundle of the same models with more rows.

New items get the rows behind those there are, since models go by rows. Their embedding is what the item tower makes of
their static columns; nobody met them, so counters are 0 and they have no neighbours, no place in popular lists, and no
lifts; nobody embedded their texts and images either, so their content is none. They came now, after all others,
unless the attribute that the source of the newest items orders by says otherwise.
Everything else is as in the bundle.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shortlist_bundle import layout
from shortlist_bundle.arrays import array_bytes, map_array
from shortlist_bundle.blob_table import BlobTable, encode
from shortlist_bundle.bundle import Bundle
from shortlist_bundle.feature_list import FeatureList
from shortlist_bundle.item_ids import order_of
from shortlist_bundle.item_tower import ItemTower
from shortlist_bundle.manifest import Manifest
from shortlist_data.errors import DataRefused
from shortlist_data.item_columns import StaticColumns, static_columns, unknown_values
from shortlist_trainer.item_attributes import attributes_file
from shortlist_trainer.item_files import items_file, shown_fields
from shortlist_trainer.item_times import added_item_times

BuildIndex = Callable[[NDArray[np.float32], bytes], tuple[bytes, dict[str, float]]]
"""Vectors ``(n, d)``, and the index over the first of them, to a serialized index and facts about it."""

_ROWS_BEHIND: Mapping[str, tuple[str, float]] = {
    layout.ITEM_COUNTERS: ("<f8", 0.0),
    layout.NEIGHBOUR_ROWS: ("<i4", -1.0),
    layout.NEIGHBOUR_SCORES: ("<f4", 0.0),
    layout.CONTENT_EMBEDDINGS: ("<f2", 0.0),
}
"""Type of a table of a row an item, and what its new rows hold."""

_DIGEST = re.compile(r"-[0-9a-f]{12}$")


@dataclass(frozen=True, slots=True)
class BaseItems:
    """The items of a bundle that others are added to."""

    table: pl.DataFrame
    """All of them, in row order."""

    columns: StaticColumns
    features: NDArray[np.float32]
    """Their static columns, ``(n, f)``."""

    time_attribute: str
    """Attribute that says when an item came; empty: none does."""


@dataclass(frozen=True, slots=True)
class Extended:
    """What a bundle with more items is made of."""

    files: dict[str, bytes]
    manifest: Manifest
    unknown: dict[str, list[str]]
    """Values of attributes that the models do not know, in the new items."""


def base_items(bundle: Bundle) -> BaseItems:
    """Return the items of ``bundle``.

    Raises:
        DataRefused: It was made before items had attributes for filters, or by another release.
        BundleInvalid: A file is damaged.
    """
    if layout.ITEM_ATTRIBUTES not in bundle.manifest.files:
        raise DataRefused(
            f"{bundle.bundle_id} was made before bundles had {layout.ITEM_ATTRIBUTES}; train a new one, which can be "
            "added to"
        )
    listed = FeatureList.from_json(bundle.read(layout.FEATURE_LIST))
    names = listed.item_columns
    features = map_array(bundle, layout.ITEM_FEATURES, np.dtype("<f4"), len(names)).view(np.float32)
    try:
        table = pl.read_ipc(io.BytesIO(bundle.read(layout.ITEMS)))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataRefused(f"{bundle.bundle_id}: {layout.ITEMS} cannot be read: {error}") from error
    if len(table) != len(features) or "item_id" not in table.columns or "title" not in table.columns:
        raise DataRefused(f"{bundle.bundle_id}: {layout.ITEMS} is not about the {len(features)} items of the bundle")
    trained = len(features) - bundle.manifest.added_items
    columns = static_columns(table[:trained], names, features[:trained])
    return BaseItems(table, columns, features, listed.item_time)


def extended(bundle: Bundle, base: BaseItems, new: pl.DataFrame, build_index: BuildIndex, now: datetime) -> Extended:
    """Return ``bundle`` with the items ``new`` behind its own.

    Args:
        bundle: What is added to; may have been added to before.
        base: Its items.
        new: At least one item, with the columns of ``base.table``, none of them in there.
        build_index: Makes the vector index.
        now: When new items come that do not say so themselves. Equal items at one time make equal files.

    Raises:
        UpstreamFailed: The item tower gives something that is not finite.
        BundleInvalid: A file of the bundle is damaged.
    """
    files = {name: bundle.read(name) for name in bundle.manifest.files}
    columns = base.columns.encode(new)
    old = map_array(bundle, layout.ITEM_EMBEDDINGS, np.dtype("<f4")).view(np.float32)
    tower = ItemTower(files[layout.ITEM_TOWER], old.shape[1])
    embeddings = np.concatenate([old, tower.embed(columns)])
    table = pl.concat([base.table, new])
    ids = [item_id.encode() for item_id in table["item_id"]]
    index, built = build_index(embeddings, files[layout.INDEX])
    for name, (dtype, value) in _ROWS_BEHIND.items():
        if name in files:
            files[name] = _with_rows(map_array(bundle, name, np.dtype(dtype)), len(new), value)
    if layout.SEGMENT_LIFTS in files:
        lifts = map_array(bundle, layout.SEGMENT_LIFTS, np.dtype("<f2"))
        files[layout.SEGMENT_LIFTS] = array_bytes(np.pad(lifts.view(np.float16), ((0, 0), (0, len(new)))))
    shown = BlobTable(files[layout.ITEM_DISPLAY])
    came = np.zeros((len(old), 2))
    if layout.ITEM_TIMES in files:
        came = map_array(bundle, layout.ITEM_TIMES, np.dtype("<f8"), 2).view(np.float64)
    comes = added_item_times(new, base.time_attribute, now.timestamp())
    files |= {
        layout.ITEM_IDS: encode(ids),
        layout.ITEM_ORDER: np.array(order_of(ids), "<u4").tobytes(),
        layout.ITEM_DISPLAY: encode([*(shown[row] for row in range(len(shown))), *shown_fields(new)]),
        layout.ITEM_ATTRIBUTES: attributes_file(table),
        layout.ITEMS: items_file(table),
        layout.ITEM_EMBEDDINGS: array_bytes(embeddings),
        layout.ITEM_FEATURES: array_bytes(np.concatenate([base.features, columns])),
        layout.ITEM_TIMES: array_bytes(np.concatenate([came, comes])),
        layout.INDEX: index,
    }
    known = bundle.manifest
    manifest = replace(
        known,
        bundle_id=_DIGEST.sub("", known.bundle_id),
        created_at=now.isoformat(timespec="seconds"),
        metrics={**known.metrics, **{f"index/{name}": value for name, value in built.items()}},
        added_items=known.added_items + len(new),
        added_to=known.bundle_id,
    )
    return Extended(files, manifest, unknown_values(base.columns.encoder, new))


def _with_rows(table: NDArray[np.generic], rows: int, value: float) -> bytes:
    return array_bytes(np.concatenate([table, np.full((rows, table.shape[1]), value, table.dtype)]))
