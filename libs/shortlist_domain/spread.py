"""What ranking is asked for a slate whose items differ."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import StrEnum


class DiversityMethod(StrEnum):
    """Ways of spreading a slate; the names of ``DiversityMethod`` on the wire, in lower case."""

    MMR = "mmr"
    DPP = "dpp"


@dataclass(frozen=True, slots=True)
class Spread:
    """Asks for an order in which neighbouring items differ."""

    method: DiversityMethod
    strength: float
    """In [0, 1]: 0 is relevance alone, 1 is spread alone."""

    count: int
    """Positions to fill, at least 1."""

    held: array[int] = field(default_factory=lambda: array("I"))
    """Candidates that are in the slate already, by their position in the request's rows: the others are to differ from
    them as well, and they stand in no order."""

    kept: array[float] = field(default_factory=lambda: array("f"))
    """Factors in [0, 1] on the relevance of each candidate. Empty: 1 each."""

    minimum_click_probability: float = 0.0
    """Candidates below it stand in no order."""

    boosts: array[float] = field(default_factory=lambda: array("f"))
    """Factors above 0 whose logarithms are added to the score of each candidate. Empty: 1 each."""
