"""Losses as they went, thinned out: what a report draws."""

from __future__ import annotations

from shortlist_trainer.fit_towers import Report

MOST_POINTS = 200
"""Points kept of each part."""


class Curves:
    """Passes reports on and remembers their losses."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._points: dict[str, list[tuple[int, float]]] = {}
        self._last: dict[str, int] = {}

    def __call__(self, part: str, done: int, total: int, loss: float) -> None:
        """Take one report."""
        self._report(part, done, total, loss)
        place = done * MOST_POINTS // max(1, total)
        if loss and self._last.get(part) != place:
            self._last[part] = place
            self._points.setdefault(part, []).append((done, loss))

    def to_json(self) -> dict[str, list[list[float]]]:
        """Return by part ``[step, loss]``, in order; parts without a loss are left out."""
        return {part: [[step, round(loss, 6)] for step, loss in points] for part, points in self._points.items()}
