"""From a table of new items to a published bundle that has them. Trains nothing, and so imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from shortlist_bundle.bundle import Bundle
from shortlist_bundle.store import BundleStore, Release
from shortlist_data.errors import DataRefused
from shortlist_data.new_items import not_known, read_new_items
from shortlist_domain.errors import PublishConflict
from shortlist_domain.stages import ActorFeatures
from shortlist_ranking.loading import LoadedRanker
from shortlist_retrieval.index import extend_index
from shortlist_retrieval.wiring import load_shelf
from shortlist_trainer.add_items import base_items, extended

_STEP = 512


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a table of new items."""

    base: Bundle
    bundle: Bundle
    items: int
    """Items that were added now."""

    unknown: dict[str, list[str]]
    """Values of attributes that the models do not know, in these items."""

    release: Release | None
    """``None`` where the bundle was not to be published."""


def add_items(
    store: BundleStore,
    path: Path,
    *,
    bundle_id: str = "",
    schema: Path | None = None,
    skips_known: bool = False,
    publishes: bool = True,
) -> Added | None:
    """Add the items in ``path`` to a bundle, as another one; return ``None`` where it has all of them already.

    Args:
        store: Where the bundle is, and where the other one goes.
        path: CSV or Parquet, see :func:`shortlist_data.new_items.read_new_items`.
        bundle_id: What is added to; empty is the current bundle.
        schema: Schema file of the data set.
        skips_known: Whether items that the bundle has already are passed over, instead of refused.
        publishes: Whether the bundle is made current, provided that nobody published meanwhile.

    Raises:
        DataRefused: There is nothing to add to, or the items cannot be added; nothing was written.
        NotFound: The store has no bundle of that id.
        BundleInvalid: The bundle is damaged, or what was made of it is not what the stages would serve; it was not
            published.
        PublishConflict: Somebody published meanwhile; the bundle was not.
    """
    current = store.current()
    if current is None and not bundle_id:
        raise DataRefused(f"{store.root} has no current bundle to add items to; `shortlist train` publishes one")
    base = store.bundle(bundle_id) if bundle_id or current is None else store.open(current)
    items = base_items(base)
    known = set(items.table["item_id"])
    new = not_known(read_new_items(path, items.table, schema), known, str(path), skips_known=skips_known)
    if not len(new):
        return None
    made = extended(base, items, new, extend_index, datetime.now(UTC))
    bundle = store.add(made.files, made.manifest)
    _check_serves(bundle, len(new))
    release = None
    if publishes:
        try:
            release = store.publish(bundle.bundle_id, current.generation if current else 0)
        except PublishConflict as conflict:
            raise PublishConflict(
                f"{conflict}: another bundle was published meanwhile, without these items; run the command again"
            ) from conflict
    return Added(base, bundle, len(new), made.unknown, release)


def _check_serves(bundle: Bundle, added: int) -> None:
    """Load ``bundle`` as the stages do, and rank its last ``added`` items, before anybody is told of it."""
    load_shelf(bundle)
    ranker = LoadedRanker(bundle)
    stranger = ActorFeatures(now_s=bundle.manifest.data_window.until_s)
    user_side, columns = ranker.user_side(stranger, None), ranker.number_columns(stranger)
    for start in range(ranker.n_items - added, ranker.n_items, _STEP):
        ranker.heads(user_side, columns, np.arange(start, min(start + _STEP, ranker.n_items)))
