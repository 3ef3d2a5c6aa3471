"""ml-100k, 75/25 by user, as in the comparison of microsoft/recommenders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.movielens import get_movielens
from shortlist_evaluation.metrics import list_metrics
from shortlist_models.candidates import Ease, Ials, ItemKnn, Popularity
from shortlist_trainer.benchmarks.candidates import blend, candidate
from shortlist_trainer.benchmarks.ncf import ncf, whole_catalogue
from shortlist_trainer.benchmarks.table import Predictor, Published, Sealed, Table, Values
from shortlist_trainer.benchmarks.towers import two_tower
from shortlist_trainer.candidates import best
from shortlist_trainer.histories import HeldOut, held_out_of, only, scored
from shortlist_trainer.holdouts import share_of_each_user
from shortlist_trainer.ncf_config import NcfConfig

KNOWN_SHARE = 0.75
_SOURCE = "README of microsoft/recommenders"


def load(archive: Path | None) -> Dataset:
    """Return ml-100k."""
    return get_movielens("ml-100k", archive)


def cut(whole: Dataset, seed: int) -> tuple[Dataset, Sealed[HeldOut]]:
    """Hold out a random quarter of each user's events, rounded as ``round(0.75 n)`` known ones."""
    held = share_of_each_user(whole, 1.0 - KNOWN_SHARE, seed)
    users = np.unique(whole.user_rows[~held])
    return only(whole, ~held), Sealed(held_out_of(whole, held, users))


def measure(known: Dataset, held_out: HeldOut, predictor: Predictor) -> Values:
    """Return the metrics of each user's list of ten."""
    lists = np.concatenate([best(scores, 10) for _, scores in scored(known, held_out, predictor)])
    at_10 = list_metrics(lists, held_out.indptr, held_out.rows, 10)
    return {
        "ndcg@10": at_10.ndcg,
        "precision@10": at_10.precision,
        "recall@10": at_10.recall,
        "map@10": at_10.average_precision,
    }


def _published(model: str, ndcg: float, precision: float, recall: float) -> Published:
    return Published(model, {"ndcg@10": ndcg, "precision@10": precision, "recall@10": recall}, _SOURCE)


_ENTRIES = {
    "popularity": candidate("events counted", Popularity, {}),
    "item_knn": candidate("cosine", ItemKnn, {"most": 300, "shrinkage": 50.0}),
    "ials": candidate(
        "iALS of the library implicit", Ials, {"factors": 24, "weight": 4.0, "regularisation": 30.0}, is_random=True
    ),
    "ease": candidate("EASE", Ease, {"regularisation": 800.0}),
    "ease_weighted": candidate("EASE on ratings", Ease, {"regularisation": 5000.0, "is_weighted": True}),
    "edlae": candidate("EDLAE", Ease, {"regularisation": 200.0, "dropout": 0.8}),
}
_GMF = NcfConfig(loss="softmax", negatives=32, epochs=20, learning_rate=0.005, weight_decay=0.1, averaging=0.999)
_MLP = replace(_GMF, negatives=16)
_NEUMF = replace(_MLP, gmf=_GMF, mlp=_MLP, pretrained_epochs=1)
_NEURAL = {
    "two_tower": two_tower("two-tower, mean of the events, full softmax", {"encoder": "mean"}),
    "gmf": whole_catalogue(ncf("GMF, 32 factors, softmax over 32 negatives", "gmf", _GMF)),
    "mlp": whole_catalogue(ncf("MLP-3, 32 factors, softmax over 16 negatives", "mlp", _MLP)),
    "neumf": whole_catalogue(ncf("NeuMF, 32 factors, pre-trained from these two", "neumf", _NEUMF)),
}
_BLEND = {"ials": 3.0, "edlae": 1.0, "ease_weighted": 1.0}

TABLE: Table[Dataset] = Table(
    name="ml-100k",
    title="ml-100k, 75/25 by user",
    protocol=(
        "A random quarter of each user's ratings, whatever their value, is held out and relevant; one list of ten per "
        "user from the whole catalogue, known items left out. The cut is drawn anew with each seed."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("ndcg@10", "precision@10", "recall@10", "map@10"),
    published=(
        _published("ALS", 0.044239, 0.048462, 0.017796),
        _published("SAR", 0.382461, 0.330753, 0.176385),
        _published("NCF", 0.396118, 0.347296, 0.180775),
        _published("LightGCN", 0.419846, 0.379626, 0.144336),
        _published("BPR", 0.441997, 0.388229, 0.212522),
        _published("BiVAE", 0.475077, 0.411771, 0.219145),
    ),
    entries={**_ENTRIES, **_NEURAL, "blend": blend("iALS, EDLAE and weighted EASE, standardised", _BLEND, _ENTRIES)},
    to_reach={"ndcg@10": 0.48},
    is_cut_random=True,
)
