"""Fits the ranker on what retrieval proposes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shortlist_models.rankers import RANKERS, NcfRanker, Ranker, RankerShape
from shortlist_models.ranking_losses import LossWeights, ranking_loss
from shortlist_trainer.checkpoints import Checkpoints, Stateful
from shortlist_trainer.config import RankerConfig, RankerName
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
        user = {
            "user_embedding": on(device, inputs.embedding),
            "has_history": on(device, inputs.has_history),
            "age_s": on(device, inputs.age_s),
            "user_categories": self._categories[on(device, inputs.users).long()],
            "user_numbers": on(device, inputs.numbers),
            "context": on(device, inputs.context),
        }
        tensors = {name: column.unsqueeze(1) for name, column in user.items()}
        tensors["item_embeddings"] = self._table[rows]
        if "item_features" in self.ranker.reads:
            tensors["item_features"] = self._features[rows]
            tensors["item_numbers"] = on(device, inputs.item_numbers)
        if "history_rows" in self.ranker.reads:
            history = on(device, inputs.history_rows).long()
            tensors["history_rows"] = history
            tensors["history_values"] = on(device, inputs.history_values)
            tensors["history_ages_s"] = on(device, inputs.history_ages_s)
            tensors["history_embeddings"] = self._table[history.clamp(min=0)]
        click, rating = self.ranker(tensors)
        return click, rating

    def scored(self, inputs: RankerInputs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return :meth:`heads` as arrays, without gradients."""
        with torch.no_grad():
            click, rating = self.heads(inputs)
        return click.numpy(), rating.numpy()


@dataclass(frozen=True, slots=True)
class RankerFit:
    """What rankers of a run are fitted on and how."""

    prepared: Prepared
    table: NDArray[np.float32]
    """Embeddings of all items, ``(n, d)``."""

    samples: Samples
    config: RankerConfig
    seed: int
    checkpoints: Checkpoints
    report: Report
    device: torch.device = CPU
    utilisation: Utilisation = field(default_factory=Utilisation)

    def fitted(self, name: RankerName, part: str, start: Callable[[Ranker], None] = lambda ranker: None) -> Scorer:
        """Return a fitted ranker.

        Args:
            name: Of :data:`shortlist_models.rankers.RANKERS`.
            part: Name of its checkpoints.
            start: Sets what it starts from, where that is not chance and data.
        """
        torch.manual_seed(self.seed + 7)
        config, samples = self.config, self.samples
        scorer = Scorer(self.prepared, self.table, RANKERS[name](_shape(self.prepared, self.table, config)))
        ranker, inputs = scorer.ranker, samples.inputs
        _start_from_data(scorer, samples)
        start(ranker)
        scorer.to(self.device)
        weights = LossWeights(config.retrieval_weight, config.rating_weight, config.click_weight)
        optimizer = torch.optim.AdamW(ranker.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        state: dict[str, Stateful] = {"ranker": ranker, "optimizer": optimizer}
        n = len(inputs.users)
        per_epoch = -(-n // config.queries_per_batch)
        total = per_epoch * config.epochs
        for epoch in range(self.checkpoints.restore(part, state), config.epochs):
            torch.manual_seed(self.seed * 100_003 + 50_000 + epoch)
            order = np.random.default_rng([self.seed, 13, epoch]).permutation(n)
            ranker.train()
            recent = 0.0
            made = (
                (inputs.take(chosen), samples.ratings[chosen])
                for chosen in (
                    order[at : at + config.queries_per_batch] for at in range(0, n, config.queries_per_batch)
                )
            )
            for number, (batch, ratings) in enumerate(prefetched(made, self.utilisation)):
                step = epoch * per_epoch + number
                for group in optimizer.param_groups:
                    group["lr"] = config.learning_rate * max(0.01, 1.0 - step / total)
                with mixed_precision(self.device):
                    click, rating = scorer.heads(batch)
                target = torch.zeros(len(ratings), dtype=torch.long, device=self.device)
                values = on(self.device, ratings)
                loss = ranking_loss(
                    click.float(), target, rating[:, 0].float(), values, ranker.rating_deviation, weights
                )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(ranker.parameters(), GRADIENT_NORM)
                optimizer.step()
                recent = smoothed(recent, loss)
                self.report(part, step + 1, total, recent)
            self.checkpoints.save(part, epoch + 1, state)
        ranker.eval()
        scorer.to(CPU)
        if np.ptp(samples.ratings) == 0.0:
            ranker.rating_deviation.zero_()  # nothing to predict: the rating is the one value that there is
        return scorer


def fit_ranker(fit: RankerFit) -> Scorer:
    """Return the fitted ranker that the settings name, by :func:`shortlist_models.ranking_losses.ranking_loss`.

    On a GPU it runs in mixed precision, the loss does not. A NeuMF with ``pretraining`` starts from a GMF and an MLP
    fitted with the same settings (He et al. 2017, section 3.4.1). It goes on with an AdamW of its own, where the
    publication takes plain gradient descent for want of moments that would fit.
    """
    config = fit.config
    if not config.pretraining:
        return fit.fitted(config.model, "ranker")
    gmf, mlp = fit.fitted("gmf", "ranker_gmf").ranker, fit.fitted("mlp", "ranker_mlp").ranker

    def start(ranker: Ranker) -> None:
        cast(NcfRanker, ranker).start_from(cast(NcfRanker, gmf), cast(NcfRanker, mlp), config.pretraining_share)

    return fit.fitted("neumf", "ranker", start)


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
        structure=config.structure,
        attention=config.attention,
    )


def _start_from_data(scorer: Scorer, samples: Samples) -> None:
    ranker, inputs = scorer.ranker, samples.inputs
    some = inputs.take(slice(None, None, max(1, len(inputs.users) // 2000)))
    match = np.einsum("qcd,qd->qc", scorer._table.numpy()[some.rows], some.embedding)
    columns = np.concatenate([some.item_numbers, match[..., None]], axis=-1)
    ranker.fit_scales(
        torch.from_numpy(some.numbers),
        torch.from_numpy(columns.reshape(-1, columns.shape[-1])),
        torch.from_numpy(some.history_values[some.history_rows >= 0]),
    )
    deviation = float(samples.ratings.std())
    ranker.rating_mean.fill_(float(samples.ratings.mean()))
    ranker.rating_deviation.fill_(deviation if deviation > 1e-6 else 1.0)
