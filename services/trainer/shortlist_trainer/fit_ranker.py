"""Fits the ranker on what retrieval proposes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortlist_models.dcn import Ranker, RankerShape
from shortlist_models.losses import listwise_softmax
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.config import RankerConfig
from shortlist_trainer.devices import CPU, mixed_precision, on
from shortlist_trainer.fit_towers import GRADIENT_NORM, Report, smoothed
from shortlist_trainer.prefetch import Utilisation, prefetched
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.ranker_samples import RankerInputs, Samples


class Scorer:
    """A ranker over the item table of a run."""

    def __init__(self, prepared: Prepared, table: NDArray[np.float32], ranker: Ranker) -> None:
        self.ranker = ranker
        self._features = torch.from_numpy(prepared.item_features)
        self._table = torch.from_numpy(table)
        self._categories = torch.from_numpy(prepared.categories.index)

    def to(self, device: torch.device) -> None:
        """Move the ranker and the tables it reads."""
        self.ranker.to(device)
        self._features, self._table = self._features.to(device), self._table.to(device)
        self._categories = self._categories.to(device)

    def heads(self, inputs: RankerInputs) -> tuple[Tensor, Tensor]:
        """Return click logits and ratings, each ``(q, c)``, with gradients where the ranker is training."""
        device = self._table.device
        rows = on(device, inputs.rows).long()
        user = (
            on(device, inputs.embedding),
            on(device, inputs.has_history),
            on(device, inputs.age_s),
            self._categories[on(device, inputs.users).long()],
            on(device, inputs.numbers),
            on(device, inputs.context),
        )
        click, rating = self.ranker(
            *(column.unsqueeze(1) for column in user),
            self._features[rows],
            on(device, inputs.item_numbers),
            self._table[rows],
        )
        return click, rating

    def scored(self, inputs: RankerInputs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return :meth:`heads` as arrays, without gradients."""
        with torch.no_grad():
            click, rating = self.heads(inputs)
        return click.numpy(), rating.numpy()


def fit_ranker(
    prepared: Prepared,
    table: NDArray[np.float32],
    samples: Samples,
    config: RankerConfig,
    seed: int,
    checkpoints: Checkpoints,
    report: Report,
    device: torch.device = CPU,
    utilisation: Utilisation | None = None,
) -> Scorer:
    """Fit the ranker: ``L = L_click + rating_weight * L_rating``.

    ``L_click`` is a softmax over each list (listwise, Cao et al. 2007), ``L_rating`` the squared error of the
    positives' ratings in units of their variance. On a GPU the ranker runs in mixed precision, the loss does not.
    """
    torch.manual_seed(seed + 7)
    scorer = Scorer(prepared, table, Ranker(_shape(prepared, table, config)))
    ranker, inputs = scorer.ranker, samples.inputs
    _start_from_data(scorer, samples)
    scorer.to(device)
    optimizer = torch.optim.AdamW(ranker.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    state: dict[str, Stateful] = {"ranker": ranker, "optimizer": optimizer}
    n = len(inputs.users)
    per_epoch = -(-n // config.queries_per_batch)
    total = per_epoch * config.epochs
    for epoch in range(checkpoints.restore("ranker", state), config.epochs):
        torch.manual_seed(seed * 100_003 + 50_000 + epoch)
        order = np.random.default_rng([seed, 13, epoch]).permutation(n)
        ranker.train()
        recent = 0.0
        made = (
            (inputs.take(chosen), samples.ratings[chosen])
            for chosen in (order[at : at + config.queries_per_batch] for at in range(0, n, config.queries_per_batch))
        )
        for number, (batch, ratings) in enumerate(prefetched(made, utilisation or Utilisation())):
            step = epoch * per_epoch + number
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * max(0.01, 1.0 - step / total)
            with mixed_precision(device):
                click, rating = scorer.heads(batch)
            target = torch.zeros(len(ratings), dtype=torch.long, device=device)
            error = (rating[:, 0].float() - on(device, ratings)) / ranker.rating_deviation
            loss = listwise_softmax(click.float(), target) + config.rating_weight * (error * error).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(ranker.parameters(), GRADIENT_NORM)
            optimizer.step()
            recent = smoothed(recent, loss)
            report("ranker", step + 1, total, recent)
        checkpoints.save("ranker", epoch + 1, state)
    ranker.eval()
    scorer.to(CPU)
    if np.ptp(samples.ratings) == 0.0:
        ranker.rating_deviation.zero_()  # nothing to predict: the rating is the one value that there is
    return scorer


def _shape(prepared: Prepared, table: NDArray[np.float32], config: RankerConfig) -> RankerShape:
    return RankerShape(
        embedding_width=table.shape[1],
        feature_columns=prepared.item_features.shape[1],
        category_sizes=tuple(len(values) for values in prepared.categories.values),
        projected=config.projected,
        cross_layers=config.cross_layers,
        rank=config.rank,
        hidden=config.hidden,
        dropout=config.dropout,
    )


def _start_from_data(scorer: Scorer, samples: Samples) -> None:
    ranker, inputs = scorer.ranker, samples.inputs
    some = inputs.take(slice(None, None, max(1, len(inputs.users) // 2000)))
    ranker.user_numbers.fit(torch.from_numpy(some.numbers))
    match = np.einsum("qcd,qd->qc", scorer._table.numpy()[some.rows], some.embedding)
    columns = np.concatenate([some.item_numbers, match[..., None]], axis=-1)
    ranker.item_numbers.fit(torch.from_numpy(columns.reshape(-1, columns.shape[-1])))
    deviation = float(samples.ratings.std())
    ranker.rating_mean.fill_(float(samples.ratings.mean()))
    ranker.rating_deviation.fill_(deviation if deviation > 1e-6 else 1.0)
