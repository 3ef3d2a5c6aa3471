"""Deadlines: a point on the monotonic clock by which an answer is due, handed down and sliced."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shortlist_domain.errors import BudgetExceeded

Clock = Callable[[], float]
"""Seconds on a clock that never goes back; :func:`time.monotonic` outside of tests."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which work is worth nothing any more."""

    at_s: float
    """The moment, in seconds of ``clock``."""

    clock: Clock = field(default=time.monotonic, repr=False, compare=False)

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        """Return the deadline that lies ``seconds`` ahead; a negative value is one already past."""
        return cls(clock() + seconds, clock)

    def remaining_s(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at_s - self.clock())

    def slice(self, fraction: float, reserve_s: float = 0.0) -> "Deadline":
        """Return an earlier deadline that leaves ``1 - fraction`` of the rest, and ``reserve_s`` at least, to others.

        Args:
            fraction: Share of what remains, in (0, 1].
            reserve_s: Seconds that are not given away, for composing and sending the answer.
        """
        share = max(0.0, self.remaining_s() - reserve_s) * fraction
        return Deadline(self.clock() + share, self.clock)

    def check(self, work: str) -> None:
        """Raise before ``work`` is begun in vain.

        Raises:
            BudgetExceeded: The deadline has passed.
        """
        if self.at_s <= self.clock():
            raise BudgetExceeded(f"no time left for {work}")
