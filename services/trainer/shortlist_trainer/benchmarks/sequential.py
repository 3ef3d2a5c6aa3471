"""ml-1m, leave last out, the whole catalogue: the protocol of sequential recommendation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.movielens import get_movielens
from shortlist_evaluation.metrics import event_metrics
from shortlist_evaluation.ranks import concatenated, rank_of
from shortlist_models.candidates import Ease, ItemKnn, Popularity
from shortlist_trainer.benchmarks.candidates import candidate
from shortlist_trainer.benchmarks.table import Predictor, Published, Sealed, Table, Values
from shortlist_trainer.benchmarks.towers import EVERY_EVENT, two_tower
from shortlist_trainer.histories import HeldOut, held_out_of, only, scored
from shortlist_trainer.holdouts import last_of_each_user

_REPRO = "as listed in the README of blondered/bert4rec_repro"
_HSTU = "HSTU tutorial of MobileTeleSystems/RecTools"


def cut(whole: Dataset, seed: int) -> tuple[Dataset, Sealed[HeldOut]]:
    """Hold out the last event of every user who has three or more."""
    held = last_of_each_user(whole, least=3)
    return only(whole, ~held), Sealed(held_out_of(whole, held, np.unique(whole.user_rows[held])))


def measure(known: Dataset, held_out: HeldOut, predictor: Predictor) -> Values:
    """Return the metrics of each user's one relevant item, ties averaged."""
    ranks = concatenated([rank_of(scores, held_out.rows[part]) for part, scores in scored(known, held_out, predictor)])
    at_10 = event_metrics(ranks, 10)
    return {"ndcg@10": at_10.ndcg, "hit@10": at_10.hit, "mrr@10": at_10.reciprocal_rank}


def load(archive: Path | None) -> Dataset:
    """Return ml-1m."""
    return get_movielens("ml-1m", archive)


TABLE: Table[Dataset] = Table(
    name="ml-1m-sequential",
    title="ml-1m, sequential, leave last out",
    protocol=(
        "Each user's last event is to be found among all 3,883 items but those the user met before; the others, in "
        "order of time with ties as in the file, are known. One relevant item a user, 6,040 users, nothing sampled."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("ndcg@10", "hit@10", "mrr@10"),
    published=(
        Published("SASRec, original (BCE, 1 negative)", {"ndcg@10": 0.1078, "hit@10": 0.1993}, _REPRO),
        Published("BERT4Rec RecTools", {"ndcg@10": 0.1618, "hit@10": 0.2921}, _REPRO),
        Published("SASRec RecTools (softmax)", {"ndcg@10": 0.1779, "hit@10": 0.3058}, _REPRO),
        Published("HSTU, RecTools", {"ndcg@10": 0.1880, "hit@10": 0.3226}, _HSTU),
        Published("HSTU-large, RecTools", {"ndcg@10": 0.2164, "hit@10": 0.3642}, _HSTU),
    ),
    entries={
        "popularity": candidate("events counted", Popularity, {}),
        "item_knn": candidate("cosine", ItemKnn, {}),
        "ease": candidate("EASE", Ease, {"regularisation": 500.0}),
        "two_tower_gru": two_tower(
            "two-tower, GRU over the events, full softmax", {**EVERY_EVENT, "encoder": "gru"}, is_ordered=True
        ),
        "two_tower_transformer": two_tower(
            "two-tower, causal transformer, full softmax",
            {**EVERY_EVENT, "encoder": "transformer", "layers": 2},
            is_ordered=True,
        ),
    },
    to_reach={"ndcg@10": 0.178},
)
