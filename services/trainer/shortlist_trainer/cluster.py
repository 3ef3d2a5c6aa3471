"""Where the two heavy parts of a run are done when one process is not enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from shortlist_trainer.checkpoints import Checkpoints
from shortlist_trainer.config import TwoTowerConfig

if TYPE_CHECKING:
    from shortlist_trainer.fit_towers import Report, Towers
    from shortlist_trainer.prepare import Prepared


class Cluster(Protocol):
    """Machines, or processes, that share the work."""

    workers: int
    """How many fit a model together, and how many partitions of the users and of the items are prepared at once."""

    def mapped(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the results of a pure function of a module, in the order of ``arguments``."""
        ...

    def fit_towers(
        self, prepared: Prepared, config: TwoTowerConfig, seed: int, checkpoints: Checkpoints, report: Report
    ) -> Towers:
        """Return what :func:`shortlist_trainer.fit_towers.fit_towers` gives, fitted by all workers together."""
        ...
