"""Settings of the ranker and of the calibration of its probabilities."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shortlist_trainer.config.section import Section

RankerName = Literal["dcn_low_rank", "dcn", "gmf", "mlp", "neumf"]


class RankerConfig(Section):
    """The ranker."""

    model: RankerName = "dcn_low_rank"
    """DCN-V2 with low-rank or full cross layers, or one of the NCF family on the embeddings of the two towers."""

    structure: Literal["parallel", "stacked"] = "parallel"
    """Of DCN: deep layers beside the cross layers, or after them."""

    attention: bool = False
    """Whether candidates attend to the events of the history."""

    pretraining: bool = False
    """Whether NeuMF starts from a GMF and an MLP that are fitted first with the same settings."""

    pretraining_share: float = Field(default=0.5, ge=0, le=1)
    """What the GMF's head weighs in it, the MLP's being the rest."""

    queries: int = Field(default=30_000, ge=1)
    """Training moments, drawn from the events after those that retrieval was fitted on."""

    negatives: int = Field(default=100, ge=1, le=5_000)
    """Candidates shown beside the positive, drawn from those that retrieval proposes."""

    visit_share: float = Field(default=0.4, ge=0, le=1)
    """Share of moments that stand at the beginning of the visit, with any of its events to be ranked first."""

    far_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the others at which the history stops some events before the one to be ranked first."""

    horizon: int = Field(default=100, ge=1, le=100_000)
    """How many events before at most."""

    projected: int = Field(default=32, ge=1, le=512)
    cross_layers: int = Field(default=2, ge=1, le=8)
    rank: int = Field(default=16, ge=1, le=256)
    """Of the low-rank cross layers."""

    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(default=(64, 32), min_length=1, max_length=4)
    """Sizes of the deep layers. Of the NCF family, the last is the number of predictive factors, to which as many
    layers as there are entries halve down."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    epochs: int = Field(default=3, ge=1, le=1000)
    learning_rate: float = Field(default=0.002, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    queries_per_batch: int = Field(default=128, ge=1, le=100_000)
    retrieval_weight: float = Field(default=1.0, ge=0, le=100)
    """Weight of the softmax over each list, of the three parts of the loss the one that orders candidates."""

    rating_weight: float = Field(default=0.5, ge=0, le=100)
    """Weight of the squared error of the positives' ratings (alpha)."""

    click_weight: float = Field(default=0.0, ge=0, le=100)
    """Weight of the binary cross-entropy of each positive and negative for itself (beta)."""


class OrderConfig(Section):
    """What decides the order of candidates beside the heads. The weights themselves are chosen on validation."""

    aim: Literal["next", "later"] = "next"
    """What a slate is for: the event that comes next, or, in one list for a long time, everything that comes later."""

    newcomer_half_life: float = Field(default=5.0, gt=0, le=10_000)
    """Events of an actor after which half is left of what retrieval's score weighs more for newcomers."""

    newcomer_weight: float = Field(default=4.0, ge=0, le=1000)
    """Weight of retrieval's score for an actor without events, where there are too few new users to choose by."""

    least_newcomers: int = Field(default=30, ge=1)
    """New users in validation that it takes to choose."""


CalibrationMethod = Literal["platt", "isotonic", "best"]


class CalibrationConfig(Section):
    """How click logits become probabilities. The order of the candidates does not depend on it."""

    method: CalibrationMethod = "platt"
    """``platt`` (two parameters), ``isotonic`` (any ascending form; needs 20 positives, and more to be good), or
    ``best``: the one with the lower log loss on validation."""
