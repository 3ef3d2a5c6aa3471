"""A data set as every part of a run sees it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist_bundle.content import ContentTable, EventWeights
from shortlist_data.content import ContentKind, describe
from shortlist_data.content_features import content_vectors
from shortlist_data.dataset import Dataset
from shortlist_data.features import Mapped, in_process, item_static
from shortlist_data.item_columns import NO_ATTRIBUTES
from shortlist_data.split import TimeSplit, global_time_split
from shortlist_trainer.actors import Categories, categories_of
from shortlist_trainer.config import ContentConfig, SplitConfig
from shortlist_trainer.enough import require_enough
from shortlist_trainer.sequences import Sequences, sequences_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """What training and evaluation start from."""

    dataset: Dataset
    sequences: Sequences
    categories: Categories
    item_features: NDArray[np.float32]
    """Static columns ``(n, f)``."""

    item_columns: tuple[str, ...]
    split: TimeSplit
    fit_end: int
    """Retrieval models are fitted on the events before this one, the ranker on those from here to ``train_end``."""

    content: ContentTable | None = None
    """``None`` where items have no content."""

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.dataset.item_ids)


def prepare(
    dataset: Dataset,
    config: SplitConfig,
    content: ContentConfig | None = None,
    mapped: Mapped = in_process,
    partitions: int = 1,
) -> Prepared:
    """Cut ``dataset`` in time and compute what was known before each event.

    Args:
        dataset: Data to learn from.
        config: Where time is cut.
        content: How content is used, where ``dataset`` has any; ``None`` takes the defaults.
        mapped: Where partitions of users and items are worked on.
        partitions: How many; what comes out does not depend on it.

    Raises:
        DataRefused: Too little is left for one of the parts.
    """
    split = global_time_split(dataset, config.train, config.validation)
    fit_end = _fit_end(dataset, split.train_end, config)
    require_enough(
        dataset,
        {
            "retrieval": (0, fit_end),
            "ranking": (fit_end, split.train_end),
            "validation": (split.train_end, split.validation_end),
            "test": (split.validation_end, dataset.events),
        },
    )
    sequences = sequences_of(dataset, mapped, partitions)
    return _prepared(dataset, sequences, split, fit_end, content or ContentConfig())


def all_for_training(prepared: Prepared, config: SplitConfig, content: ContentConfig) -> Prepared:
    """Return ``prepared`` with all events in the training part; nothing is left to choose or to evaluate by."""
    dataset, end = prepared.dataset, prepared.dataset.events
    return _prepared(dataset, prepared.sequences, TimeSplit(end, end), _fit_end(dataset, end, config), content)


def prepare_whole(dataset: Dataset) -> Prepared:
    """Return all events of ``dataset`` as the part that retrieval is fitted on; nothing is left for the others."""
    end = dataset.events
    return _prepared(dataset, sequences_of(dataset), TimeSplit(end, end), end, ContentConfig())


def fingerprint_of(dataset: Dataset) -> str:
    """Return what tells one data set from another, attributes and content included; the first line is for people."""
    digest = hashlib.sha256()
    for column in (dataset.user_rows, dataset.item_rows, dataset.values, dataset.times_s):
        digest.update(column.tobytes())
    for table in (dataset.users, dataset.items):
        digest.update(table.write_ipc(None, compression="uncompressed").getvalue())
    told = f"{dataset.events:,} events, {len(dataset.user_ids):,} users, {len(dataset.item_ids):,} items"
    return f"{dataset.name}: {told}\n{digest.hexdigest()}{describe(dataset.content)}"


def _fit_end(dataset: Dataset, train_end: int, config: SplitConfig) -> int:
    """Return the cut between retrieval's and the ranker's events, which must not divide a moment either."""
    wanted = int(train_end * config.fit)
    return int(np.searchsorted(dataset.times_s, dataset.times_s[wanted], side="left"))


def _prepared(
    dataset: Dataset, sequences: Sequences, split: TimeSplit, fit_end: int, content: ContentConfig
) -> Prepared:
    components = {ContentKind.TEXT: content.text_components, ContentKind.IMAGE: content.image_components}
    features, columns = item_static(dataset, components)
    if not columns:
        # Models take at least one static column; where items have no attributes it is the same for all of them.
        features, columns = np.ones((len(dataset.item_ids), 1), np.float32), (NO_ATTRIBUTES,)
    return Prepared(
        dataset,
        sequences,
        categories_of(dataset),
        features,
        columns,
        split,
        fit_end,
        _content_table(dataset, content, fit_end),
    )


def _content_table(dataset: Dataset, config: ContentConfig, fit_end: int) -> ContentTable | None:
    """Return what the content source compares items by; the scale of values is that of the first ``fit_end`` events."""
    weights = {ContentKind.TEXT: 1.0 - config.image_weight, ContentKind.IMAGE: config.image_weight}
    vectors = content_vectors(dataset.content, dict.fromkeys(ContentKind, config.dimensions), weights)
    if not vectors.any():
        return None
    values = dataset.values[:fit_end].astype(np.float64)
    # Rounded as bundles hold them, so that evaluation compares by the very numbers that serving does.
    return ContentTable(
        vectors.astype(np.float16), EventWeights(config.half_life, float(values.mean()), float(values.std()))
    )
