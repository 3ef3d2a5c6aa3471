"""The loss of the two towers on one batch: queries, negatives, and what tells them apart."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortlist_models.losses import LOSSES, Contrast, LossOptions, Sample
from shortlist_models.negatives import NEGATIVES, Asked, Drawn, Negatives, SourceOptions
from shortlist_models.two_tower import ItemTower, UserTower
from shortlist_trainer.chunks import Batch
from shortlist_trainer.config import TwoTowerConfig
from shortlist_trainer.devices import mixed_precision, on


def with_kept(embeddings: Tensor, kept: Tensor) -> Tensor:
    """Return embeddings of a batch ``(s, d)`` and kept ones ``(m, d)`` as one sample.

    Kept embeddings pass no gradient on to their items. Those of the batch carry it for the whole sample, times
    ``(s + m) / s``; else items would be drawn to their queries in full and pushed away from all others in part.
    """
    fixed = embeddings.detach()
    return torch.cat([fixed + (1.0 + len(kept) / len(embeddings)) * (embeddings - fixed), kept])


class RetrievalLoss:
    """The loss that the settings ask for, over the items of a run.

    Args:
        config: Settings.
        counts: Events of each item in the window that is fitted, ``(n,)``.
        features: Static columns of all items, ``(n, f)``, on the device of the towers.
        categories: Attributes of all users, ``(users, c)``, likewise.
    """

    def __init__(self, config: TwoTowerConfig, counts: NDArray[np.int64], features: Tensor, categories: Tensor) -> None:
        self._features, self._categories = features, categories
        self._loss = LOSSES[config.loss_for(len(counts))]
        self._options = LossOptions(config.temperature, len(counts), config.gbce_t)
        self.negatives: Negatives | None = None
        if self._loss.negatives:
            name = self._loss.negatives[0] if config.negative_source == "auto" else config.negative_source
            options = SourceOptions(
                number=config.negatives,
                refresh=config.hard_refresh,
                depth=config.hard_depth,
                warm_up=config.queue_warm_up,
                queue_length=config.queue_length,
            )
            self.negatives = NEGATIVES[name](counts, options)

    def __call__(self, items: ItemTower, users: UserTower, batch: Batch, random: np.random.Generator) -> Tensor:
        """Return the mean loss of the batch's queries; ``random`` is the source of all negatives."""
        if self.negatives is None:
            table = items.table(self._features)
            history, target = self._on(batch.rows), self._on(batch.target)
            query = self._queries(users, table, history, batch)
            return self._loss.function(query, Contrast(target, table), self._options)
        return self._sampled(self.negatives, items, users, batch, random)

    def _sampled(
        self, negatives: Negatives, items: ItemTower, users: UserTower, batch: Batch, random: np.random.Generator
    ) -> Tensor:
        drawn = None if negatives.needs_queries else negatives.draw(Asked(batch.target), random)
        history, target = self._on(batch.rows), self._on(batch.target)
        # Only the items that the batch touches are embedded: history, targets and negatives, numbered anew.
        early = [] if drawn is None else [self._on(drawn.rows)]
        touched = torch.cat([history.clamp(min=0).ravel(), target, *early]).unique()  # type: ignore[no-untyped-call]
        table = items.table(self._features, touched)
        positives = torch.searchsorted(touched, target)
        history = torch.where(history >= 0, torch.searchsorted(touched, history.clamp(min=0)), history)
        query = self._queries(users, table, history, batch)
        if drawn is None:
            drawn = negatives.draw(self._asked(query, items, batch), random)
            rows, inverse = self._on(drawn.rows).unique(return_inverse=True)  # type: ignore[no-untyped-call]
            embeddings = items.table(self._features, rows)[inverse]
        else:
            embeddings = table[torch.searchsorted(touched, early[0])]
        loss = self._loss.function(
            query, Contrast(positives, table, self._sample(drawn, embeddings, target)), self._options
        )
        negatives.keep(batch.target, table[positives])
        return loss

    def _sample(self, drawn: Drawn, embeddings: Tensor, target: Tensor) -> Sample:
        rows = self._on(drawn.rows)
        if drawn.kept is not None and drawn.kept_rows is not None:
            rows = torch.cat([rows, self._on(drawn.kept_rows)])
            embeddings = with_kept(embeddings, drawn.kept.to(embeddings.device))
        log_q = self._on(drawn.log_q)
        return Sample(embeddings, target[:, None] == rows[None, :], log_q[rows], log_q[target])

    def _asked(self, query: Tensor, items: ItemTower, batch: Batch) -> Asked:
        def current() -> Tensor:
            # As serving sees the items: with every item's own vector.
            items.eval()
            with torch.no_grad():
                table = items.table(self._features)
            items.train()
            return table

        return Asked(batch.target, query.detach(), batch.rows[batch.piece], current)

    def _queries(self, users: UserTower, table: Tensor, history: Tensor, batch: Batch) -> Tensor:
        """Return query vectors ``(q, width)``; ``history`` holds places in ``table``."""
        device = self._features.device
        position = self._on(batch.position)
        with mixed_precision(device):
            states = users.states(table[:, :-1], history, self._on(batch.values), self._on(batch.gaps_s))
            query = users.query(
                states[self._on(batch.piece), position.clamp(min=0)],
                position >= 0,
                self._on(batch.age_s),
                self._categories[self._on(batch.users)],
                self._on(batch.numbers),
                self._on(batch.context),
            )
        return query.float()

    def _on(self, array: NDArray[np.generic]) -> Tensor:
        return on(self._features.device, array)
