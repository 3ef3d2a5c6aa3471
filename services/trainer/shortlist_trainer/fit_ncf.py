"""Fits models of the NCF family on who met what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from shortlist_data.errors import DataRefused
from shortlist_models.ncf import NCF_MODELS, Gmf, Interaction, Mlp, NcfShape, NeuMf
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.devices import CPU, on
from shortlist_trainer.fit_towers import Report, smoothed
from shortlist_trainer.prefetch import Utilisation, prefetched

_NEGATIVES_AT_ONCE = 200_000
"""Positives for which negatives are drawn together."""


@dataclass(frozen=True, slots=True)
class NcfConfig:
    """How a model of the family is fitted."""

    factors: int = 32
    hidden: int = 3
    negatives: int = 4
    """Items drawn uniformly, beside each positive, of those that the user did not meet."""

    epochs: int = 20
    learning_rate: float = 0.002
    weight_decay: float = 0.0
    """Decoupled, as in AdamW."""

    dropout: float = 0.0
    averaging: float = 0.0
    """As of :class:`shortlist_trainer.fit_fields.FieldsConfig`; NeuMF starts from averages too."""

    positives_per_batch: int = 1024
    pretraining: bool = True
    """NeuMF starts from a GMF and an MLP that are fitted first with the same settings."""

    pretrained_rate: float = 0.0005
    """Learning rate of a NeuMF that starts so."""

    pretrained_epochs: int = 10


@dataclass(frozen=True, slots=True)
class Positives:
    """Pairs of user and item rows, each once, in ascending order."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    n_users: int
    n_items: int

    @property
    def keys(self) -> NDArray[np.int64]:
        """Every pair as ``user * n_items + item``, ascending."""
        return self.users * self.n_items + self.items

    @classmethod
    def of(cls, users: NDArray[np.integer], items: NDArray[np.integer], n_users: int, n_items: int) -> Positives:
        """Return the distinct ones of some pairs, but for those of users who met everything: no item is a negative.

        Raises:
            DataRefused: Nothing is left.
        """
        keys = np.unique(users.astype(np.int64) * n_items + items)
        owner = keys // n_items
        keys = keys[np.bincount(owner, minlength=n_users)[owner] < n_items]
        if not len(keys):
            raise DataRefused(
                f"{len(users)} events of {n_users} users on {n_items} items: nobody met some items and not others"
            )
        return cls(keys // n_items, keys % n_items, n_users, n_items)


def fit_ncf(
    name: str,
    positives: Positives,
    config: NcfConfig,
    seed: int,
    checkpoints: Checkpoints,
    report: Report,
    device: torch.device = CPU,
) -> tuple[Interaction, float]:
    """Fit a model by binary cross-entropy with drawn negatives (He et al. 2017, eq. 7).

    Every epoch draws from a generator of its own, so a run that resumes ends like one that never stopped.

    Args:
        name: Key of ``NCF_MODELS``.
        positives: Who met what.
        config: How.
        seed: Of everything.
        checkpoints: Written after each epoch.
        report: Told of the progress.
        device: Where the steps are made.

    Returns:
        The fitted model, and the share of the time in which it did not wait for batches.
    """
    shape = NcfShape(positives.n_users, positives.n_items, config.factors, config.hidden, config.dropout)
    torch.manual_seed(seed)
    model = NCF_MODELS[name](shape).to(device)
    epochs, rate = config.epochs, config.learning_rate
    utilisation = Utilisation()
    if isinstance(model, NeuMf) and config.pretraining:
        gmf, mlp = Gmf(shape).to(device), Mlp(shape).to(device)
        for part_name, part in (("gmf", gmf), ("mlp", mlp)):
            _fit(part_name, part, positives, config, (epochs, rate), seed, checkpoints, report, utilisation)
        model.start_from(gmf, mlp)
        epochs, rate = config.pretrained_epochs, config.pretrained_rate
    _fit(name, model, positives, config, (epochs, rate), seed, checkpoints, report, utilisation)
    return model.cpu().eval(), utilisation.share


def _fit(
    name: str,
    model: Interaction,
    positives: Positives,
    config: NcfConfig,
    pace: tuple[int, float],
    seed: int,
    checkpoints: Checkpoints,
    report: Report,
    utilisation: Utilisation,
) -> None:
    epochs, rate = pace
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=config.weight_decay, fused=True)
    average = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=average)
    state: dict[str, Stateful] = {"model": model, "averaged": averaged, "optimizer": optimizer}
    per_epoch = -(-len(positives.users) // config.positives_per_batch)
    total = per_epoch * epochs
    done = checkpoints.restore(name, state)
    model.train()
    for epoch in range(done, epochs):
        torch.manual_seed(seed * 100_003 + epoch)
        step, recent = epoch * per_epoch, 0.0
        made = batches(positives, config, np.random.default_rng([seed, epoch]))
        for users, items in prefetched(made, utilisation):
            for group in optimizer.param_groups:
                group["lr"] = rate * 0.5 * (1.0 + float(np.cos(np.pi * step / total)))
            loss = _loss(model, on(device, users), on(device, items))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            averaged.update_parameters(model)
            step += 1
            recent = smoothed(recent, loss)
            report(name, step, total, recent)
        checkpoints.save(name, epoch + 1, state)
    model.load_state_dict(averaged.module.state_dict())


def _loss(model: Interaction, users: Tensor, items: Tensor) -> Tensor:
    logits = model(users[:, None], items)
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1.0
    return nn.functional.binary_cross_entropy_with_logits(logits, labels)


def batches(
    positives: Positives, config: NcfConfig, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield users ``(b,)`` and items ``(b, 1 + negatives)``, the positive first, for one pass in random order."""
    order = random.permutation(len(positives.users))
    keys = positives.keys
    size = config.positives_per_batch
    at_once = max(size, _NEGATIVES_AT_ONCE // size * size)
    for begin in range(0, len(order), at_once):
        places = order[begin : begin + at_once]
        users = positives.users[places]
        items = np.concatenate(
            [positives.items[places][:, None], negatives_of(users, config.negatives, keys, positives.n_items, random)],
            axis=1,
        )
        for first in range(0, len(places), size):
            yield users[first : first + size], items[first : first + size]


def negatives_of(
    users: NDArray[np.int64],
    number: int,
    keys: NDArray[np.int64],
    n_items: int,
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Return items that each user did not meet, uniform, with repetition, ``(m, number)``.

    Args:
        users: User rows ``(m,)``.
        number: How many for each.
        keys: ``user * n_items + item`` of everything met, ascending; nobody met all.
        n_items: Size of the catalogue.
        random: Source of randomness.
    """
    owner = np.repeat(users, number)
    drawn = random.integers(n_items, size=len(owner))
    open_places = np.arange(len(owner))
    while len(open_places):
        wanted = owner[open_places] * n_items + drawn[open_places]
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        open_places = open_places[keys[at] == wanted]
        drawn[open_places] = random.integers(n_items, size=len(open_places))
    return drawn.reshape(len(users), number)
