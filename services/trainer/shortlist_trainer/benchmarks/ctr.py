"""ml-1m as a click-through problem: liked or disliked, rows drawn at random."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_data.features import item_static
from shortlist_data.movielens import get_movielens
from shortlist_evaluation.probabilities import log_losses, placements
from shortlist_trainer.actors import categories_of
from shortlist_trainer.benchmarks.table import Entry, Predictor, Published, Run, Sealed, Table, Values
from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.fit_fields import Fields, FieldsConfig, fit_fields, probabilities
from shortlist_trainer.histories import only

LEFT_OUT = 3.0
LIKED = 4.0
_SOURCE = "table 2 of ME-DCN, which repeats the comparison of DCN-V2"


@dataclass(frozen=True, slots=True)
class Rows:
    """Events, and how many a part that is held out has."""

    events: Fields
    tenth: int


def load(archive: Path | None) -> Rows:
    """Return the ratings of ml-1m other than 3 as fields of user and item."""
    events = fields_of(get_movielens("ml-1m", archive))
    return Rows(events, len(events) // 10)


def fields_of(dataset: Dataset) -> Fields:
    """Return the events of ``dataset`` that are not neutral: ids, user attributes, and the items' static columns.

    Raises:
        DataRefused: Nothing is liked, or nothing disliked: there is nothing to tell apart.
    """
    rated = only(dataset, dataset.values != LEFT_OUT)
    liked = int(np.count_nonzero(rated.values >= LIKED))
    if not 0 < liked < rated.events:
        raise DataRefused(
            f"{dataset.name}: {liked:,} of its {dataset.events:,} events are liked (values from {LIKED:g}) and "
            f"{rated.events - liked:,} disliked (below {LIKED:g}, {LEFT_OUT:g} left out); some of both are needed"
        )
    categories = categories_of(dataset)
    columns = [rated.user_rows + 1, rated.item_rows + 1, *categories.index[rated.user_rows].T]
    sizes = (len(dataset.user_ids) + 1, len(dataset.item_ids) + 1, *(len(v) + 1 for v in categories.values))
    bags = item_static(dataset)[0]
    labels = (rated.values >= LIKED).astype(np.float32)
    return Fields(np.stack(columns, axis=1).astype(np.int64), sizes, rated.item_rows.astype(np.int64), bags, labels)


def cut(whole: Rows, seed: int) -> tuple[Rows, Sealed[Fields]]:
    """Hold out a tenth of all rows, drawn by ``seed``."""
    order = np.random.default_rng([seed, 47]).permutation(len(whole.events))
    return replace(whole, events=whole.events.take(order[whole.tenth :])), Sealed(
        whole.events.take(order[: whole.tenth])
    )


def measure(known: Rows, held_out: Fields, predictor: Predictor) -> Values:
    """Return the share of negatives below each positive (their mean is the AUC) and each row's cross-entropy."""
    predicted = predictor(held_out)
    labels = held_out.labels.astype(np.int64)
    return {"auc": placements(predicted, labels), "logloss": log_losses(predicted, labels)}


def field_dcn(note: str, config: FieldsConfig) -> Entry:
    """Return the entry of a DCN-V2; a tenth of all rows, out of the known ones, decides on the number of epochs."""

    def fit(known: Rows, run: Run) -> Predictor:
        less, watched = cut(known, run.seed + 1_000_000)
        watched.unseal()
        checkpoints = Checkpoints(run.folder, f"{len(known.events)} {run.seed} {config}", resume=True)
        model = fit_fields(less.events, watched.read(), config, run.seed, checkpoints, run.report, run.device)

        def score(events: Fields) -> NDArray[np.float32]:
            return probabilities(model, events)

        return score

    return Entry(note, asdict(config), fit)


def _rates() -> Entry:
    """Return the entry of what needs no model: the share of likes of the user plus that of the item."""

    def fit(known: Rows, run: Run) -> Predictor:
        events = known.events
        mean = float(events.labels.mean())
        shares = []
        for field in (0, 1):
            counts = np.bincount(events.fields[:, field], minlength=events.sizes[field])
            likes = np.bincount(events.fields[:, field], events.labels, events.sizes[field])
            shares.append((likes + 10.0 * mean) / (counts + 10.0) - mean)

        def score(asked: Fields) -> NDArray[np.float32]:
            both = mean + shares[0][asked.fields[:, 0]] + shares[1][asked.fields[:, 1]]
            return np.clip(both, 0.01, 0.99).astype(np.float32)

        return score

    return Entry("share of likes, of user and item", {}, fit, is_random=False)


def _published(model: str, auc: float, logloss: float) -> Published:
    return Published(model, {"auc": auc, "logloss": logloss}, _SOURCE)


_SETTINGS = FieldsConfig(width=32, embedding_decay=0.01, averaging=0.999)

TABLE: Table[Rows] = Table(
    name="ml-1m-ctr",
    title="ml-1m, liked or disliked",
    protocol=(
        "Ratings of 4 and 5 against those of 1 and 2, rows drawn at random 80/10/10: the middle part decides on the "
        "number of epochs. A random cut shows later events to the model; it is here because publications use it."
    ),
    load=load,
    cut=cut,
    measure=measure,
    metrics=("auc", "logloss"),
    published=(
        _published("AutoInt+", 0.8488, 0.3753),
        _published("xDeepFM", 0.8923, 0.3251),
        _published("DeepFM", 0.8932, 0.3202),
        _published("DCN", 0.8935, 0.3197),
        _published("DCN-V2", 0.8964, 0.3160),
        _published("ME-DCN", 0.8970, 0.3163),
    ),
    entries={
        "rates": _rates(),
        "dcn_parallel": field_dcn("DCN-V2, full matrices, parallel", _SETTINGS),
        "dcn_stacked": field_dcn("DCN-V2, full matrices, stacked", replace(_SETTINGS, is_stacked=True)),
        "dcn_low_rank": field_dcn("DCN-V2, low rank, parallel", replace(_SETTINGS, rank=16)),
    },
    to_reach={"auc": 0.8964, "logloss": 0.3160},
    is_cut_random=True,
)
