"""Every candidate model there is, by name, made for a data set: the ones of ``shortlist_models`` and the two-tower.

Adding one that is fitted on histories alone: an entry in :data:`shortlist_models.candidates.CANDIDATE_MODELS`. One that
needs attributes, settings or checkpoints as well: an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from shortlist_data.dataset import Dataset
from shortlist_domain.errors import ShortlistError
from shortlist_models.candidates import CANDIDATE_MODELS, CandidateModel, Ials, ItemKnn, SegmentPopularity
from shortlist_trainer.config import TrainConfig
from shortlist_trainer.devices import CPU
from shortlist_trainer.fit_towers import Report
from shortlist_trainer.two_tower_model import TwoTower


class NoSuchModel(ShortlistError):
    """There is no model of that name."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What models are made for."""

    dataset: Dataset
    """Users and items with their attributes; models see events only in the histories that they are given."""

    config: TrainConfig = field(default_factory=TrainConfig)
    folder: Path | None = None
    """For checkpoints, one folder for each fit; ``None``: none are kept."""

    report: Report = lambda part, done, total, loss: None
    device: torch.device = CPU
    """Where neural models are fitted."""


def _whatever_the_setup(make: Callable[[], CandidateModel]) -> Callable[[Setup], CandidateModel]:
    return lambda setup: make()


MODELS: Mapping[str, Callable[[Setup], CandidateModel]] = {
    **{name: _whatever_the_setup(make) for name, make in CANDIDATE_MODELS.items()},
    "segment_popularity": lambda setup: SegmentPopularity(setup.config.popular.segment_users),
    "item_knn": lambda setup: ItemKnn(setup.config.neighbours.most, setup.config.neighbours.shrinkage),
    "ials": lambda setup: Ials(seed=setup.config.seed),
    "two_tower": lambda setup: TwoTower(
        setup.dataset,
        setup.config.two_tower,
        setup.config.seed,
        folder=setup.folder,
        report=setup.report,
        device=setup.device,
    ),
}
"""Makers with the settings of a run; what those leave open has its default."""


def make_model(name: str, setup: Setup) -> CandidateModel:
    """Return a model of :data:`MODELS`, not fitted yet.

    Raises:
        NoSuchModel: There is none of that name.
    """
    if name not in MODELS:
        raise NoSuchModel(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name](setup)
