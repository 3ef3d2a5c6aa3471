"""What a benchmark table is, and the seal on its held-out part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from shortlist_domain.errors import ShortlistError
from shortlist_trainer.devices import CPU

T = TypeVar("T")

Report = Callable[[str, int, int, float], None]
"""Called with the part's name, steps done, steps in all, and the recent loss."""

Values = Mapping[str, NDArray[np.float64]]
"""By metric, one number per evaluated user or event."""

Predictor = Callable[[Any], NDArray[np.float32]]
"""Queries of a table to scores ``(b, n)``."""


class TestIsSealed(ShortlistError):
    """Something asked for the held-out part before everything was fitted."""

    __test__ = False  # not a test class, whatever its name says to pytest


class Sealed(Generic[T]):
    """A held-out part. It opens once the models are fitted and no earlier."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._is_open = False

    def unseal(self) -> None:
        """Let it be read from now on; for the final evaluation alone."""
        self._is_open = True

    def read(self) -> T:
        """Return the held-out part.

        Raises:
            TestIsSealed: Before :meth:`unseal`.
        """
        if not self._is_open:
            raise TestIsSealed("the test part is read before the final evaluation")
        return self._value


@dataclass(frozen=True, slots=True)
class Published:
    """A row of the literature."""

    model: str
    metrics: Mapping[str, float]
    source: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one model."""

    seed: int
    folder: Path
    """For checkpoints; an interrupted run continues from there."""

    report: Report
    device: torch.device = CPU
    """Where neural models are fitted."""

    facts: dict[str, float] = field(default_factory=dict)
    """What a fit says of itself, such as ``utilisation``: the share of the time not spent on waiting for batches."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of a table."""

    note: str
    """What it is, in words."""

    settings: Mapping[str, Any]
    """Everything that was chosen, for the record."""

    fit: Callable[[Any, Run], Predictor]
    """Fits on the known part."""

    is_random: bool = True
    """Whether seeds differ; if not, the first seed stands for all where the cut does not differ either."""


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """Models under one protocol. The known part is of the type of the whole, so that a cut of it is a validation."""

    name: str
    title: str
    protocol: str
    """What is relevant, what is ranked, what is left out."""

    load: Callable[[Path | None], T]
    """Archive, or ``None`` for a download, to the whole."""

    cut: Callable[[T, int], tuple[T, Sealed[Any]]]
    """The whole and a seed, to the known and the held-out part."""

    measure: Callable[[T, Any, Predictor], Values]
    """The known part, the held-out part and a fitted model, to metrics."""

    metrics: tuple[str, ...]
    """In the order of columns; the first decides."""

    published: tuple[Published, ...]
    entries: Mapping[str, Entry]
    to_reach: Mapping[str, float] = field(default_factory=dict)
    """By metric, what the best entry is to reach."""

    is_cut_random: bool = False
    """Whether the cut depends on the seed."""
