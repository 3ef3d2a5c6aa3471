"""How models of the NCF family are fitted on who met what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NcfConfig:
    """How a model of the family is fitted."""

    factors: int = 32
    hidden: int = 3
    loss: Literal["bce", "softmax"] = "bce"
    """``bce`` is the publication's: binary cross-entropy of every pair (He et al. 2017, eq. 7). ``softmax`` is the
    cross-entropy of choosing the positive among itself and its negatives (Wu et al. 2022, "On the Effectiveness of
    Sampled Softmax Loss for Item Recommendation"); uniform negatives need no correction."""

    negatives: int = 4
    """Items drawn uniformly, beside each positive, of those that the user did not meet; at least 1."""

    half_life: float = 0.0
    """Events of a user after which a positive weighs half as much (Ding & Li 2005, "Time Weight Collaborative
    Filtering"; counted in events, not in time). 0: all weigh the same, as in the publication."""

    least_weight: float = 0.05
    """What a positive weighs at least, the latest weighing 1, in [0, 1]; then weights are scaled to a mean of 1."""

    epochs: int = 20
    learning_rate: float = 0.002
    weight_decay: float = 0.0
    """Decoupled, as in AdamW."""

    dropout: float = 0.0
    averaging: float = 0.0
    """As of :class:`shortlist_trainer.fit_fields.FieldsConfig`, in [0, 1); NeuMF starts from averages too."""

    positives_per_batch: int = 1024
    pretraining: bool = True
    """NeuMF starts from a GMF and an MLP that are fitted first."""

    gmf: NcfConfig | None = None
    """How that GMF is fitted, of the same ``factors`` and ``hidden``; left out, with the settings at hand."""

    mlp: NcfConfig | None = None
    """As ``gmf``, for the MLP."""

    share: float = 0.5
    """Of the GMF in the head that a NeuMF starts with, ``alpha`` of eq. 13, in [0, 1]."""

    pretrained_rate: float = 0.0005
    """Learning rate of a NeuMF that starts so."""

    pretrained_epochs: int = 10

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: A setting is out of its range.
        """
        allowed = (
            (self.loss in ("bce", "softmax"), "loss is bce or softmax"),
            (min(self.negatives, self.epochs, self.positives_per_batch) >= 1, "negatives, epochs and batches hold 1"),
            (self.pretrained_epochs >= 0, "pretrained_epochs are at least 0"),
            (self.half_life >= 0.0, "half_life is at least 0"),
            (0.0 <= self.least_weight <= 1.0, "least_weight is in [0, 1]"),
            (0.0 <= self.averaging < 1.0, "averaging is in [0, 1)"),
            (0.0 <= self.share <= 1.0, "share is in [0, 1]"),
            (self.learning_rate > 0.0 and self.pretrained_rate > 0.0, "rates are above 0"),
            (self.weight_decay >= 0.0, "weight_decay is at least 0"),
            (
                all((p.factors, p.hidden) == (self.factors, self.hidden) for p in (self.gmf, self.mlp) if p),
                "the parts of a NeuMF have its factors and hidden layers",
            ),
        )
        for is_allowed, rule in allowed:
            if not is_allowed:
                raise ValueError(f"{rule}: {self}")
