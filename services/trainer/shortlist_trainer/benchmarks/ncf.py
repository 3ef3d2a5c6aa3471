"""The NCF split of ml-1m: one relevant item among 99 given ones. Sampled, so for comparison with publications only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.ncf_split import read_ncf_split
from shortlist_evaluation.metrics import event_metrics
from shortlist_evaluation.ranks import rank_of
from shortlist_models.candidates import Ease, Histories, Ials, ItemKnn, Popularity
from shortlist_models.ncf import Interaction
from shortlist_trainer.benchmarks.candidates import candidate
from shortlist_trainer.benchmarks.table import Entry, Predictor, Published, Run, Sealed, Table, Values
from shortlist_trainer.benchmarks.towers import EVERY_EVENT, two_tower
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit_ncf import Positives, fit_ncf, negatives_of
from shortlist_trainer.histories import histories_of, only
from shortlist_trainer.ncf_config import NcfConfig

NEGATIVES = 99
_AT_ONCE = 512
_CATALOGUES_AT_ONCE = 64
_PAPER = "He et al. 2017, table 2 and section 4.4"
_RENDLE = "Rendle et al. 2020"
_REPLICATION = "README of guoyang9/NCF"


@dataclass(frozen=True, slots=True)
class Lists:
    """Users, and for each one the items to be ranked."""

    histories: Histories
    rows: NDArray[np.int32]
    """Item rows ``(u, 1 + negatives)``, the relevant one first."""


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Events, and what is held out of others where that is given."""

    events: Dataset
    given: Lists | None = None


def load(archive: Path | None) -> LeaveOneOut:
    """Return the split as it was published."""
    split = read_ncf_split(archive)
    return LeaveOneOut(split.known, Lists(histories_of(split.known, split.users, split.times_s), split.items))


def cut(whole: LeaveOneOut, seed: int) -> tuple[LeaveOneOut, Sealed[Lists]]:
    """Hold out what is given; where nothing is, the last event of every user with 99 unmet items drawn by ``seed``.

    They are drawn with repetition: an item that comes up twice competes once.
    """
    if whole.given is not None:
        return LeaveOneOut(whole.events), Sealed(whole.given)
    events = whole.events
    order = np.argsort(events.user_rows, kind="stable")
    counts = np.bincount(events.user_rows, minlength=len(events.user_ids))
    n_items = len(events.item_ids)
    keys = np.unique(events.user_rows.astype(np.int64) * n_items + events.item_rows)
    met = np.bincount(keys // n_items, minlength=len(counts))
    users = np.flatnonzero((counts >= 2) & (met < n_items))
    last = order[np.cumsum(counts)[users] - 1]
    held = np.zeros(events.events, np.bool_)
    held[last] = True
    known = only(events, ~held)
    drawn = negatives_of(users, NEGATIVES, keys, n_items, np.random.default_rng([seed, 43]))
    rows = np.concatenate([events.item_rows[last][:, None], drawn], axis=1).astype(np.int32)
    return LeaveOneOut(known), Sealed(Lists(histories_of(known, users, events.times_s[last]), rows))


def measure(known: LeaveOneOut, held_out: Lists, predictor: Predictor) -> Values:
    """Return the metrics of the first of each list, ties averaged.

    An item that stands twice in a list competes once, as in the publication's own evaluation, which collects scores by
    item; so does not the relevant item itself where it is among the given others (156 of 597,960 are).
    """
    scores = predictor(held_out)
    ordered = np.sort(held_out.rows, axis=1)
    repeated = np.zeros(scores.shape, np.bool_)
    for row in np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1)):
        _, first = np.unique(held_out.rows[row], return_index=True)
        repeated[row] = True
        repeated[row, first] = False
    ranks = rank_of(scores, np.zeros(len(scores), np.int64), repeated)
    at_10 = event_metrics(ranks, 10)
    return {"hit@10": at_10.hit, "ndcg@10": at_10.ndcg}


def listed(entry: Entry) -> Entry:
    """Return an entry that scores whole catalogues as one that scores lists."""

    def fit(known: LeaveOneOut, run: Run) -> Predictor:
        predictor = entry.fit(known.events, run)

        def score(asked: Lists) -> NDArray[np.float32]:
            parts = [
                np.take_along_axis(
                    predictor(asked.histories.take(begin, begin + _AT_ONCE)),
                    asked.rows[begin : begin + _AT_ONCE],
                    axis=1,
                )
                for begin in range(0, len(asked.rows), _AT_ONCE)
            ]
            return np.concatenate(parts)

        return score

    return replace(entry, fit=fit)


