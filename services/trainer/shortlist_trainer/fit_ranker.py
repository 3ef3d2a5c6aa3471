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
from shortlist_trainer.fit_towers import GRADIENT_NORM, Report, smoothed
from shortlist_trainer.prepare import Prepared
from shortlist_trainer.ranker_samples import RankerInputs, Samples


class Scorer:
    """A ranker over the item table of a run."""

    def __init__(self, prepared: Prepared, table: NDArray[np.float32], ranker: Ranker) -> None:
        self.ranker = ranker
        self._features = torch.from_numpy(prepared.item_features)
        self._table = torch.from_numpy(table)
        self._categories = torch.from_numpy(prepared.categories.index)

    def heads(self, inputs: RankerInputs) -> tuple[Tensor, Tensor]:
        """Return click logits and ratings, each ``(q, c)``, with gradients where the ranker is training."""
        rows = torch.from_numpy(inputs.rows).long()
        user = (
            torch.from_numpy(inputs.embedding),
            torch.from_numpy(inputs.has_history),
            torch.from_numpy(inputs.age_s),
            self._categories[torch.from_numpy(inputs.users).long()],
            torch.from_numpy(inputs.numbers),
            torch.from_numpy(inputs.context),
        )
        click, rating = self.ranker(
            *(column.unsqueeze(1) for column in user),
            self._features[rows],
            torch.from_numpy(inputs.item_numbers),
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
) -> Scorer:
    """Fit the ranker: ``L = L_click + rating_weight * L_rating``.

    ``L_click`` is a softmax over each list (listwise, Cao et al. 2007), ``L_rating`` the squared error of the
    positives' ratings in units of their variance.
    """
    torch.manual_seed(seed + 7)
    scorer = Scorer(prepared, table, Ranker(_shape(prepared, table, config)))
    ranker, inputs = scorer.ranker, samples.inputs
    _start_from_data(scorer, samples)
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
        for number in range(per_epoch):
            step = epoch * per_epoch + number
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * max(0.01, 1.0 - step / total)
            chosen = order[number * config.queries_per_batch : (number + 1) * config.queries_per_batch]
            click, rating = scorer.heads(inputs.take(chosen))
            target = torch.zeros(len(chosen), dtype=torch.long)
            error = (rating[:, 0] - torch.from_numpy(samples.ratings[chosen])) / ranker.rating_deviation
            loss = listwise_softmax(click, target) + config.rating_weight * (error * error).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(ranker.parameters(), GRADIENT_NORM)
            optimizer.step()
            recent = smoothed(recent, loss)
            report("ranker", step + 1, total, recent)
        checkpoints.save("ranker", epoch + 1, state)
    ranker.eval()
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
