"""Fits the two-tower model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortlist_models.served_tower import ServedUserTower
from shortlist_models.two_tower import ItemTower, TwoTowerShape, UserTower
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.chunks import Chunks, Targets
from shortlist_trainer.config import TwoTowerConfig
from shortlist_trainer.devices import CPU, on
from shortlist_trainer.prefetch import Utilisation, prefetched
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.presets import ConfigRefused
from shortlist_trainer.retrieval_loss import RetrievalLoss
from shortlist_trainer.workers import Alone, Workers

GRADIENT_NORM = 5.0

Report = Callable[[str, int, int, float], None]
"""Called with the part's name, steps done, steps in all, and the recent loss."""


@dataclass(frozen=True, slots=True)
class Towers:
    """A fitted two-tower model."""

    items: ItemTower
    users: UserTower
    table: Tensor
    """Item embeddings with their bias as last column, ``(n, width + 1)``."""

    utilisation: float = 1.0
    """Share of the fitting in which the model did not wait for batches."""

    def served(self) -> ServedUserTower:
        """Return the user tower in the form that is exported."""
        return ServedUserTower(self.users, self.table[:, :-1]).eval()


def shape_of(prepared: Prepared, config: TwoTowerConfig) -> TwoTowerShape:
    """Return the model's sizes."""
    return TwoTowerShape(
        n_items=prepared.n_items,
        feature_columns=prepared.item_features.shape[1],
        category_sizes=tuple(len(values) for values in prepared.categories.values),
        history_length=config.history_length,
        width=config.width,
        encoder=config.encoder,
        layers=config.layers,
        heads=config.heads,
        dropout=config.dropout,
        id_dropout=config.id_dropout,
        category_dropout=config.category_dropout,
    )


def fit_towers(
    prepared: Prepared,
    config: TwoTowerConfig,
    seed: int,
    checkpoints: Checkpoints,
    report: Report,
    device: torch.device = CPU,
    workers: Workers | None = None,
) -> Towers:
    """Fit the towers on the events before ``prepared.fit_end``.

    Every epoch draws from a generator of its own, so a run that resumes ends like one that never stopped. On a GPU the
    towers run in mixed precision, the loss does not. Several workers share the batches of each epoch, which are smaller
    by their number, so that a step is over as many queries as with one; dropout, draws and kept negatives are each
    one's own.

    Raises:
        ConfigRefused: The settings ask for what the fit is too short for.
    """
    workers = workers or Alone()
    torch.manual_seed(seed)
    shape = shape_of(prepared, config)
    items, users = ItemTower(shape), UserTower(shape)
    places = prepared.sequences.places_between(0, prepared.fit_end)
    counts = np.bincount(prepared.sequences.items[places], minlength=shape.n_items)
    _start_from_data(prepared, items, users, places, counts, is_binary=config.loss == "gbce")
    items.to(device)
    users.to(device)
    parameters = [*items.parameters(), *users.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
    )
    targets = Targets(config.share, config.visit_share, config.far_share, config.horizon)
    chunks = Chunks(prepared.sequences, prepared.fit_end, config.history_length)
    per_epoch = max(1, round(len(places) * config.share / config.queries_per_batch))
    total = per_epoch * config.epochs
    if config.negative_source == "cross_batch" and config.queue_warm_up >= total:
        raise ConfigRefused(
            f"two_tower.queue_warm_up={config.queue_warm_up} is not below the {total} steps of the fit, so cross_batch "
            "would never use its queue; lower it, or raise two_tower.epochs"
        )
    features = on(device, prepared.item_features)
    loss_of = RetrievalLoss(config, counts, features, on(device, prepared.categories.index))
    state: dict[str, Stateful] = {"items": items, "users": users, "optimizer": optimizer}
    if loss_of.negatives is not None:
        state["negatives"] = loss_of.negatives
    done = checkpoints.restore("two_tower", state)
    utilisation = Utilisation()
    step = done * per_epoch
    for epoch in range(done, config.epochs):
        torch.manual_seed(seed * 100_003 + epoch + 10_007 * workers.rank)
        shared = np.random.default_rng([seed, epoch])
        queries = -(-config.queries_per_batch // workers.count)
        made = prefetched(chunks.batches(queries, targets, shared, workers.rank, workers.count), utilisation)
        random = np.random.default_rng([seed, epoch, 1, *([workers.rank] if workers.rank else [])])
        recent = 0.0
        if loss_of.negatives is not None:
            loss_of.negatives.begin()
        while True:
            batch = next(made, None)
            optimizer.zero_grad(set_to_none=True)
            if batch is not None:
                loss = loss_of(items, users, batch, random)
                loss.backward()  # type: ignore[no-untyped-call]
                recent = smoothed(recent, loss)
            if not workers.pool(parameters, 0 if batch is None else len(batch.target)):
                break
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * _schedule(step / total)
            torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
            optimizer.step()
            step += 1
            report("two_tower", min(step, total), total, recent)
        step = (epoch + 1) * per_epoch
        checkpoints.save("two_tower", epoch + 1, state)
    items.cpu().eval()
    users.cpu().eval()
    return Towers(items, users, _table(items, features.cpu(), counts), utilisation.share)


def smoothed(recent: float, loss: Tensor) -> float:
    """Return the recent loss with that of one more step in it; ``recent`` is 0 before the first."""
    now = float(loss.detach())
    return now if recent == 0.0 else 0.95 * recent + 0.05 * now


@torch.no_grad()
def _table(items: ItemTower, features: Tensor, counts: NDArray[np.int64]) -> Tensor:
    """Return the embeddings of all items; those without an event are known by their features alone.

    Their own vectors learnt nothing but not to be anyone's target, while the features have stood in for whole items
    wherever an item's own vector was dropped.
    """
    is_new = torch.from_numpy(counts == 0)[:, None]
    return torch.where(is_new, items(features), items.table(features))


def _start_from_data(
    prepared: Prepared,
    items: ItemTower,
    users: UserTower,
    places: NDArray[np.int64],
    counts: NDArray[np.int64],
    *,
    is_binary: bool,
) -> None:
    """Set what need not be learned: scales of inputs, and item biases at the log of their popularity.

    To a softmax only differences between biases matter. A binary loss reads each logit as log odds, and those of an
    item are about the log of its share of the events, with or without a vector of its own.
    """
    values = prepared.sequences.values[places]
    users.numbers.fit(torch.from_numpy(prepared.sequences.numbers[places]))
    users.value_mean.fill_(float(values.mean()))
    users.value_deviation.fill_(float(values.std()) if values.std() > 1e-6 else 1.0)
    with torch.no_grad():
        items.own.weight[:, -1] = torch.from_numpy(np.log((counts + 1.0) / counts.mean())).float()
        if is_binary:
            items.project.bias[-1] = -np.log(len(counts))


def _schedule(progress: float) -> float:
    """Return the share of the learning rate: up over the first tenth, then down along a cosine."""
    if progress < 0.1:
        return 0.04 + 0.96 * progress / 0.1
    return max(0.001, 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, (progress - 0.1) / 0.9)))))
