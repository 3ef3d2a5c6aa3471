"""Where settings come from: presets by size of the data, then a YAML file, then overrides from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from shortlist_domain.errors import ShortlistError
from shortlist_models.rankers import STRUCTURED
from shortlist_trainer.config import RankerConfig, TrainConfig


class ConfigRefused(ShortlistError):
    """A setting is unknown or outside of its range."""


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
    _check_ranker(config.ranker)
    return config


def _check_ranker(config: RankerConfig) -> None:
    if config.structure != "parallel" and config.model not in STRUCTURED:
        raise ConfigRefused(f"ranker.structure={config.structure} is for {' and '.join(sorted(STRUCTURED))}")
    if config.pretraining and (config.model != "neumf" or config.attention):
        raise ConfigRefused("ranker.pretraining is for ranker.model=neumf without ranker.attention")
    if config.retrieval_weight == 0.0 and config.click_weight == 0.0:
        raise ConfigRefused(
            "ranker.retrieval_weight and ranker.click_weight are both 0: nothing would teach the order of candidates"
        )


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
    if error["type"] == "value_error":  # settings that do not fit together: there is no single value to show
        return f"{key}: {error['ctx']['error']}"
    return f"{key}={error['input']!r}: {error['msg']}"
