"""Settings of a training run: a YAML file, presets by size of the data, and overrides from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shortlist_domain.errors import ShortlistError


class ConfigRefused(ShortlistError):
    """A setting is unknown or outside of its range."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitConfig(_Section):
    """Where time is cut."""

    train: float = Field(default=0.8, gt=0, lt=1)
    """Share of the events that models are fitted on."""

    validation: float = Field(default=0.1, gt=0, lt=1)
    """Share that follows, for calibration and choices; the rest is the test."""

    fit: float = Field(default=0.9, gt=0, lt=1)
    """Share of the training events for the retrieval models. The ranker learns from the events after them, so that it
    sees retrieval scores as they are for events that retrieval was not fitted on."""


class TwoTowerConfig(_Section):
    """The two-tower retrieval model."""

    encoder: Literal["mean", "gru", "transformer"] = "gru"
    history_length: int = Field(default=50, ge=1, le=1000)
    width: int = Field(default=64, ge=4, le=512)
    layers: int = Field(default=1, ge=1, le=8)
    """Layers of the transformer; the other encoders have one."""

    heads: int = Field(default=2, ge=1, le=16)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    id_dropout: float = Field(default=0.05, ge=0, lt=1)
    category_dropout: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=10, ge=1, le=1000)
    learning_rate: float = Field(default=0.002, gt=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    queries_per_batch: int = Field(default=1024, ge=1, le=1_000_000)
    share: float = Field(default=0.5, gt=0, le=1)
    """Share of the events that are targets in one epoch, drawn anew each time."""

    horizon: int = Field(default=50, ge=1, le=100_000)
    """A far target is one of this many next events."""

    far_share: float = Field(default=0.5, ge=0, le=1)
    """Share of queries asked for a far target instead of the next event."""

    visit_share: float = Field(default=0.25, ge=0, le=1)
    """Share of targets that are asked for from what was known when their visit began."""

    temperature: float = Field(default=1.0, gt=0, le=100)
    full_softmax_up_to: int = Field(default=20_000, ge=0)
    """Catalogues above this size are trained with sampled softmax."""

    negatives: int = Field(default=2048, ge=1, le=1_000_000)
    """Sampled negatives per batch, half uniform, half by popularity."""


class NeighboursConfig(_Section):
    """Item neighbours."""

    most: int = Field(default=100, ge=1, le=1000)
    shrinkage: float = Field(default=10.0, ge=0)


class PopularConfig(_Section):
    """Popular lists."""

    overall: int = Field(default=1000, ge=1, le=100_000)
    per_segment: int = Field(default=300, ge=1, le=100_000)
    segment_users: int = Field(default=50, ge=1)
    """Users that a segment needs at least to have a list of its own."""


class FusionConfig(_Section):
    """How candidates of the sources become one list."""

    candidates: int = Field(default=500, ge=10, le=10_000)
    per_source: int = Field(default=500, ge=10, le=10_000)
    two_tower: float = Field(default=0.5, ge=0, le=1)
    """Guaranteed share and weight of the source, as are the next two; together at most 1."""

    item_neighbours: float = Field(default=0.2, ge=0, le=1)
    popular: float = Field(default=0.3, ge=0, le=1)

    @property
    def quotas(self) -> dict[str, float]:
        """Shares by source name."""
        return {"two_tower": self.two_tower, "item_neighbours": self.item_neighbours, "popular": self.popular}


class RankerConfig(_Section):
    """The ranker."""

    queries: int = Field(default=30_000, ge=1)
    """Training moments, drawn from the events after those that retrieval was fitted on."""

    negatives: int = Field(default=100, ge=1, le=5_000)
    """Candidates shown beside the positive, drawn from those that retrieval proposes."""

    visit_share: float = Field(default=0.4, ge=0, le=1)
    """Share of moments that stand at the beginning of the visit, with any of its events to be ranked first."""

    far_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the others at which the history stops some events before the one to be ranked first."""

    horizon: int = Field(default=100, ge=1, le=100_000)
    """How many events before at most."""

    projected: int = Field(default=32, ge=1, le=512)
    cross_layers: int = Field(default=2, ge=1, le=8)
    rank: int = Field(default=16, ge=1, le=256)
    hidden: tuple[int, ...] = Field(default=(64, 32), min_length=1, max_length=4)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=3, ge=1, le=1000)
    learning_rate: float = Field(default=0.002, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    queries_per_batch: int = Field(default=128, ge=1, le=100_000)
    rating_weight: float = Field(default=0.5, ge=0, le=100)
    """Weight of the rating's loss beside that of the click."""


class EvaluationConfig(_Section):
    """How much of the validation and test events is looked at."""

    validation_events: int = Field(default=4_000, ge=10)
    """Events for calibration and choices."""

    test_events: int = Field(default=20_000, ge=10)
    """Events of the rolling protocol; a seeded sample where there are more."""

    recall_at: int = Field(default=200, ge=1, le=10_000)
    """Length of the lists behind recall."""

    resamples: int = Field(default=2_000, ge=10, le=100_000)
    """Bootstrap resamples behind each interval."""


class TrainConfig(_Section):
    """Everything that decides what comes out of a run. Two runs with equal settings give the same bundle."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    threads: int = Field(default=1, ge=1, le=256)
    """Threads of the numerical library. Steps are small, so a second one gains little on an idle machine and loses much
    on a busy one. Sums, and so bundles, can differ in their last digits between settings."""

    split: SplitConfig = SplitConfig()
    two_tower: TwoTowerConfig = TwoTowerConfig()
    neighbours: NeighboursConfig = NeighboursConfig()
    popular: PopularConfig = PopularConfig()
    fusion: FusionConfig = FusionConfig()
    ranker: RankerConfig = RankerConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "tiny": {
        "two_tower": {
            "width": 16,
            "history_length": 20,
            "epochs": 12,
            "share": 1.0,
            "queries_per_batch": 256,
            "learning_rate": 0.01,
            "dropout": 0.1,
        },
        "neighbours": {"most": 50},
        "fusion": {"candidates": 100, "per_source": 100},
        "ranker": {
            "queries": 2_000,
            "negatives": 30,
            "projected": 8,
            "rank": 8,
            "hidden": (16,),
            "queries_per_batch": 64,
        },
        "evaluation": {"validation_events": 500, "test_events": 1_000, "recall_at": 50, "resamples": 500},
    },
    "small": {
        "two_tower": {"width": 48, "epochs": 12, "share": 1.0, "dropout": 0.3},
        "ranker": {"queries": 8_000, "epochs": 3},
        "evaluation": {"validation_events": 3_000, "test_events": 10_000},
    },
    "medium": {},
}
"""Defaults by size of the data: below 20,000 events, below 300,000, and above. Files and overrides go over them."""


def preset_for(events: int) -> str:
    """Return the preset for a data set with so many events."""
    return "tiny" if events < 20_000 else "small" if events < 300_000 else "medium"


def load_config(
    preset: str, file: Path | None = None, overrides: Sequence[str] = (), seed: int | None = None
) -> TrainConfig:
    """Return the settings of a run.

    Args:
        preset: Key of :data:`PRESETS`.
        file: YAML file with sections as in :class:`TrainConfig`.
        overrides: ``section.key=value`` each; they win over the file.
        seed: Wins over everything.

    Raises:
        ConfigRefused: A key is unknown, a value out of range, or the file cannot be read.
    """
    content: dict[str, Any] = {name: dict(section) for name, section in PRESETS[preset].items()}
    if file is not None:
        _merge(content, _read(file))
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key.strip():
            raise ConfigRefused(f"--set {override!r} is not of the form section.key=value")
        try:
            parsed: Any = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigRefused(f"--set {override!r}: the value cannot be read") from error
        for part in reversed(key.strip().split(".")):
            parsed = {part: parsed}
        _merge(content, parsed)
    if seed is not None:
        content["seed"] = seed
    try:
        config = TrainConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigRefused("; ".join(_line(e) for e in error.errors())) from error
    if sum(config.fusion.quotas.values()) > 1.0 + 1e-6:
        raise ConfigRefused(f"fusion: the shares {config.fusion.quotas} must be at most 1 together")
    if config.split.train + config.split.validation >= 1.0:
        raise ConfigRefused("split: train and validation must leave a share for the test")
    return config


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigRefused(f"{file} cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigRefused(f"{file} must hold sections such as two_tower, not {type(content).__name__}")
    return content


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _line(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        section: type[BaseModel] = TrainConfig
        for part in error["loc"][:-1]:
            annotation = section.model_fields[str(part)].annotation
            section = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else section
        return f"{key} is not a setting; there are {', '.join(section.model_fields)}"
    return f"{key}={error['input']!r}: {error['msg']}"
