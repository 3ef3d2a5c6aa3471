"""Several candidate models as one entry: what they propose, ranked by a network that learnt at earlier cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist_data.dataset import Dataset
from shortlist_data.errors import DataRefused
from shortlist_models.candidates import Histories
from shortlist_trainer.benchmarks.candidates import standardised
from shortlist_trainer.benchmarks.table import Entry, Predictor, Run
from shortlist_trainer.candidates import best
from shortlist_trainer.histories import HeldOut, apart, histories_of
from shortlist_trainer.holdouts import latest

_CLIP = 4.0
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class StackedConfig:
    """How the network learns."""

    cuts: tuple[float, ...] = (0.2, 0.26, 0.32, 0.38, 0.44, 0.5, 0.56, 0.62, 0.68, 0.74, 0.8, 0.86, 0.92)
    """Shares of the known events at which the parts are fitted; what comes later says what was relevant."""

    candidates: int = 300
    """Items with the greatest sum of the parts' standardised scores."""

    networks: int = 5
    """Their mean is the score."""

    hidden: int = 64
    dropout: float = 0.3
    epochs: int = 15
    learning_rate: float = 0.002
    weight_decay: float = 0.001
    users_per_batch: int = 64


@dataclass(frozen=True, slots=True)
class Lists:
    """Candidates of ``u`` users."""

    rows: NDArray[np.int32]
    """``(u, c)``, -1 where there are fewer."""

    columns: NDArray[np.float32]
    """What the network reads of each, ``(u, c, d)``: a score of each part, then what is known of the user."""


def stacked(note: str, parts: Mapping[str, Entry], config: StackedConfig = StackedConfig()) -> Entry:
    """Return the entry.

    The parts are fitted at each cut and, for the predictions, on all that is known. Nothing is learnt from after that.

    Args:
        note: What it is, in words.
        parts: Entries of candidate models, by name.
        config: How the network learns.
    """

    def fit(known: Dataset, run: Run) -> Predictor:
        lists: list[Lists] = []
        relevant: list[NDArray[np.bool_]] = []
        for number, share in enumerate(config.cuts):
            before, after = apart(known, latest(known, 1.0 - share))
            here = _Parts(before, parts, replace(run, folder=run.folder / f"cut-{share}"), config)
            lists.append(here(histories_of(before, after.users)))
            relevant.append(_relevant(lists[-1].rows, after))
            run.report("cuts", number + 1, len(config.cuts), 0.0)
        together = Lists(np.concatenate([x.rows for x in lists]), np.concatenate([x.columns for x in lists]))
        network = _fit(together, np.concatenate(relevant), config, run.seed)
        final = _Parts(known, parts, run, config)

        def score(histories: Histories) -> NDArray[np.float32]:
            mine = final(histories)
            scores = np.full((len(histories), histories.n_items), -np.inf, np.float32)
            owner, place = np.nonzero(mine.rows >= 0)
            with torch.no_grad():
                found = network(torch.from_numpy(mine.columns)).numpy()
            scores[owner, mine.rows[owner, place]] = found[owner, place]
            scores[np.isneginf(scores)] = found.min(initial=0.0) - 1.0
            return scores

        return score

    settings = {**asdict(config), "parts": {name: dict(part.settings) for name, part in parts.items()}}
    return Entry(note, settings, fit)


class _Parts:
    """Fitted parts, and the lists they give together."""

    def __init__(self, known: Dataset, parts: Mapping[str, Entry], run: Run, config: StackedConfig) -> None:
        self._fitted = [entry.fit(known, replace(run, folder=run.folder / name)) for name, entry in parts.items()]
        self._now_s = float(known.times_s[-1])
        self._candidates = config.candidates

    def __call__(self, histories: Histories) -> Lists:
        """Return the candidates of the users: items they have not met."""
        scores = np.stack([standardised(part(histories)) for part in self._fitted], axis=-1)
        together = scores.sum(axis=-1)
        together[np.repeat(np.arange(len(histories)), np.diff(histories.indptr)), histories.rows] = -np.inf
        rows = best(together, self._candidates)
        users = _user_columns(histories, self._now_s)
        columns = np.take_along_axis(scores, np.maximum(rows, 0)[..., None], axis=1)
        known_of_user = np.repeat(users[:, None], rows.shape[1], axis=1)
        return Lists(rows, np.concatenate([columns, known_of_user], axis=2).astype(np.float32))


