"""Fits models that read the fields of one event and give a logit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from shortlist_evaluation.probabilities import log_losses
from shortlist_models.field_dcn import FieldDcn, FieldDcnShape
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.devices import CPU, on
from shortlist_trainer.fit_towers import Report, smoothed

_SCORED_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class Fields:
    """Events as fields, with labels."""

    fields: NDArray[np.int64]
    """Index of each field's value, ``(m, f)``; 0 is unknown."""

    sizes: tuple[int, ...]
    """Values that each field can have, unknown included."""

    owner: NDArray[np.int64]
    """Row of ``bags`` of each event, ``(m,)``."""

    bags: NDArray[np.float32]
    """Ones and zeros of the field with several values, ``(items, b)``; ``b`` may be 0."""

    labels: NDArray[np.float32]
    """1 or 0, ``(m,)``."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> Fields:
        """Return a selection of the events."""
        return Fields(self.fields[index], self.sizes, self.owner[index], self.bags, self.labels[index])

    def inputs(self, index: NDArray[np.integer] | slice, device: torch.device = CPU) -> tuple[Tensor, Tensor]:
        """Return what the model reads of some events."""
        return on(device, self.fields[index]), on(device, self.bags[self.owner[index]])


@dataclass(frozen=True, slots=True)
class FieldsConfig:
    """How a model is fitted."""

    width: int = 16
    cross_layers: int = 3
    rank: int | None = None
    hidden: tuple[int, ...] = (128, 64)
    is_stacked: bool = False
    dropout: float = 0.2
    epochs: int = 20
    """At most: fitting ends once two epochs bring nothing on the part that is watched."""

    learning_rate: float = 0.001
    embedding_decay: float = 0.0
    """L2 penalty on the embeddings that a batch touches, as a factor of their squares' sum over the batch size."""

    weight_decay: float = 0.0
    events_per_batch: int = 2048
    averaging: float = 0.0
    """Share that an exponential average of the parameters keeps of itself at each step (Polyak & Juditsky 1992); the
    model is the average. 0: there is none."""


def fit_fields(
    known: Fields,
    watched: Fields,
    config: FieldsConfig,
    seed: int,
    checkpoints: Checkpoints,
    report: Report,
    device: torch.device = CPU,
) -> FieldDcn:
    """Fit by binary cross-entropy, and return the model of the epoch with the least loss on ``watched``.

    Args:
        known: Events to learn from.
        watched: Events of the same kind that are not learnt from, for the number of epochs.
        config: How.
        seed: Of everything.
        checkpoints: Written after each epoch.
        report: Told of the progress.
        device: Where the steps are made.
    """
    torch.manual_seed(seed)
    shape = FieldDcnShape(
        known.sizes,
        known.bags.shape[1],
        config.width,
        config.cross_layers,
        config.rank,
        config.hidden,
        config.is_stacked,
        config.dropout,
    )
    model, best = FieldDcn(shape).to(device), FieldDcn(shape)
    average = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=average)
    candidate = cast("FieldDcn", averaged.module)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    losses = _Losses()
    state: dict[str, Stateful] = {
        "model": model,
        "averaged": averaged,
        "best": best,
        "optimizer": optimizer,
        "losses": losses,
    }
    per_epoch = -(-len(known) // config.events_per_batch)
    for epoch in range(checkpoints.restore("fields", state), config.epochs):
        if losses.is_past_the_best:
            break
        torch.manual_seed(seed * 100_003 + epoch)
        model.train()
        step, recent = epoch * per_epoch, 0.0
        for chosen in _batches(len(known), config.events_per_batch, np.random.default_rng([seed, epoch])):
            loss = _loss(model, known, chosen, config.embedding_decay)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            averaged.update_parameters(model)
            step += 1
            recent = smoothed(recent, loss)
            report("fields", step, per_epoch * config.epochs, recent)
        if losses.add(float(log_losses(probabilities(candidate, watched), watched.labels.astype(np.int64)).mean())):
            best.load_state_dict(candidate.state_dict())
        checkpoints.save("fields", epoch + 1, state)
    return best.eval()


def probabilities(model: FieldDcn, events: Fields) -> NDArray[np.float32]:
    """Return the probability of label 1 of each event, ``(m,)``."""
    model.eval()
    device = model.table.weight.device
    begins = range(0, len(events), _SCORED_AT_ONCE)
    with torch.no_grad():
        parts = [torch.sigmoid(model(*events.inputs(slice(b, b + _SCORED_AT_ONCE), device))) for b in begins]
    found: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
    return found


class _Losses:
    """Losses of the epochs so far, as part of a checkpoint."""

    def __init__(self) -> None:
        self._all: list[float] = []

    def add(self, loss: float) -> bool:
        """Keep the loss of an epoch and return whether it is the least one."""
        self._all.append(loss)
        return loss == min(self._all)

    @property
    def is_past_the_best(self) -> bool:
        """Whether neither of the last two epochs was the best one; one alone may be chance."""
        return len(self._all) > 2 and min(self._all[-2:]) > min(self._all)

    def state_dict(self) -> dict[str, list[float]]:
        return {"all": list(self._all)}

    def load_state_dict(self, state_dict: dict[str, list[float]]) -> None:
        self._all = list(state_dict["all"])


def _batches(m: int, size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = random.permutation(m)
    for begin in range(0, m, size):
        yield order[begin : begin + size]


def _loss(model: FieldDcn, known: Fields, chosen: NDArray[np.int64], decay: float) -> Tensor:
    device = model.table.weight.device
    fields, bag = known.inputs(chosen, device)
    loss = nn.functional.binary_cross_entropy_with_logits(model(fields, bag), on(device, known.labels[chosen]))
    if decay:
        touched = model.table(fields + model.first)
        loss = loss + decay * (touched * touched).sum() / len(chosen)
    return loss
