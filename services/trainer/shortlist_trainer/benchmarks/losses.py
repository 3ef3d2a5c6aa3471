"""Losses and negatives of the two-tower side by side, on ml-100k, leave last out."""

from __future__ import annotations

from pathlib import Path

from shortlist_data.dataset import Dataset
from shortlist_data.movielens import get_movielens
from shortlist_models.candidates import Popularity
from shortlist_trainer.benchmarks.candidates import candidate
from shortlist_trainer.benchmarks.sequential import cut, measure
from shortlist_trainer.benchmarks.table import Entry, Table
from shortlist_trainer.benchmarks.towers import two_tower

NEGATIVES = 100
"""Of 1,682 items: the share that the default number is of a catalogue of 34,000."""

_TOWER = {
    "width": 32,
    "history_length": 20,
    "share": 0.5,
    "far_share": 0.0,
    "visit_share": 0.0,
    "epochs": 6,
    "queries_per_batch": 512,
    "learning_rate": 0.01,
    "dropout": 0.2,
    "negatives": NEGATIVES,
    "hard_depth": 20,
    "queue_length": 400,
    "queue_warm_up": 100,
}
"""The same for all rows; the learning rate was chosen on validation, for the full softmax."""

_COMPARED = {
    "full_softmax": ("",),
    "sampled_softmax": ("mixed", "uniform", "popularity", "in_batch", "hard", "cross_batch"),
    "logq_softmax": ("mixed", "popularity", "in_batch"),
    "refined_logq_softmax": ("mixed", "uniform"),
    "uncorrected_softmax": ("in_batch",),
    "gbce": ("uniform",),
}

_WORDS = {
    "full_softmax": "full softmax",
    "sampled_softmax": "sampled softmax",
    "logq_softmax": "classic logQ correction",
    "refined_logq_softmax": "refined logQ correction",
    "uncorrected_softmax": "no correction",
    "gbce": "gBCE",
}


def load(archive: Path | None) -> Dataset:
    """Return ml-100k."""
    return get_movielens("ml-100k", archive)


def _entries() -> dict[str, Entry]:
    entries = {"popularity": candidate("events counted", Popularity, {})}
    for name, sources in _COMPARED.items():
        for source in sources:
            chosen = {"loss": name, **({"negative_source": source} if source else {})}
            note = _WORDS[name] + (f", {NEGATIVES} {source.replace('_', '-')} negatives" if source else "")
            entries[f"{name}_{source}" if source else name] = two_tower(note, {**_TOWER, **chosen}, is_ordered=True)
    return entries


TABLE: Table[Dataset] = Table(
    name="ml-100k-losses",
    title="ml-100k, losses and negatives of the two-tower, leave last out",
    protocol=(
        "Each user's last event is to be found among all 1,682 items but those the user met before, 943 users. All "
        "rows are one small GRU two-tower; they differ in the loss and in where its negatives come from. A batch of "
        "512 queries shares 100 of them, so that sampling costs something, as it does in the catalogues that need it. "
        "An ablation: nothing is published on it."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("ndcg@10", "hit@10", "mrr@10"),
    published=(),
    entries=_entries(),
)