class _Network(nn.Module):
    """The mean of several small networks over standardised columns."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, columns: Tensor, config: StackedConfig) -> None:
        super().__init__()
        flat = columns.flatten(0, -2)
        self.register_buffer("mean", flat.mean(0))
        self.register_buffer("deviation", flat.std(0).clamp(min=1e-6))
        self.networks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(columns.shape[-1], config.hidden),
                nn.ReLU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.hidden, config.hidden),
                nn.ReLU(),
                nn.Linear(config.hidden, 1),
            )
            for _ in range(config.networks)
        )

    def each(self, columns: Tensor) -> list[Tensor]:
        """Return the scores of each network, ``(u, c)``."""
        scaled = ((columns - self.mean) / self.deviation).clamp(-_CLIP, _CLIP)
        return [network(scaled).squeeze(-1) for network in self.networks]

    def forward(self, columns: Tensor) -> Tensor:
        """Return scores ``(u, c)`` for columns ``(u, c, d)``."""
        return torch.stack(self.each(columns)).mean(0)


def _fit(lists: Lists, relevant: NDArray[np.bool_], config: StackedConfig, seed: int) -> _Network:
    """Fit by the cross-entropy of what was relevant under a softmax over each list."""
    some = relevant.any(axis=1)
    if not some.any():
        raise DataRefused(
            f"at none of the cuts {config.cuts} did a user meet one of the candidates later; there is nothing to learn"
        )
    torch.manual_seed(seed)
    columns, targets = torch.from_numpy(lists.columns[some]), torch.from_numpy(relevant[some])
    is_padding = torch.from_numpy(lists.rows[some] < 0)
    network = _Network(columns, config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, config.epochs * -(-len(columns) // config.users_per_batch)
    )
    for _ in range(config.epochs):
        for chosen in torch.randperm(len(columns)).split(config.users_per_batch):  # type: ignore[no-untyped-call]
            losses = [_loss(scores, targets[chosen], is_padding[chosen]) for scores in network.each(columns[chosen])]
            optimizer.zero_grad(set_to_none=True)
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network.eval()


def _loss(scores: Tensor, relevant: Tensor, is_padding: Tensor) -> Tensor:
    """Return the mean over lists; one with more that was relevant counts more, up to ten, as in a list of ten."""
    logs = torch.log_softmax(scores.masked_fill(is_padding, -1e9), dim=1)
    counts = relevant.sum(dim=1)
    weight: Tensor = counts.clamp(max=10).sqrt() / counts
    return -((logs * relevant).sum(dim=1) * weight).mean()


def _relevant(rows: NDArray[np.int32], after: HeldOut) -> NDArray[np.bool_]:
    """Return which candidates were met later, ``(u, c)``."""
    parts: Sequence[NDArray[np.bool_]] = [
        np.isin(mine, after.rows[after.indptr[user] : after.indptr[user + 1]]) for user, mine in enumerate(rows)
    ]
    return np.stack(parts)


def _user_columns(histories: Histories, now_s: float) -> NDArray[np.float32]:
    """Return log of events, of hours since the last and since the first one, and the mean value, ``(u, 4)``."""
    counts = np.diff(histories.indptr)
    first, last = histories.times_s[histories.indptr[:-1]], histories.times_s[histories.indptr[1:] - 1]
    hours = [np.log1p(np.maximum(now_s - times, 0.0) / _SECONDS_PER_HOUR) for times in (last, first)]
    owner = np.repeat(np.arange(len(histories)), counts)
    mean = np.bincount(owner, histories.values, len(histories)) / counts
    return np.stack([np.log(counts), *hours, mean], axis=1).astype(np.float32)
