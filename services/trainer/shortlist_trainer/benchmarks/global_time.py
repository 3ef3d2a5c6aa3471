"""ml-1m, global time split, as in the experiments of RePlay."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shortlist_data.dataset import Dataset
from shortlist_data.movielens import get_movielens
from shortlist_evaluation.metrics import list_metrics
from shortlist_models.candidates import Ease, Ials, ItemKnn, Popularity
from shortlist_trainer.benchmarks.candidates import blend, candidate
from shortlist_trainer.benchmarks.pipelines import pipeline
from shortlist_trainer.benchmarks.stacked import stacked
from shortlist_trainer.benchmarks.table import Predictor, Published, Sealed, Table, Values
from shortlist_trainer.benchmarks.towers import two_tower
from shortlist_trainer.candidates import best
from shortlist_trainer.histories import HeldOut, apart, only, scored
from shortlist_trainer.holdouts import latest

POSITIVE = 3.0
TEST_SHARE = 0.2
_REPLAY = "sb-ai-lab/RePlay, experiments/02"
_DAY = 86_400.0


def load(archive: Path | None) -> Dataset:
    """Return the ratings of ml-1m that count as positive."""
    whole = get_movielens("ml-1m", archive)
    return only(whole, whole.values >= POSITIVE)


def cut(whole: Dataset, seed: int) -> tuple[Dataset, Sealed[HeldOut]]:
    """Hold out the last 20 % of the events by time; of them, what is of users and items known before."""
    known, held_out = apart(whole, latest(whole, TEST_SHARE))
    return known, Sealed(held_out)


def measure(known: Dataset, held_out: HeldOut, predictor: Predictor) -> Values:
    """Return the metrics of each user's list of ten."""
    lists = np.concatenate([best(scores, 10) for _, scores in scored(known, held_out, predictor)])
    at_10 = list_metrics(lists, held_out.indptr, held_out.rows, 10)
    return {
        "ndcg@10": at_10.ndcg,
        "hit@10": at_10.hit,
        "map@10": at_10.average_precision,
        "mrr@10": at_10.reciprocal_rank,
    }


def _published(model: str, hit: float, average_precision: float, reciprocal: float, ndcg: float) -> Published:
    metrics = {"ndcg@10": ndcg, "hit@10": hit, "map@10": average_precision, "mrr@10": reciprocal}
    return Published(model, metrics, _REPLAY)


_ENTRIES = {
    "popularity": candidate("events counted", Popularity, {}),
    "decayed_popularity": candidate("events count half after 30 days", Popularity, {"half_life_s": 30 * _DAY}),
    "item_knn": candidate("cosine", ItemKnn, {"most": 300, "shrinkage": 200.0}),
    "ials": candidate(
        "iALS of the library implicit", Ials, {"factors": 4, "regularisation": 10.0, "weight": 1.0}, is_random=True
    ),
    "ease": candidate("EASE", Ease, {"regularisation": 40_000.0}),
    "ease_fading": candidate(
        "EASE on ratings, an event counts half 8 days before the latest",
        Ease,
        {"regularisation": 400_000.0, "is_weighted": True, "half_life_s": 8 * _DAY},
    ),
    "two_tower": two_tower("two-tower, GRU over the events, full softmax", {}),
    "pipeline": pipeline(
        "two-tower, fading EASE and popular, fused and ranked by DCN-V2 for everything that comes later",
        {
            "neighbours.model": "ease",
            "neighbours.regularisation": 40_000.0,
            "neighbours.half_life_days": 8.0,
            "neighbours.most": 300,
            "neighbours.refit": True,
            "refit": True,
            "two_tower.encoder": "mean",
            "two_tower.history_length": 200,
            "fusion.two_tower": 0.15,
            "fusion.item_neighbours": 0.8,
            "fusion.popular": 0.05,
            "order.aim": "later",
        },
    ),
}
_STACKED = {
    **{
        name: _ENTRIES[name] for name in ("popularity", "decayed_popularity", "item_knn", "ials", "ease", "ease_fading")
    },
    "popularity_of_a_week": candidate("events count half after 7 days", Popularity, {"half_life_s": 7 * _DAY}),
    "item_knn_fading": candidate("cosine", ItemKnn, {"most": 300, "shrinkage": 200.0, "half_life_s": 3 * _DAY}),
    "ials_16": candidate("iALS", Ials, {"factors": 16, "regularisation": 10.0, "weight": 1.0}, is_random=True),
}
_BLEND = {"item_knn": 1.0, "ease": 0.5, "ials": 0.25}

TABLE: Table[Dataset] = Table(
    name="ml-1m-time",
    title="ml-1m, global time split",
    protocol=(
        "Ratings of 3 and more are positive; the last 20 % of them by time are held out, users and items without an "
        "event before are dropped; one list of ten per user from the whole catalogue, items met before left out."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("ndcg@10", "hit@10", "map@10", "mrr@10"),
    published=(
        _published("popular", 0.6453, 0.1573, 0.3904, 0.2438),
        _published("ItemKNN", 0.6488, 0.1682, 0.4102, 0.2575),
        _published("implicit ALS", 0.6813, 0.1621, 0.4069, 0.2534),
        _published("LightFM (WARP)", 0.6962, 0.1739, 0.4303, 0.2695),
        _published("SLIM", 0.6936, 0.1765, 0.4353, 0.2713),
    ),
    entries={
        **_ENTRIES,
        "blend": blend("ItemKNN, EASE and iALS, standardised", _BLEND, _ENTRIES),
        "stacked": stacked("nine models' candidates, ranked by a network that learnt at earlier cuts", _STACKED),
    },
    to_reach={"ndcg@10": 0.2713},
)
