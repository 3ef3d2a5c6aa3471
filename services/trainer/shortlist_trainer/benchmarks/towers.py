"""The two-tower model as an entry of a table: fitted on all that is known, asked as it is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortlist_data.dataset import Dataset
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.config import TwoTowerConfig
from shortlist_trainer.histories import histories_of
from shortlist_trainer.two_tower_model import TwoTower

EVERY_EVENT: Mapping[str, Any] = {
    "history_length": 200,
    "share": 1.0,
    "far_share": 0.0,
    "visit_share": 0.0,
    "epochs": 25,
}
"""Every event is a target of its predecessors, as in publications on sequences; the rest was chosen on the validation
of ml-1m-sequential."""


def two_tower(note: str, settings: Mapping[str, Any], *, is_ordered: bool = False) -> Entry:
    """Return the entry of a two-tower model.

    Args:
        note: What it is, in words.
        settings: Of :class:`shortlist_trainer.config.TwoTowerConfig`, where they are not the defaults.
        is_ordered: Whether events of the same second know each other in the order of the file, as publications on
            sequences have it; else they do not, as in serving.
    """
    config = TwoTowerConfig(**settings)

    def fit(known: Dataset, run: Run) -> Predictor:
        model = TwoTower(
            known,
            config,
            run.seed,
            folder=run.folder,
            report=run.report,
            device=run.device,
            is_ordered=is_ordered,
        )
        model.fit(histories_of(known))
        run.facts["utilisation"] = model.towers.utilisation
        return model.score

    return Entry(note, dict(settings), fit)
