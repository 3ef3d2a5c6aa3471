"""ml-100k, rolling over the last tenth of its time: rankers by name, on one retrieval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.movielens import get_movielens
from shortlist_trainer.benchmarks.pipelines import rolling_pipeline
from shortlist_trainer.benchmarks.table import Predictor, Sealed, Table, Values
from shortlist_trainer.evaluate import rank_metrics
from shortlist_trainer.histories import only

KNOWN_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class LaterEvents:
    """Events that are each predicted from all that came strictly before them."""

    whole: Dataset
    """The known part and what came after."""

    events: NDArray[np.int64]
    """Those to predict, in order of time."""


def load(archive: Path | None) -> Dataset:
    """Return ml-100k."""
    return get_movielens("ml-100k", archive)


def cut(whole: Dataset, seed: int) -> tuple[Dataset, Sealed[LaterEvents]]:
    """Hold out the last tenth of the events by time; to predict are those on an item that is new to its user."""
    at = int(np.searchsorted(whole.times_s, whole.times_s[int(whole.events * KNOWN_SHARE)], side="left"))
    first = np.unique(whole.user_rows.astype(np.int64) * len(whole.item_ids) + whole.item_rows, return_index=True)[1]
    return only(whole, np.arange(whole.events) < at), Sealed(LaterEvents(whole, np.sort(first[first >= at])))


def measure(known: Dataset, held_out: LaterEvents, predictor: Predictor) -> Values:
    """Return the metrics of each event."""
    targets = held_out.whole.item_rows[held_out.events]
    # Scores are positions from 0 downwards, and below all of them where the item is no candidate.
    position = -predictor(held_out)[np.arange(len(targets)), targets].astype(np.int64)
    return rank_metrics(position, 200)


TABLE: Table[Dataset] = Table(
    name="ml-100k-rankers",
    title="ml-100k, rankers, rolling",
    protocol=(
        "The last tenth of the events by time is held out; each on an item that is new to its user is predicted from "
        "all that came strictly before it, as served; whole catalogue, seen items left out. All rankers stand on the "
        "same retrieval, fitted once a seed: only the first to be run has its time in its own."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("ndcg@10", "hit@10", "recall@200"),
    published=(),
    entries={
        "no_ranker": rolling_pipeline(
            "retrieval's order: two-tower, item neighbours and popular, fused", {}, ranks=False
        ),
        "dcn_low_rank": rolling_pipeline("DCN-V2, low rank, parallel (the default)", {}),
        "dcn_low_rank_stacked": rolling_pipeline("DCN-V2, low rank, stacked", {"ranker.structure": "stacked"}),
        "dcn": rolling_pipeline("DCN-V2, full matrices, parallel", {"ranker.model": "dcn"}),
        "dcn_stacked": rolling_pipeline(
            "DCN-V2, full matrices, stacked", {"ranker.model": "dcn", "ranker.structure": "stacked"}
        ),
        "gmf": rolling_pipeline("GMF", {"ranker.model": "gmf"}),
        "mlp": rolling_pipeline("MLP", {"ranker.model": "mlp"}),
        "neumf": rolling_pipeline("NeuMF", {"ranker.model": "neumf"}),
        "neumf_pretrained": rolling_pipeline(
            "NeuMF from a GMF and an MLP", {"ranker.model": "neumf", "ranker.pretraining": True}
        ),
        "dcn_low_rank_attention": rolling_pipeline(
            "DCN-V2, low rank, parallel, attention over the history", {"ranker.attention": True}
        ),
        "dcn_low_rank_pointwise": rolling_pipeline(
            "DCN-V2, low rank, parallel, with the loss of single pairs beside", {"ranker.click_weight": 1.0}
        ),
    },
)
