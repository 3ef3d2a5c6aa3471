"""A circuit breaker: after failures in a row, calls are refused at once until a probe has succeeded."""

from dataclasses import dataclass, field

from shortlist_domain.deadline import Clock


@dataclass(slots=True)
class Breaker:
    """Counts failures in a row. Probing is its owner's business."""

    failures_to_open: int
    clock: Clock
    is_open: bool = field(default=False, init=False)
    last_reason: str = field(default="", init=False)
    """Why it opened last."""

    opened_count: int = field(default=0, init=False)
    """How often it opened."""

    opened_at_s: float = field(default=0.0, init=False)
    """When it opened last, on ``clock``."""

    _failures: int = field(default=0, init=False)

    def succeeded(self) -> None:
        """Note that the server answered; closes the breaker."""
        self._failures = 0
        self.is_open = False

    def failed(self, reason: str) -> None:
        """Note a failure; opens the breaker where it is the last straw."""
        self._failures += 1
        self.last_reason = reason
        if not self.is_open and self._failures >= self.failures_to_open:
            self.is_open = True
            self.opened_count += 1
            self.opened_at_s = self.clock()
