"""Settings of a training run, with their ranges."""

from shortlist_trainer.config.ranking import (
    CalibrationConfig,
    CalibrationMethod,
    OrderConfig,
    RankerConfig,
    RankerName,
)
from shortlist_trainer.config.training import (
    ContentConfig,
    EvaluationConfig,
    FusionConfig,
    LossName,
    NegativeSource,
    NeighboursConfig,
    NewestConfig,
    OnboardingConfig,
    PopularConfig,
    SplitConfig,
    TrainConfig,
    TwoTowerConfig,
    UsersConfig,
)

__all__ = [
    "CalibrationConfig",
    "CalibrationMethod",
    "ContentConfig",
    "EvaluationConfig",
    "FusionConfig",
    "LossName",
    "NegativeSource",
    "NeighboursConfig",
    "NewestConfig",
    "OnboardingConfig",
    "OrderConfig",
    "PopularConfig",
    "RankerConfig",
    "RankerName",
    "SplitConfig",
    "TrainConfig",
    "TwoTowerConfig",
    "UsersConfig",
]