def ncf(note: str, name: str, config: NcfConfig) -> Entry:
    """Return the entry of a model of the NCF family."""

    def fit(known: LeaveOneOut, run: Run) -> Predictor:
        events = known.events
        positives = Positives.of(events.user_rows, events.item_rows, len(events.user_ids), len(events.item_ids))
        checkpoints = Checkpoints(run.folder, f"{events.name} {events.events} {run.seed} {config}", resume=True)
        model, run.facts["utilisation"] = fit_ncf(
            name, positives, config, run.seed, checkpoints, run.report, run.device
        )
        return _scorer(model)

    return Entry(note, {"model": name, **asdict(config)}, fit)


def whole_catalogue(entry: Entry) -> Entry:
    """Return an entry of the NCF family, which scores lists, as one that scores whole catalogues."""

    def fit(known: Dataset, run: Run) -> Predictor:
        predictor = entry.fit(LeaveOneOut(known), run)

        def score(histories: Histories) -> NDArray[np.float32]:
            items = np.arange(histories.n_items, dtype=np.int32)
            parts = []
            for begin in range(0, len(histories), _CATALOGUES_AT_ONCE):
                part = histories.take(begin, min(begin + _CATALOGUES_AT_ONCE, len(histories)))
                parts.append(predictor(Lists(part, np.tile(items, (len(part), 1)))))
            return np.concatenate(parts)

        return score

    return replace(entry, fit=fit)


def _scorer(model: Interaction) -> Callable[[Lists], NDArray[np.float32]]:
    @torch.no_grad()
    def score(asked: Lists) -> NDArray[np.float32]:
        users = torch.from_numpy(asked.histories.users.astype(np.int64))[:, None]
        items = torch.from_numpy(asked.rows.astype(np.int64))
        parts = [model(users[b : b + _AT_ONCE], items[b : b + _AT_ONCE]) for b in range(0, len(items), _AT_ONCE)]
        scores: NDArray[np.float32] = torch.cat(parts).numpy()
        return scores

    return score


_GMF = NcfConfig(
    loss="softmax", negatives=32, half_life=10.0, epochs=5, learning_rate=0.01, weight_decay=0.1, averaging=0.999
)
_MLP = replace(_GMF, negatives=16, epochs=8, learning_rate=0.005)
_NEUMF = replace(_MLP, gmf=_GMF, mlp=_MLP, share=0.6, pretrained_epochs=1, pretrained_rate=0.0003)

TABLE: Table[LeaveOneOut] = Table(
    name="ncf",
    title="ml-1m, NCF split, 99 given negatives",
    protocol=(
        "Leave one out: each user's last item is to be found among 99 given items that the user did not meet, 6,040 "
        "users. A ranking of 100 items says little about one of 3,706; it is here because the publications use it."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("hit@10", "ndcg@10"),
    published=(
        Published("GMF, 32 factors", {"hit@10": 0.708, "ndcg@10": 0.429}, _REPLICATION),
        Published("MLP-3, 32 factors", {"hit@10": 0.692, "ndcg@10": 0.425}, _PAPER),
        Published("NeuMF, 32 factors, pre-trained", {"hit@10": 0.726, "ndcg@10": 0.445}, _PAPER),
        Published("NeuMF, 64 factors, pre-trained", {"hit@10": 0.730, "ndcg@10": 0.447}, _PAPER),
        Published("tuned matrix factorisation, 192 factors", {"hit@10": 0.7294, "ndcg@10": 0.4523}, _RENDLE),
    ),
    entries={
        "popularity": listed(candidate("events counted", Popularity, {})),
        "item_knn": listed(candidate("cosine", ItemKnn, {})),
        "ease": listed(candidate("EASE", Ease, {"regularisation": 500.0})),
        "ials": listed(candidate("iALS of the library implicit", Ials, {"factors": 128}, is_random=True)),
        "gmf": ncf("GMF, 32 factors, softmax over 32 negatives, recent positives weigh more", "gmf", _GMF),
        "mlp": ncf("MLP-3, 32 factors, softmax over 16 negatives, recent positives weigh more", "mlp", _MLP),
        "neumf": ncf("NeuMF, 32 factors, pre-trained from these two, the same losses and weights", "neumf", _NEUMF),
        "gmf_softmax": ncf(
            "GMF, 32 factors, softmax over 32 negatives, all positives alike", "gmf", replace(_GMF, half_life=0.0)
        ),
        "mlp_softmax": ncf(
            "MLP-3, 32 factors, softmax over 16 negatives, all positives alike", "mlp", replace(_MLP, half_life=0.0)
        ),
        "two_tower_transformer": listed(
            two_tower(
                "two-tower, causal transformer, full softmax",
                {**EVERY_EVENT, "encoder": "transformer", "layers": 2},
                is_ordered=True,
            )
        ),
    },
    to_reach={"hit@10": 0.80, "ndcg@10": 0.55},
)
