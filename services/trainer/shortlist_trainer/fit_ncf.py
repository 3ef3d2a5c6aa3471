"""Fits models of the NCF family on who met what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

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
from shortlist_trainer.ncf_config import NcfConfig
from shortlist_trainer.prefetch import Utilisation, prefetched

_NEGATIVES_AT_ONCE = 800_000
"""Negatives that are drawn together, about."""

Batch = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Users ``(b,)``, items ``(b, 1 + negatives)``, the positive first, and weights of the positives ``(b,)``."""


@dataclass(frozen=True, slots=True)
class Positives:
    """Pairs of user and item rows, each once, in ascending order."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    n_users: int
    n_items: int
    later: NDArray[np.int64]
    """How many pairs of the same user came later, ``(m,)``: 0 for the latest."""

    @property
    def keys(self) -> NDArray[np.int64]:
        """Every pair as ``user * n_items + item``, ascending."""
        return self.users * self.n_items + self.items

    @classmethod
    def of(cls, users: NDArray[np.integer], items: NDArray[np.integer], n_users: int, n_items: int) -> Positives:
        """Return the distinct ones of some pairs, but for those of users who met everything: no item is a negative.

        Args:
            users: User rows, in the order of time; a pair that comes up again stands where it came last.
            items: Item rows of the same events.
            n_users: Rows of users in all.
            n_items: Size of the catalogue.

        Raises:
            DataRefused: Nothing is left.
        """
        backwards = (users.astype(np.int64) * n_items + items)[::-1]
        keys, since = np.unique(backwards, return_index=True)
        owner = keys // n_items
        counts = np.bincount(owner, minlength=n_users)
        kept = counts[owner] < n_items
        # Users one after the other, the latest pair of each first: places there, less that of the user's first.
        later = np.empty_like(since)
        later[np.lexsort((since, owner))] = np.arange(len(keys))
        later -= (np.cumsum(counts) - counts)[owner]
        keys = keys[kept]
        if not len(keys):
            raise DataRefused(
                f"{len(users)} events of {n_users} users on {n_items} items: nobody met some items and not others"
            )
        return cls(keys // n_items, keys % n_items, n_users, n_items, later[kept])

    def weights(self, half_life: float, least: float) -> NDArray[np.float32]:
        """Return what each pair weighs, ``(m,)``, 1 in the mean: ``max(least, 2^(-later / half_life))``, scaled.

        A ``half_life`` of 0 makes all of them 1.
        """
        if half_life == 0.0:
            return np.ones(len(self.users), np.float32)
        weights = np.maximum(np.exp2(-self.later / half_life), least)
        scaled: NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
        return scaled


def fit_ncf(
    name: str,
    positives: Positives,
    config: NcfConfig,
    seed: int,
    checkpoints: Checkpoints,
    report: Report,
    device: torch.device = CPU,
) -> tuple[Interaction, float]:
    """Fit a model on positives and drawn negatives, by the loss of the settings.

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
        of_gmf, of_mlp = config.gmf or config, config.mlp or config
        gmf = Gmf(replace(shape, dropout=of_gmf.dropout)).to(device)
        mlp = Mlp(replace(shape, dropout=of_mlp.dropout)).to(device)
        for part_name, part, own in (("gmf", gmf, of_gmf), ("mlp", mlp, of_mlp)):
            pace = own.epochs, own.learning_rate
            _fit(part_name, part, positives, own, pace, seed, checkpoints, report, utilisation)
        model.start_from(gmf, mlp, config.share)
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
        for users, items, weights in prefetched(made, utilisation):
            for group in optimizer.param_groups:
                group["lr"] = rate * 0.5 * (1.0 + float(np.cos(np.pi * step / total)))
            logits = model(on(device, users)[:, None], on(device, items))
            loss = LOSSES[config.loss](logits, on(device, weights))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            averaged.update_parameters(model)
            step += 1
            recent = smoothed(recent, loss)
            report(name, step, total, recent)
        checkpoints.save(name, epoch + 1, state)
    model.load_state_dict(averaged.module.state_dict())


def bce(logits: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of the binary cross-entropy of every pair (He et al. 2017, eq. 7).

    Args:
        logits: ``(b, 1 + negatives)``, the positive's first.
        weights: Of each positive and its negatives, ``(b,)``.
    """
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1.0
    return nn.functional.binary_cross_entropy_with_logits(logits, labels, weights[:, None].expand_as(logits))


def softmax(logits: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of ``-log(exp(z_0) / sum_j exp(z_j))``; arguments as of :func:`bce`."""
    return (weights * (torch.logsumexp(logits, dim=1) - logits[:, 0])).mean()


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"bce": bce, "softmax": softmax}
"""By the name in the settings."""


def batches(positives: Positives, config: NcfConfig, random: np.random.Generator) -> Iterator[Batch]:
    """Yield batches for one pass over the positives in random order."""
    order = random.permutation(len(positives.users))
    keys = positives.keys
    weights = positives.weights(config.half_life, config.least_weight)
    size = config.positives_per_batch
    at_once = max(size, _NEGATIVES_AT_ONCE // config.negatives // size * size)
    for begin in range(0, len(order), at_once):
        places = order[begin : begin + at_once]
        users = positives.users[places]
        items = np.concatenate(
            [positives.items[places][:, None], negatives_of(users, config.negatives, keys, positives.n_items, random)],
            axis=1,
        )
        for first in range(0, len(places), size):
            part = slice(first, first + size)
            yield users[part], items[part], weights[places[part]]


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
